"""Memory and SQLite keep the same promises, on asyncio and on trio."""

from pathlib import Path

import anyio
import pytest

from heso.stores.memory import MemoryNonces, MemoryReveals
from heso.stores.reveals import RevealFolder
from heso.stores.sqlite.nonces import SqliteNonces
from heso.testing import (
    StoreMaker,
    exercise_journal,
    exercise_ledger,
    exercise_nonces,
    exercise_reading,
    exercise_reveals,
    exercise_tickets,
)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_ledger_keeps_its_promises(make_store: StoreMaker, backend: str) -> None:
    anyio.run(exercise_ledger, make_store, backend=backend)


def test_records_keep_their_promises(make_store: StoreMaker) -> None:
    anyio.run(exercise_reading, make_store)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tickets_keep_their_promises(make_store: StoreMaker, backend: str) -> None:
    anyio.run(exercise_tickets, make_store, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_journals_keep_their_promises(make_store: StoreMaker, backend: str) -> None:
    anyio.run(exercise_journal, make_store, backend=backend)


def test_reveals_in_memory_keep_their_promises() -> None:
    exercise_reveals(MemoryReveals)


def test_reveals_in_a_folder_keep_their_promises(tmp_path: Path) -> None:
    exercise_reveals(lambda: RevealFolder(tmp_path / "reveals"))


def test_nonces_in_memory_keep_their_promises() -> None:
    nonces = MemoryNonces()
    exercise_nonces(lambda: nonces)


def test_nonces_in_a_file_keep_their_promises(tmp_path: Path) -> None:
    exercise_nonces(lambda: SqliteNonces(tmp_path / "heso.db"))
