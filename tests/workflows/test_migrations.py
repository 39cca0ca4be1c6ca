"""Code that changed while a run waited: what fits goes on, what does not is parked, and nothing is lost or done twice."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

import heso
from heso.core.journal import JournalStep, RunState
from heso.workflows import defining
from heso.workflows.defining import find_path
from tests.workflows.runstage import Stage, undefine


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test is a program of its own."""
    monkeypatch.setattr(defining, "_workflows", {})
    monkeypatch.setattr(defining, "_migrations", {})


def _waiting(stage: Stage, *names: str, version: int = 1) -> heso.workflow:
    """A run that did these steps, then waits; it gives what they gave."""

    @heso.workflow(name="vendor", version=version)
    async def flow() -> list[object]:
        found = [stage.tool(name=name)(name) for name in names[:-1]]
        await heso.receive("go")
        return [*found, stage.tool(name=names[-1])(names[-1])]

    return flow


@pytest.mark.parametrize(
    ("after", "done"),
    [
        (("new", "a", "b", "end"), ["new", "end"]),
        (("a", "new", "b", "end"), ["new", "end"]),
        (("a", "b", "new", "end"), ["new", "end"]),
        (("b", "end"), ["end"]),
        (("end",), ["end"]),
        (("b", "a", "other"), ["other"]),
    ],
    ids=["before", "between", "behind", "one less", "all gone", "in another order"],
)
def test_steps_put_in_or_taken_out_do_not_break_a_run_that_waits(
    stage: Stage, after: tuple[str, ...], done: list[str]
) -> None:
    run = stage.start(_waiting(stage, "a", "b", "end"))
    journal = stage.steps()
    stage.ran.clear()
    _waiting(stage, *after)
    heso.signal("r", "go")
    stage.work()
    assert stage.result() == list(after)
    assert stage.ran == [f"r/{name}/0" for name in done]
    kept = {key: value for key, value in journal.items() if key != "receive:go #0"}
    assert kept.items() <= stage.steps().items()
    assert heso.status("r").version == run.version


def test_the_same_step_with_other_arguments_parks_and_goes_on_when_the_code_is_back(
    stage: Stage,
) -> None:
    act, other = stage.tool(name="act"), stage.tool(name="other")

    def define(argument: str) -> heso.workflow:
        @heso.workflow(name="vendor")
        async def flow() -> object:
            if argument != "a":
                other("new code")
            found = act(argument)
            await heso.receive("go")
            return found

        return flow

    stage.start(define("a"))
    heso.signal("r", "go")
    define("b")
    for _ in range(3):
        stage.reopen()
        stage.work()
        run = heso.status("r")
        assert (run.state, run.error) == (
            RunState.PARKED,
            "needs_migration: step act #0 was called with other arguments before",
        )
        with pytest.raises(heso.RunWaiting, match="needs_migration"):
            stage.result()
    assert stage.ran == ["r/act/0", "r/other/0"]
    define("a")
    stage.reopen()
    stage.work()
    assert (stage.result(), len(stage.ran)) == ("a", 2)


def test_a_second_call_of_a_name_is_another_step(stage: Stage) -> None:
    act = stage.tool(name="act")

    @heso.workflow(name="vendor")
    async def flow() -> list[object]:
        return [act("a"), act("b"), await heso.receive("go"), act("a")]

    stage.start(flow)
    heso.signal("r", "go", "x")
    assert (stage.result(), stage.ran) == (["a", "b", "x", "a"], [f"r/act/{n}" for n in range(3)])


@pytest.mark.parametrize("how", ["sleep", "child", "receive"])
def test_what_is_no_tool_is_held_to_its_inputs_as_well(stage: Stage, how: str) -> None:
    inputs = iter((60, 90))

    @heso.workflow(name="child")
    async def child(seconds: int) -> None: ...

    @heso.workflow(name="vendor")
    async def flow() -> None:
        if how == "sleep":
            await heso.sleep(next(inputs))
        elif how == "child":
            await child(next(inputs))
        else:
            await heso.receive(f"x{next(inputs)}")
        await heso.receive("go")

    stage.start(flow)
    stage.passes(hours=1)
    heso.signal("r", "go")
    run = stage.drive()
    wanted = RunState.WAITING if how == "receive" else RunState.PARKED  # another name, another step
    assert run.state is wanted


def test_a_run_goes_on_with_the_version_that_it_began_with(stage: Stage) -> None:
    stage.start(_waiting(stage, "a", "end"))
    _waiting(stage, "a", "new", "end", version=2)
    heso.signal("r", "go")
    stage.work()
    assert (stage.result(), heso.status("r").version) == (["a", "end"], 1)


