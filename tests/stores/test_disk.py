"""Disks that are full, broken or busy: the caller hears the truth, and nothing is corrupt."""

import asyncio
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heso.ports import NotWritten, Unacknowledged
from heso.stores.sqlite.ledger import SqliteLedger
from heso.testing import Evidence, seal_action

Check = Callable[..., Evidence]
LARGE = {"text": "x" * 3000}


class FailingConnection:
    """A connection whose COMMIT fails with a given error, before or after doing it."""

    def __init__(self, connection: object, code: int, *, commits: bool) -> None:
        self._connection = connection
        self._code = code
        self._commits = commits

    def execute(self, statement: str, *parameters: object) -> object:
        if statement != "COMMIT":
            return self._connection.execute(statement, *parameters)
        if self._commits:
            self._connection.execute("COMMIT")
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = self._code
        error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
        raise error

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


@pytest.fixture
def broken(ledger: SqliteLedger) -> Iterator[Callable[..., None]]:
    """Breaks the ledger's disk."""
    whole = ledger._connection

    def break_disk(code: int, *, commits: bool = False) -> None:
        ledger._connection = FailingConnection(whole, code, commits=commits)

    yield break_disk
    ledger._connection = whole


def test_a_full_disk_refuses_and_works_again_once_there_is_room(
    ledger: SqliteLedger, check: Check
) -> None:
    told = [ledger.append_inline(seal_action())[0].receipt.action_hash]
    (pages,) = ledger._connection.execute("PRAGMA page_count").fetchone()
    ledger._connection.execute(f"PRAGMA max_page_count = {pages + 5}")

    def fill() -> None:
        for _ in range(100):
            (one,) = ledger.append_inline(seal_action(fields=LARGE))
            told.append(one.receipt.action_hash)

    with pytest.raises(NotWritten) as refused:
        fill()
    assert "SQLITE_FULL" in str(refused.value)
    assert refused.value.next_step == "make room on the disk and try again"
    with pytest.raises(NotWritten):
        asyncio.run(ledger.append(seal_action(fields=LARGE)))
    assert check(acknowledged=told).receipts == len(told)
    ledger._connection.execute("PRAGMA max_page_count = 1000000")
    asyncio.run(ledger.append(seal_action(fields=LARGE)))
    ledger.append_inline(seal_action())
    assert check(acknowledged=told).receipts == len(told) + 2


_LIMITED = """
import resource, signal, sys
from pathlib import Path
from heso.ports import StoreError
from heso.stores.sqlite.ledger import SqliteLedger
from heso.testing import seal_action
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
ledger = SqliteLedger(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
failed = 0
for _ in range(400):
    try:
        print(ledger.append_inline(seal_action(fields={"text": "x" * 3000}))[0].receipt.action_hash)
    except StoreError as error:
        failed += 1
        print(type(error).__name__, error, file=sys.stderr)
        if failed == 3:
            break
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
try:
    print(ledger.append_inline(seal_action())[0].receipt.action_hash)
except StoreError as error:
    print("after", type(error).__name__, error, file=sys.stderr)
ledger.close()
"""


def test_a_file_that_may_not_grow_refuses_and_corrupts_nothing(
    database: Path, check: Check
) -> None:
    run = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(database)], capture_output=True, text=True, check=True
    )
    assert "nothing was written" in run.stderr or "did not confirm" in run.stderr
    told = run.stdout.split()
    assert len(told) > 10
    check(acknowledged=told)
    ledger = SqliteLedger(database)
    ledger.append_inline(seal_action())
    ledger.close()
    check(acknowledged=told)


@pytest.mark.parametrize("commits", [False, True], ids=["lost", "written"])
@pytest.mark.parametrize("code", [10, 10 | 4 << 8], ids=["IOERR", "IOERR_FSYNC"])
def test_a_disk_error_at_commit_stops_the_writer_for_good(
    ledger: SqliteLedger, broken: Callable[..., None], code: int, commits: bool
) -> None:
    ledger.append_inline(seal_action())
    broken(code, commits=commits)
    with pytest.raises(Unacknowledged) as doubt:
        ledger.append_inline(seal_action())
    assert str(doubt.value).startswith("the disk did not confirm the write: disk I/O error")
    assert doubt.value.next_step.startswith("restart the process")
    ledger._connection = ledger._connection._connection  # even when the disk is well again
    for _ in range(2):
        with pytest.raises(NotWritten) as refused:
            ledger.append_inline(seal_action())
        assert "the ledger has stopped: disk I/O error" in str(refused.value)
        assert refused.value.next_step == "restart the process"
    with pytest.raises(NotWritten):
        asyncio.run(ledger.append(seal_action()))


def test_after_a_disk_error_a_new_process_goes_on(
    ledger: SqliteLedger, database: Path, broken: Callable[..., None], check: Check
) -> None:
    broken(10, commits=True)
    with pytest.raises(Unacknowledged):
        ledger.append_inline(seal_action())
    fresh = SqliteLedger(database)
    fresh.append_inline(seal_action())
    fresh.close()
    assert check().sessions == {"session": 2}


def test_everybody_in_a_failed_batch_is_told(
    ledger: SqliteLedger, broken: Callable[..., None]
) -> None:
    async def crowd() -> list[object]:
        return await asyncio.gather(
            *(ledger.append(seal_action()) for _ in range(10)), return_exceptions=True
        )

    broken(10)
    outcomes = asyncio.run(crowd())
    assert {type(outcome) for outcome in outcomes} <= {Unacknowledged, NotWritten}
    assert Unacknowledged in {type(outcome) for outcome in outcomes}


def test_an_error_that_is_not_the_disks_stops_nothing(
    ledger: SqliteLedger, broken: Callable[..., None], check: Check
) -> None:
    broken(13)
    with pytest.raises(NotWritten):
        ledger.append_inline(seal_action())
    ledger._connection = ledger._connection._connection
    ledger.append_inline(seal_action())
    assert check().receipts == 1


@contextmanager
def _somebody_writing(database: Path) -> Iterator[None]:
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_busy_neighbour_is_waited_for_only_so_long(database: Path, check: Check) -> None:
    ledger = SqliteLedger(database, busy_seconds=0.3)
    with _somebody_writing(database):
        for append in (ledger.append_inline, lambda seal: asyncio.run(ledger.append(seal))):
            before = time.monotonic()
            with pytest.raises(NotWritten) as refused:
                append(seal_action())
            assert 0.2 < time.monotonic() - before < 1.5
            assert "locked" in str(refused.value)
            assert "see `heso doctor`" in refused.value.next_step
    ledger.append_inline(seal_action())
    ledger.close()
    assert check().receipts == 1


def test_a_slow_signer_makes_others_wait_only_so_long(database: Path, check: Check) -> None:
    ledger = SqliteLedger(database, busy_seconds=0.2)

    def dawdle(heads: object) -> object:
        with pytest.raises(NotWritten):  # the same thread again, while it holds the turn
            ledger.append_inline(seal_action("inner"))
        return seal_action("outer")(heads)

    ledger.append_inline(dawdle)
    ledger.append_inline(seal_action("outer"))
    ledger.close()
    assert check().sessions == {"outer": 2}
