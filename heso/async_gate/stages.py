"""The stages of one action. Each takes what the one before it made, so the wrong order does not type-check.

capture   Call      -> Captured    arguments frozen as JSON values, who and when
evaluate  Captured  -> Evaluated   what policy says; hidden values replaced by commitments
sign      Evaluated -> Batch       receipts that fit the chains' ends, inside the ledger's transaction
append    Batch     -> Appended    on disk (the ledger's own promise)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NewType

from heso.approvals.roster import fix_terms
from heso.approvals.terms import Terms, format_terms
from heso.async_gate.anchoring import Anchor, anchor_content
from heso.async_gate.context import Step
from heso.async_gate.effects import classify_call
from heso.async_gate.errors import CaptureError
from heso.async_gate.snapshot import Unfit, snapshot_fields
from heso.core.canonical import canonical_bytes
from heso.core.chain import next_block
from heso.core.encoding import Digest
from heso.core.hashing import digest
from heso.core.hot import hot_value
from heso.core.instant import MINUTE, Instant, format_instant
from heso.core.lifecycle import LIFECYCLE_PREFIX, TOKEN_BYTES, TOKEN_PREFIX, hash_resume_token
from heso.core.links import draft_suspension
from heso.core.receipt import (
    Action,
    DecisionPath,
    Json,
    PolicyRecord,
    Receipt,
    SessionId,
    Verb,
    draft_content,
    seal_receipt,
)
from heso.core.redaction import Redacted, check_path, redact_fields
from heso.core.ticket import Ticket
from heso.policy.evaluate import decision_path, evaluate_action
from heso.policy.model import Outcome, Policy, RequireApproval
from heso.policy.scope import parse_host
from heso.ports import Batch, Entry, Heads, Signer

if TYPE_CHECKING:
    from heso.taxonomy.facts import Signal

POLICY_SESSION = SessionId("heso.policy")
_NO_CONTEXT = digest(b"")

ResumeToken = NewType("ResumeToken", str)


@hot_value
class Call:
    """One call an agent is about to make. `fields` are its arguments by name; any Python values.

    `redact` lists dotted paths into them that no receipt may show. Names left None come from the surrounding
    `heso.step`, else from the project. `signal` is what an instrumented client saw of the request. `tool_version` is the
    registered tool's; a call without one cannot be resumed by anybody but whoever makes it.
    """

    tool_name: str
    fields: Mapping[str, object] = field(repr=False)
    verb: Verb | str = Verb.TOOL_CALL
    target_host: str | None = None
    redact: tuple[str, ...] = ()
    workflow: str | None = None
    account: str | None = None
    session: str | None = None
    signal: "Signal | None" = None
    tool_version: str = ""


@hot_value
class Captured:
    """The call as it will be judged: nothing that happens to its arguments from now on matters.

    `declared` is the verb it came with; the action has the one that its effect amounts to.
    """

    action: Action
    declared: Verb
    session: SessionId
    at: Instant
    redact: tuple[str, ...]
    is_mutable: bool
    tool_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a suspended action asks for. `token` is the secret whose hash the suspended link shows. `call_key` is the same
    for the same call in the same session, whatever its hidden values are."""

    terms: Terms
    token: ResumeToken = field(repr=False)
    due: Instant
    call_key: Digest


class AlreadyAsked(Exception):
    """This very call was asked before, and its end was told to nobody. Nothing was written."""

    def __init__(self, ticket: Ticket, evaluated: "Evaluated") -> None:
        self.ticket = ticket
        self.evaluated = evaluated


@hot_value
class Evaluated:
    """The call, what policy says, and the action as receipts may show it.

    `request` is set when people must be asked. `is_observed` means the answer is recorded and not enforced.
    """

    captured: Captured
    outcome: Outcome
    shown: Action
    redacted: Redacted
    request: Request | None
    is_observed: bool

    @property
    def needs_anchor(self) -> bool:
        """What waits for a person is anchored when it is approved: the question itself has no final content yet."""
        return self.outcome.needs_anchor and self.request is None


