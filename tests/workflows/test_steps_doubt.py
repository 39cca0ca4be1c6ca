"""Steps that began and never reported back: the probe says, or it may be done again, else somebody has to look."""

from collections.abc import Callable

import anyio
import anyio.lowlevel
import pytest

import heso
from heso.core.journal import RunState, StepState
from heso.testing import Fault, FaultyLedger
from tests.workflows.runstage import Killed, Stage

KINDS = ["def", "async def"]


def _define(
    stage: Stage, kind: str, *, dies: list[str] | None = None, **options: object
) -> heso.workflow:
    def body() -> str:
        stage.ran.append(heso.current_idempotency_key() or "")
        if dies:
            raise Killed(dies.pop())
        return "done"

    @heso.tool(name="doubt.act", **options)
    def sync(secret: str) -> str:
        return body()

    @heso.tool(name="doubt.act_later", **options)
    async def later(secret: str) -> str:
        return body()

    @heso.workflow(name="doubt.flow")
    async def flow() -> object:
        return sync("4242") if kind == "def" else await later("4242")

    return flow


def _sync_probe(answer: object, asked: list[str]) -> Callable[[str], object]:
    def probe(key: str) -> object:
        asked.append(key)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return probe


def _async_probe(answer: object, asked: list[str]) -> Callable[[str], object]:
    async def probe(key: str) -> object:
        await anyio.lowlevel.checkpoint()
        asked.append(key)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return probe


ANSWERS = {
    "done": (heso.Done("before"), RunState.DONE, 1),
    "not done": (heso.NotDone(), RunState.DONE, 2),
    "unknown": (heso.Unknown(), RunState.PARKED, 1),
    "something else": ("yes", RunState.PARKED, 1),
    "an error": (ValueError(), RunState.PARKED, 1),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make_probe", [_sync_probe, _async_probe])
@pytest.mark.parametrize("case", ANSWERS)
def test_a_probe_says_what_became_of_a_step(
    stage: Stage, kind: str, make_probe: Callable, case: str
) -> None:
    answer, state, times = ANSWERS[case]
    asked: list[str] = []
    flow = _define(stage, kind, dies=["here"], probe=make_probe(answer, asked))
    with pytest.raises(Killed):
        stage.start(flow)
    stage.reopen()
    run = stage.start(flow)
    name = "doubt.act" if kind == "def" else "doubt.act_later"
    key = f"r/{name}/0"
    assert (run.state, asked, stage.ran) == (state, [key], [key] * times)
    if state is RunState.DONE:
        assert stage.result() == ("before" if times == 1 else "done")
    else:
        assert run.error == f"in_doubt: step {name} #0 began and never reported back"
        assert stage.steps() == {f"{name} #0": (StepState.STARTED, None)}


@pytest.mark.parametrize("kind", KINDS)
def test_an_idempotent_step_is_done_again_with_its_key(stage: Stage, kind: str) -> None:
    flow = _define(stage, kind, dies=["here", "and here"], idempotent=True)
    for _ in range(2):
        with pytest.raises(Killed):
            stage.start(flow)
    assert (stage.start(flow).state, len(set(stage.ran)), len(stage.ran)) == (RunState.DONE, 1, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_probe_gives_is_without_hidden_values(stage: Stage, kind: str) -> None:
    probe = _sync_probe(heso.Done({"card": "4242"}), [])
    flow = _define(stage, kind, dies=["here"], probe=probe, verb="llm_call")
    with pytest.raises(Killed):
        stage.start(flow)
    stage.reopen()
    stage.start(flow)
    assert stage.result() == {"card": "[redacted]"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_nobody_can_tell_about_parks_the_run_and_is_never_done_again(
    stage: Stage, kind: str
) -> None:
    flow = _define(stage, kind, dies=["here"])
    with pytest.raises(Killed):
        stage.start(flow)
    for _ in range(3):
        stage.reopen()
        stage.work()
        assert (stage.start(flow).state, len(stage.ran)) == (RunState.PARKED, 1)
    settled = anyio.run(lambda: stage.runtime.driver.settle("r", happened=True))
    assert (settled.state, len(stage.ran)) == (RunState.DONE, 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", list(Fault))
def test_an_outcome_that_could_not_be_written_is_no_failure_and_no_second_effect(
    stage: Stage, kind: str, fault: Fault
) -> None:
    """Every append of a run in turn goes wrong, once; the run comes to its end or parks, and nothing happens twice."""
    ends = set()
    for number in range(8):
        flow = _define(stage, kind, probe=_sync_probe(heso.Done("done"), []))
        stage.ran.clear()
        name = f"f{number}"
        ledger = stage.runtime.gate.ledger
        object.__setattr__(stage.runtime.gate, "ledger", FaultyLedger(ledger, {number: fault}))
        try:
            stage.start(flow, id=name)
        except heso.HesoError as error:
            ends.add(type(error).__name__)
        object.__setattr__(stage.runtime.gate, "ledger", ledger)
        stage.passes(minutes=1)
        stage.start(flow, id=name)
        assert (stage.result(name), len(stage.ran) <= 1) == ("done", True)
    assert ends <= {"NotWritten", "Unacknowledged"}
