"""What waits for people, read off the event loop."""

from collections.abc import Sequence
from pathlib import Path

from heso.core.encoding import Digest
from heso.core.instant import Instant
from heso.core.ticket import OPEN_STATES, Ticket, TicketState
from heso.stores.sqlite.reading import ask
from heso.stores.sqlite.ticket_rows import TICKET_COLUMNS, read_ticket

_FIND = f"SELECT {TICKET_COLUMNS} FROM ticket WHERE action_hash = ?"  # noqa: S608  # constants
_BEGINNING = f"""SELECT {TICKET_COLUMNS} FROM ticket WHERE action_hash >= ? AND action_hash < ?
    ORDER BY action_hash LIMIT 10"""  # noqa: S608  # constants
# The list of states lets SQLite see that the partial index serves.
_OPEN = f"state IN ({', '.join(repr(str(state)) for state in OPEN_STATES)})"
_IN_STATE = f"""SELECT {TICKET_COLUMNS} FROM ticket WHERE {_OPEN} AND state = ? AND (due, number) > (?, ?)
    ORDER BY due, number LIMIT ?"""  # noqa: S608  # constants
_DUE = f"""SELECT {TICKET_COLUMNS} FROM ticket WHERE {_OPEN} AND state = ? AND due <= ?
    ORDER BY due, number LIMIT ?"""  # noqa: S608  # constants
_OPENED_AFTER = f"""SELECT {TICKET_COLUMNS} FROM ticket WHERE number > ?
    ORDER BY number LIMIT ?"""  # noqa: S608  # constants
_COUNT = f"SELECT count(*) FROM ticket WHERE {_OPEN} AND state = ?"  # noqa: S608  # constants


class SqliteTickets:
    """`Tickets` of one project."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def find(self, action_hash: Digest) -> Ticket | None:
        found = await self._read(_FIND, (action_hash,))
        return found[0] if found else None

    async def beginning(self, prefix: str) -> Sequence[Ticket]:
        return await self._read(_BEGINNING, (prefix, prefix + "g"))

    async def in_state(
        self, state: TicketState, *, after: tuple[int, int] = (-1, -1), limit: int = 50
    ) -> Sequence[Ticket]:
        return await self._read(_IN_STATE, (state, *after, limit))

    async def due(self, state: TicketState, by: Instant, *, limit: int = 50) -> Sequence[Ticket]:
        return await self._read(_DUE, (state, by, limit))

    async def count(self, state: TicketState) -> int:
        ((count,),) = await ask(self._file, _COUNT, (state,))
        return int(count)

    async def opened_after(self, number: int, *, limit: int = 50) -> Sequence[Ticket]:
        return await self._read(_OPENED_AFTER, (number, limit))

    async def _read(self, query: str, parameters: tuple[object, ...]) -> list[Ticket]:
        return [read_ticket(row) for row in await ask(self._file, query, parameters)]