def capture(call: Call, *, step: Step, project: Step, at: Instant) -> Captured:
    """Freeze a call. Raises `CaptureError` when its arguments or names have no exact form."""
    try:
        _check_paths(call.redact)
        fields, is_mutable = snapshot_fields(call.fields)
        verb = Verb(call.verb)
    except Unfit as unfit:
        path = ".".join(
            unfit.path[:1] if call.redact else unfit.path
        )  # a hidden value has hidden keys
        raise CaptureError(call.tool_name, f"the argument `{path}` {unfit.why}") from None
    except ValueError:
        raise CaptureError(
            call.tool_name, f"{call.verb!r} is not a verb", f"use one of {', '.join(Verb)}"
        ) from None
    except Exception as error:
        why = f"its arguments could not be read ({type(error).__name__})"
        raise CaptureError(
            call.tool_name, why, "do not change arguments while they are passed"
        ) from error
    workflow = call.workflow or step.workflow or project.workflow or ""
    action = Action(
        verb=verb,
        tool_name=call.tool_name,
        workflow=workflow,
        account=call.account or step.account or project.account or "",
        fields=fields,
        target_host=call.target_host,
    )
    session = call.session or (None if call.workflow else step.session) or workflow
    _refuse_bad_names(action, session)
    return Captured(
        action=classify_call(action, call.signal),
        declared=verb,
        session=SessionId(session),
        at=at,
        redact=call.redact,
        is_mutable=is_mutable,
        tool_version=call.tool_version,
    )


def _check_paths(redact: Sequence[str]) -> None:
    if isinstance(redact, str):
        raise Unfit(f"`redact` takes paths in a tuple: ({redact!r},)")
    for path in redact:
        try:
            check_path(path)
        except ValueError as error:
            raise Unfit(str(error)) from None


def _refuse_bad_names(action: Action, session: str) -> None:
    host = action.target_host
    if host is not None and parse_host(host) is None:
        raise CaptureError(
            action.tool_name, "its target host is not a host", "give a bare host name"
        )
    names = (action.tool_name, action.workflow, action.account, session)
    for name in names:
        if not name.isascii():
            try:
                name.encode()
            except UnicodeEncodeError:
                raise CaptureError("the call", "a name in it is not valid Unicode") from None
    if session == POLICY_SESSION or session.startswith(LIFECYCLE_PREFIX):
        raise CaptureError(
            action.tool_name, f"the session name {session!r} is heso's own", "use another"
        )


def evaluate(
    captured: Captured,
    policy: Policy,
    *,
    draw: Callable[[int], bytes],
    default_sla_minutes: int,
    default_grant_minutes: int,
    is_blocking: bool,
) -> Evaluated:
    """Ask the policy, and replace what must not be shown. Conditions see the real values."""
    outcome = evaluate_action(captured.action, policy)
    paths = (*captured.redact, *outcome.redact)
    if paths:
        redacted = redact_fields(captured.action.fields, paths, draw_salt=lambda: draw(32))
        shown = replace(captured.action, fields=redacted.fields)
    else:
        redacted = Redacted(fields=captured.action.fields, record=None)
        shown = captured.action
    request = None
    if isinstance(outcome.decision, RequireApproval) and is_blocking:
        terms = fix_terms(
            outcome.decision.terms,
            policy,
            default_sla_minutes=default_sla_minutes,
            default_grant_minutes=default_grant_minutes,
        )
        request = Request(
            terms=terms,
            token=ResumeToken(TOKEN_PREFIX + draw(TOKEN_BYTES).hex()),
            due=Instant(captured.at + terms.sla_minutes * MINUTE),
            call_key=_call_key(captured, paths),
        )
    return Evaluated(
        captured=captured,
        outcome=outcome,
        shown=shown,
        redacted=redacted,
        request=request,
        is_observed=not is_blocking,
    )


def _call_key(captured: Captured, hidden: tuple[str, ...]) -> Digest:
    action = captured.action
    fields = redact_fields(action.fields, hidden, draw_salt=bytes, mode="destructive").fields
    names: list[object] = [captured.session, action.tool_name, captured.tool_version]
    names += [str(action.verb), action.workflow, action.account, action.target_host, fields]
    return digest(canonical_bytes(names))


def sign(
    evaluated: Evaluated,
    heads: Heads,
    signer: Signer,
    policy: Policy,
    anchor: Anchor | None = None,
    *,
    asks_anew: bool = False,
) -> Batch:
    """The receipts of one action, fitted to the chains' ends; the action's own is `admission_of` the batch.

    A policy that is not yet the ledger's newest is entered first, so every receipt follows its policy.
    Raises `AlreadyAsked` for the call of a tool that was asked before, unless it `asks_anew`; `Unanchored` when the action needs a time anchor and `anchor` is not over exactly this content.
    """
    at = evaluated.captured.at
    if evaluated.request is not None and evaluated.captured.tool_version and not asks_anew:
        asked = heads.undelivered(evaluated.request.call_key)
        if asked is not None:
            raise AlreadyAsked(asked, evaluated)
    receipt = _seal_action(evaluated, heads, signer, anchor)
    entries = [Entry(receipt, at)]
    tickets: tuple[Ticket, ...] = ()
    if evaluated.request is not None:
        ticket = _open_ticket(evaluated, evaluated.request, receipt, policy)
        link = _seal_suspension(ticket, evaluated.request, receipt, signer, policy)
        entries.append(Entry(link, at))
        tickets = (ticket,)
    if heads.policy_hash == policy.hash:
        return Batch(tuple(entries), tickets)
    return Batch((policy_entry(heads, signer, policy, at), *entries), tickets, policy.text)


