"""The file itself: who may read it, what it refuses, and what nobody can change in it."""

import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from heso.core.hashing import digest
from heso.ports import NotWritten, Unreadable, WrongSchema
from heso.stores.reveals import RevealFolder
from heso.stores.sqlite.connecting import open_writer
from heso.stores.sqlite.ledger import SqliteLedger
from heso.stores.sqlite.records import SqliteRecords
from heso.testing import Evidence, seal_action, seal_policy, seal_suspended

Check = Callable[..., Evidence]


_CHANGED = """SELECT position, entry_hash, action_hash, session_id, seq, recorded_at, decision, verb, tool_name,
    workflow, 'mine', receipt FROM ledger WHERE position = 0"""


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _edit(database: Path, *statements: str) -> None:
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        for statement in statements:
            connection.execute(statement)
    finally:
        connection.close()


def test_all_files_are_private_whatever_the_umask(database: Path) -> None:
    before = os.umask(0)
    try:
        ledger = SqliteLedger(database)
        ledger.append_inline(seal_action())
        files = {path.name: _mode(path) for path in database.parent.glob("heso.db*")}
        ledger.close()
    finally:
        os.umask(before)
    assert files == {"heso.db": 0o600, "heso.db-wal": 0o600, "heso.db-shm": 0o600}


def test_a_newer_schema_is_refused_untouched(database: Path) -> None:
    SqliteLedger(database).close()
    _edit(database, "PRAGMA user_version = 99")
    before = database.read_bytes()
    for open_file in (SqliteLedger, SqliteRecords):
        with pytest.raises(WrongSchema) as refused:
            open_file(database)
        assert "has schema version 99; this heso knows up to" in str(refused.value)
        assert "upgrade heso" in refused.value.next_step
    assert database.read_bytes() == before


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TABLE mine (x)", "PRAGMA user_version = 1"),
        ("CREATE TABLE mine (x)", "PRAGMA application_id = 7"),
        ("CREATE TABLE mine (x)",),
        ("CREATE TABLE ledger (x)",),
    ],
)
def test_another_programs_database_is_refused_untouched(
    database: Path, statements: tuple[str, ...]
) -> None:
    _edit(database, *statements)
    before = database.read_bytes()
    with pytest.raises(WrongSchema) as refused:
        SqliteLedger(database)
    assert "is a database of another program" in str(refused.value)
    assert database.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_untouched(database: Path) -> None:
    database.write_bytes(b"dear diary, " * 100)
    with pytest.raises(NotWritten) as refused:
        SqliteLedger(database)
    assert "not a database" in str(refused.value)
    assert database.read_bytes() == b"dear diary, " * 100


def test_a_missing_folder_is_refused_with_a_cure(tmp_path: Path) -> None:
    with pytest.raises(NotWritten) as refused:
        SqliteLedger(tmp_path / "nowhere" / "heso.db")
    assert refused.value.next_step == "check that the folder exists and is writable"


def test_reading_makes_no_file(database: Path) -> None:
    with pytest.raises(Unreadable):
        SqliteRecords(database)
    assert not database.exists()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET receipt = x'00' WHERE position = 0",
        "UPDATE ledger SET account = 'mine'",
        "DELETE FROM ledger",
        "DELETE FROM ledger WHERE position = 1",
        f"INSERT OR REPLACE INTO ledger {_CHANGED}",
        "UPDATE OR REPLACE ledger SET position = 1 WHERE position = 0",
        "UPDATE policy SET text = x'00'",
        "DELETE FROM policy",
        "INSERT OR REPLACE INTO policy SELECT since, hash, x'00' FROM policy",
    ],
)
def test_nothing_in_the_ledger_can_be_changed(database: Path, statement: str) -> None:
    ledger = SqliteLedger(database)
    ledger.append_inline(seal_policy(b"# policy"))
    ledger.append_inline(seal_action())
    ledger.close()
    connection = open_writer(database, busy_seconds=1)  # as our own code would
    try:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
    finally:
        connection.close()


def test_a_session_holds_a_place_once(ledger: SqliteLedger, database: Path) -> None:
    ledger.append_inline(seal_action())
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        _edit(
            database,
            "INSERT INTO ledger SELECT 7, entry_hash, action_hash, session_id, seq, recorded_at, decision,"
            " verb, tool_name, workflow, account, receipt FROM ledger",
        )


def test_everything_of_a_suspension_is_in_one_transaction(
    ledger: SqliteLedger, database: Path, check: Check
) -> None:
    ledger.append_inline(seal_action())
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute(
        "CREATE TRIGGER no_tickets BEFORE INSERT ON ticket BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    with pytest.raises(NotWritten):
        ledger.append_inline(seal_suspended())
    assert check().receipts == 1
    connection.execute("DROP TRIGGER no_tickets")
    connection.close()
    ledger.append_inline(seal_suspended())
    assert check().receipts == 3


def test_a_path_with_odd_characters_is_only_a_path(tmp_path: Path) -> None:
    file = tmp_path / "100% #1 ?mode=memory ü.db"
    ledger = SqliteLedger(file)
    ledger.append_inline(seal_action())
    records = SqliteRecords(file)
    assert records.count() == 1
    records.close()
    ledger.close()
    assert file.exists()


def test_reveals_are_private_and_whole(tmp_path: Path) -> None:
    folder = tmp_path / "reveals"
    before = os.umask(0)
    try:
        RevealFolder(folder).keep(digest(b"x"), b"secret")
    finally:
        os.umask(before)
    assert _mode(folder) == 0o700
    assert {path.name: _mode(path) for path in folder.iterdir()} == {f"{digest(b'x')}.json": 0o600}


def test_a_reveal_that_cannot_be_kept_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "reveals"
    folder.mkdir()
    (folder / f"{digest(b'x')}.json").mkdir()  # so the last step, the renaming, fails
    with pytest.raises(NotWritten) as refused:
        RevealFolder(folder).keep(digest(b"x"), b"secret")
    assert "the reveal sidecar cannot be kept" in str(refused.value)
    assert refused.value.next_step == "check room and permissions of .heso/reveals"
    assert [path.name for path in folder.iterdir()] == [f"{digest(b'x')}.json"]


def test_a_reveal_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "reveals").write_text("")
    with pytest.raises(NotWritten):
        RevealFolder(tmp_path / "reveals").keep(digest(b"x"), b"secret")


def test_an_unfinished_sidecar_of_a_killed_process_is_in_nobodys_way(tmp_path: Path) -> None:
    folder = tmp_path / "reveals"
    folder.mkdir()
    (folder / f"{digest(b'x')}.json.{os.getpid()}.part").write_bytes(b"sec")
    RevealFolder(folder).keep(digest(b"y"), b"secret")
    assert RevealFolder(folder).find(digest(b"x")) is None
    assert RevealFolder(folder).find(digest(b"y")) == b"secret"
