"""Calling a tool again: the same call in the same session finds what became of it, instead of asking again.

What runs is what was approved: the caller's own objects when they still are that, else, when an approver changed the
action, the changed values.

Each asking is answered once. Whoever calls again while it waits is told that it waits; once it was approved the call runs,
here; when somebody else ran it the call gets the stored result. The call after that asks anew.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from heso.approvals.changing import modified_by
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
from heso.async_gate.registry import find_tool
from heso.async_gate.snapshot import snapshot_fields
from heso.async_gate.stages import AlreadyAsked, Evaluated
from heso.core.canonical import canonical_bytes
from heso.core.encoding import Digest
from heso.core.instant import format_instant
from heso.core.redaction import parse_sidecar
from heso.core.ticket import Ticket, TicketState, WrongState
from heso.ports import Batch, Heads


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls again: the function, and what with. `secrets` are texts that nothing kept of it may repeat."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    fields: Mapping[str, object]
    secrets: tuple[str, ...] = ()


def recall_inline(gate: Gate, asked: AlreadyAsked, caller: Caller) -> Any:
    """Run the body once if it is approved, or give the stored result; raises what else became of it."""
    ticket = _taken_up(gate, asked)
    if ticket.state is not TicketState.APPROVED:
        return deliver(gate, ticket)
    body = _approved_body(gate, ticket, caller)
    try:
        claimed = claim_inline(gate, ticket.action_hash)
    except (WrongState, TooLate):
        return deliver(gate, read_ticket(gate, ticket.action_hash))
    return run_claimed_inline(gate, claimed, body, is_delivered=True, secrets=caller.secrets)


async def recall(
    gate: Gate, asked: AlreadyAsked, caller: Caller, *, timeout_seconds: float | None = None
) -> Any:
    """`recall_inline` for a coroutine function."""
    from heso.async_gate.shielding import finish  # noqa: PLC0415  # only approved actions need it; it loads anyio

    ticket = _taken_up(gate, asked)
    if ticket.state is not TicketState.APPROVED:
        return deliver(gate, ticket)
    body = _approved_body(gate, ticket, caller)

    async def run() -> Any:
        try:
            claimed = await claim(gate, ticket.action_hash)
        except (WrongState, TooLate):
            return deliver(gate, read_ticket(gate, ticket.action_hash))
        return await run_claimed(
            gate,
            claimed,
            body,
            is_delivered=True,
            timeout_seconds=timeout_seconds,
            secrets=caller.secrets,
        )

    return await finish(run, lambda: keep_for_later(gate, ticket.action_hash))


def _approved_body(gate: Gate, ticket: Ticket, caller: Caller) -> Callable[[], Any]:
    """The call that was approved. Raises `GateError` when the caller's arguments changed while we looked."""
    from heso.async_gate.rebuilding import approved_fields, rebuild_call  # noqa: PLC0415  # it loads pydantic

    approved = canonical_bytes(approved_fields(ticket, gate.reveals))
    now, _ = snapshot_fields(caller.fields)
    if canonical_bytes(now) == approved:
        return lambda: caller.function(*caller.args, **caller.kwargs)
    if modified_by(ticket) is None:
        why = "its arguments changed while it passed the gate"
        cure = "do not share mutable arguments with other tasks or threads"
        raise GateError(ticket.tool_name, why, cure)
    rebuilt = rebuild_call(find_tool(ticket.tool_name, ticket.tool_version), ticket, gate.reveals)
    return lambda: caller.function(*rebuilt.args, **rebuilt.kwargs)


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
    """The stored result, or an error that says what became of it; an end is marked as told first. What is over is over,
    also where nobody has carried out its deadline yet."""
    if ticket.state in _BOUNDED and ticket.due <= gate.clock.now():
        raise ExpiredError(ticket.tool_name, ticket.action_hash)
    if ticket.state in _ENDS and not ticket.is_delivered:

        def seal(heads: Heads) -> Batch:
            now = heads.ticket(ticket.action_hash)
            return Batch((), () if now is None else (replace(now, is_delivered=True),))

        gate.ledger.append_inline(seal)
    return tell(ticket)


def keep_for_later(gate: Gate, action_hash: Digest) -> None:
    """Whoever was to be told is gone: the next call gets it, instead of asking for the same thing again."""

    def seal(heads: Heads) -> Batch:
        now = heads.ticket(action_hash)
        is_told = now is not None and now.state in _ENDS and now.is_delivered
        return Batch((), (replace(now, is_delivered=False),) if now and is_told else ())

    with suppress(Exception):  # a caller that was cancelled is told of nothing else
        gate.ledger.append_inline(seal)


def tell(ticket: Ticket) -> Any:
    """What became of a ticket: its stored result, or an error of its own kind."""
    if ticket.state is TicketState.DONE:
        return read_result(ticket.result_json)
    raise _as_error(ticket)


_BOUNDED = (TicketState.SUSPENDED, TicketState.APPROVED)
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
    modified = modified_by(ticket) or {}
    return SuspendedError(tool, name, ticket.rule_id, format_instant(ticket.due), modified)


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
    ticket = read_ticket(gate, asked.ticket.action_hash)
    if ticket.state in _BOUNDED and ticket.due <= gate.clock.now() and gate.look_at is not None:
        return gate.look_at(ticket.action_hash)
    return ticket


def _has_same_values(gate: Gate, ticket: Ticket, evaluated: Evaluated) -> bool:
    values = {one.field_path: one.value_json for one in evaluated.redacted.reveals}
    if ticket.reveal_root is None:
        return not values
    sidecar = gate.reveals.find(ticket.reveal_root)
    if sidecar is None:
        return False
    return values == {one.field_path: one.value_json for one in parse_sidecar(sidecar)}
