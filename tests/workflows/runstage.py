"""A project for runs: fake time, a person who decides, deaths on demand, and everything checked when it closes.

`reopen` is a new process on the same disk. `bury` makes whoever drives a run a process that is gone, which is what a kill
leaves behind.
"""

import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import orjson

import heso
from heso.approvals.request import request_of, sign_answer
from heso.core.approval import ApproverRecord
from heso.core.encoding import Digest
from heso.core.instant import Instant
from heso.core.journal import Run, RunId, RunState, StepState
from heso.runtime import Runtime
from heso.stores.sqlite.records import SqliteRecords
from heso.testing import Evidence, FakeClock, check_ledger
from heso.workflows import defining
from heso.workflows.owners import this_process
from heso.workflows.worker import Worker
from tests.kill.stage import APPROVER, POLICY, make_project

EXTRA = """
[[rule]]
id = "no-mail"
order = 20
verb = "http_request"
decision = "block"

[[rule]]
id = "hidden"
order = 30
verb = "llm_call"
decision = "redact"
redact = ["secret"]
"""


class Killed(BaseException):
    """The process ends here, as far as a test can have it."""


class Stage:
    """`ran` are the keys that bodies saw, in order: an effect each."""

    def __init__(self, root: Path, **options: Any) -> None:
        self.root = root
        self.clock = FakeClock()
        self.ran: list[str] = []
        self._options = options
        make_project(root)
        (root / "heso.toml").write_text(POLICY + EXTRA, "utf-8")
        self.runtime = self._open()

    def _open(self) -> Runtime:
        return heso.init(self.root, clock_override=self.clock, **self._options)

    def reopen(self) -> None:
        self.runtime.close()
        self.runtime = self._open()

    def tool(self, *, name: str, result: Any = None, **options: Any) -> Callable[..., Any]:
        """A synchronous gated tool: it has an effect, and gives `result` or its first argument."""

        @heso.tool(name=name, **options)
        def act(argument: Any = None) -> Any:
            self.ran.append(heso.current_idempotency_key() or "")
            return argument if result is None else result

        return act

    def async_tool(self, *, name: str, **options: Any) -> Callable[..., Awaitable[Any]]:
        @heso.tool(name=name, **options)
        async def act(argument: Any = None) -> Any:
            await anyio.lowlevel.checkpoint()
            self.ran.append(heso.current_idempotency_key() or "")
            return argument

        return act

    def start(self, flow: defining.Workflow, *args: Any, id: str = "r", **kwargs: Any) -> Run:  # noqa: A002
        async def begin() -> Run:
            return await heso.start(flow, *args, id=id, **kwargs)

        return anyio.run(begin)

    def drive(self, name: str = "r") -> Run:
        return anyio.run(self.runtime.driver.drive, RunId(name))

    def result(self, name: str = "r") -> Any:
        async def ask() -> Any:
            return await heso.result(name, timeout=0)

        return anyio.run(ask)

    def work(self) -> None:
        """What a worker does when it comes by."""
        worker = Worker(self.runtime.desk, lambda _ticket, _error: None, self.runtime.driver)
        anyio.run(worker.run_once)

    def decide(self, action_hash: str, decision: str = "approved") -> None:
        ticket = self.runtime.desk.read(Digest(action_hash))
        record = ApproverRecord(
            approver_identity=APPROVER.public_key,
            decision=decision,
            reason="because",
            decided_at="2026-01-01T00:00:00Z",
        )
        self.runtime.desk.vote(
            ticket.action_hash, sign_answer(request_of(ticket), record, APPROVER)
        )

    def steps(self, name: str = "r") -> dict[str, tuple[StepState, Any]]:
        """The journal: each step's state, and its result or what kind of error it is."""
        found = anyio.run(self.runtime.driver.journal.steps, RunId(name))
        return {f"{s.name} #{s.occurrence}": (s.state, _value(s.value_json)) for s in found}

    def bury(self, name: str = "r", *steps: str) -> None:
        """The run is running, and its driver is a process that is gone. Of `steps` only the beginning is on disk."""
        gone = this_process().rpartition("/")[0] + "/0"
        self.sql("UPDATE run SET state = 'running', owner = ? WHERE id = ?", gone, name)
        for step in steps:
            self.sql(
                "UPDATE step SET state = 'started', value_json = NULL WHERE run = ? AND name = ?",
                name,
                step,
            )

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.runtime.settings.database)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def repeated(self) -> list[str]:
        """Keys of effects that happened more than once."""
        return [key for key, times in Counter(self.ran).items() if times > 1]

    def check(self) -> Evidence:
        records = SqliteRecords(self.runtime.settings.database)
        try:
            return check_ledger(records)
        finally:
            records.close()

    def passes(self, **time: float) -> None:
        from datetime import timedelta

        self.clock.advance(timedelta(**time).total_seconds())

    def now(self) -> Instant:
        return self.clock.now()


def undefine(name: str, version: int) -> None:
    """This process's code has no such version any more."""
    del defining._workflows[name, version]


def _value(kept: bytes | None) -> Any:
    found = orjson.loads(kept or b"null")
    if not isinstance(found, dict):
        return None
    return found.get("error") or found.get("result")


def twice(stage: Stage, act: Callable[[], Awaitable[object]], *, name: str) -> object:
    """What `act` gives in a run, which has to be the same when the run goes on; and its effects happen once."""
    seen: list[object] = []

    @heso.workflow(name=name)
    async def flow() -> None:
        try:
            seen.append(await act())
        except Exception as error:  # noqa: BLE001
            seen.append((type(error), str(error), vars(error)))
        await heso.receive("go")

    stage.start(flow)
    stage.reopen()
    heso.signal("r", "go")
    assert stage.drive().state is RunState.DONE
    first, again = seen
    assert first == again
    assert stage.repeated() == []
    return first
