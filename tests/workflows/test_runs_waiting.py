"""Sleeping, signals, remembering: durable, once each, whatever the clock does and wherever the driver dies."""

import math
from datetime import UTC, datetime, timedelta

import anyio
import anyio.lowlevel
import pytest

import heso
from heso.core.journal import RunState
from heso.workflows.unwinding import NEVER
from tests.workflows.runstage import Killed, Stage


@pytest.mark.parametrize(
    "ask",
    [
        lambda: heso.sleep(timedelta(days=21)),
        lambda: heso.sleep(21 * 86400.0),
        lambda: heso.sleep_until(datetime(2026, 1, 22, tzinfo=UTC)),
    ],
    ids=["timedelta", "seconds", "until"],
)
def test_three_weeks_pass_at_once(stage: Stage, ask) -> None:
    @heso.workflow(name="waiting.sleep")
    async def flow() -> str:
        await ask()
        return "awake"

    run = stage.start(flow)
    assert (run.state, run.due) == (RunState.WAITING, stage.now() + 21 * 86400 * 10**9)
    stage.passes(days=21, seconds=-1)
    stage.work()
    assert heso.status("r") == run
    stage.reopen()
    stage.passes(seconds=1)
    stage.work()
    assert stage.result() == "awake"


def test_a_sleep_that_was_slept_is_not_slept_again_when_the_clock_jumps_back(stage: Stage) -> None:
    @heso.workflow(name="waiting.jump")
    async def flow() -> str:
        await heso.sleep(60)
        await heso.receive("go")
        return "end"

    stage.start(flow)
    stage.passes(minutes=2)
    assert stage.drive().waiting_for == "signal:go"
    stage.passes(days=-3)
    heso.signal("r", "go")
    stage.work()
    assert stage.result() == "end"


@pytest.mark.parametrize("seconds", [0, -5, -math.pi])
def test_no_time_is_no_wait(stage: Stage, seconds: float) -> None:
    @heso.workflow(name="waiting.none")
    async def flow() -> str:
        await heso.sleep(seconds)
        return "at once"

    stage.start(flow)
    assert stage.result() == "at once"


@pytest.mark.parametrize("long", [timedelta.max, 1e300], ids=["max", "1e300"])
def test_a_time_that_no_clock_reaches_is_never(stage: Stage, long: float) -> None:
    @heso.workflow(name="waiting.long")
    async def flow(*, receives: bool) -> None:
        if receives:
            await heso.receive("x", timeout=long)
        await heso.sleep(long)

    for number, receives in enumerate((False, True)):
        run = stage.start(flow, receives=receives, id=f"n{number}")
        assert (run.state, run.due, run.error) == (RunState.WAITING, NEVER, None)
    stage.passes(days=36500)
    stage.work()
    assert heso.status("n0").state is RunState.WAITING


@pytest.mark.parametrize("wrong", [math.nan, math.inf, "soon", None])
def test_no_number_is_no_duration(stage: Stage, wrong: object) -> None:
    @heso.workflow(name="waiting.wrong")
    async def flow() -> None:
        await heso.sleep(wrong)

    assert stage.start(flow).state is RunState.FAILED


def test_signals_come_in_the_order_in_which_they_were_sent_each_to_one(stage: Stage) -> None:
    @heso.workflow(name="waiting.signals")
    async def flow() -> list[object]:
        return [await heso.receive(name) for name in ("a", "b", "a", "a")]

    for name, value in (("a", 1), ("a", 2), ("b", {"c": [3]})):
        if name == "a" and value == 1:
            stage.start(flow)
        heso.signal("r", name, value)
    stage.reopen()
    stage.work()
    assert heso.status("r").waiting_for == "signal:a"
    heso.signal("r", "b", "nobody asks for it")
    stage.work()
    assert heso.status("r").state is RunState.WAITING
    heso.signal("r", "a", None)
    stage.work()
    assert stage.result() == [1, {"c": [3]}, 2, None]


def test_a_signal_that_was_there_before_anybody_asked_is_kept(stage: Stage) -> None:
    @heso.workflow(name="waiting.buffered")
    async def flow() -> list[object]:
        await heso.sleep(60)
        return [await heso.receive("a"), await heso.receive("a")]

    stage.start(flow)
    heso.signal("r", "a", 1)
    heso.signal("r", "a", 2)
    stage.work()
    assert heso.status("r").state is RunState.WAITING
    stage.passes(minutes=2)
    assert stage.result() == [1, 2]


