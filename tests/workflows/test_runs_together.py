"""Steps beside each other, and runs inside runs."""

from contextlib import suppress

import anyio
import pytest

import heso
from heso.core.journal import RunState, StepState
from heso.ports import NotWritten, Unacknowledged
from heso.testing import Fault, FaultyLedger
from tests.workflows.runstage import Stage


def test_siblings_settle_before_the_run_leaves(stage: Stage) -> None:
    act = stage.async_tool(name="together.act")

    async def work() -> list[object]:
        return [await act(number) for number in range(3)]

    @heso.workflow(name="together.settle")
    async def flow() -> list[object]:
        return await heso.gather(heso.receive("a"), work())

    run = stage.start(flow)
    assert (run.state, run.waiting_for, len(stage.ran)) == (RunState.WAITING, "signal:a", 3)
    heso.signal("r", "a", "x")
    assert (stage.result(), len(stage.ran)) == (["x", [0, 1, 2]], 3)


@pytest.mark.parametrize("order", ["abc", "cba", "bca"])
def test_several_waits_at_once_wake_on_any_of_them(stage: Stage, order: str) -> None:
    pay = stage.async_tool(name="together.pay", verb="payment")

    @heso.workflow(name="together.wake")
    async def flow() -> list[object]:
        return await heso.gather(heso.receive("a"), pay("p"), heso.sleep(60))

    run = stage.start(flow)
    lines = run.waiting_for.split("\n")
    assert (lines[0], len(lines[1]), run.due) == ("signal:a", 64, stage.now() + 60 * 10**9)
    fences = [run.fence]
    for what in order:
        if what == "a":
            heso.signal("r", "a", 1)
        elif what == "b":
            stage.decide(lines[1])
        else:
            stage.passes(seconds=60)
        stage.work()
        fences.append(heso.status("r").fence)
    assert fences == [1, 2, 3, 4]
    assert (stage.result(), stage.ran) == ([1, "p", None], [lines[1]])


def test_of_several_that_fail_the_first_in_order_is_raised_both_times(stage: Stage) -> None:
    seen: list[str] = []

    @heso.tool(name="together.fails")
    async def fails(name: str, seconds: float) -> None:
        await anyio.sleep(seconds)
        raise ValueError(name)

    @heso.workflow(name="together.fail")
    async def flow() -> None:
        try:
            await heso.gather(fails("slow", 0.05), fails("quick", 0))
        except heso.ToolFailedError as error:
            seen.append(error.said)
        await heso.receive("go")

    stage.start(flow)
    heso.signal("r", "go")
    stage.drive()
    assert seen == ["ValueError: slow"] * 2


def test_one_that_fails_is_told_although_another_waits(stage: Stage) -> None:
    act = stage.tool(name="together.after")

    async def fail() -> None:
        raise ValueError("mine")

    @heso.workflow(name="together.mixed")
    async def flow() -> object:
        try:
            await heso.gather(heso.receive("a"), fail())
        except ValueError as error:
            return act(str(error))

    stage.start(flow)
    assert stage.result() == "mine"


def test_a_branch_that_is_parked_parks_the_run(stage: Stage) -> None:
    inputs = iter("ab")
    act = stage.async_tool(name="together.drift")

    @heso.workflow(name="together.park")
    async def flow() -> None:
        await heso.gather(heso.receive("go"), act(next(inputs)))

    stage.start(flow)
    heso.signal("r", "go")
    run = stage.drive()
    assert (run.state, (run.error or "")[:15], len(stage.ran)) == (
        RunState.PARKED,
        "needs_migration",
        1,
    )


