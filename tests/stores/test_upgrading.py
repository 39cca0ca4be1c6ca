"""A project from before tickets had a life of their own: what waited then can be decided now."""

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio

from heso.core.instant import MINUTE
from heso.core.ticket import TicketState
from heso.stores.sqlite import schema
from heso.stores.sqlite.connecting import open_writer
from heso.stores.sqlite.rows import INSERT_ROW
from heso.stores.sqlite.tickets import SqliteTickets
from heso.testing import seal_action, seal_suspended
from heso.testing.conformance import _NoHeads
from heso.testing.fakes import NEW_YEAR

_OLD_TICKET = """INSERT INTO ticket (action_hash, lifecycle_session, session_id, tool_name, workflow, account, rule_id,
    policy_hash, fields_json, terms_json, reveal_root, resume_token, suspended_at, expires_at, state)
    VALUES (?, ?, 's', 'tool', 's', 'account', 'test', '', ?, ?, NULL, 'rt', ?, ?, 'suspended')"""


def _old_file(file: Path, asked: bytes, action_hash: str) -> None:
    steps = sorted(schema._MIGRATIONS.glob("000[12]*.sql"))
    with closing(sqlite3.connect(file)) as connection:
        for step in steps:
            connection.executescript(step.read_text())
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        name = bytes.fromhex(action_hash)
        row = (0, b"", name, "s", 0, NEW_YEAR, "require_approval", "tool_call", "tool", "s", "a")
        connection.execute(INSERT_ROW, (*row, asked))
        session = f"lifecycle:{action_hash}"
        times = (NEW_YEAR, NEW_YEAR + 30 * MINUTE)
        connection.execute(_OLD_TICKET, (action_hash, session, b"{}", b"{}", *times))
        connection.commit()


def test_what_waited_in_an_old_file_waits_on_with_its_receipt(tmp_path: Path) -> None:
    batch = seal_suspended("s", minutes=30)(_NoHeads())
    asked = batch.entries[0].receipt
    file = tmp_path / "heso.db"
    _old_file(file, asked.body, asked.action_hash)
    open_writer(file, busy_seconds=1).close()
    (ticket,) = anyio.run(SqliteTickets(file).in_state, TicketState.SUSPENDED)
    assert (ticket.action_hash, ticket.asked) == (asked.action_hash, asked.body)
    assert (ticket.due, ticket.state) == (NEW_YEAR + 30 * MINUTE, TicketState.SUSPENDED)
    assert (ticket.votes_json, ticket.fence, ticket.is_delivered) == (b"[]", 0, False)


def test_an_old_file_without_anything_waiting_becomes_a_new_one(tmp_path: Path) -> None:
    asked = seal_action("s")(_NoHeads()).entries[0].receipt
    file = tmp_path / "heso.db"
    _old_file(file, asked.body, asked.action_hash)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DELETE FROM ticket")
        connection.commit()
    open_writer(file, busy_seconds=1).close()
    assert anyio.run(SqliteTickets(file).count, TicketState.SUSPENDED) == 0
