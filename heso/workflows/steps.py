"""What a workflow may do besides calling gated tools: remember, sleep, receive, gather."""

import inspect
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import orjson
from anyio import create_task_group

from heso.async_gate.claimed import result_json
from heso.async_gate.recording import recording
from heso.core.canonical import canonical_bytes
from heso.core.instant import SECOND, Instant, instant_of
from heso.core.journal import StepState, check_name
from heso.ports import Batch, Heads
from heso.workflows.fencing import append_if_ours
from heso.workflows.recorder import Journaled, Key, current_run, frozen
from heso.workflows.unwinding import NEVER, Leaves, Waits, branching, first_of, stepping

T = TypeVar("T")
_UNSET = object()


async def remember(name: str, make: Callable[[], T | Awaitable[T]]) -> Any:
    """The value that `make` gave the first time, in its JSON form. For what may differ each time it is asked.

    A crash before the value was kept means that `make` is called again, so it should have no effects that matter; those
    belong into gated tools. Raises `CaptureError` for a value that has no JSON form.
    """
    run = current_run()
    with stepping():
        key, known = run.begin(f"remember:{_named(name)}", None)
        if known is None:
            with recording(None):
                value: Any = make()
                if inspect.isawaitable(value):
                    value = await value
            kept = canonical_bytes(frozen(f"remember:{name}", {"result": value}))
            known = run.note(key, StepState.DONE, value_json=kept)
        return orjson.loads(known.value_json or b"{}").get("result")


async def sleep(duration: timedelta | float) -> None:
    """Sleep, durably: the process may end meanwhile. `duration` is a timedelta or seconds."""
    run, seconds = current_run(), _seconds(duration)
    with stepping():
        _sleep(run, "sleep", _after(run, seconds), seconds)


async def sleep_until(moment: datetime) -> None:
    """Sleep until a time, which needs a zone."""
    run, until = current_run(), instant_of(moment)
    with stepping():
        _sleep(run, "sleep_until", until, str(until))


async def receive(name: str, *, timeout: timedelta | float | None = None) -> Any:  # noqa: ASYNC109  # durable
    """The next signal of this name that the run was sent, waiting for it; None once `timeout` has passed."""
    run = current_run()
    with stepping():
        key, known = run.begin(f"receive:{_named(name)}", None)
        if known is not None and known.state is StepState.DONE:
            return orjson.loads(known.value_json or b"{}").get("result")
        if known is None:
            due = NEVER if timeout is None else _after(run, _seconds(timeout))
            known = run.note(key, StepState.STARTED, value_json=orjson.dumps(due))
        taken = _take(run, key, name)
        if taken is not _UNSET:
            return taken
        due = Instant(orjson.loads(known.value_json or b"0"))
        if due <= run.desk.gate.clock.now():
            run.note(key, StepState.DONE, value_json=result_json(None))
            return None
        raise Waits(f"signal:{name}", due)


async def gather(*steps: Awaitable[Any]) -> list[Any]:
    """Do steps beside each other. When one has to wait or fails, the others come to an end first.

    Of several that fail, the first in the order of the arguments is raised, whichever came first.
    """
    results: list[Any] = [None] * len(steps)
    failed: dict[int, Exception] = {}
    left: dict[int, Leaves] = {}

    async def one(index: int, step: Awaitable[Any]) -> None:
        with branching() as branch:
            try:
                results[index] = await step
            except Exception as error:  # noqa: BLE001  # raised below, once everybody is done
                failed[index] = error
            except Leaves:
                pass  # the branch knows
        if branch.left is not None:
            left[index] = branch.left

    with stepping():
        async with create_task_group() as tasks:
            for index, step in enumerate(steps):
                tasks.start_soon(one, index, step)
        settled = first_of([left[index] for index in sorted(left)]) if left else None
        if settled is not None and not (failed and isinstance(settled, Waits)):
            raise settled
        if failed:
            raise failed[min(failed)]
        return results


def _named(name: str) -> str:
    """What a run waits for is kept in lines, so no name may have two."""
    return check_name(name, "a name in a run")


def _seconds(duration: timedelta | float) -> float:
    return duration.total_seconds() if isinstance(duration, timedelta) else float(duration)


def _after(run: Journaled, seconds: float) -> Instant:
    """A time that can be written down: a century from now is as good as never."""
    if seconds * SECOND >= NEVER - run.desk.gate.clock.now():
        return NEVER
    return Instant(run.desk.gate.clock.now() + round(seconds * SECOND))


def _sleep(run: Journaled, name: str, until: Instant, asked: object) -> None:
    key, known = run.begin(name, asked)
    if known is None:
        known = run.note(key, StepState.STARTED, value_json=orjson.dumps(until))
    if known.state is StepState.DONE:
        return
    due = Instant(orjson.loads(known.value_json or b"0"))
    if run.desk.gate.clock.now() < due:
        raise Waits("", due)
    run.note(key, StepState.DONE, value_json=known.value_json)


def _take(run: Journaled, key: Key, name: str) -> Any:
    """The signal's value, taken and remembered in one transaction; unset when there is none."""
    taken: list[Any] = []

    def seal(heads: Heads) -> Batch:
        taken.clear()
        signal = heads.signal(run.run.id, name)
        if signal is None:
            return Batch(())
        step = run.step_of(key, StepState.DONE, value_json=signal.value_json)
        taken.append(step)
        return Batch((), steps=(step,), signals=(signal.taken(),))

    append_if_ours(run.desk.gate.ledger, run.run, seal)
    if not taken:
        return _UNSET
    run.steps[taken[0].key] = taken[0]
    return orjson.loads(taken[0].value_json).get("result")
