"""What a run, a worker and a second call must not do, each found by somebody who tried it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

import heso
from heso.core.encoding import Digest
from heso.core.journal import RunEvent, RunState
from heso.core.ticket import TicketState
from heso.ports import Batch, Heads
from heso.runtime import Runtime
from heso.stores.sqlite.records import SqliteRecords
from heso.testing import FakeClock, check_ledger
from heso.workflows import defining
from heso.workflows.outcomes import NothingInDoubt
from heso.workflows.worker import Worker
from tests.kill.stage import approve, make_project

CARD = "4242 4242 4242 4242"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def runtime(tmp_path: Path, clock: FakeClock) -> Iterator[Runtime]:
    make_project(tmp_path / "p")
    with heso.init(tmp_path / "p", clock_override=clock) as runtime:
        yield runtime
        records = SqliteRecords(runtime.settings.database)
        check_ledger(records)
        records.close()


@pytest.fixture
def ran() -> list[str]:
    return []


def _work(runtime: Runtime) -> list[str]:
    told: list[str] = []
    worker = Worker(
        runtime.desk, lambda _, error: told.append(type(error).__name__), runtime.driver
    )
    anyio.run(worker.run_once)
    return told


def _pay(ran: list[str]):
    @heso.tool(verb="payment", name="promises.pay", redact=["card"])
    def pay(order: str, card: str) -> dict[str, str]:
        ran.append(order)
        return {"paid": order, "card": card}

    return pay


def test_a_cancelled_run_takes_back_what_it_asked(runtime: Runtime, ran: list[str]) -> None:
    pay = _pay(ran)

    @heso.workflow(name="promises.cancelled")
    async def buy(order: str) -> object:
        return await heso.gather(_later(pay, order, CARD))

    run = anyio.run(lambda: heso.start(buy, "o", id="r"))
    asked = Digest(run.waiting_for)
    heso.cancel("r")
    assert heso.status("r").state is RunState.CANCELLED
    assert heso.standing(asked).state is TicketState.CANCELLED
    assert (_work(runtime), ran) == ([], [])


async def _later(pay, *args: str) -> object:
    return pay(*args)


def test_a_cancelled_parent_cancels_its_children(runtime: Runtime) -> None:
    @heso.workflow(name="promises.child")
    async def child() -> None:
        await heso.sleep(timedelta(days=1))

    @heso.workflow(name="promises.parent")
    async def parent() -> None:
        await child()

    run = anyio.run(lambda: heso.start(parent, id="p"))
    heso.cancel(run.id)
    assert heso.status("p/promises.child/0").state is RunState.CANCELLED


def test_a_method_and_a_generator_and_a_bare_gate_are_no_steps(runtime: Runtime) -> None:
    class Shop:
        @heso.tool(name="promises.method")
        def sell(self) -> str:
            return "sold"

    @heso.tool(name="promises.generator")
    def stream():
        yield 1

    async def bare() -> None:
        await heso.gate(heso.Call("promises.bare", {}))

    def define(number: int, act):
        @heso.workflow(name=f"promises.no_step{number}")
        async def flow() -> None:
            found = act()
            if hasattr(found, "__await__"):
                await found

        return flow

    for number, act in enumerate((Shop().sell, lambda: list(stream()), bare, _in_a_group(bare))):
        flow = define(number, act)
        run = anyio.run(lambda flow=flow, number=number: heso.start(flow, id=f"n{number}"))
        assert "cannot be a step" in (run.error or "")
        assert run.state is RunState.PARKED  # trying it again will not make it one


def _in_a_group(act):
    async def grouped() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(act)

    return grouped


def test_no_hidden_value_is_in_the_journal_or_in_what_a_step_gives(
    runtime: Runtime, ran: list[str]
) -> None:
    pay = _pay(ran)

    @heso.tool(name="promises.echo", redact=["card"])
    def echo(card: str) -> str:
        if card == CARD:
            return f"<{card}>"
        raise ValueError(card)

    @heso.workflow(name="promises.secrets")
    async def buy(order: str) -> object:
        card = CARD
        told = [echo(card)]
        try:
            echo("other secret")
        except heso.ToolFailedError as error:
            told.append(error.said)
        return [*told, pay(order, card)]

    run = anyio.run(lambda: heso.start(buy, "o", id="s"))
    approve(runtime, Digest(run.waiting_for))
    result = anyio.run(lambda: heso.result("s"))
    said = "ValueError: [redacted]"
    assert result == ["<[redacted]>", said, {"paid": "o", "card": "[redacted]"}]
    steps = anyio.run(runtime.driver.journal.steps, "s")
    assert len(steps) == 3
    kept = b"".join(step.value_json or b"" for step in steps)
    assert CARD.encode() not in kept
    assert b"other secret" not in kept


def test_a_worker_that_has_not_the_code_of_a_run_leaves_it_as_it_was(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    @heso.workflow(name="promises.elsewhere")
    async def elsewhere() -> str:
        await heso.sleep(60)
        return "done"

    before = anyio.run(lambda: heso.start(elsewhere, id="e"))
    clock.advance(61)
    with monkeypatch.context() as without:
        without.setattr(defining, "_workflows", {})
        assert _work(runtime) == []
        assert heso.status("e") == before
    _work(runtime)
    assert anyio.run(lambda: heso.result("e")) == "done"


def test_a_parked_run_says_so_to_whoever_asks_for_its_result(runtime: Runtime) -> None:
    names = iter(("a", "b", "c", "d"))

    @heso.tool(name="promises.drifting")
    def drifting(name: str) -> str:
        return name

    @heso.workflow(name="promises.parked")
    async def flow() -> None:
        drifting(next(names))
        await heso.sleep(0)
        await heso.receive("never")

    run = anyio.run(lambda: heso.start(flow, id="k"))
    assert run.state is RunState.WAITING
    heso.signal("k", "never")
    with pytest.raises(heso.RunWaiting, match="needs_migration"):
        anyio.run(lambda: heso.result("k"))
    assert heso.status("k").state is RunState.PARKED


def test_a_step_in_doubt_is_settled_by_a_person(runtime: Runtime, ran: list[str]) -> None:
    class Torn(BaseException):
        pass

    is_torn = [True]

    @heso.tool(name="promises.torn")
    def torn() -> str:
        ran.append("torn")
        if is_torn:
            raise Torn
        return "whole"

    @heso.workflow(name="promises.doubt")
    async def flow() -> object:
        return torn()

    with pytest.raises(Torn):
        anyio.run(lambda: heso.start(flow, id="d"))
    run = anyio.run(lambda: heso.start(flow, id="d"))
    assert (run.state, "in_doubt" in (run.error or "")) == (RunState.PARKED, True)
    is_torn.clear()
    settled = anyio.run(lambda: runtime.driver.settle("d", happened=False))
    assert (settled.state, ran) == (RunState.DONE, ["torn", "torn"])
    with pytest.raises(NothingInDoubt):
        anyio.run(lambda: runtime.driver.settle("d", happened=True))


def test_a_call_after_the_deadline_is_told_that_it_expired_and_the_next_asks_anew(
    runtime: Runtime, ran: list[str], clock: FakeClock
) -> None:
    pay = _pay(ran)
    with pytest.raises(heso.SuspendedError) as first:
        pay("o", CARD)
    clock.advance(25 * 3600)
    with pytest.raises(heso.ExpiredError):
        pay("o", CARD)
    with pytest.raises(heso.SuspendedError) as again:
        pay("o", CARD)
    assert first.value.action_hash != again.value.action_hash


def test_who_cannot_be_run_later_is_told_so(runtime: Runtime) -> None:
    with pytest.raises(heso.SuspendedError, match="cannot be run later"):
        heso.gate_sync(heso.Call("promises.bare", {}, verb="payment"))


def test_a_migration_may_drop_a_step(runtime: Runtime, clock: FakeClock) -> None:
    @heso.tool(name="promises.noted")
    def noted(text: str) -> str:
        return text

    @heso.workflow(name="promises.moving", version=1)
    async def old() -> None:
        noted("a")
        noted("b")
        await heso.sleep(60)

    anyio.run(lambda: heso.start(old, id="m"))
    del defining._workflows["promises.moving", 1]

    @heso.workflow(name="promises.moving", version=2)
    async def new() -> str:
        noted("b")
        await heso.sleep(60)
        return "moved"

    @heso.migrate("promises.moving", 1, 2)
    def drop_first(steps):
        from dataclasses import replace

        kept = [step for step in steps if step.key != ("promises.noted", 0)]
        return [replace(s, occurrence=0) if s.name == "promises.noted" else s for s in kept]

    clock.advance(61)
    assert anyio.run(lambda: heso.result("m")) == "moved"
    assert len(anyio.run(runtime.driver.journal.steps, "m")) == 2


def test_an_approval_for_a_run_that_was_cancelled_after_its_driver_died_runs_nothing(
    runtime: Runtime, ran: list[str]
) -> None:
    pay = _pay(ran)

    @heso.workflow(name="promises.orphan")
    async def buy(order: str) -> object:
        return pay(order, CARD)

    run = anyio.run(lambda: heso.start(buy, "o", id="orphan"))
    asked = Digest(run.waiting_for)

    def die(heads: Heads) -> Batch:
        """Somebody claimed the run, and is gone: what it waits for is written nowhere."""
        now = heads.run(run.id)
        assert now is not None
        claimed = now.after(RunEvent.CLAIM, fence=now.fence + 1, owner="", waiting_for="")
        return Batch((), runs=(claimed,))

    runtime.gate.ledger.append_inline(die)
    heso.cancel("orphan")
    approve(runtime, asked)
    _work(runtime)
    with pytest.raises(heso.WithdrawnError):
        anyio.run(heso.resume, asked)
    assert (ran, heso.standing(asked).state) == ([], TicketState.CANCELLED)
