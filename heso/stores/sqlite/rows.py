"""The ledger's tables in SQL: what is written into them, and how the ends of the chains are read back."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import orjson

from heso.core.audit import START, AuditTail
from heso.core.chain import Head, link_hash
from heso.core.encoding import Digest
from heso.core.receipt import SessionId
from heso.core.ticket import Ticket
from heso.stores.ordering import Ordering, Placed

INSERT_ROW = """INSERT INTO ledger (position, entry_hash, action_hash, session_id, seq, recorded_at, decision, verb,
    tool_name, workflow, account, receipt) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"""
INSERT_TICKET = """INSERT OR IGNORE INTO ticket (action_hash, lifecycle_session, session_id, tool_name, workflow,
    account, rule_id, policy_hash, fields_json, terms_json, reveal_root, resume_token, suspended_at, expires_at,
    state) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"""
INSERT_POLICY = "INSERT INTO policy (since, hash, text) VALUES (?,?,?)"


def read_ends(connection: sqlite3.Connection) -> Ordering:
    row = connection.execute(
        "SELECT position, entry_hash FROM ledger ORDER BY position DESC LIMIT 1"
    ).fetchone()
    tail = START if row is None else AuditTail(row[0] + 1, Digest(row[1].hex()))
    row = connection.execute("SELECT hash FROM policy ORDER BY since DESC LIMIT 1").fetchone()
    policy_hash = None if row is None else Digest(row[0].hex())

    def load_head(session: SessionId) -> Head | None:
        row = connection.execute(
            "SELECT seq, action_hash FROM ledger WHERE session_id = ? ORDER BY seq DESC LIMIT 1",
            (session,),
        ).fetchone()
        return None if row is None else Head(row[0], link_hash(session, row[0], row[1].hex()))

    def load_links(session: SessionId) -> Iterator[dict[str, Any]]:
        rows = connection.execute(
            "SELECT receipt FROM ledger WHERE session_id = ? ORDER BY seq", (session,)
        )
        return (
            orjson.loads(receipt)["content"] for (receipt,) in rows
        )  # our own, as it was signed

    return Ordering(tail, policy_hash, load_head, load_links)


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


def ticket_row(ticket: Ticket) -> tuple[object, ...]:
    return (
        ticket.action_hash,
        ticket.lifecycle_session,
        ticket.session_id,
        ticket.tool_name,
        ticket.workflow,
        ticket.account,
        ticket.rule_id,
        ticket.policy_hash,
        ticket.fields_json,
        ticket.terms_json,
        ticket.reveal_root,
        ticket.resume_token,
        ticket.suspended_at,
        ticket.expires_at,
        ticket.state,
    )
