"""Tickets in SQL: how they are opened, moved on and read back."""

import sqlite3
from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from heso.core.encoding import Digest
from heso.core.ticket import Ticket, TicketState

_TICKET_COLUMNS = tuple(
    column.name for column in fields(Ticket) if column.name != "number"
)  # the file gives the number
TICKET_COLUMNS = ", ".join((*_TICKET_COLUMNS, "number"))
_STATE, _IS_DELIVERED = map(_TICKET_COLUMNS.index, ("state", "is_delivered"))
_STATES = {str(state): state for state in TicketState}
_MOVING_COLUMNS = (
    "state",
    "due",
    "rung",
    "votes_json",
    "fence",
    "owner",
    "result_json",
    "error",
    "replaced_by",
)  # the rest of a ticket never changes, but for `is_delivered`
_OPEN_TICKET = f"""INSERT OR IGNORE INTO ticket ({", ".join(_TICKET_COLUMNS)})
    VALUES ({", ".join("?" * len(_TICKET_COLUMNS))})"""  # noqa: S608  # constants
_MOVES = ", ".join(f"{name} = ?" for name in _MOVING_COLUMNS)
_MOVE_TICKET = f"UPDATE ticket SET {_MOVES} WHERE number = ?"  # noqa: S608  # constants
# Apart: whoever names this column moves the ticket in the index by call as well, which is in no order, so a batch of
# claims would write that whole index.
_DELIVER_TICKET = f"UPDATE ticket SET {_MOVES}, is_delivered = ? WHERE number = ?"  # noqa: S608  # constants
_open_values = attrgetter(*_TICKET_COLUMNS)
_moving_values = attrgetter(*_MOVING_COLUMNS, "number")
_delivering_values = attrgetter(*_MOVING_COLUMNS, "is_delivered", "number")


_OF_NAMES = f"SELECT {TICKET_COLUMNS} FROM ticket WHERE action_hash IN ({{marks}})"  # noqa: S608  # as above
_OF_CALLS = f"""SELECT {TICKET_COLUMNS} FROM ticket WHERE call_key IN ({{marks}}) AND is_delivered = 0
    ORDER BY number"""  # noqa: S608  # constants, and as many marks as parameters


class TicketsInHand:
    """Tickets of the transaction that is going on. They are written together at its end: a statement for each would let
    go of the interpreter each time, and beside a busy thread wait to get it back."""

    def __init__(self) -> None:
        self._by_name: dict[Digest, Ticket] = {}
        self._names_of_call: dict[Digest, dict[Digest, None]] = {}
        self._in_file: dict[Digest, list[Ticket]] = {}  # undelivered ones of the calls looked for
        self._read: dict[Digest, Ticket] = {}

    def take(self, tickets: tuple[Ticket, ...]) -> None:
        for ticket in tickets:
            self._by_name[ticket.action_hash] = ticket
            self._names_of_call.setdefault(ticket.call_key, {})[ticket.action_hash] = None

    def look_for(self, call_keys: Sequence[Digest], connection: sqlite3.Connection) -> None:
        """Find what is known of these calls, all of them with one question."""
        if not call_keys:
            return
        marks = ", ".join("?" * len(call_keys))
        rows = connection.execute(_OF_CALLS.format(marks=marks), tuple(call_keys)).fetchall()
        self._in_file.update({call_key: [] for call_key in call_keys})
        for row in rows:
            ticket = read_ticket(row)
            self._in_file[ticket.call_key].append(ticket)

    def look_up(self, names: Sequence[Digest], connection: sqlite3.Connection) -> None:
        """Read these tickets, all of them with one question."""
        if not names:
            return
        marks = ", ".join("?" * len(names))
        for row in connection.execute(_OF_NAMES.format(marks=marks), tuple(names)):
            ticket = read_ticket(row)
            self._read[ticket.action_hash] = ticket

    def find(self, action_hash: Digest) -> Ticket | None:
        return self._by_name.get(action_hash) or self._read.get(action_hash)

    def find_undelivered(self, call_key: Digest, connection: sqlite3.Connection) -> Ticket | None:
        """The newest ticket of a call whose end nobody was told, as everything so far has left them."""
        if call_key not in self._in_file:
            self.look_for((call_key,), connection)
        found = {ticket.action_hash: ticket for ticket in self._in_file[call_key]}
        for name in self._names_of_call.get(call_key, ()):
            found[name] = self._by_name[name]
        waiting = [ticket for ticket in found.values() if not ticket.is_delivered]
        opened = [
            ticket for ticket in waiting if not ticket.number
        ]  # in this transaction, in this order
        return opened[-1] if opened else max(waiting, key=lambda one: one.number, default=None)

    def write(self, connection: sqlite3.Connection) -> None:
        if self._by_name:
            self._write_all(connection)
        self.forget()

    def _write_all(self, connection: sqlite3.Connection) -> None:
        new, moved, delivered = [], [], []
        for ticket in self._by_name.values():
            if not ticket.number:
                new.append(_open_values(ticket))
            elif self._stays_undelivered(ticket):
                moved.append(_moving_values(ticket))
            else:
                delivered.append(_delivering_values(ticket))
        for statement, rows in (
            (_OPEN_TICKET, new),
            (_MOVE_TICKET, moved),
            (_DELIVER_TICKET, delivered),
        ):
            if rows:
                connection.executemany(statement, rows)

    def _stays_undelivered(self, ticket: Ticket) -> bool:
        before = self._read.get(ticket.action_hash)
        return before is not None and not before.is_delivered and not ticket.is_delivered

    def forget(self) -> None:
        self._by_name.clear()
        self._names_of_call.clear()
        self._in_file.clear()
        self._read.clear()


def read_ticket(row: Sequence[Any]) -> Ticket:
    """A ticket from a row of `TICKET_COLUMNS`."""
    values = list(row)  # in the order of the ticket's own fields, its number last
    values[_STATE] = _STATES[values[_STATE]]
    values[_IS_DELIVERED] = bool(values[_IS_DELIVERED])
    return Ticket(*values)
