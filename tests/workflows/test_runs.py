"""A run from beginning to end: each step once over any number of deaths, one driver, one meaning for an id."""

from collections.abc import Callable
from contextlib import suppress

import anyio
import pytest

import heso
from heso.core.journal import RunState, StepState
from heso.workflows.fencing import NoSuchRun
from heso.workflows.outcomes import RunConflict
from tests.workflows.runstage import Killed, Stage

NAMES = ("one", "two", "three")


def _three(stage: Stage, dies: Callable[[str], None]) -> heso.workflow:
    """Three steps, sync, async and sync. `dies` is told of every place: before, in and after each body."""

    def sync(name: str):
        @heso.tool(name=f"runs.{name}", idempotent=True)
        def act() -> str:
            dies(f"in {name}")
            stage.ran.append(heso.current_idempotency_key() or "")
            dies(f"out {name}")
            return name

        return act

    @heso.tool(name="runs.two", idempotent=True)
    async def two() -> str:
        dies("in two")
        stage.ran.append(heso.current_idempotency_key() or "")
        dies("out two")
        return "two"

    one, three = sync("one"), sync("three")

    @heso.workflow(name="runs.three_steps")
    async def flow() -> list[str]:
        dies("before one")
        found = [one()]
        dies("before two")
        found.append(await two())
        dies("before three")
        found.append(three())
        dies("at the end")
        return found

    return flow


PLACES = [f"{where} {name}" for name in NAMES for where in ("before", "in", "out")] + ["at the end"]


@pytest.mark.parametrize("place", PLACES)
def test_a_death_anywhere_costs_only_the_step_it_hit(stage: Stage, place: str) -> None:
    waits = [place]

    def die(where: str) -> None:
        if where in waits:
            waits.remove(where)
            raise Killed

    flow = _three(stage, die)
    with pytest.raises(Killed):
        stage.start(flow)
    stage.reopen()
    assert stage.start(flow).state is RunState.DONE
    assert stage.result() == list(NAMES)
    keys = [f"r/runs.{name}/0" for name in NAMES]
    again = [key for key in keys if place == f"out {key.split('.')[1][:-2]}"]
    assert sorted(stage.ran) == sorted(keys + again)


@pytest.mark.parametrize("step", NAMES)
def test_a_kill_after_any_step_is_gone_on_from_there(stage: Stage, step: str) -> None:
    flow = _three(stage, lambda _: None)
    stage.start(flow)
    after = NAMES[NAMES.index(step) + 1 :]
    for name in after:
        stage.sql("DELETE FROM step WHERE name = ?", f"runs.{name}")
    stage.bury()
    stage.ran.clear()
    stage.work()
    assert stage.result() == list(NAMES)
    assert stage.ran == [f"r/runs.{name}/0" for name in after]


def test_a_run_that_died_in_every_place_one_after_the_other_comes_to_its_end(stage: Stage) -> None:
    places = list(PLACES)

    def die(where: str) -> None:
        if where in places:
            places.remove(where)
            raise Killed

    flow = _three(stage, die)
    deaths = 0
    while True:
        try:
            run = stage.start(flow)
            break
        except Killed:
            deaths += 1
            stage.reopen()
    assert (deaths, run.state, stage.result()) == (len(PLACES), RunState.DONE, list(NAMES))


def test_starting_again_gives_the_same_run_and_does_no_step_again(stage: Stage) -> None:
    flow = _three(stage, lambda _: None)
    first = stage.start(flow)
    assert (stage.start(flow), len(stage.ran)) == (first, 3)
    stage.reopen()
    assert (stage.start(flow), len(stage.ran)) == (first, 3)


def test_an_id_belongs_to_one_workflow_and_its_arguments(stage: Stage) -> None:
    @heso.workflow(name="runs.echo")
    async def echo(text: str) -> str:
        return text

    @heso.workflow(name="runs.other")
    async def other(text: str) -> str:
        return text

    before = stage.start(echo, "a")
    for flow, text in ((echo, "b"), (other, "a")):
        with pytest.raises(RunConflict, match="started with something else"):
            stage.start(flow, text)
    assert heso.status("r") == before
    assert stage.result() == "a"


@pytest.mark.parametrize("drivers", [2, 20])
def test_any_number_that_start_one_run_at_once_do_each_step_once(
    stage: Stage, drivers: int
) -> None:
    slow = stage.async_tool(name="runs.slow")

    @heso.workflow(name="runs.together")
    async def flow() -> list[int]:
        return [await slow(number) for number in range(3)]

    async def all_at_once() -> object:
        async with anyio.create_task_group() as tasks:
            for _ in range(drivers):
                tasks.start_soon(lambda: heso.start(flow, id="r"))
        return await heso.result("r", timeout=5)

    assert anyio.run(all_at_once) == [0, 1, 2]
    assert stage.ran == [f"r/runs.slow/{number}" for number in range(3)]
    assert heso.status("r").fence == 1  # nobody took from another what that one was driving


@pytest.mark.parametrize("is_async", [True, False])
def test_who_lost_a_run_in_the_middle_of_a_step_writes_nothing_and_does_no_further_one(
    stage: Stage, is_async: bool
) -> None:
    """Somebody took it over, as after a lease: the loser was only slow."""

    @heso.tool(name="runs.held_up")
    def held_up() -> str:
        stage.ran.append("held up")
        stage.sql("UPDATE run SET fence = fence + 1 WHERE id = 'r'")
        return "late"

    second, third = stage.tool(name="runs.second"), stage.async_tool(name="runs.third")

    @heso.workflow(name="runs.lost")
    async def flow() -> None:
        with suppress(BaseException):  # as user code may
            held_up()
        try:
            second()
        except Exception:  # noqa: BLE001
            await third()
        if is_async:
            await third()
        else:
            second()

    run = stage.start(flow)
    assert (run.state, run.fence, stage.ran) == (RunState.RUNNING, 2, ["held up"])
    assert stage.steps() == {"runs.held_up #0": (StepState.STARTED, None)}


def test_a_cancelled_run_does_no_further_step_even_while_it_is_driven(stage: Stage) -> None:
    @heso.tool(name="runs.cancelling")
    def cancelling() -> None:
        heso.cancel("r")

    after = stage.async_tool(name="runs.after")

    @heso.workflow(name="runs.cancelled")
    async def flow() -> None:
        cancelling()
        await after()

    assert stage.start(flow).state is RunState.CANCELLED
    assert stage.ran == []
    with pytest.raises(heso.RunCancelled):
        stage.result()
    stage.work()
    assert stage.ran == []


def test_who_asks_for_a_run_that_is_not_there_is_told_so(stage: Stage) -> None:
    for ask in (
        lambda: heso.status("no"),
        lambda: heso.signal("no", "x"),
        lambda: heso.cancel("no"),
    ):
        with pytest.raises(NoSuchRun, match="no run 'no'"):
            ask()
    with pytest.raises(NoSuchRun):
        stage.result("no")


def test_an_id_that_could_be_an_actions_hash_is_refused(stage: Stage) -> None:
    """`heso.cancel` takes both."""

    @heso.workflow(name="runs.named")
    async def flow() -> None: ...

    with pytest.raises(ValueError, match="64 hexadecimal digits name an action"):
        stage.start(flow, id="0a" * 32)
    with pytest.raises(heso.NoSuchRun):
        heso.status("0a" * 32)
    assert stage.start(flow, id="0a" * 31).state is RunState.DONE
