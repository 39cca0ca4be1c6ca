"""The ledger's tables in SQL: what is written into them, and how the ends of the chains are read back."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

import orjson

from heso.core.audit import START, AuditTail
from heso.core.chain import Head, link_hash
from heso.core.encoding import Digest
from heso.core.journal import Run, RunId, Signal
from heso.core.receipt import SessionId
from heso.core.ticket import Ticket, TicketState
from heso.ports import Batch
from heso.stores.ordering import Ordering, Placed

INSERT_ROW = """INSERT INTO ledger (position, entry_hash, action_hash, session_id, seq, recorded_at, decision, verb,
    tool_name, workflow, account, receipt) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"""
_TICKET_COLUMNS = tuple(
    column.name for column in fields(Ticket) if column.name != "number"
)  # the file gives the number
TICKET_COLUMNS = ", ".join((*_TICKET_COLUMNS, "number"))
_PUT_TICKET = f"""INSERT INTO ticket ({", ".join(_TICKET_COLUMNS)}) VALUES ({", ".join("?" * len(_TICKET_COLUMNS))})
    ON CONFLICT (action_hash) DO UPDATE SET state = excluded.state, due = excluded.due, rung = excluded.rung,
    votes_json = excluded.votes_json, fence = excluded.fence, owner = excluded.owner, result_json = excluded.result_json,
    error = excluded.error, replaced_by = excluded.replaced_by, is_delivered = excluded.is_delivered"""  # noqa: S608  # constants
_TICKET = f"SELECT {TICKET_COLUMNS} FROM ticket WHERE action_hash = ?"  # noqa: S608  # constants
_UNDELIVERED = f"""SELECT {TICKET_COLUMNS} FROM ticket WHERE call_key = ? AND is_delivered = 0
    ORDER BY number DESC LIMIT 1"""  # noqa: S608  # constants
INSERT_POLICY = "INSERT INTO policy (since, hash, text) VALUES (?,?,?)"


def read_ends(connection: sqlite3.Connection) -> Ordering:
    row = connection.execute(
        "SELECT position, entry_hash FROM ledger ORDER BY position DESC LIMIT 1"
    ).fetchone()
    tail = START if row is None else AuditTail(row[0] + 1, Digest(row[1].hex()))
    row = connection.execute("SELECT hash FROM policy ORDER BY since DESC LIMIT 1").fetchone()
    policy_hash = None if row is None else Digest(row[0].hex())

    return Ordering(tail, policy_hash, _Contents(connection))


class _Contents:
    """What an ordering reads, on the writer's own connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def load_head(self, session: SessionId) -> Head | None:
        row = self._connection.execute(
            "SELECT seq, action_hash FROM ledger WHERE session_id = ? ORDER BY seq DESC LIMIT 1",
            (session,),
        ).fetchone()
        return None if row is None else Head(row[0], link_hash(session, row[0], row[1].hex()))

    def load_links(self, session: SessionId) -> Iterator[dict[str, Any]]:
        rows = self._connection.execute(
            "SELECT receipt FROM ledger WHERE session_id = ? ORDER BY seq", (session,)
        )
        return (
            orjson.loads(receipt)["content"] for (receipt,) in rows
        )  # our own, as it was signed

    def load_ticket(self, action_hash: Digest) -> Ticket | None:
        row = self._connection.execute(_TICKET, (action_hash,)).fetchone()
        return None if row is None else read_ticket(row)

    def load_undelivered(self, call_key: Digest) -> Ticket | None:
        row = self._connection.execute(_UNDELIVERED, (call_key,)).fetchone()
        return None if row is None else read_ticket(row)

    def load_run(self, run: RunId) -> Run | None:
        from heso.stores.sqlite.runs import load_run  # noqa: PLC0415  # it loads aiosqlite, which a gate does not need

        return load_run(self._connection, run)

    def load_signal(self, run: RunId, name: str) -> Signal | None:
        from heso.stores.sqlite.runs import load_signal  # noqa: PLC0415

        return load_signal(self._connection, run, name)


def write_beside(batch: Batch, connection: sqlite3.Connection) -> None:
    """Whatever a batch has beside receipts, inside its transaction and at once: the next seal reads it."""
    for ticket in batch.tickets:
        connection.execute(_PUT_TICKET, _ticket_row(ticket))
    if batch.runs or batch.steps or batch.signals:
        from heso.stores.sqlite.runs import write_journal  # noqa: PLC0415  # it loads aiosqlite

        write_journal(batch, connection)


def ledger_row(placed: Placed) -> tuple[object, ...]:
    receipt = placed.entry.receipt
    content: dict[str, Any] = receipt.content
    action: dict[str, str] = content["action"]
    return (
        placed.position,
        bytes.fromhex(placed.entry_hash),
        bytes.fromhex(receipt.action_hash),
        placed.session_id,
        placed.seq,
        placed.entry.at,
        content.get("kind") or content["policy"]["decision_path"],
        action["verb"],
        action["tool_name"],
        action["workflow"],
        action["account"],
        receipt.body,
    )


def _ticket_row(ticket: Ticket) -> tuple[object, ...]:
    return tuple(getattr(ticket, name) for name in _TICKET_COLUMNS)


def read_ticket(row: Sequence[Any]) -> Ticket:
    """A ticket from a row of `TICKET_COLUMNS`."""
    named = dict(zip((*_TICKET_COLUMNS, "number"), row, strict=True))
    named["state"] = TicketState(named["state"])
    named["is_delivered"] = bool(named["is_delivered"])
    return Ticket(**named)
