"""Seals that decide: a person's vote, the requester's second thought, a deadline.

    vote approved    fewer than the threshold: the vote is kept, nothing else changes
                     the last one: the approved receipt (every signature in it), the `approved` link, a grant that ends
    vote rejected    `denied` link
    vote escalated   `escalated` link, the next rung, a new deadline
    cancel           `denied` link by the project; once approved, a `completed` link that says it never ran
    overdue          `escalated` or `expired` link; once approved, a `completed` link that says it never ran

Every `seal_*` is to be called inside a ledger's transaction, and may be called twice.
"""

from dataclasses import dataclass, replace
from typing import assert_never

from heso.approvals.errors import NoSuchTicket, TooLate
from heso.approvals.roster import check_may_decide, find_person
from heso.approvals.terms import Terms, parse_terms
from heso.approvals.votes import Cast, format_votes, parse_votes
from heso.core.approval import (
    ApprovalFault,
    ApprovalRefused,
    ApproverRecord,
    Vote,
    assemble_approval,
    assemble_quorum,
    check_vote,
    draft_approval,
    draft_quorum,
    operator_payload,
    sign_leg,
)
from heso.core.chain import next_block
from heso.core.encoding import Digest
from heso.core.instant import MINUTE, Instant, format_instant
from heso.core.links import DecisionKind, draft_completion, draft_decision
from heso.core.receipt import Receipt, seal_receipt
from heso.core.ticket import Event, Ticket, TicketState, advance
from heso.policy.model import Policy
from heso.ports import Batch, Entry, Heads, Signer


@dataclass(frozen=True, slots=True)
class Bench:
    """What deciding needs of the project: its policy, the operator's key, and the key that signs decisions."""

    policy: Policy
    operator: Signer
    decider: Signer


def find_ticket(heads: Heads, action_hash: Digest) -> Ticket:
    """Raises `NoSuchTicket`."""
    ticket = heads.ticket(action_hash)
    if ticket is None:
        raise NoSuchTicket(action_hash)
    return ticket


def seal_vote(heads: Heads, action_hash: Digest, vote: Vote, bench: Bench, at: Instant) -> Batch:
    """What a vote does. Raises `WrongState` when it is decided already, `TooLate`, `MayNotDecide`, `ApprovalRefused`."""
    ticket = find_ticket(heads, action_hash)
    terms = parse_terms(ticket.terms_json)
    advance(ticket, Event.APPROVE)  # only what waits can be voted on
    if at >= ticket.due:
        raise TooLate(action_hash, format_instant(ticket.due))
    person = check_may_decide(
        vote.leg.public_key, ticket, terms, bench.policy, operator=bench.operator.public_key, at=at
    )
    check_vote(ticket.content, vote, threshold=terms.threshold, roster=terms.roster)
    cast = _still_counting(ticket, bench.policy)
    if any(one.vote.record == vote.record for one in cast):
        why = "this answer was handed in already"
        raise ApprovalRefused(ApprovalFault.ALREADY_DECIDED, why, vote.leg.public_key)
    is_yes = vote.record.decision == "approved"
    if is_yes and person in {one.person for one in cast if one.vote.record.decision == "approved"}:
        why = f"{person} has approved it already"
        raise ApprovalRefused(ApprovalFault.DUPLICATE_APPROVER_KEY, why, vote.leg.public_key)
    heard = replace(ticket, votes_json=format_votes((*cast, Cast(person, vote))))
    match vote.record.decision:
        case "approved":
            return _approve(heads, heard, terms, bench, at)
        case "rejected":
            link = _decision(heads, heard, "denied", vote.record, bench)
            return Batch((Entry(link, at),), (heard.after(Event.REJECT),))
        case "escalated":
            if heard.rung >= len(terms.escalate_to):
                why = "there is nobody left to escalate to"
                raise ApprovalRefused(ApprovalFault.NOT_ASKED, why, vote.leg.public_key)
            return _escalate(heads, heard, terms, vote.record, bench, at=at, rungs=1)
        case _:
            assert_never(vote.record.decision)


def seal_cancel(heads: Heads, action_hash: Digest, bench: Bench, at: Instant) -> Batch:
    """The requester no longer wants it. Raises `WrongState` once it runs."""
    ticket = find_ticket(heads, action_hash)
    cancelled = ticket.after(Event.CANCEL)
    why = "cancelled by the requester"
    if ticket.state is TicketState.SUSPENDED:
        record = _own_record(bench, "rejected", why, at)
        return Batch((Entry(_decision(heads, ticket, "denied", record, bench), at),), (cancelled,))
    return Batch((Entry(seal_never_ran(heads, ticket, bench.operator, why), at),), (cancelled,))


