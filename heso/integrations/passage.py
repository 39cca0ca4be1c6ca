"""One logical call on its way out through a client, and the gate in its way.

    run_gated     the call: what is sent inside passes the gate, once however often it is tried again
    check_out     called at the last moment before a request goes out, with the request as it is

Rule 1: what goes out was admitted as it is. A request that differs from the admitted one, by a redirect, by a middleware,
        by anything, is an action of its own.
Rule 2: what people approved goes out once. Trying again is for what policy lets pass by itself.
Rule 3: a passage is of one client and one call. Whoever else sends while it is open, and whoever sends when it is over,
        passes the gate by itself.
Rule 4: a refusal passes through the client as a `BaseException`: clients catch, retry and rename `Exception`s. It leaves
        here as the error that it is.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn, TypeVar, cast
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from heso.async_gate.door import installed_gate
from heso.async_gate.errors import CaptureError, GateError, NotAStep, ToolFailedError
from heso.async_gate.pipeline import Gate, Permit
from heso.async_gate.recall import Caller, recall, recall_inline
from heso.async_gate.recording import current_recorder
from heso.async_gate.stages import AlreadyAsked
from heso.core.errors import HesoError, Malformed
from heso.integrations.describing import Described, Settings, describe, is_same
from heso.integrations.exchange import Exchange, is_credential
from heso.integrations.rewriting import exchange_of
from heso.policy.model import RequireApproval

T = TypeVar("T")
_NOTHING = object()


@dataclass(slots=True)
class Passage:
    """What one logical call has been admitted for. `owner` is the client that sends in it."""

    settings: Settings
    owner: object = None
    admitted: list[Exchange] = field(default_factory=list)
    permit: Permit | None = None
    is_approved: bool = False
    """People approved the first of `admitted`: it goes out once."""
    answer: object = _NOTHING
    """What it is answered with instead of being sent."""
    changed: Exchange | None = None
    """What is sent in its place: an approver changed it."""
    is_carried: bool = False
    """Whether the next call takes this passage instead of one of its own."""
    is_sending: bool = False
    is_over: bool = False
    left: int = 0
    """How many requests went out in it."""
    is_used: bool = False
    """Whether what was approved went out."""

    @property
    def is_answered(self) -> bool:
        """Whether the request at hand is answered without being sent."""
        return self.answer is not _NOTHING


@dataclass(eq=False)
class SentOnce(HesoError):
    """What people approved went out, and the client wanted to send it again. It did not."""

    tool: str

    next_step = "look at what came of it, and ask again"

    def __str__(self) -> str:
        return f"{self.tool} was sent once, as approved, and is not sent again"


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


def current_passage(owner: object = None) -> Passage | None:
    """The open passage; with an `owner`, only this one's."""
    passage = _passage.get()
    if passage is None or passage.is_over or (owner is not None and passage.owner is not owner):
        return None
    return passage


def run_gated(
    send: Callable[[], T],
    settings: Settings,
    seen: Callable[[Permit], None],
    *,
    owner: object,
    once: Callable[[], T] | None = None,
) -> T:
    """The result of `send`, which sends through `owner`. `seen` is given the permit of a call that was let through,
    whatever became of it. `once` is `send` without trying again, for what was approved.

    Raises `BlockedError`, `SuspendedError`, `GateError` and what else became of it; then nothing was sent.
    """
    outcome = _tried(partial(_inside, send, _new_passage(settings, owner), seen))
    if not isinstance(outcome, Asked):
        return outcome
    again = _Again(outcome, owner)
    caller = again.caller(again.runner(once or send, settings))
    told = recall_inline(_gate(settings.name), outcome.asked, caller)
    if again.ran:
        return cast("T", told)
    return _raised(_tried(partial(_inside, send, again.answered(settings, told), unseen)))


async def run_gated_async(
    send: Callable[[], Awaitable[T]],
    settings: Settings,
    seen: Callable[[Permit], None],
    *,
    owner: object,
    once: Callable[[], Awaitable[T]] | None = None,
) -> T:
    """`run_gated` for an asynchronous client."""
    outcome = await _tried_async(partial(_inside_async, send, _new_passage(settings, owner), seen))
    if not isinstance(outcome, Asked):
        return outcome
    again = _Again(outcome, owner)
    caller = again.caller(again.runner_async(once or send, settings))
    told = await recall(_gate(settings.name), outcome.asked, caller)
    if again.ran:
        return cast("T", told)
    passage = again.answered(settings, told)
    return _raised(await _tried_async(partial(_inside_async, send, passage, unseen)))


def check_out(
    exchange: Exchange, settings: Settings, passage: Passage | None, *, is_leaving: bool = True
) -> None:
    """Let a request through, or raise: `Refused` and `Asked` inside a passage, the error itself outside of one.
    `is_leaving` False: it is only asked about here, and goes out by another door."""
    if passage is not None and _is_admitted(passage, exchange, is_leaving=is_leaving):
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
    _let_through(passage, exchange, permit, is_leaving=is_leaving)


async def check_out_async(exchange: Exchange, settings: Settings, passage: Passage | None) -> None:
    """`check_out` for an asynchronous client."""
    if passage is not None and _is_admitted(passage, exchange, is_leaving=True):
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


