"""Steps that people decide: the run waits for them, one of any number runs it, and what came of it is remembered."""

import threading
from collections.abc import Callable

import anyio
import pytest

import heso
from heso.core.encoding import Digest
from heso.core.journal import RunState, StepState
from heso.core.ticket import TicketState
from heso.workflows.owners import this_process
from tests.workflows.runstage import Killed, Stage

KINDS = ["def", "async def"]


def _flow(stage: Stage, kind: str, **options: object) -> tuple[heso.workflow, list[object]]:
    seen: list[object] = []
    sync = stage.tool(name="asked.pay", verb="payment", **options)
    later = stage.async_tool(name="asked.pay_later", verb="payment", **options)

    @heso.workflow(name="asked.flow")
    async def flow() -> object:
        try:
            found = sync("o") if kind == "def" else await later("o")
        except Exception as error:  # noqa: BLE001
            found = f"{type(error).__name__}: {error}"
        seen.append(found)
        await heso.receive("go")
        return found

    return flow, seen


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("restarts", [False, True])
def test_a_run_waits_for_a_yes_and_a_worker_finishes_it(
    stage: Stage, kind: str, restarts: bool
) -> None:
    flow, _ = _flow(stage, kind)
    run = stage.start(flow)
    asked = Digest(run.waiting_for)
    assert (run.state, run.owner, run.due) == (
        RunState.WAITING,
        "",
        stage.runtime.desk.read(asked).due,
    )
    if restarts:
        stage.reopen()
    stage.work()
    assert (heso.status("r"), stage.ran) == (run, [])
    stage.decide(asked)
    heso.signal("r", "go")
    stage.work()
    assert (stage.result(), stage.ran) == ("o", [asked])


def _rejected(stage: Stage, asked: str) -> None:
    stage.decide(asked, "rejected")


def _expired(stage: Stage, asked: str) -> None:
    stage.passes(days=2)


def _withdrawn(stage: Stage, asked: str) -> None:
    heso.cancel(asked)


def _lapsed(stage: Stage, asked: str) -> None:
    stage.decide(asked)
    stage.passes(hours=2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("end", "said"),
    [
        (_rejected, "RejectedError: "),
        (_expired, "ExpiredError: "),
        (_withdrawn, "WithdrawnError: "),
        (_lapsed, "ExpiredError: "),
    ],
    ids=["rejected", "expired", "cancelled", "approved, and not run in time"],
)
def test_every_no_is_an_error_that_comes_again(
    stage: Stage, kind: str, end: Callable[[Stage, str], None], said: str
) -> None:
    flow, seen = _flow(stage, kind)
    end(stage, stage.start(flow).waiting_for)
    stage.work()
    stage.reopen()
    heso.signal("r", "go")
    result = stage.result()
    assert (seen, result[: len(said)], stage.ran) == ([result, result], said, [])


@pytest.mark.parametrize("kind", KINDS)
def test_a_tool_that_fails_after_a_yes_fails_the_same_way_both_times(
    stage: Stage, kind: str
) -> None:
    @heso.tool(name="asked.failing", verb="payment", redact=["card"])
    def sync(card: str) -> None:
        raise ValueError(f"no {card}")

    @heso.tool(name="asked.failing_later", verb="payment", redact=["card"])
    async def later(card: str) -> None:
        raise ValueError(f"no {card}")

    seen: list[str] = []

    @heso.workflow(name="asked.fail")
    async def flow() -> None:
        try:
            sync("4242 4242") if kind == "def" else await later("4242 4242")
        except heso.ToolFailedError as error:
            seen.append(error.said)
        await heso.receive("go")

    stage.decide(stage.start(flow).waiting_for)
    stage.drive()
    heso.signal("r", "go")
    stage.drive()
    assert seen == ["ValueError: no [redacted]"] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_policy_of_today_denies_does_not_run_and_is_not_lost(
    stage: Stage, kind: str
) -> None:
    flow, _ = _flow(stage, kind)
    asked = stage.start(flow).waiting_for
    stage.decide(asked)
    policy = stage.root / "heso.toml"
    allowed = policy.read_text()
    policy.write_text(
        allowed + '[[rule]]\nid = "frozen"\norder = 1\nverb = "payment"\ndecision = "block"\n'
    )
    stage.reopen()
    stage.work()
    run = heso.status("r")
    assert (run.state, stage.ran) == (RunState.PARKED, [])
    assert "blocked by rule 'frozen'" in (run.error or "")
    assert heso.standing(asked).state is TicketState.APPROVED
    policy.write_text(allowed)
    stage.reopen()
    heso.signal("r", "go")
    stage.work()
    assert (stage.result(), stage.ran) == ("o", [asked])