def admission_of(evaluated: Evaluated, receipts: tuple[Receipt, ...]) -> Receipt:
    """The action's own receipt among those of its batch."""
    return receipts[-1] if evaluated.request is None else receipts[-2]


def policy_entry(heads: Heads, signer: Signer, policy: Policy, at: Instant) -> Entry:
    """The signed note that a policy came into force."""
    action = Action(
        verb=Verb.TOOL_CALL,
        tool_name=POLICY_SESSION,
        workflow=POLICY_SESSION,
        account=POLICY_SESSION,
        fields={"policy_hash": policy.hash, "replaces": heads.policy_hash},
    )
    record = PolicyRecord(
        rule_id="policy.loaded",
        rule_display="This policy is in force from here on.",
        matched_conditions=(),
        decision_path=DecisionPath.ALLOW,
    )
    content = draft_content(
        action,
        record,
        captured_at=format_instant(at),
        operator=signer.public_key,
        chain=next_block(POLICY_SESSION, heads.head(POLICY_SESSION)),
    )
    return Entry(seal_receipt(content, signer), at)


def _seal_action(
    evaluated: Evaluated, heads: Heads, signer: Signer, anchor: Anchor | None
) -> Receipt:
    captured, outcome = evaluated.captured, evaluated.outcome
    matched: list[Json] = list(outcome.matched)
    if captured.declared is not captured.action.verb:
        raised: Json = {
            "field": "taxonomy.verb",
            "op": "raised_from",
            "value": str(captured.declared),
        }
        matched.append(raised)
    if evaluated.is_observed:
        matched.append({"field": "gate.blocking", "op": "eq", "value": False})
    content = draft_content(
        evaluated.shown,
        PolicyRecord(
            rule_id=outcome.rule_id,
            rule_display=outcome.display,
            matched_conditions=matched,
            decision_path=decision_path(outcome.decision),
        ),
        captured_at=format_instant(captured.at),
        operator=signer.public_key,
        chain=next_block(captured.session, heads.head(captured.session)),
        redaction=evaluated.redacted.record,
    )
    if evaluated.needs_anchor:
        content = anchor_content(content, anchor)
    return seal_receipt(content, signer)


def _open_ticket(evaluated: Evaluated, request: Request, asked: Receipt, policy: Policy) -> Ticket:
    captured = evaluated.captured
    record = evaluated.redacted.record
    return Ticket(
        action_hash=asked.action_hash,
        lifecycle_session=SessionId(LIFECYCLE_PREFIX + asked.action_hash),
        session_id=captured.session,
        asked=asked.body,
        tool_name=captured.action.tool_name,
        tool_version=captured.tool_version,
        workflow=captured.action.workflow,
        account=captured.action.account,
        rule_id=evaluated.outcome.rule_id,
        policy_hash=policy.hash,
        terms_json=format_terms(request.terms),
        reveal_root=None if record is None else Digest(str(record["merkle_root"])),
        resume_token=request.token,
        call_key=request.call_key,
        suspended_at=captured.at,
        due=request.due,
    )


def _seal_suspension(
    ticket: Ticket, request: Request, asked: Receipt, signer: Signer, policy: Policy
) -> Receipt:
    terms = request.terms
    action: Any = asked.content["action"]
    fields = action["fields"]
    approval: Json = {
        "sla": f"PT{terms.sla_minutes}M",
        "expires_at": format_instant(request.due),
        "on_timeout": terms.on_timeout,
        "approver_pubkeys": list(terms.roster),
    }
    if terms.escalate_to:
        after = f"PT{terms.sla_minutes}M"
        approval["escalation"] = {"after": after, "to": list(terms.escalate_to)}
    suspension: Json = {
        "resume_token_hash": hash_resume_token(request.token),
        "context_ref": {
            "scheme": "customer",
            "key": ticket.session_id,
            "hash": digest(canonical_bytes(fields)) if fields else _NO_CONTEXT,
        },
        "policy": {"policy_id": "heso.toml", "policy_hash": policy.hash, "rule": ticket.rule_id},
        "approval": approval,
    }
    if ticket.tool_version:
        suspension["tool_binding_hash"] = tool_binding(ticket.tool_name, ticket.tool_version)
    chain = next_block(ticket.lifecycle_session, None)
    return seal_receipt(draft_suspension(asked.content, chain=chain, suspension=suspension), signer)


def tool_binding(name: str, version: str) -> Digest:
    """What a suspended link says of the tool that will run."""
    return digest(canonical_bytes([name, version]))