def test_a_branch_that_swallows_its_wait_has_no_further_step_and_the_others_go_on(
    stage: Stage,
) -> None:
    act = stage.async_tool(name="together.step")

    async def swallowing() -> object:
        try:
            return await heso.receive("a")
        except BaseException:  # noqa: BLE001
            return await act("never")

    @heso.workflow(name="together.swallow")
    async def flow() -> list[object]:
        return await heso.gather(swallowing(), act("other"))

    run = stage.start(flow)
    assert (run.state, len(stage.ran)) == (RunState.WAITING, 1)
    heso.signal("r", "a", "x")
    assert stage.result() == ["x", "other"]


def test_gathers_nest_and_may_be_empty(stage: Stage) -> None:
    act = stage.async_tool(name="together.nested")

    @heso.workflow(name="together.nest")
    async def flow() -> list[object]:
        return await heso.gather(
            heso.gather(act(1), heso.receive("a")), heso.gather(), heso.gather(heso.receive("b"))
        )

    run = stage.start(flow)
    assert run.waiting_for.split("\n") == ["signal:a", "signal:b"]
    heso.signal("r", "b", 2)
    heso.signal("r", "a", 3)
    assert (stage.result(), len(stage.ran)) == ([[1, 3], [], [2]], 1)


def test_a_waiting_child_wakes_its_parent(stage: Stage) -> None:
    act = stage.tool(name="together.child_act")

    @heso.workflow(name="together.child")
    async def child(number: int) -> list[object]:
        return [act(number), await heso.receive("go")]

    @heso.workflow(name="together.parent")
    async def parent() -> list[object]:
        return [await child(1), await child(2)]

    run = stage.start(parent)
    first = "r/together.child/0"
    assert (run.state, run.waiting_for) == (RunState.WAITING, f"run:{first}")
    for number in range(2):
        heso.signal(f"r/together.child/{number}", "go", number)
        stage.reopen()
        stage.work()
    assert stage.result() == [[1, 0], [2, 1]]
    assert stage.ran == [f"r/together.child/{n}/together.child_act/0" for n in range(2)]


def test_children_beside_each_other_and_inside_each_other(stage: Stage) -> None:
    @heso.workflow(name="together.deep")
    async def deep(level: int) -> int:
        if level:
            return 1 + sum(await heso.gather(deep(level - 1), deep(level - 1)))
        await heso.sleep(60)
        return 1

    stage.start(deep, 3)
    assert heso.status("r").state is RunState.WAITING
    stage.passes(minutes=2)
    stage.work()
    assert stage.result() == 15


@pytest.mark.parametrize("how", ["fails", "is cancelled", "is something else's"])
def test_what_became_of_a_child_is_an_error_that_comes_again(stage: Stage, how: str) -> None:
    seen: list[str] = []

    @heso.workflow(name="together.hapless")
    async def child(how: str) -> None:
        await heso.receive("x")
        raise ValueError("mine")

    @heso.workflow(name="together.worried")
    async def parent() -> None:
        try:
            await child(how)
        except heso.ToolFailedError as error:
            seen.append(error.said)
        await heso.receive("go")

    name = "r/together.hapless/0"
    if how == "is something else's":
        stage.start(child, "another", id=name)
    stage.start(parent)
    if how == "fails":
        heso.signal(name, "x")
    elif how == "is cancelled":
        heso.cancel(name)
    stage.work()
    heso.signal("r", "go")
    stage.work()
    assert heso.status("r").state is RunState.DONE
    first, again = seen
    assert first == again
    wanted = {
        "fails": "RunFailed: the run 'r/together.hapless/0' failed: ValueError: mine",
        "is cancelled": "RunCancelled: the run 'r/together.hapless/0' was cancelled",
        "is something else's": "RunConflict: the run 'r/together.hapless/0' was started with",
    }
    assert first.startswith(wanted[how])
    assert stage.steps()["together.hapless #0"] == (StepState.FAILED, "ToolFailedError")


