"""Waking the tasks that wait for a commit, from the thread that made it.

asyncio is woken once per loop and commit, however many of its tasks wait; trio once per task. A loop that is gone
by then has nobody left to tell.

Neither is imported here: whichever runs the waiting task is loaded already, and a program without tasks never pays
for an event loop.
"""

import contextlib
import sys
from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import asyncio


class Wakeup(Protocol):
    """One task waiting for one commit."""

    def wait(self) -> Awaitable[object]: ...


def make_wakeup() -> Wakeup:
    """For the running task, on whichever event loop runs it."""
    asyncio: Any = sys.modules.get("asyncio")
    try:
        return _AsyncioWakeup(asyncio.get_running_loop())
    except (RuntimeError, AttributeError):
        return _TrioWakeup()


def wake_all(wakeups: Iterable[Wakeup]) -> None:
    """Called from any thread. A task that was cancelled meanwhile is left alone."""
    futures: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for wakeup in wakeups:
        if isinstance(wakeup, _AsyncioWakeup):
            futures.setdefault(wakeup.loop, []).append(wakeup.future)
        elif isinstance(wakeup, _TrioWakeup):
            wakeup.wake()
    for loop, waiting in futures.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(_finish, waiting)


def _finish(futures: "list[asyncio.Future[None]]") -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


class _AsyncioWakeup:
    def __init__(self, loop: "asyncio.AbstractEventLoop") -> None:
        self.loop = loop
        self.future: asyncio.Future[None] = loop.create_future()

    def wait(self) -> Awaitable[object]:
        return self.future


class _TrioWakeup:
    def __init__(self) -> None:
        trio: Any = sys.modules["trio"]  # it runs this very task, so it is loaded
        self._token = trio.lowlevel.current_trio_token()
        self._event = trio.Event()

    def wait(self) -> Awaitable[object]:
        waiting: Awaitable[object] = self._event.wait()
        return waiting

    def wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # trio.RunFinishedError is one
            self._token.run_sync_soon(self._event.set)
