"""What a run does about a step that people decide: run it once they said yes, else leave until something has come.

The ticket alone says what became of it. Whoever ran it, whatever was raised here and however often it is asked: a run
reads the end that is written there.
"""

from concurrent.futures import ThreadPoolExecutor

import anyio

from heso.async_gate.claimed import claim_inline, run_claimed_inline
from heso.async_gate.errors import BlockedError
from heso.async_gate.rebuilding import CannotResume, rebuild_call
from heso.async_gate.recall import read_ticket
from heso.async_gate.recording import recording
from heso.async_gate.registry import Done, NoSuchTool, NotDone, RegisteredTool, Unknown
from heso.core.encoding import Digest
from heso.core.instant import SECOND, Instant
from heso.core.ticket import OPEN_STATES, Ticket, TicketState
from heso.ports import Clock
from heso.workflows.desk import Desk
from heso.workflows.remembering import words_of
from heso.workflows.resume import ask_probe, refuse_what_is_denied_now, resume
from heso.workflows.unwinding import Parks, Waits

_LOOK_AGAIN_SECONDS = 5
_TROUBLE_SECONDS = 30


async def end_of(desk: Desk, name: Digest) -> Ticket:
    """The ticket in its end, having run it if that is what was missing. Raises `Waits` or `Parks`."""
    ticket = _decided(desk, name)
    trouble: Exception | None = None
    try:
        with recording(None):
            await resume(desk, ticket.action_hash)
    except (NoSuchTool, CannotResume, BlockedError) as error:
        raise Parks(words_of(error)) from None
    except Exception as error:  # noqa: BLE001  # the ticket says what became of it
        trouble = error
    return _ended(desk, name, trouble)


def end_of_inline(desk: Desk, tool: RegisteredTool, name: Digest) -> Ticket:
    """The same in the calling thread, for a tool that is no coroutine function."""
    ticket = _decided(desk, name)
    trouble: Exception | None = None
    try:
        if ticket.state is TicketState.APPROVED:
            _run_inline(desk, tool, ticket)
    except (NoSuchTool, CannotResume, BlockedError) as error:
        raise Parks(words_of(error)) from None
    except Exception as error:  # noqa: BLE001  # the ticket says what became of it
        trouble = error
    return _ended(desk, name, trouble)


def trouble_of(clock: Clock, error: Exception) -> Waits:
    """Our own trouble is no end of anything: the run goes on a little later."""
    return Waits("", _in_seconds(clock, _TROUBLE_SECONDS), words_of(error))


def ask_probe_inline(tool: RegisteredTool, key: str) -> Done | NotDone | Unknown:
    """A synchronous tool's probe may be a coroutine function all the same, and this thread's loop is busy with the call."""
    if tool.probe is None:
        return Unknown()
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(anyio.run, ask_probe, tool, key).result()


def _run_inline(desk: Desk, tool: RegisteredTool, ticket: Ticket) -> None:
    rebuilt = rebuild_call(tool, ticket, desk.gate.reveals)
    refuse_what_is_denied_now(desk, ticket, rebuilt)
    claimed = claim_inline(desk.gate, ticket.action_hash, fence=ticket.fence)
    with recording(None):
        run_claimed_inline(
            desk.gate,
            claimed,
            lambda: tool.function(*rebuilt.args, **rebuilt.kwargs),
            is_delivered=True,
        )


def _decided(desk: Desk, name: Digest) -> Ticket:
    """The ticket, when people have decided it and nobody else runs it."""
    ticket = desk.lose_if_gone(read_ticket(desk.gate, name).action_hash)
    ticket = desk.look_at(ticket.action_hash)
    if ticket.state in (TicketState.SUSPENDED, TicketState.RUNNING):
        raise _waits_for(desk, ticket, None)
    return ticket


def _ended(desk: Desk, name: Digest, trouble: Exception | None) -> Ticket:
    ticket = read_ticket(desk.gate, name)
    if ticket.state in OPEN_STATES:
        raise _waits_for(desk, ticket, trouble) from trouble
    return ticket


def _waits_for(desk: Desk, ticket: Ticket, trouble: Exception | None) -> Waits:
    clock = desk.gate.clock
    match ticket.state:
        case TicketState.SUSPENDED:
            return Waits(ticket.action_hash, ticket.due)
        case TicketState.RUNNING:  # should whoever runs it die, somebody has to look again
            soon = _in_seconds(clock, _LOOK_AGAIN_SECONDS)
            return Waits(ticket.action_hash, min(ticket.due, soon))
        case TicketState.IN_DOUBT:
            return Waits(ticket.action_hash)
        case _:  # approved, and it could not be claimed
            why = None if trouble is None else words_of(trouble)
            return Waits("", _in_seconds(clock, _TROUBLE_SECONDS), why)


def _in_seconds(clock: Clock, seconds: int) -> Instant:
    return Instant(clock.now() + seconds * SECOND)
