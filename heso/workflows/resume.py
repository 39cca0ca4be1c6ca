"""Resuming: run what was approved, once, in whichever process comes first.

    suspended            raises; so do rejected, expired, cancelled
    approved             the tool is found, its arguments rebuilt, today's deny rules asked; then claimed, and run
    running              wait for whoever runs it; when that one is gone, it is in doubt
    in doubt             the tool's probe says whether it happened; an idempotent tool runs again with the same key;
                         else a person settles it
    done, failed         the stored result or error, as often as it is asked for

Starting is resuming: the first call and the call after a crash are the same code.
"""

from collections.abc import Awaitable
from typing import Any, assert_never

from anyio import CancelScope, current_time, sleep, to_thread

from heso.approvals.errors import StaleClaim, TooLate
from heso.approvals.running import Succeeded
from heso.async_gate.claimed import claim, kept_result, run_claimed, run_claimed_inline
from heso.async_gate.context import step
from heso.async_gate.errors import BlockedError
from heso.async_gate.rebuilding import Rebuilt, rebuild_call
from heso.async_gate.recall import deliver, keep_for_later, read_ticket, tell
from heso.async_gate.registry import Done, NotDone, RegisteredTool, Unknown, find_tool
from heso.async_gate.shielding import finish
from heso.core.encoding import Digest
from heso.core.receipt import Action, Verb
from heso.core.ticket import Ticket, TicketState, WrongState
from heso.policy.evaluate import declared_verb, evaluate_raised
from heso.policy.model import Block
from heso.workflows.desk import Desk
from heso.workflows.owners import is_gone

MOST_ATTEMPTS = 5
"""How often an idempotent tool is started for one approval."""
_SHORTEST_NAP, _LONGEST_NAP = 0.02, 2.0


async def resume(desk: Desk, action_hash: Digest, *, is_delivered: bool = True) -> Any:
    """The action's result, once it ran; raises what else became of it. `is_delivered` False: nobody is told yet."""
    nap = _SHORTEST_NAP
    while True:
        ticket = _brought_up_to_date(desk, action_hash)
        match ticket.state:
            case TicketState.APPROVED:
                taken, result = await _run_approved(desk, ticket, is_delivered=is_delivered)
                if taken:
                    return result
            case TicketState.IN_DOUBT:
                taken, result = await _clear_doubt(desk, ticket, is_delivered=is_delivered)
                if taken:
                    return result
            case TicketState.RUNNING:
                await sleep(nap)
                nap = min(nap * 2, _LONGEST_NAP)
            case _:
                return deliver(desk.gate, ticket) if is_delivered else tell(ticket)


async def wait(desk: Desk, action_hash: Digest, *, timeout_seconds: float | None = None) -> Any:
    """Wait until it is decided, then `resume`. Raises `SuspendedError` when the time is over and it still waits."""
    nap = _SHORTEST_NAP
    with CancelScope() as scope:
        if timeout_seconds is not None:
            scope.deadline = current_time() + timeout_seconds
        while (await _read(desk, action_hash)).state is TicketState.SUSPENDED:
            await sleep(nap)
            nap = min(nap * 1.5, _LONGEST_NAP)
    ticket = _brought_up_to_date(desk, action_hash)
    if ticket.state is TicketState.SUSPENDED:
        return tell(ticket)
    return await resume(desk, ticket.action_hash)


async def _read(desk: Desk, action_hash: Digest) -> Ticket:
    """Reading takes no lock that a writer wants."""
    ticket = await desk.tickets.find(action_hash)
    while ticket is not None and ticket.replaced_by is not None:
        ticket = await desk.tickets.find(ticket.replaced_by)
    if ticket is None or ticket.due <= desk.gate.clock.now():
        return _brought_up_to_date(desk, action_hash)
    return ticket


def _brought_up_to_date(desk: Desk, action_hash: Digest) -> Ticket:
    """The ticket, once its deadline and a dead owner have been noticed."""
    ticket = read_ticket(desk.gate, action_hash)
    if ticket.state is TicketState.APPROVED and desk.was_given_up(ticket):
        return desk.cancel(ticket.action_hash)
    is_over = ticket.due <= desk.gate.clock.now()
    if ticket.state is TicketState.RUNNING and (is_over or is_gone(ticket.owner)):
        return desk.lose(ticket)
    if is_over and ticket.state in (TicketState.SUSPENDED, TicketState.APPROVED):
        return desk.look_at(ticket.action_hash)
    return ticket


