"""Used nonces of approval tokens, in the project's file.

A connection lives for one nonce: tokens are rare, and nothing has to survive a fork.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from heso.ports import NotWritten, Unacknowledged
from heso.stores.sqlite.connecting import begin_immediate, open_writer

_SPEND = "INSERT INTO nonce (nonce, expiry) VALUES (?, ?) ON CONFLICT DO NOTHING"


class SqliteNonces:
    """`Nonces` of one project."""

    def __init__(self, file: Path, *, busy_seconds: float = 5.0) -> None:
        self._file = file
        self._busy_seconds = busy_seconds

    def spend(self, nonce: bytes, expiry_seconds: int) -> bool:
        with closing(open_writer(self._file, busy_seconds=self._busy_seconds)) as connection:
            try:
                begin_immediate(connection, self._busy_seconds)
                fresh = connection.execute(_SPEND, (nonce, str(expiry_seconds))).rowcount == 1
            except sqlite3.Error as error:
                raise NotWritten(f"the nonce could not be kept: {error}") from error
            try:
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise Unacknowledged(str(error)) from error
            return fresh