def test_a_version_that_is_gone_parks_the_run_until_it_is_back(stage: Stage) -> None:
    stage.start(_waiting(stage, "a", "end"))
    undefine("vendor", 1)
    _waiting(stage, "a", "end", version=3)
    heso.signal("r", "go")
    stage.work()
    run = heso.status("r")
    assert (run.state, run.error) == (
        RunState.PARKED,
        "version_missing: no workflow 'vendor' of version 1 is defined here",
    )
    _waiting(stage, "a", "end")
    stage.reopen()
    stage.work()
    assert stage.result() == ["a", "end"]


def _rename(before: str, after: str):
    def migrate(steps: Sequence[JournalStep]) -> Sequence[JournalStep]:
        return [replace(one, name=after) if one.name == before else one for one in steps]

    return migrate


@pytest.mark.parametrize("hops", [1, 2, 4])
def test_a_journal_is_brought_over_any_number_of_versions(stage: Stage, hops: int) -> None:
    stage.start(_waiting(stage, "a0", "end"))
    undefine("vendor", 1)
    for hop in range(hops):
        heso.migrate("vendor", hop + 1, hop + 2)(_rename(f"a{hop}", f"a{hop + 1}"))
    renamed, end = stage.tool(name=f"a{hops}"), stage.tool(name="end")

    @heso.workflow(name="vendor", version=hops + 1)
    async def newest() -> list[object]:
        found = renamed("a0")
        await heso.receive("go")
        return [found, end("end")]

    stage.ran.clear()
    heso.signal("r", "go")
    stage.work()
    assert (stage.result(), stage.ran) == (["a0", "end"], ["r/end/0"])
    assert heso.status("r").version == hops + 1
    assert set(stage.steps()) == {f"a{hops} #0", "end #0", "receive:go #0"}


def test_the_way_leads_to_a_version_that_is_there_by_the_fewest_hops(stage: Stage) -> None:
    for before, after in ((1, 2), (2, 3), (1, 5), (2, 4), (3, 4), (4, 1)):
        heso.migrate("vendor", before, after)(_rename("x", f"{before}-{after}"))
    flow = _waiting(stage, "end", version=4)
    found, way = find_path("vendor", 1)
    assert found is flow
    assert [migration([]) for migration in way] == [[], []]
    with pytest.raises(defining.NoSuchWorkflow):
        find_path("vendor", 5)


@pytest.mark.parametrize("harm", ["it raises", "no steps", "another run's", "half done"])
def test_a_migration_that_fails_parks_the_run_and_changes_nothing(stage: Stage, harm: str) -> None:
    stage.start(_waiting(stage, "a", "end"))
    before = stage.sql("SELECT * FROM step")
    undefine("vendor", 1)

    def migrate(steps: Sequence[JournalStep]) -> object:
        match harm:
            case "it raises":
                raise KeyError("gone")
            case "no steps":
                return None
            case "another run's":
                return [replace(one, run="other") for one in steps]
        return [*steps, "a step"]

    heso.migrate("vendor", 1, 2)(migrate)
    _waiting(stage, "a", "end", version=2)
    heso.signal("r", "go")
    stage.work()
    run = heso.status("r")
    assert (run.state, run.version, (run.error or "")[:36]) == (
        RunState.PARKED,
        1,
        "needs_migration: a migration failed:",
    )
    assert stage.sql("SELECT * FROM step") == before
    heso.migrate("vendor", 1, 2)(list)
    stage.reopen()
    stage.work()
    assert stage.result() == ["a", "end"]


def test_a_workflow_that_takes_other_arguments_now_parks_its_old_runs(stage: Stage) -> None:
    @heso.workflow(name="vendor")
    async def flow(one: str) -> object:
        return await heso.receive("go")

    stage.start(flow, "x")

    @heso.workflow(name="vendor")
    async def other(two: str) -> object: ...

    heso.signal("r", "go")
    stage.work()
    run = heso.status("r")
    assert (run.state, (run.error or "")[:16]) == (RunState.PARKED, "version_missing:")


def test_a_parked_run_is_tried_however_many_came_after_it(stage: Stage) -> None:
    stage.start(_waiting(stage, "a", "end"))
    undefine("vendor", 1)
    _waiting(stage, "a", "end", version=2)
    heso.signal("r", "go")
    stage.work()

    @heso.workflow(name="later")
    async def later() -> None: ...

    for number in range(60):
        stage.start(later, id=f"l{number}")
    _waiting(stage, "a", "end")
    stage.reopen()
    stage.work()
    assert heso.status("r").state is RunState.DONE
    assert stage.result() == ["a", "end"]
