"""Which notices were handed on, in the project's file.

A connection lives for one question: notices are rare, and nothing has to survive a fork.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from heso.ports import NotWritten, Unreadable
from heso.stores.sqlite.connecting import begin_immediate, open_reader, open_writer


class SqliteNotices:
    """`Notices` of one project."""

    def __init__(self, file: Path, *, busy_seconds: float = 5.0) -> None:
        self._file = file
        self._busy_seconds = busy_seconds

    def was_sent(self, key: str) -> bool:
        with closing(open_reader(self._file)) as connection:
            try:
                row = connection.execute("SELECT 1 FROM notice WHERE key = ?", (key,)).fetchone()
            except sqlite3.Error as error:
                raise Unreadable(str(self._file), str(error)) from error
            return row is not None

    def mark_sent(self, key: str) -> None:
        with closing(open_writer(self._file, busy_seconds=self._busy_seconds)) as connection:
            try:
                begin_immediate(connection, self._busy_seconds)
                connection.execute("INSERT OR IGNORE INTO notice (key) VALUES (?)", (key,))
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise NotWritten(f"the notice could not be kept: {error}") from error
