"""The stages of one action. Each takes what the one before it made, so the wrong order does not type-check.

capture   Call      -> Captured    arguments frozen as JSON values, who and when
evaluate  Captured  -> Evaluated   what policy says; hidden values replaced by commitments
sign      Evaluated -> Batch       receipts that fit the chains' ends, inside the ledger's transaction
append    Batch     -> Appended    on disk (the ledger's own promise)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NewType

from heso.approvals.roster import fix_terms
from heso.approvals.terms import Terms
from heso.async_gate.context import Step
from heso.async_gate.effects import classify_call
from heso.async_gate.errors import CaptureError
from heso.async_gate.snapshot import Unfit, snapshot_fields
from heso.core.canonical import canonical_bytes
from heso.core.encoding import Digest
from heso.core.hashing import digest
from heso.core.hot import hot_value
from heso.core.instant import MINUTE, Instant
from heso.core.lifecycle import LIFECYCLE_PREFIX, TOKEN_BYTES, TOKEN_PREFIX
from heso.core.receipt import (
    Action,
    SessionId,
    Verb,
)
from heso.core.redaction import Redacted, check_path, redact_fields
from heso.core.ticket import Ticket
from heso.policy.evaluate import evaluate_raised
from heso.policy.model import Outcome, Policy, RequireApproval
from heso.policy.scope import parse_host

if TYPE_CHECKING:
    from heso.taxonomy.facts import Signal

POLICY_SESSION = SessionId("heso.policy")

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
        super().__init__(ticket.action_hash)
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
    outcome = evaluate_raised(captured.action, captured.declared, policy)
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
    fields = action.fields
    if hidden:
        fields = redact_fields(fields, hidden, draw_salt=bytes, mode="destructive").fields
    names: list[object] = [captured.session, action.tool_name, captured.tool_version]
    names += [str(action.verb), action.workflow, action.account, action.target_host]
    return digest(canonical_bytes(names) + canonical_bytes(dict(fields)))