@pytest.mark.parametrize("first", ["the signal", "the time"])
def test_a_signal_or_its_time_whichever_is_first_and_never_both(stage: Stage, first: str) -> None:
    @heso.workflow(name="waiting.timeout")
    async def flow() -> list[object]:
        found = await heso.receive("a", timeout=timedelta(minutes=1))
        return [found, await heso.receive("a")]

    stage.start(flow)
    if first == "the time":
        stage.passes(minutes=2)
        stage.work()
        heso.signal("r", "a", 1)
        assert stage.result() == [None, 1]
    else:
        heso.signal("r", "a", 1)
        stage.passes(minutes=2)  # both have come: a signal that is there is not lost to its time
        heso.signal("r", "a", 2)
        assert stage.result() == [1, 2]


def test_a_signal_is_taken_once_over_any_number_of_deaths(stage: Stage) -> None:
    deaths = [1, 2, 3]

    @heso.workflow(name="waiting.taken")
    async def flow() -> list[object]:
        found: list[object] = []
        for _ in range(3):
            found.append(await heso.receive("a"))
            if deaths and len(found) == deaths[0]:
                deaths.pop(0)
                raise Killed
        return found

    stage.start(flow)
    for number in range(3):
        heso.signal("r", "a", number)
    for _ in range(3):
        with pytest.raises(Killed):
            stage.drive()
        stage.bury()
        stage.reopen()
    assert stage.result() == [0, 1, 2]


@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[2J", "a\u2028b", "x" * 201, "\udcff"])
def test_a_name_that_does_not_print_is_refused_on_both_ends(stage: Stage, name: str) -> None:
    @heso.workflow(name="waiting.names")
    async def flow(how: str) -> None:
        await (heso.receive(name) if how == "receive" else heso.remember(name, int))

    for how in ("receive", "remember"):
        run = stage.start(flow, how, id=how)
        assert (run.state, run.error) == (
            RunState.FAILED,
            "ValueError: a name in a run is a text of at most 200 printable characters",
        )
    with pytest.raises(ValueError, match="a signal's name is"):
        heso.signal("receive", name)


@pytest.mark.parametrize(
    "name", ["signal:a", "run:r", "0" * 64, "../../etc/passwd", "' OR 1=1 --", "☂"]
)
def test_any_other_name_is_only_a_name(stage: Stage, name: str) -> None:
    @heso.workflow(name="waiting.odd")
    async def flow() -> object:
        return [await heso.remember(name, lambda: 1), await heso.receive(name)]

    stage.start(flow)
    stage.work()
    assert heso.status("r").state is RunState.WAITING
    heso.signal("r", name, 2)
    stage.work()
    assert stage.result() == [1, 2]


@pytest.mark.parametrize("is_async", [True, False])
def test_what_was_remembered_is_not_asked_again(stage: Stage, is_async: bool) -> None:
    numbers = iter(range(100))

    async def later() -> int:
        await anyio.lowlevel.checkpoint()
        return next(numbers)

    @heso.workflow(name="waiting.remember")
    async def flow() -> list[object]:
        found = [
            await heso.remember(name, later if is_async else lambda: next(numbers))
            for name in ("a", "b", "a")
        ]
        await heso.receive("go")
        return found

    stage.start(flow)
    stage.reopen()
    heso.signal("r", "go")
    assert stage.result() == [0, 1, 2]


@pytest.mark.parametrize("value", [math.nan, "\udcff", "x" * 300_000], ids=["nan", "half", "huge"])
def test_what_has_no_form_is_said_and_not_remembered_as_none(stage: Stage, value: object) -> None:
    @heso.workflow(name="waiting.unfit")
    async def flow() -> None:
        await heso.remember("x", lambda: value)

    run = stage.start(flow)
    assert (run.state, (run.error or "").split(":")[0]) == (RunState.FAILED, "CaptureError")
    with pytest.raises(heso.CaptureError):
        heso.signal("r", "x", value)


def test_a_value_that_could_not_be_made_is_made_again(stage: Stage) -> None:
    tries = ["first"]

    def make() -> str:
        if tries:
            raise ConnectionError(tries.pop())
        return "made"

    @heso.workflow(name="waiting.made")
    async def flow() -> object:
        try:
            return await heso.remember("x", make)
        except ConnectionError:
            return await heso.remember("x", make)

    stage.start(flow)
    assert stage.result() == "made"


def test_a_result_that_is_not_there_in_time_is_told_as_waiting(stage: Stage) -> None:
    @heso.workflow(name="waiting.result")
    async def flow() -> None:
        await heso.receive("x")

    stage.start(flow)
    with pytest.raises(heso.RunWaiting, match="the run 'r' is waiting for signal:x"):
        stage.result()
