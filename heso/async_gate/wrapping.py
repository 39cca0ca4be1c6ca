"""What stands in for a gated function: it passes the gate, then calls the function, and sees to nothing else.

Works on functions, coroutine functions, generators and async generators; the last two pass the gate once, before
their first item.
"""

import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

from heso.async_gate.binding import Binder
from heso.async_gate.context import enter_action, leave_action
from heso.async_gate.door import installed_gate
from heso.async_gate.errors import GateError, NotAStep
from heso.async_gate.pipeline import Gate, Permit
from heso.async_gate.recall import Caller, recall, recall_inline
from heso.async_gate.recording import current_recorder
from heso.async_gate.registry import RegisteredTool, TargetHost
from heso.async_gate.snapshot import is_unchanged
from heso.async_gate.stages import AlreadyAsked, Call
from heso.core.receipt import Verb

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """What decorating fixed about a function."""

    name: str
    verb: Verb
    redact: tuple[str, ...]
    target_host: TargetHost | None
    binder: Binder
    version: str
    registered: RegisteredTool | None
    """What a checkpoint runs; None for a generator or a method."""

    def call(self, args: tuple[object, ...], kwargs: dict[str, object]) -> Call:
        fields = self.binder.bind(args, kwargs)
        host = self.target_host
        return Call(
            tool_name=self.name,
            fields=fields,
            verb=self.verb,
            target_host=host
            if host is None or isinstance(host, str)
            else self._find_host(host, fields),
            redact=self.redact,
            tool_version=self.version,
        )

    def _find_host(
        self, find: Callable[[Mapping[str, Any]], str | None], fields: Mapping[str, object]
    ) -> str | None:
        try:
            host = find(dict(fields))
        except Exception as error:
            why = f"its target_host function failed ({type(error).__name__})"
            raise GateError(self.name, why, "mend the function") from error
        if host is not None and not isinstance(host, str):
            raise GateError(
                self.name, "its target_host function gave no text", "return a host or None"
            )
        return host

    def as_step(self) -> RegisteredTool:
        """The tool, as a step of a durable run. Raises `NotAStep` for one that no other process could run."""
        if self.registered is None:
            why = "a method or a generator cannot be a step of a workflow: it would run again each time the run goes on"
            raise NotAStep(self.name, why, "put @heso.tool on a function, and call that")
        return self.registered

    def gate(self) -> Gate:
        gate = installed_gate()
        if gate is None:
            raise GateError(self.name, "there is no gate", "call heso.init() first")
        return gate

    def refuse_if_changed(self, permit: Permit, call: Call) -> None:
        """The body gets the caller's own objects. What changed while the receipt was written was never judged."""
        captured = permit.captured
        if captured.is_mutable and not is_unchanged(call.fields, captured.action.fields):
            why = "its arguments changed while it passed the gate"
            raise GateError(
                self.name, why, "do not share mutable arguments with other tasks or threads"
            )


def wrap(function: Callable[..., Any], gated: Gated) -> Callable[..., Any]:
    inner = inspect.unwrap(
        function
    )  # a plain wrapper around a coroutine function still starts it later
    if inspect.iscoroutinefunction(inner):
        return _wrap_coroutine(function, gated)
    if inspect.isasyncgenfunction(inner):
        return _wrap_async_generator(function, gated)
    if inspect.isgeneratorfunction(inner):
        return _wrap_generator(function, gated)
    return _wrap_function(function, gated)


def _wrap_function(function: Callable[..., Any], gated: Gated) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        call = gated.call(args, kwargs)
        gate = gated.gate()
        recorder = current_recorder()
        if recorder is not None:
            body = functools.partial(function, *args, **kwargs)
            return recorder.run_tool_inline(gated.as_step(), call, body)
        permit: Permit | AlreadyAsked
        try:
            permit = gate.admit_inline(call)
        except AlreadyAsked as asked:
            permit = asked
        if isinstance(permit, AlreadyAsked):  # out here: what comes of it is no error's consequence
            return recall_inline(gate, permit, Caller(function, args, kwargs, call.fields))
        gated.refuse_if_changed(permit, call)
        token = enter_action(permit.action_hash)
        try:
            return function(*args, **kwargs)
        finally:
            leave_action(token)

    return run


def _wrap_coroutine(function: Callable[..., Awaitable[Any]], gated: Gated) -> Callable[..., Any]:
    async def run(*args: Any, **kwargs: Any) -> Any:
        call = gated.call(args, kwargs)
        gate = gated.gate()
        recorder = current_recorder()
        if recorder is not None:
            body = functools.partial(function, *args, **kwargs)
            return await recorder.run_tool(gated.as_step(), call, body)
        permit: Permit | AlreadyAsked
        try:
            permit = await gate.admit(call)
        except AlreadyAsked as asked:
            permit = asked
        if isinstance(permit, AlreadyAsked):
            caller = Caller(function, args, kwargs, call.fields)
            limit = gated.registered.timeout_seconds if gated.registered else None
            return await recall(gate, permit, caller, timeout_seconds=limit)
        gated.refuse_if_changed(permit, call)
        token = enter_action(permit.action_hash)
        try:
            return await function(*args, **kwargs)
        finally:
            leave_action(token)

    return run


def _wrap_generator(
    function: Callable[..., Generator[Any, Any, Any]], gated: Gated
) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        if current_recorder() is not None:
            gated.as_step()
        call = gated.call(args, kwargs)
        permit = gated.gate().admit_inline(call)
        gated.refuse_if_changed(permit, call)
        return (yield from _Inside(function(*args, **kwargs), permit))

    return run


class _Inside(Generator[Any, Any, Any]):
    """A generator whose body sees its own action hash, and whose consumer, between items, does not."""

    def __init__(self, body: Generator[Any, Any, Any], permit: Permit) -> None:
        self._body = body
        self._permit = permit

    def send(self, value: Any, /) -> Any:
        token = enter_action(self._permit.action_hash)
        try:
            return self._body.send(value)
        finally:
            leave_action(token)

    def throw(self, *error: Any) -> Any:
        token = enter_action(self._permit.action_hash)
        try:
            return self._body.throw(*error)
        finally:
            leave_action(token)


def _wrap_async_generator(
    function: Callable[..., AsyncGenerator[Any, Any]], gated: Gated
) -> Callable[..., Any]:
    async def run(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        if current_recorder() is not None:
            gated.as_step()
        call = gated.call(args, kwargs)
        permit = await gated.gate().admit(call)
        gated.refuse_if_changed(permit, call)
        body = function(*args, **kwargs)
        advance: Callable[[Any], Awaitable[Any]] = body.asend
        argument: Any = None
        try:
            while True:
                token = enter_action(permit.action_hash)
                try:
                    item = await advance(argument)
                except StopAsyncIteration:
                    return
                finally:
                    leave_action(token)
                try:
                    argument = yield item
                    advance = body.asend
                except GeneratorExit:
                    raise
                except BaseException as error:  # noqa: BLE001  # whatever was thrown in belongs to the body
                    advance, argument = body.athrow, error
        finally:
            token = enter_action(permit.action_hash)
            try:
                await body.aclose()
            finally:
                leave_action(token)

    return run


def dress(wrapper: Callable[..., Any], function: Callable[P, R]) -> Callable[P, R]:
    """Make the wrapper look like the function, without `__wrapped__`: that would be a door around the gate."""
    dressed: Any = functools.wraps(function)(wrapper)
    del dressed.__wrapped__
    dressed.__signature__ = inspect.signature(function)
    return cast("Callable[P, R]", dressed)
