"""Seals that put another action in a ticket's place: changed by an approver, asked again, or asked under a new key.

Rule 1: the new action is a new action: hashed, signed and judged by policy as if it had just been called. It names the
        old one, and the old one's lifecycle ends.
Rule 2: a change touches the values of fields that are there and shown. It reaches no other tool, no other verb, no hidden
        value, and no answer of policy that is laxer than asking the same people.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from heso.approvals.asking import seal_suspension
from heso.approvals.deciding import Bench, end_of_asking, find_ticket
from heso.approvals.errors import TooLate
from heso.approvals.roster import check_may_decide, fix_terms
from heso.approvals.terms import Terms, format_terms, parse_terms
from heso.core.canonical import canonical_bytes
from heso.core.chain import next_block
from heso.core.encoding import Digest, PublicKey
from heso.core.errors import HesoError
from heso.core.forms import is_standin
from heso.core.hashing import digest
from heso.core.instant import MINUTE, Instant, format_instant
from heso.core.lifecycle import LIFECYCLE_PREFIX, TOKEN_PREFIX
from heso.core.receipt import (
    CHAIN_KEYS,
    Action,
    Json,
    Receipt,
    SessionId,
    Verb,
    add_chain_block,
    seal_receipt,
)
from heso.core.ticket import Event, Ticket, TicketState, advance
from heso.policy.evaluate import RAISED_FIELD, declared_verb, evaluate_raised
from heso.policy.model import ApprovalTerms, Outcome, RequireApproval
from heso.ports import Batch, Entry, Heads

CHANGED_FIELD = "gate.changes"
AGAIN_FIELD = "gate.asks_again"


@dataclass(frozen=True, slots=True)
class Change:
    """New values for fields, by name."""

    values: Mapping[str, object]


@dataclass(eq=False)
class ChangeRefused(HesoError):
    """The action cannot be changed like that. It waits as before."""

    why: str
    next_step = "approve it as it is, or reject it and say what you would have"

    def __str__(self) -> str:
        return f"it cannot be changed like that: {self.why}"


def seal_change(
    heads: Heads,
    action_hash: Digest,
    change: Change,
    bench: Bench,
    at: Instant,
    *,
    by: PublicKey,
) -> Batch:
    """Replace what waits by the same action with other values. It still has to be approved.

    `by` is the key of whoever changes it, and has to be one that may decide it. Raises `ChangeRefused`, `TooLate` or
    `MayNotDecide`.
    """
    ticket = find_ticket(heads, action_hash)
    if ticket.state is not TicketState.SUSPENDED:
        raise ChangeRefused("it does not wait for people any more")
    if at >= ticket.due:
        raise TooLate(action_hash, format_instant(ticket.due))
    _check_author(by, ticket, bench, at)
    content = ticket.content
    action: Any = content["action"]
    redaction: Any = content.get("redaction", {"markers": []})
    hidden = frozenset(m["field_path"].partition(".")[0] for m in redaction["markers"])
    fields = _changed(action["fields"], hidden, change)
    outcome = _judge({**action, "fields": fields}, declared_verb(content), bench)
    _refuse_laxer(outcome, content, ticket)
    record = _record(outcome, content, action_hash)
    asked = {**content, "action": {**action, "fields": fields}, "policy": record}
    batch = _replace(
        heads,
        ticket,
        asked,
        terms=_terms(outcome, ticket, bench),
        bench=bench,
        at=at,
        why="approved with changes",
        rung=ticket.rung,
        changes={**(modified_by(ticket) or {}), **change.values},
    )
    for one in (
        batch.tickets
    ):  # also of what it becomes, or a refused yes would have changed it all the same
        _check_author(by, one, bench, at)
    return batch


def _record(outcome: Outcome, content: Json, changes: Digest) -> Json:
    """Why, in the new receipt: the rule that decides it now, and which action it changes."""
    policy: Any = content["policy"]
    raised = [c for c in policy["matched_conditions"] if c["field"] == RAISED_FIELD]
    return {
        "rule_id": outcome.rule_id,
        "rule_display": outcome.display,
        "matched_conditions": [*outcome.matched, *raised, _names(CHANGED_FIELD, changes)],
        "decision_path": policy["decision_path"],
    }


def _check_author(by: PublicKey, ticket: Ticket, bench: Bench, at: Instant) -> None:
    terms = parse_terms(ticket.terms_json)
    check_may_decide(by, ticket, terms, bench.policy, operator=bench.operator.public_key, at=at)


def seal_reask(heads: Heads, action_hash: Digest, bench: Bench, at: Instant, *, why: str) -> Batch:
    """Ask the same action anew, under the key and the roster of today."""
    ticket = find_ticket(heads, action_hash)
    content = ticket.content
    policy: Any = content["policy"]
    conditions = [*policy["matched_conditions"], _names(AGAIN_FIELD, action_hash)]
    asked = {**content, "policy": {**policy, "matched_conditions": conditions}}
    before = parse_terms(ticket.terms_json)
    fresh = fix_terms(
        _as_asked(before), bench.policy, default_sla_minutes=1, default_grant_minutes=1
    )
    return _replace(heads, ticket, asked, terms=fresh, bench=bench, at=at, why=why)


def modified_by(ticket: Ticket) -> Mapping[str, object] | None:
    """The values that an approver put in place of others, by name; None when nobody changed anything."""
    return None if ticket.changes_json is None else orjson.loads(ticket.changes_json)


def _changed(
    fields: Mapping[str, object], hidden: frozenset[str], change: Change
) -> dict[str, object]:
    changed = dict(fields)
    for name, value in change.values.items():
        if name not in fields:
            raise ChangeRefused(f"it has no argument {name!r}")
        if name in hidden or _holds_standin(fields[name]):
            raise ChangeRefused(f"the argument {name!r} is hidden, or has no form of its own")
        changed[name] = value
    if canonical_bytes(changed) == canonical_bytes(dict(fields)):
        raise ChangeRefused("nothing would be different")
    return changed


def _holds_standin(value: object) -> bool:
    if isinstance(value, dict):
        return is_standin(value) or any(_holds_standin(item) for item in value.values())
    return isinstance(value, list) and any(_holds_standin(item) for item in value)


def _judge(action: Mapping[str, Any], declared: Verb, bench: Bench) -> Outcome:
    """What policy says of the action as it would be. Hidden values are unknown to it here, and doubt is never laxer."""
    return evaluate_raised(
        Action(
            verb=Verb(action["verb"]),
            tool_name=action["tool_name"],
            workflow=action["workflow"],
            account=action["account"],
            fields=action["fields"],
            target_host=action.get("target_host"),
            ert=action.get("ert"),
        ),
        declared,
        bench.policy,
    )


def _refuse_laxer(outcome: Outcome, content: Json, ticket: Ticket) -> None:
    policy: Any = content["policy"]
    if not isinstance(outcome.decision, RequireApproval):
        raise ChangeRefused(f"rule {outcome.rule_id!r} would decide it, and asks nobody")
    before, now = parse_terms(ticket.terms_json), outcome.decision.terms
    is_same_people = set(now.approvers) == set(before.approvers)
    if outcome.rule_id != policy["rule_id"] and not (
        is_same_people and now.threshold >= before.threshold
    ):
        raise ChangeRefused(f"rule {outcome.rule_id!r} would decide it, and asks other people")


def _terms(outcome: Outcome, ticket: Ticket, bench: Bench) -> Terms:
    before = parse_terms(ticket.terms_json)
    if not isinstance(outcome.decision, RequireApproval):
        return before
    fresh = fix_terms(
        outcome.decision.terms,
        bench.policy,
        default_sla_minutes=before.sla_minutes,
        default_grant_minutes=before.grant_minutes,
    )
    return replace(fresh, threshold=max(fresh.threshold, before.threshold))


def _as_asked(terms: Terms) -> ApprovalTerms:
    return ApprovalTerms(
        approvers=terms.approvers,
        threshold=terms.threshold,
        sla_minutes=terms.sla_minutes,
        grant_minutes=terms.grant_minutes,
        on_timeout=terms.on_timeout,
        escalate_to=terms.escalate_to,
    )


def _replace(
    heads: Heads,
    old: Ticket,
    asked: Json,
    *,
    terms: Terms,
    bench: Bench,
    at: Instant,
    why: str,
    rung: int = 0,
    changes: Mapping[str, object] | None = None,
) -> Batch:
    advance(old, Event.REPLACE)
    receipt = _ask(heads, old, asked, bench, at)
    # The token is a secret of ours that nobody has to be told; from the old one it is as unguessable.
    token = TOKEN_PREFIX + digest(f"{old.resume_token} {receipt.action_hash}".encode())[:32]
    ticket = Ticket(
        action_hash=receipt.action_hash,
        asked=receipt.body,
        lifecycle_session=SessionId(LIFECYCLE_PREFIX + receipt.action_hash),
        session_id=old.session_id,
        tool_name=old.tool_name,
        tool_version=old.tool_version,
        workflow=old.workflow,
        account=old.account,
        rule_id=str(_rule_of(asked)),
        policy_hash=bench.policy.hash,
        terms_json=format_terms(terms),
        reveal_root=old.reveal_root,
        resume_token=token,
        call_key=old.call_key,
        suspended_at=at,
        rung=rung,
        due=Instant(at + terms.sla_minutes * MINUTE),
        changes_json=old.changes_json if changes is None else canonical_bytes(dict(changes)),
    )
    link = seal_suspension(receipt, ticket, terms, bench.operator)
    ending = end_of_asking(heads, old, bench, f"{why}: {receipt.action_hash}", at)
    # The call finds the new ticket from now on, so the old one counts as told.
    gone = old.after(Event.REPLACE, replaced_by=receipt.action_hash, is_delivered=True)
    return Batch((Entry(receipt, at), Entry(link, at), Entry(ending, at)), (gone, ticket))


def _ask(heads: Heads, old: Ticket, asked: Json, bench: Bench, at: Instant) -> Receipt:
    content = {
        key: value for key, value in asked.items() if key not in (*CHAIN_KEYS, "action_hash")
    }
    content["captured_at"] = format_instant(at)
    content["agent_identity"] = bench.operator.public_key
    add_chain_block(content, next_block(old.session_id, heads.head(old.session_id)))
    return seal_receipt(content, bench.operator)


def _rule_of(asked: Json) -> object:
    policy: Any = asked["policy"]
    return policy["rule_id"]


def _names(field: str, action_hash: Digest) -> Json:
    return {"field": field, "op": "eq", "value": action_hash}
