"""What waits for people, read through aiosqlite: off the event loop, off the ledger's hot path.

A connection lives for one question. aiosqlite's thread is not a daemon, so one that stayed open could keep a
finished program alive.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields
from pathlib import Path
from urllib.parse import quote

import aiosqlite

from heso.core.encoding import Digest
from heso.core.ticket import Ticket

_COLUMNS = ", ".join(field.name for field in fields(Ticket))
_FIND = f"SELECT {_COLUMNS} FROM ticket WHERE action_hash = ?"  # noqa: S608  # constants
_WAITING = f"""SELECT {_COLUMNS} FROM ticket WHERE state = 'suspended' AND action_hash > ?
    ORDER BY action_hash LIMIT ?"""  # noqa: S608  # constants


class SqliteTickets:
    """`Tickets` of one project."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def find(self, action_hash: Digest) -> Ticket | None:
        found = await self._read(_FIND, (action_hash,))
        return found[0] if found else None

    async def waiting(self, *, after: str = "", limit: int = 50) -> Sequence[Ticket]:
        return await self._read(_WAITING, (after, limit))

    async def count_waiting(self) -> int:
        async with (
            self._open() as connection,
            connection.execute("SELECT count(*) FROM ticket WHERE state = 'suspended'") as cursor,
        ):
            row = await cursor.fetchone()
            return 0 if row is None else int(row[0])

    async def _read(self, query: str, parameters: tuple[object, ...]) -> list[Ticket]:
        async with self._open() as connection, connection.execute(query, parameters) as cursor:
            return [Ticket(**dict(row)) for row in await cursor.fetchall()]

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[aiosqlite.Connection]:
        async with aiosqlite.connect(
            f"file:{quote(str(self._file))}?mode=ro", uri=True
        ) as connection:
            connection.row_factory = aiosqlite.Row
            yield connection
