"""Making a call through a gated client: once, again after an approval, or not at all.

run_gated     the call: what is sent inside passes the gate, once however often it is tried again
recall_here   for a call that is half out: its next request alone is sent again
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar, cast
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from heso.async_gate.errors import GateError, NotAStep, ToolFailedError
from heso.async_gate.pipeline import Permit
from heso.async_gate.recall import Caller, recall, recall_inline
from heso.async_gate.recording import current_recorder
from heso.core.errors import HesoError
from heso.integrations.checkout import required_gate
from heso.integrations.describing import Settings
from heso.integrations.exchange import Exchange, is_credential
from heso.integrations.passage import Passage, current_passage, inside
from heso.integrations.rewriting import exchange_of
from heso.integrations.signals import Asked, Refused, signal_in

T = TypeVar("T")


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
    told = recall_inline(required_gate(settings.name), outcome.asked, caller)
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
    told = await recall(required_gate(settings.name), outcome.asked, caller)
    if again.ran:
        return cast("T", told)
    passage = again.answered(settings, told)
    return _raised(await _tried_async(partial(_inside_async, send, passage, unseen)))


def recall_here(asked: Asked, passage: Passage, send: Callable[[], T]) -> T:
    """A later request of a call whose first ones are out was asked before: it alone is sent now, if it was approved, by
    `send`. Raises `Refused` for what else became of it."""
    again = _Again(asked, passage.owner)
    caller = again.caller(again.alone(send))
    try:
        told = recall_inline(required_gate(passage.settings.name), asked.asked, caller)
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
        told = await recall(required_gate(passage.settings.name), asked.asked, caller)
    except HesoError as error:
        raise Refused(error) from error
    if not again.ran:
        passage.answer = told
    return cast("T", told)


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
    try:
        with inside(passage):
            return send()
    finally:
        if passage.permit is not None:
            seen(passage.permit)


async def _inside_async(
    send: Callable[[], Awaitable[T]], passage: Passage, seen: Callable[[Permit], None]
) -> T:
    _refuse_in_a_run(passage.settings)
    try:
        with inside(passage):
            return await send()
    finally:
        if passage.permit is not None:
            seen(passage.permit)


def _tried(run: Callable[[], T]) -> T | Asked:
    error: HesoError
    try:
        return run()
    except BaseException as raised:
        signal = signal_in(raised)
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
        signal = signal_in(raised)
        if isinstance(signal, Asked):
            return signal
        if signal is None:
            raise
        error = signal.error
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


def _refuse_in_a_run(settings: Settings) -> None:
    if current_recorder() is not None:
        why = "a client's call cannot be a step of a workflow: it would be made again each time the run goes on"
        raise NotAStep(settings.name, why, "call it inside a function under @heso.tool")
