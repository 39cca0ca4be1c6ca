"""What a step's body may do, how often it is tried, and what it may be given."""

import math
from pathlib import Path

import anyio
import pytest

import heso
from heso.async_gate.door import install_gate
from heso.core.journal import RunState
from tests.workflows.runstage import Stage, twice


def test_an_idempotent_tool_is_tried_again_with_the_same_key(stage: Stage) -> None:
    def fails_twice() -> None:
        stage.ran.append(heso.current_idempotency_key() or "")
        if len(stage.ran) % 3:
            raise ConnectionError

    sync = heso.tool(name="steps.again", idempotent=True, retries=2)(fails_twice)

    @heso.tool(name="steps.again_later", idempotent=True, retries=2)
    async def later() -> None:
        fails_twice()

    @heso.workflow(name="steps.retry")
    async def flow() -> None:
        sync()
        await later()

    assert stage.start(flow).state is RunState.DONE
    assert stage.ran == ["r/steps.again/0"] * 3 + ["r/steps.again_later/0"] * 3


def test_a_cancelled_run_is_not_tried_again(stage: Stage) -> None:
    @heso.tool(name="steps.hopeless", idempotent=True, retries=5)
    async def hopeless() -> None:
        stage.ran.append("tried")
        heso.cancel("r")
        raise ConnectionError

    @heso.workflow(name="steps.hope")
    async def flow() -> None:
        await hopeless()

    assert (stage.start(flow).state, stage.ran) == (RunState.CANCELLED, ["tried"])


def test_calls_inside_a_body_are_no_steps_and_have_keys_of_their_own(stage: Stage) -> None:
    inner = stage.tool(name="steps.inner")
    keys: list[str | None] = []

    @heso.tool(name="steps.outer")
    def outer() -> str:
        inner("a")
        keys.append(heso.current_idempotency_key())
        inner("b")
        return "out"

    async def act() -> object:
        return outer()

    assert twice(stage, act, name="steps.nest") == "out"
    assert (len(set(stage.ran)), keys) == (2, ["r/steps.outer/0"])
    assert set(stage.steps()) == {"steps.outer #0", "receive:go #0"}


def test_a_body_is_no_workflow(stage: Stage) -> None:
    @heso.workflow(name="steps.child")
    async def child() -> None: ...

    refused: list[str] = []

    @heso.tool(name="steps.presuming")
    async def presuming() -> None:
        for act in (child, lambda: heso.sleep(1), lambda: heso.receive("x")):
            try:
                await act()
            except TypeError as error:
                refused.append(str(error)[:8])

    @heso.workflow(name="steps.presume")
    async def flow() -> None:
        await presuming()

    assert (stage.start(flow).state, len(refused)) == (RunState.DONE, 3)
    assert list(stage.steps()) == ["steps.presuming #0"]


def test_observed_steps_run_whatever_policy_says(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "observed", blocking=False)
    pay = stage.tool(name="steps.pay_observed", verb="payment")
    mail = stage.async_tool(name="steps.mail_observed", verb="http_request")

    async def act() -> object:
        return [pay("p"), await mail("m")]

    assert twice(stage, act, name="steps.observe") == ["p", "m"]
    assert stage.ran == ["r/steps.pay_observed/0", "r/steps.mail_observed/0"]
    stage.check()
    stage.runtime.close()


@pytest.mark.parametrize("value", [math.nan, "\udcff", 2**5000], ids=["nan", "surrogate", "huge"])
def test_an_argument_without_a_form_is_the_workflows_mistake(stage: Stage, value: object) -> None:
    act = stage.tool(name="steps.taking")

    @heso.workflow(name="steps.give")
    async def flow() -> None:
        act(value)

    run = stage.start(flow)
    assert (run.state, stage.ran) == (RunState.FAILED, [])
    assert (run.error or "").startswith(
        "CaptureError: steps.taking did not run: the argument `argument`"
    )


@pytest.mark.parametrize("value", [math.nan, "\udcff", b"x" * 400_000])
def test_a_run_is_not_started_with_what_has_no_form(stage: Stage, value: object) -> None:
    @heso.workflow(name="steps.started")
    async def flow(given: object) -> None: ...

    with pytest.raises(heso.CaptureError, match="the argument `given`"):
        stage.start(flow, value)
    assert anyio.run(stage.runtime.driver.journal.newest, 5) == []


def test_without_a_gate_the_run_waits_for_better_times(stage: Stage) -> None:
    act = stage.tool(name="steps.ungated")

    @heso.workflow(name="steps.wait")
    async def flow() -> object:
        install_gate(None)
        try:
            return act("a")
        finally:
            install_gate(stage.runtime.gate)

    run = stage.start(flow)
    assert (run.state, stage.ran) == (RunState.WAITING, [])
    assert "there is no gate" in (run.error or "")
