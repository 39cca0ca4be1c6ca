"""Stores to test against, and child processes that append and print what was acknowledged to them."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heso.stores.memory import MemoryLedger
from heso.stores.sqlite.ledger import SqliteLedger
from heso.stores.sqlite.records import SqliteRecords
from heso.stores.sqlite.runs import SqliteJournal
from heso.stores.sqlite.tickets import SqliteTickets
from heso.testing import Evidence, Store, StoreMaker, check_ledger

APPENDER = Path(__file__).parent / "appender.py"
StartAppender = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "heso.db"


@pytest.fixture
def ledger(database: Path) -> Iterator[SqliteLedger]:
    ledger = SqliteLedger(database, busy_seconds=5)
    yield ledger
    ledger.close()


@contextmanager
def _memory_store() -> Iterator[Store]:
    ledger = MemoryLedger()
    yield Store(ledger=ledger, records=ledger, tickets=ledger.tickets, journal=ledger.journal)


@pytest.fixture(params=["memory", "sqlite"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> StoreMaker:
    if request.param == "memory":
        return _memory_store
    made: list[Path] = []

    @contextmanager
    def sqlite_store() -> Iterator[Store]:
        file = tmp_path / f"{len(made)}.db"
        ledger = SqliteLedger(file)
        made.append(file)
        records = SqliteRecords(file)
        try:
            yield Store(
                ledger=ledger,
                records=records,
                tickets=SqliteTickets(file),
                journal=SqliteJournal(file),
            )
        finally:
            records.close()
            ledger.close()

    return sqlite_store


@pytest.fixture
def check(database: Path) -> Callable[..., Evidence]:
    """Verify everything in the file again."""

    def check_file(**wanted: object) -> Evidence:
        records = SqliteRecords(database)
        try:
            return check_ledger(records, **wanted)
        finally:
            records.close()

    return check_file


@pytest.fixture
def start_appender(database: Path) -> Iterator[StartAppender]:
    """Start a child that appends to a session, `count` times or forever, and prints each acknowledged hash."""
    children: list[subprocess.Popen[str]] = []

    def start(session: str, count: int = 0, *, how: str = "inline") -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, str(APPENDER), str(database), session, str(count), how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()
