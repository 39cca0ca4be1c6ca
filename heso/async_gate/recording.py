"""What a tool's wrapper knows of durable runs: whether it is called in one, and whom to hand the call to."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from heso.async_gate.context import keyed
from heso.async_gate.registry import RegisteredTool
from heso.async_gate.stages import Call
from heso.core.encoding import Digest


class Recorder(Protocol):
    """A durable run, as the tools that are called in it see it. `call` has the tool's version and its arguments."""

    async def run_tool(
        self, tool: RegisteredTool, call: Call, body: Callable[[], Awaitable[Any]]
    ) -> Any: ...

    def run_tool_inline(self, tool: RegisteredTool, call: Call, body: Callable[[], Any]) -> Any: ...


_recorder: ContextVar[Recorder | None] = ContextVar("heso_recorder", default=None)


def current_recorder() -> Recorder | None:
    """The run whose workflow function is calling; None inside a tool's body, whose calls are its own affair."""
    return _recorder.get()


@contextmanager
def recording(recorder: Recorder | None) -> Iterator[None]:
    """Calls made inside are steps of this run; None: of none."""
    token = _recorder.set(recorder)
    try:
        yield
    finally:
        _recorder.reset(token)


@contextmanager
def acting(action_hash: Digest, key: str) -> Iterator[None]:
    """Inside is the body of a step of a run: no step of its own, and with the step's key."""
    with recording(None), keyed(action_hash, key):
        yield
