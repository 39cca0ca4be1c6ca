"""How a run leaves its function: nothing that user code catches, and nothing that tears the driver, loses it."""

import asyncio
from collections.abc import Callable

import anyio
import pytest

import heso
from heso.core.journal import RunState, StepState
from tests.workflows.runstage import Stage


async def _by_exception(act: Callable[[], object]) -> object:
    try:
        return act()
    except Exception:  # noqa: BLE001
        return "swallowed"


async def _by_base_exception(act: Callable[[], object]) -> object:
    try:
        return act()
    except BaseException:  # noqa: BLE001
        return "swallowed"


async def _by_returning_in_finally(act: Callable[[], object]) -> object:
    try:
        return act()
    finally:
        return "swallowed"  # noqa: B012, SIM107


async def _by_raising_another(act: Callable[[], object]) -> object:
    try:
        return act()
    except BaseException:  # noqa: BLE001
        raise ValueError("another") from None


async def _by_awaiting_in_finally(act: Callable[[], object]) -> object:
    try:
        return act()
    finally:
        await asyncio.sleep(0)


async def _in_a_task_group(act: Callable[[], object]) -> object:
    async def one() -> object:
        return act()

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(one())
    return task.result()


async def _in_asyncio_gather(act: Callable[[], object]) -> object:
    async def one() -> object:
        return act()

    (found,) = await asyncio.gather(one(), return_exceptions=True)
    return found


SWALLOWERS = [
    _by_exception,
    _by_base_exception,
    _by_returning_in_finally,
    _by_raising_another,
    _by_awaiting_in_finally,
    _in_a_task_group,
    _in_asyncio_gather,
]


@pytest.mark.parametrize("swallow", SWALLOWERS, ids=lambda one: one.__name__)
def test_no_user_code_swallows_a_suspension(stage: Stage, swallow: Callable) -> None:
    pay = stage.tool(name="leaving.pay", verb="payment")
    after = stage.tool(name="leaving.after")

    @heso.workflow(name="leaving.swallowing")
    async def flow() -> list[object]:
        return [await swallow(lambda: pay("o")), after("a")]

    run = stage.start(flow)
    assert (run.state, stage.ran) == (RunState.WAITING, [])
    stage.decide(run.waiting_for)
    stage.work()
    if swallow is _by_returning_in_finally:
        assert stage.result() == ["swallowed", "a"]
    else:
        assert stage.result() == ["o", "a"]
    assert stage.ran == [run.waiting_for, "r/leaving.after/0"]


@pytest.mark.parametrize("swallow", SWALLOWERS, ids=lambda one: one.__name__)
def test_no_user_code_swallows_the_last_thing_a_run_waits_for(
    stage: Stage, swallow: Callable
) -> None:
    pay = stage.tool(name="leaving.last", verb="payment")

    @heso.workflow(name="leaving.ending")
    async def flow() -> object:
        return await swallow(lambda: pay("o"))

    run = stage.start(flow)
    assert (run.state, stage.ran) == (RunState.WAITING, [])
    stage.decide(run.waiting_for)
    stage.work()
    wanted = "swallowed" if swallow is _by_returning_in_finally else "o"
    assert (stage.result(), stage.ran) == (wanted, [run.waiting_for])


def test_no_user_code_swallows_that_a_run_is_parked(stage: Stage) -> None:
    inputs = iter("ab")
    tell = stage.tool(name="leaving.tell")

    @heso.workflow(name="leaving.parking")
    async def flow() -> object:
        await _by_base_exception(lambda: tell(next(inputs)))
        await heso.receive("go")

    stage.start(flow)
    heso.signal("r", "go")
    parked = stage.drive()
    assert (parked.state, parked.error[:16]) == (RunState.PARKED, "needs_migration:")
    assert len(stage.ran) == 1


def _hanging(stage: Stage) -> tuple[heso.workflow, list[str]]:
    before = stage.tool(name="leaving.before")
    hangs = ["yes"]

    @heso.workflow(name="leaving.hanging")
    async def flow() -> object:
        found = before("b")
        if hangs:
            await asyncio.sleep(60)  # not a step: user code that waits for something of its own
        return found

    return flow, hangs


async def _timed_out(flow: heso.workflow) -> None:
    async with asyncio.timeout(0.05):
        await heso.start(flow, id="r")