@pytest.mark.parametrize("kind", KINDS)
def test_while_somebody_else_runs_it_the_run_waits_and_then_has_the_result(
    stage: Stage, kind: str
) -> None:
    flow, _ = _flow(stage, kind)
    asked = stage.start(flow).waiting_for
    stage.decide(asked)
    stage.sql("UPDATE ticket SET state = 'running', owner = ?, fence = 1", this_process())
    run = stage.drive()
    assert (run.state, run.waiting_for) == (RunState.WAITING, asked)
    stage.work()
    assert (heso.status("r").fence, stage.ran) == (run.fence, [])
    stage.sql(
        "UPDATE ticket SET state = 'done', owner = '', result_json = ?", b'{"result":"theirs"}'
    )
    heso.signal("r", "go")
    stage.work()
    assert (stage.result(), stage.ran) == ("theirs", [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"idempotent": True}, {"probe": "done"}, {"probe": "not"}])
def test_what_was_claimed_by_a_process_that_died_is_in_doubt(
    stage: Stage, kind: str, options: dict[str, object]
) -> None:
    async def probe(key: str) -> object:
        return heso.Done("theirs") if options["probe"] == "done" else heso.NotDone()

    given = {"probe": probe} if "probe" in options else options
    flow, _ = _flow(stage, kind, **given)
    asked = stage.start(flow).waiting_for
    stage.decide(asked)
    gone = this_process().rpartition("/")[0] + "/0"
    stage.sql("UPDATE ticket SET state = 'running', owner = ?, fence = 1", gone)
    heso.signal("r", "go")
    if not options:
        run = stage.drive()
        assert (run.state, run.waiting_for, stage.ran) == (RunState.WAITING, asked, [])
        assert heso.standing(asked).state is TicketState.IN_DOUBT
        return
    assert stage.result() == ("theirs" if options.get("probe") == "done" else "o")
    assert stage.ran == ([] if options.get("probe") == "done" else [asked])


@pytest.mark.parametrize("kind", KINDS)
def test_a_death_between_the_tickets_end_and_the_journals_costs_nothing(
    stage: Stage, kind: str
) -> None:
    flow, _ = _flow(stage, kind)
    asked = stage.start(flow).waiting_for
    stage.decide(asked)
    anyio.run(lambda: heso.resume(asked))
    stage.bury()
    heso.signal("r", "go")
    stage.work()
    assert (stage.result(), stage.ran) == ("o", [asked])


def test_several_drivers_of_what_was_approved_run_it_once(stage: Stage) -> None:
    flow, _ = _flow(stage, "def")
    asked = stage.start(flow).waiting_for
    stage.decide(asked)
    heso.signal("r", "go")
    threads = [threading.Thread(target=stage.work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stage.work()
    assert (stage.result(), stage.ran) == ("o", [asked])


def test_a_body_torn_out_after_a_yes_leaves_the_run_waiting_for_a_persons_word(
    stage: Stage,
) -> None:
    @heso.tool(name="asked.torn", verb="payment")
    def torn() -> None:
        raise Killed

    @heso.workflow(name="asked.tear")
    async def flow() -> object:
        return torn()

    asked = stage.start(flow).waiting_for
    stage.decide(asked)
    with pytest.raises(Killed):
        stage.drive()
    run = stage.drive()
    assert (run.state, run.waiting_for) == (RunState.WAITING, asked)
    assert heso.standing(asked).state is TicketState.IN_DOUBT
    assert stage.steps() == {"asked.torn #0": (StepState.ASKED, None)}
