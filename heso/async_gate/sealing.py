"""The third stage: from an evaluated action to the receipts that fit the chains' ends.

It runs inside the ledger's transaction, because a receipt signs its place in the chain.
"""

from heso.approvals.asking import seal_suspension
from heso.approvals.terms import format_terms
from heso.async_gate.anchoring import Anchor, anchor_content
from heso.async_gate.stages import POLICY_SESSION, AlreadyAsked, Evaluated, Request
from heso.core.chain import next_block
from heso.core.encoding import Digest
from heso.core.hashing import digest
from heso.core.instant import Instant, format_instant
from heso.core.lifecycle import LIFECYCLE_PREFIX
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
from heso.core.ticket import Ticket
from heso.policy.evaluate import RAISED_FIELD, decision_path
from heso.policy.model import Policy
from heso.ports import Batch, Entry, Heads, Signer

_NO_CONTEXT = digest(b"")


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
        link = seal_suspension(receipt, ticket, evaluated.request.terms, signer)
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
            "field": RAISED_FIELD,
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
    if evaluated.outcome.needs_anchor:
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
