"""Opening the project's file. Every connection in a process goes through the standard library's SQLite: a second
copy of the library in one process would break its file locks."""

import os
import sqlite3
import time
from pathlib import Path
from urllib.parse import quote

from heso.ports import NotWritten
from heso.stores.sqlite.schema import check_schema, migrate

_BUSY = 5  # SQLITE_BUSY
_NAP_SECONDS = 0.005


def open_writer(file: Path, *, busy_seconds: float) -> sqlite3.Connection:
    """A connection that commits durably. Creates the file, readable by this user alone, and its schema."""
    try:
        _create_private(file)
        connection = sqlite3.connect(
            file, timeout=busy_seconds, isolation_level=None, check_same_thread=False
        )
    except (OSError, sqlite3.Error) as error:
        raise NotWritten(
            f"cannot open {file}: {error}", "check that the folder exists and is writable"
        ) from error
    try:
        _use_wal(connection, busy_seconds)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA trusted_schema = OFF")
        migrate(connection, str(file))
    except sqlite3.Error as error:
        connection.close()
        raise NotWritten(f"cannot use {file}: {error}", "run `heso doctor`") from error
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(file: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(file))}?mode=ro", uri=True, isolation_level=None
        )
        check_schema(connection, str(file))
    except sqlite3.Error as error:
        raise NotWritten(f"cannot read {file}: {error}", "run `heso doctor`") from error
    return connection


def _use_wal(connection: sqlite3.Connection, busy_seconds: float) -> None:
    """Switch the file to write-ahead logging. SQLite's own busy wait does not cover the switch, so when two processes
    open a new project at once the slower one waits here."""
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != _BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_NAP_SECONDS)
        else:
            return


def _create_private(file: Path) -> None:
    """SQLite gives its side files the mode of the main one, so the main one must be born private."""
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    os.close(descriptor)