def seal_overdue(heads: Heads, action_hash: Digest, bench: Bench, at: Instant) -> Batch:
    """What a deadline does when it has passed; nothing when it has not, or when somebody was faster.

    After a downtime the rungs that passed meanwhile are one step.
    """
    ticket = find_ticket(heads, action_hash)
    if at < ticket.due:
        return Batch(())
    if ticket.state is TicketState.APPROVED:
        why = "the approval was not used in time"
        link = seal_never_ran(heads, ticket, bench.operator, why)
        return Batch((Entry(link, at),), (ticket.after(Event.EXPIRE),))
    if ticket.state is not TicketState.SUSPENDED:
        return Batch(())
    terms = parse_terms(ticket.terms_json)
    rungs = 1 + (at - ticket.due) // (terms.sla_minutes * MINUTE)
    if terms.on_timeout == "escalate" and ticket.rung + rungs <= len(terms.escalate_to):
        record = _own_record(bench, "escalated", "timeout", at)
        return _escalate(heads, ticket, terms, record, bench, at=at, rungs=rungs)
    record = _own_record(bench, "rejected", "timeout", at)
    link = _decision(heads, ticket, "expired", record, bench)
    return Batch((Entry(link, at),), (ticket.after(Event.EXPIRE),))


def end_of_asking(heads: Heads, ticket: Ticket, bench: Bench, why: str, at: Instant) -> Receipt:
    """The link that ends an action for which another one stands from now on."""
    if ticket.state is not TicketState.SUSPENDED:
        chain = next_block(ticket.lifecycle_session, heads.head(ticket.lifecycle_session))
        content = draft_completion(ticket.content, chain=chain, error=f"in doubt: {why}")
        return seal_receipt(content, bench.operator)
    record = _own_record(bench, "rejected", why, at)
    return _decision(heads, ticket, "denied", record, bench)


def seal_never_ran(heads: Heads, ticket: Ticket, operator: Signer, why: str) -> Receipt:
    """The link that ends an approved action which never ran."""
    chain = next_block(ticket.lifecycle_session, heads.head(ticket.lifecycle_session))
    content = draft_completion(ticket.content, chain=chain, error=f"not run: {why}")
    return seal_receipt(content, operator)


def _still_counting(ticket: Ticket, policy: Policy) -> tuple[Cast, ...]:
    """What was said so far, without the yes of a key that is nobody's any more: it may have been taken off because
    somebody else has it."""
    cast = parse_votes(ticket.votes_json)
    return tuple(
        one
        for one in cast
        if one.vote.record.decision != "approved" or find_person(policy, one.vote.leg.public_key)
    )


def _approve(heads: Heads, ticket: Ticket, terms: Terms, bench: Bench, at: Instant) -> Batch:
    votes = [c.vote for c in parse_votes(ticket.votes_json) if c.vote.record.decision == "approved"]
    if len(votes) < terms.threshold:
        return Batch((), (ticket,))
    receipt = _approved_receipt(ticket, terms, votes, bench)
    record = votes[-1].record
    link = _decision(heads, ticket, "approved", record, bench, approval=receipt.action_hash)
    until = Instant(at + terms.grant_minutes * MINUTE)
    approved = ticket.after(Event.APPROVE, due=until)
    return Batch((Entry(receipt, at), Entry(link, at)), (approved,))


def _approved_receipt(ticket: Ticket, terms: Terms, votes: list[Vote], bench: Bench) -> Receipt:
    """The receipt with everybody's own signature. It stands alone: what approvers sign is in no chain."""
    if terms.threshold == 1:
        content = draft_approval(ticket.content, votes[0].record)
        operator = sign_leg(operator_payload(content), bench.operator)
        return assemble_approval(content, operator=operator, approver=votes[0].leg)
    content = draft_quorum(ticket.content, threshold=terms.threshold, roster=terms.roster)
    operator = sign_leg(operator_payload(content), bench.operator)
    return assemble_quorum(content, operator=operator, votes=votes)


def _escalate(
    heads: Heads,
    ticket: Ticket,
    terms: Terms,
    record: ApproverRecord,
    bench: Bench,
    *,
    at: Instant,
    rungs: int,
) -> Batch:
    link = _decision(heads, ticket, "escalated", record, bench)
    due = Instant(at + terms.sla_minutes * MINUTE)
    return Batch(
        (Entry(link, at),), (ticket.after(Event.ESCALATE, rung=ticket.rung + rungs, due=due),)
    )


def _decision(
    heads: Heads,
    ticket: Ticket,
    kind: DecisionKind,
    record: ApproverRecord,
    bench: Bench,
    *,
    approval: Digest | None = None,
) -> Receipt:
    chain = next_block(ticket.lifecycle_session, heads.head(ticket.lifecycle_session))
    content = draft_decision(ticket.content, kind, chain=chain, record=record, approval=approval)
    return seal_receipt(content, bench.decider)


def _own_record(bench: Bench, said: str, why: str, at: Instant) -> ApproverRecord:
    return ApproverRecord(
        approver_identity=bench.decider.public_key,
        decision="escalated" if said == "escalated" else "rejected",
        reason=why,
        decided_at=format_instant(at),
    )
