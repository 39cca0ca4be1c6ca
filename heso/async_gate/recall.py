"""Calling a tool again: the same call in the same session finds what became of it, instead of asking again.

Each asking is answered once. Whoever calls again while it waits is told that it waits; once it was approved the call runs,
here; when somebody else ran it the call gets the stored result. The call after that asks anew.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from heso.approvals.errors import TooLate
from heso.approvals.votes import parse_votes
from heso.async_gate.claimed import (
    claim,
    claim_inline,
    read_result,
    run_claimed,
    run_claimed_inline,
)
from heso.async_gate.errors import (
    ExpiredError,
    GateError,
    InDoubtError,
    RejectedError,
    StillRunningError,
    SuspendedError,
    ToolFailedError,
    WithdrawnError,
)
from heso.async_gate.pipeline import Gate
from heso.async_gate.stages import AlreadyAsked, Evaluated
from heso.core.encoding import Digest
from heso.core.instant import format_instant
from heso.core.redaction import parse_sidecar
from heso.core.ticket import Ticket, TicketState, WrongState
from heso.ports import Batch, Heads


def recall_inline(gate: Gate, asked: AlreadyAsked, body: Callable[[], Any]) -> Any:
    """Run the body once if it is approved, or give the stored result; raises what else became of it."""
    ticket = _taken_up(gate, asked)
    if ticket.state is TicketState.APPROVED:
        try:
            claimed = claim_inline(gate, ticket.action_hash)
        except (WrongState, TooLate):
            return deliver(gate, read_ticket(gate, ticket.action_hash))
        return run_claimed_inline(gate, claimed, body, is_delivered=True)
    return deliver(gate, ticket)


async def recall(
    gate: Gate,
    asked: AlreadyAsked,
    body: Callable[[], Awaitable[Any]],
    *,
    timeout_seconds: float | None = None,
) -> Any:
    """`recall_inline` for a coroutine."""
    from anyio import CancelScope  # noqa: PLC0415  # only approved actions need it; it is slow to import

    ticket = _taken_up(gate, asked)
    if ticket.state is not TicketState.APPROVED:
        return deliver(gate, ticket)
    with CancelScope(shield=True):
        try:
            claimed = await claim(gate, ticket.action_hash)
        except (WrongState, TooLate):
            return deliver(gate, read_ticket(gate, ticket.action_hash))
        return await run_claimed(
            gate, claimed, body, is_delivered=True, timeout_seconds=timeout_seconds
        )


def read_ticket(gate: Gate, action_hash: Digest) -> Ticket:
    """The ticket as it is now, following what replaced it. Raises `GateError` for one that is not there."""
    found: list[Ticket | None] = []

    def look(heads: Heads) -> Batch:
        ticket = heads.ticket(action_hash)
        while ticket is not None and ticket.replaced_by is not None:
            ticket = heads.ticket(ticket.replaced_by)
        found[:] = [ticket]
        return Batch(())

    gate.ledger.append_inline(look)
    if not found or found[0] is None:
        raise GateError("the action", f"nothing is known of {action_hash[:12]}", "see `heso log`")
    return found[0]


def deliver(gate: Gate, ticket: Ticket) -> Any:
    """The stored result, or an error that says what became of it; an end is marked as told first."""
    if ticket.state in _ENDS and not ticket.is_delivered:

        def seal(heads: Heads) -> Batch:
            now = heads.ticket(ticket.action_hash)
            return Batch((), () if now is None else (replace(now, is_delivered=True),))

        gate.ledger.append_inline(seal)
    return tell(ticket)


def tell(ticket: Ticket) -> Any:
    """What became of a ticket: its stored result, or an error of its own kind."""
    if ticket.state is TicketState.DONE:
        return read_result(ticket.result_json)
    raise _as_error(ticket)


_ENDS = frozenset(
    {
        TicketState.DONE,
        TicketState.FAILED,
        TicketState.REJECTED,
        TicketState.EXPIRED,
        TicketState.CANCELLED,
    }
)


def _as_error(ticket: Ticket) -> Exception:
    tool, name = ticket.tool_name, ticket.action_hash
    plain = _PLAIN_ERRORS.get(ticket.state)
    if plain is not None:
        return plain(tool, name)
    if ticket.state is TicketState.FAILED:
        return ToolFailedError(tool, name, ticket.error or "")
    if ticket.state is TicketState.REJECTED:
        return RejectedError(tool, name, *_who_rejected(ticket))
    return SuspendedError(tool, name, ticket.rule_id, format_instant(ticket.due))


_PLAIN_ERRORS: Mapping[TicketState, Callable[[str, Digest], Exception]] = MappingProxyType(
    {
        TicketState.RUNNING: StillRunningError,
        TicketState.IN_DOUBT: InDoubtError,
        TicketState.EXPIRED: ExpiredError,
        TicketState.CANCELLED: WithdrawnError,
    }
)


def _who_rejected(ticket: Ticket) -> tuple[str, str]:
    for cast in reversed(parse_votes(ticket.votes_json)):
        if cast.vote.record.decision == "rejected":
            return cast.person, cast.vote.record.reason
    return "somebody", ""


def _taken_up(gate: Gate, asked: AlreadyAsked) -> Ticket:
    """The ticket that this call is about. Asks anew, and so raises, when the hidden values are others."""
    if not _has_same_values(gate, asked.ticket, asked.evaluated):
        gate.ask_anew(asked.evaluated)
    return read_ticket(gate, asked.ticket.action_hash)


def _has_same_values(gate: Gate, ticket: Ticket, evaluated: Evaluated) -> bool:
    values = {one.field_path: one.value_json for one in evaluated.redacted.reveals}
    if ticket.reveal_root is None:
        return not values
    sidecar = gate.reveals.find(ticket.reveal_root)
    if sidecar is None:
        return False
    return values == {one.field_path: one.value_json for one in parse_sidecar(sidecar)}