@contextmanager
def admitted_already(
    exchange: Exchange, settings: Settings, *, puts_body: bool = False
) -> Iterator[None]:
    """The next call that is made inside was approved as this, and goes out as this, once, or passes the gate itself.
    `puts_body`: whatever body it has is replaced by this one."""
    changed = exchange if puts_body else None
    passage = Passage(
        settings, None, [exchange], is_approved=True, changed=changed, is_carried=True
    )
    token = _passage.set(passage)
    try:
        yield
    finally:
        passage.is_over = True
        _passage.reset(token)


@dataclass(slots=True)
class _Again:
    """A call that was asked before and is made again."""

    asked: Asked
    owner: object
    ran: bool = False

    def caller(self, function: Callable[..., object]) -> Caller:
        secrets = tuple(dict.fromkeys(_secrets_of(self.asked.exchange)))
        return Caller(function, (), {}, self.asked.described.call.fields, secrets)

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

    def alone(self, send: Callable[[], T]) -> Callable[..., T]:
        def run(**changed: object) -> T:
            if changed:
                why = "an approver changed it, and it is in the middle of a call"
                raise GateError(self.asked.asked.ticket.tool_name, why, "make it by itself")
            self.ran = True
            return send()

        return run

    def answered(self, settings: Settings, told: object) -> Passage:
        if told is None:
            asked = self.asked.asked.ticket
            why = "it was sent elsewhere, and what came back was not kept"
            raise ToolFailedError(settings.name, asked.action_hash, why)
        return Passage(settings, self.owner, [self.asked.exchange], answer=told)

    def _passage(self, settings: Settings, changed: dict[str, object]) -> Passage:
        exchange = self.asked.exchange
        made = exchange_of(changed, exchange.headers) if changed else None
        return Passage(settings, self.owner, [made or exchange], is_approved=True, changed=made)


def _secrets_of(exchange: Exchange) -> Iterator[str]:
    """What says who one is, as an error might repeat it."""
    values = [value for name, value in exchange.headers.items() if is_credential(name)]
    parts = urlsplit(exchange.url)
    values += [value for name, value in parse_qsl(parts.query) if is_credential(name)]
    values += [value for value in (parts.password, parts.username) if value]
    for value in values:
        if value.strip():
            yield from (value, value.split()[-1], quote(value), quote_plus(value))


def _new_passage(settings: Settings, owner: object) -> Passage:
    current = current_passage()
    if current is None or not current.is_carried:
        return Passage(settings, owner)
    current.is_carried, current.owner = False, owner
    return current


def _inside(send: Callable[[], T], passage: Passage, seen: Callable[[Permit], None]) -> T:
    _refuse_in_a_run(passage.settings)
    token = _passage.set(passage)
    try:
        return send()
    finally:
        passage.is_over = True
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
        passage.is_over = True
        _passage.reset(token)
        if passage.permit is not None:
            seen(passage.permit)


def _tried(run: Callable[[], T]) -> T | Asked:
    error: HesoError
    try:
        return run()
    except BaseException as raised:
        signal = _signal_in(raised)
        if isinstance(signal, Asked):
            return signal
        if signal is None:
            raise
        error = signal.error
    raise error  # out here: a client's own handlers are no part of its story


async def _tried_async(run: Callable[[], Awaitable[T]]) -> T | Asked:
    error: HesoError
    try:
        return await run()
    except BaseException as raised:
        signal = _signal_in(raised)
        if isinstance(signal, Asked):
            return signal
        if signal is None:
            raise
        error = signal.error
    raise error


def _signal_in(raised: BaseException) -> Asked | Refused | None:
    """Ours, also out of a client's task group."""
    while isinstance(raised, BaseExceptionGroup):
        ours, others = raised.split((Asked, Refused))
        if ours is None or others is not None:
            return None
        raised = ours.exceptions[0]
    return raised if isinstance(raised, Asked | Refused) else None


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
        needs_more = bool(described.payloads) or not described.can_wait or not settings.is_model
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


def _is_admitted(passage: Passage, exchange: Exchange, *, is_leaving: bool) -> bool:
    """Whether it is what was admitted. Raises `Refused` for what people approved, once it went out."""
    if not any(is_same(one, exchange) for one in passage.admitted):
        return False
    if passage.is_approved and is_same(passage.admitted[0], exchange) and is_leaving:
        if passage.is_used:
            raise Refused(SentOnce(passage.settings.name))
        passage.is_used = True
    passage.left += is_leaving
    return True


def _let_through(
    passage: Passage | None, exchange: Exchange, permit: Permit, *, is_leaving: bool = True
) -> None:
    if passage is not None:
        passage.admitted.append(exchange)
        passage.permit = passage.permit or permit
        passage.left += is_leaving


def recall_here(asked: Asked, passage: Passage, send: Callable[[], T]) -> T:
    """A later request of a call whose first ones are out was asked before: it alone is sent now, if it was approved, by
    `send`. Raises `Refused` for what else became of it."""
    again = _Again(asked, passage.owner)
    caller = again.caller(again.alone(send))
    try:
        told = recall_inline(_gate(passage.settings.name), asked.asked, caller)
    except HesoError as error:
        raise Refused(error) from error
    if not again.ran:
        passage.answer = told
    return cast("T", told)


async def recall_here_async(asked: Asked, passage: Passage, send: Callable[[], Awaitable[T]]) -> T:
    """`recall_here` for an asynchronous client."""
    again = _Again(asked, passage.owner)
    caller = again.caller(again.alone(send))
    try:
        told = await recall(_gate(passage.settings.name), asked.asked, caller)
    except HesoError as error:
        raise Refused(error) from error
    if not again.ran:
        passage.answer = told
    return cast("T", told)


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