def test_a_parent_that_died_after_its_child_ended_has_its_result(stage: Stage) -> None:
    act = stage.tool(name="together.once")

    @heso.workflow(name="together.done_child")
    async def child() -> object:
        return act("x")

    @heso.workflow(name="together.dead_parent")
    async def parent() -> object:
        return await child()

    stage.start(parent)
    stage.sql("DELETE FROM step WHERE run = 'r'")
    stage.bury()
    stage.work()
    assert (stage.result(), len(stage.ran)) == ("x", 1)


def test_a_child_of_a_long_name_has_an_id_all_the_same(stage: Stage) -> None:
    @heso.workflow(name="c" * 150)
    async def child(level: int) -> int:
        return level if level == 0 else await child(level - 1)

    stage.start(child, 3, id="p" * 200)
    assert stage.result("p" * 200) == 0
    names = [name for (name,) in stage.sql("SELECT id FROM run")]
    assert (len(set(names)), max(map(len, names))) == (4, 200)


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2J", "n" * 201])
def test_a_workflow_has_a_name_that_prints(name: str) -> None:
    with pytest.raises(ValueError, match="a workflow's name is"):

        @heso.workflow(name=name)
        async def flow() -> None: ...


def test_a_child_is_called_in_a_run_only(stage: Stage) -> None:
    @heso.workflow(name="together.lonely")
    async def flow() -> None: ...

    with pytest.raises(TypeError, match=r"start it with heso\.start"):
        anyio.run(flow)


@pytest.mark.parametrize("cancels_first", [True, False])
def test_what_a_run_asks_while_it_is_cancelled_is_taken_back(
    stage: Stage, cancels_first: bool
) -> None:
    pay = stage.async_tool(name="together.asks", verb="payment")

    @heso.tool(name="together.cancels")
    async def cancels() -> None:
        await anyio.sleep(0 if cancels_first else 0.1)
        heso.cancel("r")

    @heso.workflow(name="together.cancelled")
    async def flow() -> None:
        await heso.gather(cancels(), pay("p"))

    assert stage.start(flow).state is RunState.CANCELLED
    states = {state for (state,) in stage.sql("SELECT state FROM ticket")}
    assert states <= {"cancelled"}
    assert cancels_first or states
    stage.work()
    assert stage.ran == []


@pytest.mark.parametrize("asks", ["people", "a child"])
def test_what_a_cancelled_run_would_have_waited_for_is_taken_back(stage: Stage, asks: str) -> None:
    pay = stage.async_tool(name="together.left", verb="payment")

    @heso.workflow(name="together.left_child")
    async def child() -> None:
        await heso.receive("never")

    async def cancel() -> None:  # no step, so nothing tells the run before it leaves
        await anyio.sleep(0.1)
        heso.cancel("r")

    @heso.workflow(name="together.leaves")
    async def flow() -> None:
        await heso.gather(pay("p") if asks == "people" else child(), cancel())

    assert stage.start(flow).state is RunState.CANCELLED
    left = stage.sql("SELECT state FROM ticket") + stage.sql(
        "SELECT state FROM run WHERE id != 'r'"
    )
    assert left == [("cancelled",)]


@pytest.mark.parametrize("fault", list(Fault))
def test_our_own_trouble_is_no_end_of_a_child(stage: Stage, fault: Fault) -> None:
    """Every append of a parent and its child goes wrong in turn, once."""

    @heso.workflow(name="together.troubled_child")
    async def child() -> object:
        return await heso.remember("x", lambda: "done")

    @heso.workflow(name="together.troubled")
    async def parent() -> object:
        return await child()

    for number in range(14):
        name = f"f{number}"
        ledger = stage.runtime.gate.ledger
        object.__setattr__(stage.runtime.gate, "ledger", FaultyLedger(ledger, {number: fault}))
        with suppress(NotWritten, Unacknowledged):
            stage.start(parent, id=name)
        object.__setattr__(stage.runtime.gate, "ledger", ledger)
        stage.passes(minutes=1)
        stage.start(parent, id=name)
        assert stage.result(name) == "done"
