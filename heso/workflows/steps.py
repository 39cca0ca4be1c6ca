"""What a workflow may do besides calling gated tools: remember, sleep, receive, gather."""

import inspect
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import orjson
from anyio import create_task_group

from heso.async_gate.claimed import result_json
from heso.async_gate.recording import recording
from heso.core.instant import SECOND, Instant, instant_of
from heso.core.journal import StepState
from heso.ports import Batch, Heads
from heso.workflows.fencing import check_fence
from heso.workflows.recorder import Journaled, Key, current_run
from heso.workflows.unwinding import NEVER, Waits

T = TypeVar("T")
_UNSET = object()


async def remember(name: str, make: Callable[[], T | Awaitable[T]]) -> Any:
    """The value that `make` gave the first time, in its JSON form. For what may differ each time it is asked.

    A crash before the value was kept means that `make` is called again, so it should have no effects that matter; those
    belong into gated tools.
    """
    run = current_run()
    key, known = run.begin(f"remember:{name}", None)
    if known is None:
        with recording(None):
            value: Any = make()
            if inspect.isawaitable(value):
                value = await value
        known = run.note(key, StepState.DONE, value_json=result_json(value))
    return orjson.loads(known.value_json or b"{}").get("result")


async def sleep(duration: timedelta | float) -> None:
    """Sleep, durably: the process may end meanwhile. `duration` is a timedelta or seconds."""
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
    run = current_run()
    until = Instant(run.desk.gate.clock.now() + round(seconds * SECOND))
    await _sleep(run, "sleep", until, seconds)


async def sleep_until(moment: datetime) -> None:
    """Sleep until a time, which needs a zone."""
    until = instant_of(moment)
    await _sleep(current_run(), "sleep_until", until, until)


async def receive(name: str, *, timeout: timedelta | float | None = None) -> Any:  # noqa: ASYNC109  # durable
    """The next signal of this name that the run was sent, waiting for it; None once `timeout` has passed."""
    run = current_run()
    key, known = run.begin(f"receive:{name}", None)
    if known is not None and known.state is StepState.DONE:
        return orjson.loads(known.value_json or b"{}").get("result")
    if known is None:
        known = run.note(key, StepState.STARTED, value_json=orjson.dumps(_deadline(run, timeout)))
    taken = _take(run, key, name)
    if taken is not _UNSET:
        return taken
    due = Instant(orjson.loads(known.value_json or b"0"))
    if due <= run.desk.gate.clock.now():
        run.note(key, StepState.DONE, value_json=result_json(None))
        return None
    raise Waits(f"signal:{name}", due)


async def gather(*steps: Awaitable[Any]) -> list[Any]:
    """Do steps beside each other. When one has to wait or fails, the others come to an end first."""
    results: list[Any] = [None] * len(steps)
    left: list[BaseException] = []

    async def one(index: int, step: Awaitable[Any]) -> None:
        try:
            results[index] = await step
        except (Exception, Waits) as error:  # noqa: BLE001  # raised below, once everybody is done
            left.append(error)

    async with create_task_group() as tasks:
        for index, step in enumerate(steps):
            tasks.start_soon(one, index, step)
    failed = next((error for error in left if not isinstance(error, Waits)), None)
    if failed is not None:
        raise failed
    waits = [error for error in left if isinstance(error, Waits)]
    if waits:
        raise Waits("\n".join(wait.waiting_for for wait in waits), min(w.due for w in waits))
    return results


async def _sleep(run: Journaled, name: str, until: Instant, asked: object) -> None:
    key, known = run.begin(name, asked)
    if known is None:
        known = run.note(key, StepState.STARTED, value_json=orjson.dumps(until))
    if known.state is StepState.DONE:
        return
    due = Instant(orjson.loads(known.value_json or b"0"))
    if run.desk.gate.clock.now() < due:
        raise Waits("", due)
    run.note(key, StepState.DONE, value_json=known.value_json)


def _deadline(run: Journaled, timeout: timedelta | float | None) -> int:
    if timeout is None:
        return NEVER
    seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else float(timeout)
    return run.desk.gate.clock.now() + round(seconds * SECOND)


def _take(run: Journaled, key: Key, name: str) -> Any:
    """The signal's value, taken and remembered in one transaction; unset when there is none."""
    taken: list[Any] = []

    def seal(heads: Heads) -> Batch:
        taken.clear()
        check_fence(heads, run.run)
        signal = heads.signal(run.run.id, name)
        if signal is None:
            return Batch(())
        step = run.step_of(key, StepState.DONE, value_json=signal.value_json)
        taken.append(step)
        return Batch((), steps=(step,), signals=(signal.taken(),))

    run.desk.gate.ledger.append_inline(seal)
    if not taken:
        return _UNSET
    run.steps[taken[0].key] = taken[0]
    return orjson.loads(taken[0].value_json).get("result")
