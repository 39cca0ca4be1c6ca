"""The ledger's tables in SQL: what is written into them, and how the ends of the chains are read back."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import orjson

from heso.core.audit import START, AuditTail
from heso.core.chain import Head, link_hash
from heso.core.encoding import Digest
from heso.core.journal import Run, RunId, Signal
from heso.core.receipt import SessionId
from heso.core.ticket import Ticket
from heso.ports import Batch
from heso.stores.ordering import Ordering, Placed
from heso.stores.sqlite.ticket_rows import TICKET_COLUMNS, TicketsInHand, read_ticket

INSERT_ROW = """INSERT INTO ledger (position, entry_hash, action_hash, session_id, seq, recorded_at, decision, verb,
    tool_name, workflow, account, receipt) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"""
_TICKET = f"SELECT {TICKET_COLUMNS} FROM ticket WHERE action_hash = ?"  # noqa: S608  # constants
INSERT_POLICY = "INSERT INTO policy (since, hash, text) VALUES (?,?,?)"


def read_ends(connection: sqlite3.Connection, in_hand: TicketsInHand) -> Ordering:
    row = connection.execute(
        "SELECT position, entry_hash FROM ledger ORDER BY position DESC LIMIT 1"
    ).fetchone()
    tail = START if row is None else AuditTail(row[0] + 1, Digest(row[1].hex()))
    row = connection.execute("SELECT hash FROM policy ORDER BY since DESC LIMIT 1").fetchone()
    policy_hash = None if row is None else Digest(row[0].hex())

    return Ordering(tail, policy_hash, _Contents(connection, in_hand))


class _Contents:
    """What an ordering reads, on the writer's own connection."""

    def __init__(self, connection: sqlite3.Connection, in_hand: TicketsInHand) -> None:
        self._connection = connection
        self._in_hand = in_hand

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
        in_hand = self._in_hand.find(action_hash)
        if in_hand is not None:
            return in_hand
        row = self._connection.execute(_TICKET, (action_hash,)).fetchone()
        return None if row is None else read_ticket(row)

    def load_undelivered(self, call_key: Digest) -> Ticket | None:
        return self._in_hand.find_undelivered(call_key, self._connection)

    def load_run(self, run: RunId) -> Run | None:
        from heso.stores.sqlite.runs import load_run  # noqa: PLC0415  # it loads anyio, which a gate does not need

        return load_run(self._connection, run)

    def load_signal(self, run: RunId, name: str) -> Signal | None:
        from heso.stores.sqlite.runs import load_signal  # noqa: PLC0415

        return load_signal(self._connection, run, name)


def write_journal_of(batch: Batch, connection: sqlite3.Connection) -> None:
    """What a batch says of runs, inside its transaction and at once: the next seal reads it."""
    if batch.runs or batch.steps or batch.signals or batch.replaces_steps_of is not None:
        from heso.stores.sqlite.runs import write_journal  # noqa: PLC0415  # it loads anyio

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
