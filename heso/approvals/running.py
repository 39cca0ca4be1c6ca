"""Seals that run: claim, finish, lose, settle.

A claim is the intent, on disk before the effect. Whoever claims gets a fence, higher than any before; only the newest may
finish. What nobody finishes is in doubt: visible, and settled by a person, by a probe, or by a tool that may run twice.
"""

from dataclasses import dataclass, replace
from typing import assert_never

from heso.approvals.deciding import find_ticket
from heso.approvals.errors import StaleClaim, TooLate
from heso.core.chain import next_block
from heso.core.encoding import Digest
from heso.core.hashing import digest
from heso.core.instant import Instant, format_instant
from heso.core.links import draft_completion
from heso.core.receipt import ChainBlock, Json, seal_receipt
from heso.core.ticket import Event, Ticket, TicketState, WrongState
from heso.ports import Batch, Entry, Heads, Signer


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The tool returned. `result_json` is canonical JSON, safe to keep."""

    result_json: bytes


@dataclass(frozen=True, slots=True)
class Raised:
    """The tool raised, or somebody settled that it did not happen. `kind` goes on the receipt, `said` stays here."""

    kind: str
    said: str = ""


Outcome = Succeeded | Raised


def seal_claim(
    heads: Heads,
    action_hash: Digest,
    *,
    owner: str,
    at: Instant,
    until: Instant,
    may_repeat: bool = False,
    fence: int | None = None,
) -> Batch:
    """Take an approved action to run it; with `may_repeat` also one in doubt.

    `fence` is the newest claim that whoever asks knows of: what a probe said is about that one. Raises `WrongState`,
    `TooLate`, or `StaleClaim` when somebody has claimed it since.
    """
    ticket = find_ticket(heads, action_hash)
    if fence is not None and fence != ticket.fence:
        raise StaleClaim(action_hash, fence, ticket.fence)
    if ticket.state is TicketState.IN_DOUBT and not may_repeat:
        ticket.after(Event.APPROVE)  # raises: what is in doubt is nobody's to claim
    claimed = ticket.after(Event.CLAIM, fence=ticket.fence + 1, owner=owner, due=until)
    if ticket.state is TicketState.APPROVED and at >= ticket.due:
        raise TooLate(action_hash, format_instant(ticket.due))
    return Batch((), (claimed,))


def seal_outcome(
    heads: Heads,
    action_hash: Digest,
    outcome: Outcome,
    operator: Signer,
    at: Instant,
    *,
    fence: int | None = None,
    is_delivered: bool = False,
) -> Batch:
    """What came of it. `fence` None is a person's word, or a probe's, which counts only where there is doubt;
    `is_delivered` when whoever called knows it already. Raises `WrongState`, or `StaleClaim` for an older claim."""
    ticket = find_ticket(heads, action_hash)
    if fence is None and ticket.state is not TicketState.IN_DOUBT:
        event = Event.SUCCEED if isinstance(outcome, Succeeded) else Event.FAIL
        raise WrongState(action_hash, ticket.state, event)
    if fence is not None and fence != ticket.fence:
        raise StaleClaim(action_hash, fence, ticket.fence)
    chain = next_block(ticket.lifecycle_session, heads.head(ticket.lifecycle_session))
    after, content = _end(ticket, chain, outcome)
    after = replace(after, is_delivered=is_delivered)
    return Batch((Entry(seal_receipt(content, operator), at),), (after,))


def _end(ticket: Ticket, chain: ChainBlock, outcome: Outcome) -> tuple[Ticket, Json]:
    match outcome:
        case Succeeded(result_json=result):
            after = ticket.after(Event.SUCCEED, result_json=result, owner="")
            return after, draft_completion(ticket.content, chain=chain, result_hash=digest(result))
        case Raised(kind=kind, said=said):
            error = f"{kind}: {said}" if said else kind
            after = ticket.after(Event.FAIL, error=error, owner="")
            return after, draft_completion(ticket.content, chain=chain, error=kind)
        case _:
            assert_never(outcome)


def seal_lost(heads: Heads, action_hash: Digest, fence: int) -> Batch:
    """Whoever held this claim is gone. Nothing happens when it finished after all, or somebody claimed since."""
    ticket = find_ticket(heads, action_hash)
    if ticket.state is not TicketState.RUNNING or ticket.fence != fence:
        return Batch(())
    return Batch((), (ticket.after(Event.LOSE),))
