"""Work that no cancellation tears: it is finished first, and the cancellation is delivered afterwards.

anyio's shield keeps out what anyio cancels. A task's own `cancel()`, as `asyncio.timeout` and `asyncio.gather` call it,
goes past every shield; so under asyncio the work is a task of its own.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from anyio import CancelScope

T = TypeVar("T")


async def finish(work: Callable[[], Coroutine[Any, Any, T]], untold: Callable[[], None]) -> T:
    """The result of `work`. `untold` is called when it was finished and its caller, being cancelled, never got it."""
    results: list[T] = []
    with CancelScope(shield=True):
        results.append(await (_finish_apart(work, untold) if _is_asyncio() else work()))
    return results[0]  # for the type checker a scope may swallow an error


async def _finish_apart(
    work: Callable[[], Coroutine[Any, Any, T]], untold: Callable[[], None]
) -> T:
    task = asyncio.ensure_future(work())
    torn: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            torn = error
    if torn is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # it is recorded; asyncio is not to say that nobody has seen it
    untold()
    raise torn


def _is_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
