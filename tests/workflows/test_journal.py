"""The journal: its suite is not asleep, waiting costs nothing, and a long journal is replayed at once."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import anyio
import pytest

import heso
from heso.core.instant import Instant
from heso.core.journal import RUN_STEPS, Run, RunEvent, RunId, RunState, WrongRunState
from heso.ports import Batch
from heso.stores.memory import MemoryJournal, MemoryLedger
from heso.stores.sqlite import runs as sqlite_runs
from heso.stores.sqlite.ledger import SqliteLedger
from heso.stores.sqlite.runs import SqliteJournal
from heso.testing import Nonconforming, Store, exercise_journal
from heso.testing.fakes import NEW_YEAR
from heso.workflows.unwinding import NEVER
from tests.workflows.runstage import Stage

MANY = 10_000


def _run(name: str, **values: object) -> Run:
    plain = {
        "id": RunId(name),
        "name": "flow",
        "version": 1,
        "arguments_json": b"{}",
        "created": NEW_YEAR,
        "due": NEVER,
    }
    return Run(**{**plain, **values})


@pytest.mark.parametrize("state", RunState)
@pytest.mark.parametrize("event", RunEvent)
def test_a_runs_life_is_the_table_and_nothing_else(state: RunState, event: RunEvent) -> None:
    run = _run("r", state=state)
    after = RUN_STEPS.get((state, event))
    if after is None:
        with pytest.raises(WrongRunState, match=f"the run 'r' is {state}: it cannot"):
            run.after(event)
    else:
        assert run.after(event, fence=3) == _run("r", state=after, fence=3)


class _Wakes(MemoryJournal):
    """Everybody, always."""

    async def movable(self, *_: object) -> list[Run]:
        return list(self.runs.values())


class _Sleeps(MemoryJournal):
    """Nobody, ever."""

    async def movable(self, *_: object) -> list[Run]:
        return []


class _Endless(MemoryJournal):
    """More than was asked for."""

    async def movable(self, now: Instant, *_: object) -> list[Run]:
        return list(await super().movable(now, MANY))


class _Oldest(MemoryJournal):
    """The wrong end."""

    async def newest(self, limit: int) -> list[Run]:
        return list(self.runs.values())[:limit]


class _Mixed(MemoryJournal):
    """One heap of steps."""

    async def steps(self, *_: object) -> list[object]:
        return [step for steps in self._steps.values() for step in steps.values()]


class _Forgets(MemoryJournal):
    """Hears no signal."""

    def put(self, batch: Batch) -> None:
        super().put(Batch((), runs=batch.runs, steps=batch.steps))


class _Keeps(MemoryJournal):
    """Writes nothing anew."""

    def put(self, batch: Batch) -> None:
        super().put(Batch((), runs=batch.runs, steps=batch.steps, signals=batch.signals))


class _WakesTheDead(MemoryJournal):
    """As the store once did: whoever was cancelled while it waited came up again and again."""

    async def movable(self, now: Instant, limit: int) -> list[Run]:
        woken = [run for run in self.runs.values() if self._is_woken(run)]
        return [*await super().movable(now, limit), *woken][:limit]

    def _is_woken(self, run: Run) -> bool:
        is_dead = run.state is RunState.CANCELLED
        return is_dead and any(self._has_come(run, what) for what in run.waiting_for.splitlines())


@pytest.mark.parametrize(
    "kind", [_Wakes, _Sleeps, _Endless, _Oldest, _Mixed, _Forgets, _Keeps, _WakesTheDead]
)
def test_the_suite_sees_every_broken_promise(kind: type[MemoryJournal]) -> None:
    @contextmanager
    def make() -> Iterator[Store]:
        ledger = MemoryLedger()
        ledger.journal = kind(ledger.tickets)
        yield Store(ledger=ledger, records=ledger, tickets=ledger.tickets, journal=ledger.journal)

    with pytest.raises(Nonconforming):
        anyio.run(exercise_journal, make)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten thousand runs that wait: for times, actions that nobody has decided, signals, and each other."""
    file = tmp_path_factory.mktemp("crowded") / "heso.db"
    ledger = SqliteLedger(file)
    kinds: list[Callable[[int], str]] = [
        lambda _: "",
        lambda number: f"{number:064x}",
        lambda number: f"signal:s{number}",
        lambda number: f"run:r{number + 1}",
    ]
    waiting = tuple(
        _run(f"r{number}", state=RunState.WAITING, waiting_for=kinds[number % 4](number))
        for number in range(MANY)
    )
    ended = tuple(_run(f"e{number}", state=RunState.DONE) for number in range(MANY))
    ledger.append_inline(lambda _: Batch((), runs=(*waiting, *ended)))
    ledger.close()
    return file


def _plan(file: Path, query: str) -> list[str]:
    values = {"now": 0, "limit": 5} if ":now" in query else (5,)
    with closing(sqlite3.connect(file)) as connection:
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]


@pytest.mark.parametrize("query", ["_MOVABLE", "_RUNNING", "_FIND_RUN"])
def test_no_run_is_looked_at_that_is_not_asked_for(crowded: Path, query: str) -> None:
    plan = _plan(crowded, getattr(sqlite_runs, query))
    touched = [line for line in plan if " run" in line or " child" in line]
    assert touched
    assert [line for line in touched if line.startswith("SCAN") or "AUTOMATIC" in line] == []


def test_ten_thousand_runs_that_wait_do_not_slow_a_worker(crowded: Path) -> None:
    journal = SqliteJournal(crowded)

    def took() -> float:
        started = time.perf_counter()
        assert anyio.run(journal.movable, NEW_YEAR, 50) == []
        return time.perf_counter() - started

    assert min(took() for _ in range(5)) < 0.05


def test_a_thousand_steps_are_replayed_in_fifty_milliseconds(stage: Stage) -> None:
    act = stage.tool(name="journal.many")

    @heso.tool(name="journal.typed")
    async def typed(number: int) -> dict[str, int]:
        return {"number": number}

    took: list[float] = []
    times = [1]

    @heso.workflow(name="journal.long")
    async def flow() -> None:
        started = time.perf_counter()
        for _ in range(times[-1]):
            act("x")
            await typed(1)
        took.append(time.perf_counter() - started)
        await heso.receive("go")

    stage.start(flow)
    stage.sql("""WITH RECURSIVE n (i) AS (SELECT 1 UNION SELECT i + 1 FROM n WHERE i < 499)
        INSERT INTO step SELECT run, name, i, inputs, state, ticket, value_json, at FROM step, n
        WHERE name LIKE 'journal.%'""")
    times.append(500)
    for _ in range(5):
        stage.drive()
    assert (len(stage.steps()), stage.ran) == (1001, ["r/journal.many/0"])
    assert min(took[1:]) < 0.05
