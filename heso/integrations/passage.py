"""One logical call on its way out through a client, and the gate in its way.

    run_gated     the call: what is sent inside passes the gate, once however often it is tried again
    check_out     called at the last moment before a request goes out, with the request as it is
    answered      what a request is answered with when somebody else has sent it already

Rule 1: what goes out was admitted as it is. A request that differs from the admitted one, by a redirect, by a middleware,
        by anything, is an action of its own.
Rule 2: a refusal passes through the client as a `BaseException`: clients catch, retry and rename `Exception`s. It leaves
        here as the error that it is.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn, TypeVar, cast

from heso.async_gate.door import installed_gate
from heso.async_gate.errors import CaptureError, GateError, NotAStep, ToolFailedError
from heso.async_gate.pipeline import Gate, Permit
from heso.async_gate.recall import Caller, recall, recall_inline
from heso.async_gate.recording import current_recorder
from heso.async_gate.stages import AlreadyAsked
from heso.core.errors import HesoError, Malformed
from heso.integrations.describing import Described, Settings, describe, is_same
from heso.integrations.exchange import Exchange
from heso.integrations.rewriting import exchange_of
from heso.policy.model import RequireApproval

T = TypeVar("T")
_NOTHING = object()


@dataclass(slots=True)
class Passage:
    """What one logical call has been admitted for."""

    settings: Settings
    admitted: list[Exchange] = field(default_factory=list)
    permit: Permit | None = None
    answer: object = _NOTHING
    """What it is answered with instead of being sent."""
    changed: Exchange | None = None
    """What is sent in its place: an approver changed it."""
    is_carried: bool = False
    """Whether the next call takes this passage instead of one of its own."""


class Refused(BaseException):
    """Carries an error of ours out of a client, past whatever it catches."""

    def __init__(self, error: HesoError) -> None:
        self.error = error


class Asked(BaseException):
    """Carries out of a client that this request was asked before."""

    def __init__(self, asked: AlreadyAsked, exchange: Exchange, described: Described) -> None:
        self.asked = asked
        self.exchange = exchange
        self.described = described


_passage: ContextVar[Passage | None] = ContextVar("heso_passage", default=None)


def current_passage() -> Passage | None:
    return _passage.get()


def run_gated(send: Callable[[], T], settings: Settings, seen: Callable[[Permit], None]) -> T:
    """The result of `send`, which sends through a sealed client. `seen` is given the permit of a call that was let
    through, whatever became of it.

    Raises `BlockedError`, `SuspendedError`, `GateError` and what else became of it; then nothing was sent.
    """
    outcome = _tried(partial(_inside, send, _new_passage(settings), seen))
    if not isinstance(outcome, Asked):
        return outcome
    again = _Again(outcome)
    gate = _gate(settings.name)
    caller = Caller(again.runner(send, settings), (), {}, outcome.described.call.fields)
    told = recall_inline(gate, outcome.asked, caller)
    if again.ran:
        return cast("T", told)
    return _raised(_tried(partial(_inside, send, again.answered(settings, told), unseen)))


async def run_gated_async(
    send: Callable[[], Awaitable[T]], settings: Settings, seen: Callable[[Permit], None]
) -> T:
    """`run_gated` for an asynchronous client."""
    outcome = await _tried_async(partial(_inside_async, send, _new_passage(settings), seen))
    if not isinstance(outcome, Asked):
        return outcome
    again = _Again(outcome)
    gate = _gate(settings.name)
    caller = Caller(again.runner_async(send, settings), (), {}, outcome.described.call.fields)
    told = await recall(gate, outcome.asked, caller)
    if again.ran:
        return cast("T", told)
    passage = again.answered(settings, told)
    return _raised(await _tried_async(partial(_inside_async, send, passage, unseen)))


def check_out(exchange: Exchange, settings: Settings) -> None:
    """Let a request through, or raise: `Refused` and `Asked` inside a passage, the error itself outside of one."""
    passage = _passage.get()
    if passage is not None and any(is_same(one, exchange) for one in passage.admitted):
        return
    used = settings if passage is None else passage.settings
    try:
        gate = _gate(used.name)
        described = _described(gate, exchange, used)
    except HesoError as error:
        _hand_out(passage, Refused(error))
    try:
        permit = gate.admit_inline(described.call)
    except AlreadyAsked as asked:
        _hand_out(passage, Asked(asked, exchange, described))
    except HesoError as error:
        _hand_out(passage, Refused(error))
    _let_through(passage, exchange, permit)


async def check_out_async(exchange: Exchange, settings: Settings) -> None:
    """`check_out` for an asynchronous client."""
    passage = _passage.get()
    if passage is not None and any(is_same(one, exchange) for one in passage.admitted):
        return
    used = settings if passage is None else passage.settings
    try:
        gate = _gate(used.name)
        described = _described(gate, exchange, used)
    except HesoError as error:
        _hand_out(passage, Refused(error))
    try:
        permit = await gate.admit(described.call)
    except AlreadyAsked as asked:
        _hand_out(passage, Asked(asked, exchange, described))
    except HesoError as error:
        _hand_out(passage, Refused(error))
    _let_through(passage, exchange, permit)


def is_answered(passage: Passage | None) -> bool:
    """Whether the request at hand is answered without being sent."""
    return passage is not None and passage.answer is not _NOTHING


@contextmanager
def admitted_already(
    exchange: Exchange, settings: Settings, *, puts_body: bool = False
) -> Iterator[None]:
    """What is sent inside was approved as this, and goes out as this or passes the gate itself. `puts_body`: whatever
    body it has is replaced by this one."""
    changed = exchange if puts_body else None
    token = _passage.set(Passage(settings, [exchange], changed=changed, is_carried=True))
    try:
        yield
    finally:
        _passage.reset(token)


@dataclass(slots=True)
class _Again:
    """A call that was asked before and is made again."""

    asked: Asked
    ran: bool = False

    def runner(self, send: Callable[[], T], settings: Settings) -> Callable[..., T]:
        def run(**changed: object) -> T:
            self.ran = True
            passage = self._passage(settings, changed)
            return _raised(_tried(partial(_inside, send, passage, unseen)))

        return run

    def runner_async(
        self, send: Callable[[], Awaitable[T]], settings: Settings
    ) -> Callable[..., Awaitable[T]]:
        async def run(**changed: object) -> T:
            self.ran = True
            passage = self._passage(settings, changed)
            return _raised(await _tried_async(partial(_inside_async, send, passage, unseen)))

        return run

    def answered(self, settings: Settings, told: object) -> Passage:
        if told is None:
            asked = self.asked.asked.ticket
            why = "it was sent elsewhere, and what came back was not kept"
            raise ToolFailedError(settings.name, asked.action_hash, why)
        return Passage(settings, [self.asked.exchange], answer=told)

    def _passage(self, settings: Settings, changed: dict[str, object]) -> Passage:
        if not changed:
            return Passage(settings, [self.asked.exchange])
        made = exchange_of(changed, self.asked.exchange.headers)
        return Passage(settings, [made], changed=made)


def _new_passage(settings: Settings) -> Passage:
    current = _passage.get()
    return current if current is not None and current.is_carried else Passage(settings)


def _inside(send: Callable[[], T], passage: Passage, seen: Callable[[Permit], None]) -> T:
    _refuse_in_a_run(passage.settings)
    token = _passage.set(passage)
    try:
        return send()
    finally:
        _passage.reset(token)
        if passage.permit is not None:
            seen(passage.permit)


async def _inside_async(
    send: Callable[[], Awaitable[T]], passage: Passage, seen: Callable[[Permit], None]
) -> T:
    _refuse_in_a_run(passage.settings)
    token = _passage.set(passage)
    try:
        return await send()
    finally:
        _passage.reset(token)
        if passage.permit is not None:
            seen(passage.permit)


def _tried(run: Callable[[], T]) -> T | Asked:
    error: HesoError
    try:
        return run()
    except Asked as asked:
        return asked
    except Refused as refused:
        error = refused.error
    raise error  # out here: a client's own handlers are no part of its story


async def _tried_async(run: Callable[[], Awaitable[T]]) -> T | Asked:
    error: HesoError
    try:
        return await run()
    except Asked as asked:
        return asked
    except Refused as refused:
        error = refused.error
    raise error


def _raised(outcome: T | Asked) -> T:
    """A request that was approved went another way than the approved one, and that one was asked about before."""
    if isinstance(outcome, Asked):
        ticket = outcome.asked.ticket
        why = "what it sends is not what was approved, and waits for approval itself"
        raise GateError(ticket.tool_name, why, f"see heso show {ticket.action_hash[:12]}")
    return outcome


def unseen(_: Permit) -> None:
    """For whoever records no outcome, and for an approved call, whose outcome is recorded with its claim."""


def _gate(name: str) -> Gate:
    found = installed_gate()
    if found is None:
        raise GateError(name, "there is no gate", "call heso.init() first")
    return found


def _described(gate: Gate, exchange: Exchange, settings: Settings) -> Described:
    """The call. What only a person who approves it needs is kept first."""
    try:
        described = describe(exchange, settings)
        needs_more = described.payloads or not described.can_wait or not settings.is_model
        if needs_more and isinstance(gate.peek(described.call).decision, RequireApproval):
            described = describe(exchange, settings, whole=True)
            if gate.is_blocking:
                _keep(gate, described)
    except Malformed as error:
        raise CaptureError(settings.name, str(error), "send plain JSON") from error
    return described


def _keep(gate: Gate, described: Described) -> None:
    if not described.can_wait:
        why = "it cannot wait for approval as it is: an integer beyond 2^53, or a body that is a stream"
        raise CaptureError(
            described.call.tool_name, why, "pass such a number as text, and a body as bytes"
        )
    for name, content in described.payloads.items():
        gate.reveals.keep(name, content)


def _let_through(passage: Passage | None, exchange: Exchange, permit: Permit) -> None:
    if passage is not None:
        passage.admitted.append(exchange)
        passage.permit = passage.permit or permit


def _hand_out(passage: Passage | None, signal: Asked | Refused) -> NoReturn:
    if passage is not None:
        raise signal
    if isinstance(signal, Refused):
        raise signal.error
    ticket = signal.asked.ticket
    why = "it was asked before, and is sent here without a way to take the answer"
    raise GateError(ticket.tool_name, why, f"see heso show {ticket.action_hash[:12]}")


def _refuse_in_a_run(settings: Settings) -> None:
    if current_recorder() is not None:
        why = "a client's call cannot be a step of a workflow: it would be made again each time the run goes on"
        raise NotAStep(settings.name, why, "call it inside a function under @heso.tool")
