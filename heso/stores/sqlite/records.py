"""Reading the ledger's file, on a connection that cannot write and never holds a transaction open for long."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from heso.core.audit import GENESIS, AuditTail, describe_receipt, format_audit_entry
from heso.core.encoding import Digest
from heso.core.instant import Instant, format_instant
from heso.core.receipt import SessionId
from heso.ports import EVERYTHING, Filter, Record
from heso.stores.sqlite.connecting import open_reader

_PAGE = 500
_FOUND_AT_MOST = 10
_SELECT = """SELECT ledger.position, ledger.session_id, ledger.recorded_at, ledger.receipt, earlier.entry_hash
    FROM ledger LEFT JOIN ledger AS earlier ON earlier.position = ledger.position - 1"""
_WANTED = """(:session_id IS NULL OR ledger.session_id = :session_id)
    AND (:workflow IS NULL OR ledger.workflow = :workflow)
    AND (:account IS NULL OR ledger.account = :account)
    AND (:tool_name IS NULL OR ledger.tool_name = :tool_name)
    AND (:verb IS NULL OR ledger.verb = :verb)
    AND (:decision IS NULL OR ledger.decision = :decision)"""
_READ = (
    f"{_SELECT} WHERE ledger.position > :after AND {_WANTED} ORDER BY ledger.position LIMIT :limit"
)
_NEWEST = f"{_SELECT} WHERE {_WANTED} ORDER BY ledger.position DESC LIMIT :limit"
_FIND = """SELECT position FROM ledger INDEXED BY ledger_hashes
    WHERE action_hash >= :low AND action_hash <= :high AND hex(action_hash) LIKE :like LIMIT :limit"""
_AT = f"{_SELECT} WHERE ledger.position = :position"


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
        bounds = {
            "low": bytes.fromhex(prefix.ljust(64, "0")),
            "high": bytes.fromhex(prefix.ljust(64, "f")),
            "like": prefix + "%",
            "limit": _FOUND_AT_MOST,
        }
        positions = [position for (position,) in self._connection.execute(_FIND, bounds)]
        return [record for at in positions for record in self._rows(_AT, {"position": at})]

    def policy_text(self, policy_hash: Digest) -> bytes | None:
        row = self._connection.execute(
            "SELECT text FROM policy WHERE hash = ?", (bytes.fromhex(policy_hash),)
        ).fetchone()
        return None if row is None else bytes(row[0])

    def count(self) -> int:
        (last,) = self._connection.execute("SELECT max(position) FROM ledger").fetchone()
        return 0 if last is None else int(last) + 1

    def _rows(self, query: str, parameters: dict[str, object]) -> list[Record]:
        return [_record(*row) for row in self._connection.execute(query, parameters)]


def _parameters(wanted: Filter) -> dict[str, object]:
    names = ("session_id", "workflow", "account", "tool_name", "verb", "decision")
    return {name: getattr(wanted, name) for name in names}


def _record(
    position: int, session_id: str | None, recorded_at: int, receipt: bytes, earlier: bytes | None
) -> Record:
    before = AuditTail(position, GENESIS if earlier is None else Digest(earlier.hex()))
    envelope: Any = orjson.loads(
        receipt
    )  # our own bytes; whoever verifies them reads them strictly
    facts = describe_receipt(
        envelope["content"],
        recorded_at=format_instant(Instant(recorded_at)),
        signer=envelope["signatures"][0]["public_key"],
    )
    return Record(
        position=position,
        session_id=None if session_id is None else SessionId(session_id),
        receipt=receipt,
        audit_entry=format_audit_entry(before, facts),
    )
