"""Opening the project's file. Every connection in a process goes through the standard library's SQLite: a second
copy of the library in one process would break its file locks."""

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from heso.ports import NotWritten, Unreadable
from heso.stores.sqlite.schema import check_schema, migrate

_BUSY = 5  # SQLITE_BUSY
_SHORT_NAP_SECONDS = 0.001
_LONG_NAP_SECONDS = 0.008
_RECENTLY_SECONDS = 0.01


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
        check_schema(connection, str(file))  # before anything is changed: it may be somebody else's
        # SQLite's own wait does not cover this switch, and two processes may open a new project at once.
        _wait_while_busy(lambda: connection.execute("PRAGMA journal_mode = WAL"), busy_seconds)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA recursive_triggers = ON")  # so that REPLACE meets them too
        migrate(connection, str(file))
        connection.execute("PRAGMA busy_timeout = 0")  # `begin_immediate` waits, in its own way
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
            f"file:{quote(str(file))}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
        check_schema(connection, str(file))
    except sqlite3.Error as error:
        raise Unreadable(str(file), str(error)) from error
    return connection


def begin_immediate(
    connection: sqlite3.Connection, busy_seconds: float, last_commit: float = 0.0
) -> None:
    """Begin a write transaction, waiting for another process's to end. `last_commit` is this one's, monotonic seconds.

    SQLite's own wait naps for up to 100 ms: two busy processes then hold each other up for a second. Handing the lock
    over at every receipt is fair, and costs a third of their throughput: the end of the chains, and SQLite's pages, are
    read again each time. So whoever is in the middle of much work naps longer and lets the other finish a stretch of
    its own; together they are as fast as one. Whoever wants in once in a while naps shortly: it mostly waits for a few
    ms beside one busy process, and for tens beside several.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")  # nearly always: no clock and no closure for it
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != _BUSY:
            raise
        is_at_work = time.monotonic() - last_commit < _RECENTLY_SECONDS
        nap_seconds = _LONG_NAP_SECONDS if is_at_work else _SHORT_NAP_SECONDS
        _wait_while_busy(lambda: connection.execute("BEGIN IMMEDIATE"), busy_seconds, nap_seconds)


def _wait_while_busy(
    work: Callable[[], object], busy_seconds: float, nap_seconds: float = _SHORT_NAP_SECONDS
) -> None:
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            work()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != _BUSY or time.monotonic() > deadline:
                raise
            time.sleep(nap_seconds)
        else:
            return


def _create_private(file: Path) -> None:
    """SQLite gives its side files the mode of the main one, so the main one must be born private."""
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(descriptor).st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
