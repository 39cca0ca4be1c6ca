"""Asking the project's file from a task: off the event loop, off the ledger's hot path, on whichever loop there is.

A question is one connection in a worker thread. Nothing of it outlives the question, so a task that is torn away in the
middle leaves nothing behind: no thread that talks to a loop which is gone, no open transaction, nothing to survive a fork.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from anyio import to_thread

from heso.ports import Unreadable
from heso.stores.sqlite.connecting import open_reader

Parameters = Sequence[object] | Mapping[str, object]


async def ask(file: Path, query: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
    """Every row of the answer. Raises `Unreadable`, `WrongSchema`."""
    return await to_thread.run_sync(_ask, file, query, parameters)


def _ask(file: Path, query: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    with closing(open_reader(file)) as connection:
        try:
            return connection.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            raise Unreadable(str(file), str(error)) from error