async def _run_approved(desk: Desk, ticket: Ticket, *, is_delivered: bool) -> tuple[bool, Any]:
    """Whether we were the one to run it, and its result."""
    tool = find_tool(ticket.tool_name, ticket.tool_version)
    rebuilt = rebuild_call(tool, ticket, desk.gate.reveals)
    refuse_what_is_denied_now(desk, ticket, rebuilt)
    return await _claim_and_run(desk, ticket, tool, rebuilt, is_delivered=is_delivered)


async def _claim_and_run(
    desk: Desk,
    ticket: Ticket,
    tool: RegisteredTool,
    rebuilt: Rebuilt,
    *,
    is_delivered: bool,
    may_repeat: bool = False,
) -> tuple[bool, Any]:
    async def run() -> tuple[bool, Any]:
        try:
            claimed = await claim(
                desk.gate, ticket.action_hash, may_repeat=may_repeat, fence=ticket.fence
            )
        except (WrongState, TooLate, StaleClaim):
            return False, None  # somebody was faster, or it is over: look again
        if tool.kind == "coroutine":
            return True, await run_claimed(
                desk.gate,
                claimed,
                lambda: tool.function(*rebuilt.args, **rebuilt.kwargs),
                is_delivered=is_delivered,
                timeout_seconds=tool.timeout_seconds,
            )
        return True, await to_thread.run_sync(
            lambda: run_claimed_inline(
                desk.gate,
                claimed,
                lambda: tool.function(*rebuilt.args, **rebuilt.kwargs),
                is_delivered=is_delivered,
            )
        )

    # What the body calls is called in the names that it was asked in, wherever this is; and nothing tears it between the
    # claim and the outcome.
    with step(
        workflow=ticket.workflow or None,
        account=ticket.account or None,
        session=ticket.session_id or None,
    ):
        return await finish(run, lambda: keep_for_later(desk.gate, ticket.action_hash))


def refuse_what_is_denied_now(desk: Desk, ticket: Ticket, rebuilt: Rebuilt) -> None:
    """A policy that denies it today outweighs an approval of yesterday."""
    detail: Any = ticket.content["action"]
    action = Action(
        verb=Verb(detail["verb"]),
        tool_name=detail["tool_name"],
        workflow=detail["workflow"],
        account=detail["account"],
        fields=rebuilt.fields,
        target_host=detail.get("target_host"),
        ert=detail.get("ert"),
    )
    outcome = evaluate_raised(action, declared_verb(ticket.content), desk.gate.policy)
    if isinstance(outcome.decision, Block):
        raise BlockedError(ticket.tool_name, outcome.rule_id, outcome.display, ticket.action_hash)


async def _clear_doubt(desk: Desk, ticket: Ticket, *, is_delivered: bool) -> tuple[bool, Any]:
    """Whether we ran it again, and its result. Raises `InDoubtError` when only a person can tell."""
    tool = find_tool(ticket.tool_name, ticket.tool_version)
    answer = await ask_probe(tool, ticket.action_hash)
    match answer:
        case Done(result=result):
            try:
                desk.settle(ticket.action_hash, Succeeded(kept_result(desk.gate, ticket, result)))
            except WrongState:
                return False, None
            return False, None  # the stored result is told next
        case NotDone():
            pass
        case Unknown():
            if not tool.is_idempotent:
                return True, tell(ticket)
        case _:
            assert_never(answer)
    if ticket.fence >= MOST_ATTEMPTS:
        return True, tell(ticket)
    rebuilt = rebuild_call(tool, ticket, desk.gate.reveals)
    refuse_what_is_denied_now(desk, ticket, rebuilt)
    return await _claim_and_run(
        desk, ticket, tool, rebuilt, is_delivered=is_delivered, may_repeat=True
    )


async def ask_probe(tool: RegisteredTool, key: str) -> Done | NotDone | Unknown:
    """What the tool's own probe says; one that fails, or says something else, does not know."""
    if tool.probe is None:
        return Unknown()
    try:
        answer = tool.probe(key)
        if isinstance(answer, Awaitable):
            answer = await answer
    except Exception:  # noqa: BLE001  # a probe that breaks knows nothing
        return Unknown()
    return answer if isinstance(answer, Done | NotDone) else Unknown()