async def _cancelled_by_its_task(flow: heso.workflow) -> None:
    task = asyncio.ensure_future(heso.start(flow, id="r"))
    await asyncio.sleep(0.05)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        raise TimeoutError from None


async def _cancelled_by_a_scope(flow: heso.workflow) -> None:
    with anyio.fail_after(0.05):
        await heso.start(flow, id="r")


@pytest.mark.parametrize(
    "give_up", [_timed_out, _cancelled_by_its_task, _cancelled_by_a_scope], ids=lambda f: f.__name__
)
def test_a_run_whose_driver_was_cancelled_is_free_at_once(stage: Stage, give_up: Callable) -> None:
    flow, hangs = _hanging(stage)
    with pytest.raises(TimeoutError):
        anyio.run(give_up, flow)
    assert (heso.status("r").state, heso.status("r").owner) == (RunState.WAITING, "")
    hangs.clear()
    stage.work()
    assert (stage.result(), stage.ran) == ("b", ["r/leaving.before/0"])


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_a_run_that_was_torn_out_of_its_function_goes_on(
    stage: Stage, error: type[BaseException]
) -> None:
    torn = [error]
    before = stage.tool(name="leaving.before_it")

    @heso.workflow(name="leaving.torn")
    async def flow() -> object:
        found = before("b")
        if torn:
            raise torn.pop()
        return found

    with pytest.raises(error):
        stage.start(flow)
    assert heso.status("r").state is RunState.WAITING
    assert (stage.result(), stage.ran) == ("b", ["r/leaving.before_it/0"])


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_body_that_was_torn_out_is_in_doubt_and_the_run_parks(
    stage: Stage, error: type[BaseException], kind: str
) -> None:
    @heso.tool(name="leaving.sync_torn")
    def sync() -> None:
        stage.ran.append("torn")
        raise error

    @heso.tool(name="leaving.later_torn")
    async def later() -> None:
        stage.ran.append("torn")
        raise error

    @heso.workflow(name="leaving.torn_body")
    async def flow() -> None:
        sync() if kind == "def" else await later()

    with pytest.raises(error):
        stage.start(flow)
    assert heso.status("r").state is RunState.WAITING
    stage.work()
    assert (heso.status("r").state, stage.ran) == (RunState.PARKED, ["torn"])


def test_a_body_is_finished_before_a_cancellation_is_delivered(stage: Stage) -> None:
    @heso.tool(name="leaving.slow")
    async def slow() -> str:
        await asyncio.sleep(0.2)
        stage.ran.append("slow")
        return "whole"

    @heso.workflow(name="leaving.slowly")
    async def flow() -> object:
        return await slow()

    with pytest.raises(TimeoutError):
        anyio.run(_timed_out, flow)
    assert stage.steps() == {"leaving.slow #0": (StepState.DONE, "whole")}
    assert (stage.result(), stage.ran) == ("whole", ["slow"])


def test_a_coroutine_that_nobody_awaited_to_its_end_leaves_the_run_free(stage: Stage) -> None:
    flow, hangs = _hanging(stage)

    async def begin() -> None:
        starting = heso.start(flow, id="r")
        starting.send(None)
        starting.close()

    anyio.run(begin)
    hangs.clear()
    stage.work()
    assert (stage.result(), stage.ran) == ("b", ["r/leaving.before/0"])


class _Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class _NoForm:
    @property
    def __class__(self) -> type:
        raise RuntimeError("no class")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("file \udcff"), "ValueError: file \\udcff"),
        (_Unspeakable(), "_Unspeakable"),
        (ValueError("x" * 100_000), "ValueError: " + "x" * 488),
    ],
    ids=["no unicode", "no words", "too many words"],
)
def test_a_function_that_raises_what_cannot_be_written_has_failed(
    stage: Stage, error: Exception, said: str
) -> None:
    @heso.workflow(name="leaving.raising")
    async def flow() -> None:
        raise error

    run = stage.start(flow)
    assert (run.state, run.error) == (RunState.FAILED, said)


def test_a_function_whose_result_cannot_be_looked_at_has_failed(stage: Stage) -> None:
    @heso.workflow(name="leaving.resulting")
    async def flow() -> object:
        return _NoForm()

    run = stage.start(flow)
    assert (run.state, run.error) == (RunState.FAILED, "RuntimeError: no class")
