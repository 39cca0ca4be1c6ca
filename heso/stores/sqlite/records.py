"""Reading the ledger's file, on a connection that cannot write and never holds a transaction open for long."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from heso.core.encoding import Digest
from heso.core.receipt import SessionId
from heso.ports import EVERYTHING, Filter, Record
from heso.stores.sqlite.connecting import open_reader

_PAGE = 500
_COLUMNS = "position, action_hash, session_id, receipt, audit_entry, policy_hash"
_WANTED = """(:session_id IS NULL OR session_id = :session_id)
    AND (:workflow IS NULL OR workflow = :workflow)
    AND (:account IS NULL OR account = :account)
    AND (:tool_name IS NULL OR tool_name = :tool_name)
    AND (:verb IS NULL OR verb = :verb)
    AND (:decision IS NULL OR decision = :decision)"""
_READ = f"SELECT {_COLUMNS} FROM ledger WHERE position > :after AND {_WANTED} ORDER BY position LIMIT :limit"  # noqa: S608  # constants
_NEWEST = f"SELECT {_COLUMNS} FROM ledger WHERE {_WANTED} ORDER BY position DESC LIMIT :limit"  # noqa: S608  # constants
_FIND = f"SELECT {_COLUMNS} FROM ledger WHERE action_hash >= ? AND action_hash < ? ORDER BY action_hash LIMIT 10"  # noqa: S608  # constants


class SqliteRecords:
    """`Records` of one project. For one thread; close it when done."""

    def __init__(self, file: Path) -> None:
        self._connection = open_reader(file)

    def close(self) -> None:
        self._connection.close()

    def read(self, wanted: Filter = EVERYTHING, *, after: int = -1) -> Iterator[Record]:
        while page := self._rows(_READ, {**_parameters(wanted), "after": after, "limit": _PAGE}):
            yield from page
            after = page[-1].position

    def newest(self, count: int, wanted: Filter = EVERYTHING) -> Sequence[Record]:
        return self._rows(_NEWEST, {**_parameters(wanted), "limit": count})[::-1]

    def find(self, prefix: str) -> Sequence[Record]:
        return self._rows(_FIND, (prefix, prefix + "g"))  # "g" sorts after every hex digit

    def policy_text(self, policy_hash: Digest) -> bytes | None:
        row = self._connection.execute("SELECT text FROM policy WHERE hash = ?", (policy_hash,)).fetchone()
        return None if row is None else bytes(row[0])

    def count(self) -> int:
        (count,) = self._connection.execute("SELECT count(*) FROM ledger").fetchone()
        return int(count)

    def _rows(self, query: str, parameters: dict[str, object] | tuple[str, ...]) -> list[Record]:
        return [_record(row) for row in self._connection.execute(query, parameters)]


def _parameters(wanted: Filter) -> dict[str, object]:
    names = ("session_id", "workflow", "account", "tool_name", "verb", "decision")
    return {name: getattr(wanted, name) for name in names}


def _record(row: sqlite3.Row | tuple[object, ...]) -> Record:
    position, action_hash, session_id, receipt, audit_entry, policy_hash = row
    return Record(
        position=int(position),  # type: ignore[call-overload]
        action_hash=Digest(str(action_hash)),
        session_id=None if session_id is None else SessionId(str(session_id)),
        receipt=bytes(receipt),  # type: ignore[call-overload, arg-type]
        audit_entry=bytes(audit_entry),  # type: ignore[call-overload, arg-type]
        policy_hash=Digest(str(policy_hash)),
    )
