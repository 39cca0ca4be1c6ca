"""Reading the ledger's file, on a connection that cannot write and never holds a transaction open for long."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from heso.core.audit import GENESIS, AuditTail, describe_receipt, format_audit_entry
from heso.core.encoding import Digest
from heso.core.errors import Malformed
from heso.core.instant import Instant, format_instant
from heso.core.receipt import SessionId
from heso.ports import EVERYTHING, Filter, Record, Unreadable
from heso.stores.sqlite.connecting import open_reader
from heso.stores.sqlite.forking import survive_forks

_PAGE = 500
_HASH_PAGE = 1000
_FOUND_AT_MOST = 10
_MOST = 2**31
_SELECT = """SELECT ledger.position, ledger.session_id, ledger.recorded_at, ledger.receipt,
    ledger.entry_hash, earlier.entry_hash
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
_FIND = """SELECT position FROM ledger
    WHERE action_hash >= :low AND action_hash <= :high AND hex(action_hash) LIKE :like LIMIT :limit"""
_HASHES = "SELECT position, action_hash, receipt FROM ledger WHERE position > :after ORDER BY position LIMIT :limit"
_AT = f"{_SELECT} WHERE ledger.position = :position"


class SqliteRecords:
    """`Records` of one project. Close it when done."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = open_reader(file)
        survive_forks(self)

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def read(self, wanted: Filter = EVERYTHING, *, after: int = -1) -> Iterator[Record]:
        while page := self._rows(_READ, {**_parameters(wanted), "after": after, "limit": _PAGE}):
            yield from page
            after = page[-1].position

    def newest(self, count: int, wanted: Filter = EVERYTHING) -> Sequence[Record]:
        return self._rows(_NEWEST, {**_parameters(wanted), "limit": min(count, _MOST)})[::-1]

    def find(self, prefix: str) -> Sequence[Record]:
        bounds = {
            "low": bytes.fromhex(prefix.ljust(64, "0")),
            "high": bytes.fromhex(prefix.ljust(64, "f")),
            "like": prefix + "%",
            "limit": _FOUND_AT_MOST,
        }
        positions = [position for (position,) in self._ask(_FIND, bounds)]
        return [record for at in positions for record in self._rows(_AT, {"position": at})]

    def action_hashes(self) -> Iterator[Digest]:
        after = -1
        while page := self._ask(_HASHES, {"after": after, "limit": _HASH_PAGE}):
            yield from (self._filed_hash(*row) for row in page)
            after = page[-1][0]

    def _filed_hash(self, position: int, filed: bytes, receipt: bytes) -> Digest:
        """A tree over a column that says something else than the receipts would prove what is not there."""
        action_hash = filed.hex()
        try:
            is_filed = orjson.loads(receipt)["content"]["action_hash"] == action_hash
        except (ValueError, KeyError, TypeError):
            is_filed = False
        if not is_filed:
            raise Unreadable(str(self._file), f"row {position} is not filed under its own hash")
        return Digest(action_hash)

    def policy_text(self, policy_hash: Digest) -> bytes | None:
        query = "SELECT text FROM policy WHERE hash = :hash LIMIT 1"
        rows = self._ask(query, {"hash": bytes.fromhex(policy_hash)})
        return bytes(rows[0][0]) if rows else None

    def count(self) -> int:
        ((last,),) = self._ask("SELECT max(position) FROM ledger", {})
        return 0 if last is None else int(last) + 1

    def before_fork(self) -> None:
        self._lock.acquire()
        self.close()

    def after_fork_in_parent(self) -> None:
        self._lock.release()

    def after_fork_in_child(self) -> None:
        self._lock = threading.RLock()

    def _rows(self, query: str, parameters: dict[str, object]) -> list[Record]:
        return [_record(row) for row in self._ask(query, parameters)]

    def _ask(self, query: str, parameters: dict[str, object]) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                if self._connection is None:  # it was given up for a fork
                    self._connection = open_reader(self._file)
                return self._connection.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            raise Unreadable(str(self._file), str(error)) from error


def _parameters(wanted: Filter) -> dict[str, object]:
    names = ("session_id", "workflow", "account", "tool_name", "verb", "decision")
    return {name: getattr(wanted, name) for name in names}


def _record(row: tuple[Any, ...]) -> Record:
    """The audit entry follows from the receipt; its hash is the stored one, so a changed receipt shows."""
    position, session_id, recorded_at, receipt, entry_hash, earlier = row
    before = AuditTail(position, GENESIS if earlier is None else Digest(earlier.hex()))
    try:
        envelope: Any = orjson.loads(receipt)  # our own; whoever verifies it reads it strictly
        facts = describe_receipt(
            envelope["content"],
            recorded_at=format_instant(Instant(recorded_at)),
            signer=envelope["signatures"][0]["public_key"],
        )
        entry = format_audit_entry(before, facts, Digest(entry_hash.hex()))
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, Malformed) as error:
        raise Unreadable("the ledger", f"row {position} holds no receipt") from error
    return Record(
        position=position,
        session_id=None if session_id is None else SessionId(session_id),
        receipt=receipt,
        audit_entry=entry,
    )
