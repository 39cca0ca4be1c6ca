"""The floor: the least Python that signs a HESO/1 receipt and has it on disk before the body runs.

Rule 1: no work is left out that any signed and durable gate must do: canonical bytes, hash, signature, the link of
the session chain, the entry of the audit chain, a row that is unique per (session, seq), an fsync.
Rule 2: nothing else is done: no policy, no signature inspection, no redaction, no approvals, no settings.
Rule 3: what it writes is real. Its receipts and its chain are checked by heso's own verifier before any number counts.

Limits: the heads live in memory, so one ledger belongs to one process (a second one fails on the unique key; for two
there is `bench.shared_floor`); a failed commit ends the process; text that only the slow path of RFC 8785 can write is refused.
"""

import asyncio
import base64
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any

import orjson
from blake3 import blake3
from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair

from bench.workload import ACCOUNT, TOOL, WORKFLOW, AsyncBody, Body

ACTION_DOMAIN = b"heso-action/v1\0"
LINK_PREFIX = b"heso-rcpt-chain/v1\0"
AUDIT_PREFIX = b"heso-audit/v1\0"
EXACT_INTEGER = 2**53 - 1
SEED = bytes(range(32))
RECEIPTS_PER_CHUNK = 100

SCHEMA = """
CREATE TABLE IF NOT EXISTS ledger (
    audit_seq INTEGER PRIMARY KEY, session TEXT NOT NULL, seq INTEGER NOT NULL,
    entry_hash TEXT NOT NULL, receipt BLOB NOT NULL, UNIQUE (session, seq))
"""
INSERT = "INSERT INTO ledger VALUES (?, ?, ?, ?, ?)"
TICKETS = """
CREATE TABLE IF NOT EXISTS ticket (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, call TEXT NOT NULL, asked BLOB NOT NULL,
    state TEXT NOT NULL, due INTEGER NOT NULL, fence INTEGER NOT NULL, owner TEXT NOT NULL)
"""
DUE = "CREATE INDEX IF NOT EXISTS ticket_due ON ticket (state, due)"
CALL = "CREATE INDEX IF NOT EXISTS ticket_call ON ticket (call)"
KNOWN = "SELECT name FROM ticket WHERE call = ?"
ASK = (
    "INSERT INTO ticket (name, call, asked, state, due, fence, owner) VALUES (?, ?, ?, ?, ?, 0, '')"
)
TAKE = """UPDATE ticket SET state = 'running', fence = fence + 1, owner = 'me', due = due + 1
    WHERE name = ? AND state = 'approved' RETURNING number, name, asked, due, fence"""

Row = tuple[int, str, int, str, bytes]
Statement = tuple[str, tuple[Any, ...]]
Waiting = tuple["Row | tuple[Statement, ...]", "asyncio.Future[None]"]


def is_plain(value: object) -> bool:
    """Tell whether orjson's sorted output of this value is RFC 8785 to the byte.

    Floats are printed otherwise, large integers are not doubles, and keys outside ASCII can sort otherwise.
    """
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str or not key.isascii():
                return False
            if type(item) is not str and not is_plain(item):
                return False
        return True
    if isinstance(value, list):
        return all(map(is_plain, value))
    return isinstance(value, int) and -EXACT_INTEGER <= value <= EXACT_INTEGER


def canonical(value: object) -> bytes:
    """Serialise a value that is_plain has let through."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def link_hash(session: bytes, seq: int, action_hash: str) -> str:
    """Hash what the next receipt of the session has to name."""
    return blake3(
        LINK_PREFIX
        + len(session).to_bytes(8, "little")
        + session
        + b"\x08\0\0\0\0\0\0\0"
        + seq.to_bytes(8, "little")
        + b"\x40\0\0\0\0\0\0\0"
        + action_hash.encode()
    ).hexdigest()


@dataclass(slots=True)
class Taken:
    """What was claimed."""

    number: int
    name: str
    asked: bytes
    due: int
    fence: int


class Floor:
    """One ledger, one key, one session; sync gates commit inline, async ones through a writer thread."""

    def __init__(self, folder: Path, session: str = WORKFLOW) -> None:
        public, self._secret = crypto_sign_seed_keypair(SEED)
        self._public = base64.b64encode(public).decode()
        self._session, self._session_bytes = session, session.encode()
        self._seq, self._link = 0, ""
        self._audit_seq, self._entry_hash = 0, "0" * 64
        self._lock = Lock()
        self._queue: SimpleQueue[Waiting] = SimpleQueue()
        self._database = sqlite3.connect(
            folder / "floor.db", isolation_level=None, check_same_thread=False
        )
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        for statement in (SCHEMA, TICKETS, DUE, CALL):
            self._database.execute(statement)
        self._asked = 0
        self._taken: dict[str, Taken] = {}
        Thread(target=self._write, daemon=True).start()

    def gated(self, body: Body) -> Body:
        """Gate a function: when the body starts, its receipt is on disk."""

        def gate(**fields: Any) -> int:
            with self._lock:
                self._commit([self._row(fields)])
            return body(**fields)

        return gate

    def async_gated(self, body: AsyncBody) -> AsyncBody:
        """Gate a coroutine function; gates that wait at the same time share a commit."""

        async def gate(**fields: Any) -> int:
            durable = asyncio.get_running_loop().create_future()
            self._queue.put((self._row(fields), durable))
            await durable
            return await body(**fields)

        return gate

    def receipts(self) -> list[bytes]:
        """Return what is stored, in order."""
        rows = self._database.execute("SELECT receipt FROM ledger ORDER BY audit_seq")
        return [receipt for (receipt,) in rows]

    def verify(self, receipt: bytes) -> None:
        """Raise unless the receipt holds."""
        verified(receipt)

    def verify_chain(self, receipts: Sequence[bytes], cores: int) -> None:
        """Raise unless every receipt holds and names the one before it."""
        if cores == 1:
            return self._check_order(map(placed, receipts))
        with get_context("fork").Pool(cores) as pool:
            return self._check_order(pool.imap(placed, receipts, RECEIPTS_PER_CHUNK))

    def _check_order(self, links: Iterable[tuple[str, int, str, str]]) -> None:
        link = ""
        for position, (session, seq, before, action_hash) in enumerate(links):
            if seq != position or before != link:
                raise ValueError(position)
            link = link_hash(session.encode(), position, action_hash)

    def prove(self, leaves: Sequence[bytes], index: int) -> Sequence[bytes]:
        """The inclusion proof of a leaf, from a tree that is held whole."""
        level = [sha256(b"\0" + leaf).digest() for leaf in leaves]
        proof = []
        while len(level) > 1:
            if index ^ 1 < len(level):
                proof.append(level[index ^ 1])
            pairs = zip(level[::2], level[1::2], strict=False)
            above = [sha256(b"\1" + left + right).digest() for left, right in pairs]
            level = above + level[len(level) - len(level) % 2 :]
            index //= 2
        self._root = level[0]
        return proof

    def check_proof(self, leaves: int, index: int, leaf: bytes, proof: Sequence[bytes]) -> None:
        """Raise unless the proof leads to the root."""
        found, last, nodes = sha256(b"\0" + leaf).digest(), leaves - 1, iter(proof)
        while last:
            if index % 2 or index < last:
                node = next(nodes)
                pair = node + found if index % 2 else found + node
                found = sha256(b"\1" + pair).digest()
            index, last = index // 2, last // 2
        if found != self._root:
            raise ValueError(index)

    async def suspend(self, call: dict[str, Any]) -> None:
        """What no durable asking can do without, in one transaction with whoever else waits: was this very call asked
        before, the asked receipt, the link that opens the action's own chain, and the ticket under the receipt's hash."""
        key = blake3(canonical(call)).hexdigest()
        asked = self._row(call)
        name = loads_hash(asked[4])
        link = self._opening_link(call, name)
        self._asked += 1
        ticket = (ASK, (name, key, asked[4], "suspended", self._asked))
        await self._durable(((KNOWN, (key,)), (INSERT, asked), (INSERT, link), ticket))

    def _opening_link(self, call: dict[str, Any], name: str) -> Row:
        content = self._content(call)
        content.update(kind="suspended", session_id=f"lifecycle:{name}", seq=0)
        content.pop("prev_receipt_hash", None)
        receipt = self._signed(content)
        audit_seq, entry_hash = self._audited(content["action_hash"], content["captured_at"])
        return audit_seq, content["session_id"], 0, entry_hash, receipt

    def approve_all(self, number: int) -> Sequence[str]:
        """Tickets that were approved, under names like hashes."""
        names = [blake3(b"%d" % (self._asked + n)).hexdigest() for n in range(1, number + 1)]
        self._asked += number
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            rows = [(name, name, b"x" * 1000, "approved", 1) for name in names]
            self._database.executemany(ASK, rows)
            self._database.execute("COMMIT")
        return names

    async def claim(self, name: str) -> None:
        """One conditional update, in one transaction with whoever else waits, and what it claimed."""
        await self._durable(((TAKE, (name,)),))
        taken = self._taken.pop(name)
        if taken.fence != 1:
            raise ValueError(name)

    async def inbox(self) -> int:
        """A page, most urgent first."""
        query = "SELECT * FROM ticket WHERE state = 'suspended' ORDER BY due LIMIT 50"
        return len(self._database.execute(query).fetchall())

    def restart(self) -> None:
        """Nothing is kept open that would have to be read again."""

    def fill(self, number: int) -> None:
        """Not asked of the floor."""
        raise NotImplementedError(number)

    async def _durable(self, statements: tuple[Statement, ...]) -> None:
        durable = asyncio.get_running_loop().create_future()
        self._queue.put((statements, durable))
        await durable

    def _row(self, fields: dict[str, Any]) -> Row:
        content, receipt = self._in_session(fields)
        audit_seq, entry_hash = self._audited(content["action_hash"], content["captured_at"])
        return audit_seq, self._session, content["seq"], entry_hash, receipt

    def _in_session(self, fields: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        content = self._content(fields)
        receipt = self._signed(content)
        self._link = link_hash(self._session_bytes, self._seq, content["action_hash"])
        self._seq += 1
        return content, receipt

    def _content(self, fields: dict[str, Any]) -> dict[str, Any]:
        content: dict[str, Any] = {
            "action_version": "heso-action/2.0",
            "captured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "agent_identity": self._public,
            "action": {
                "verb": "tool_call",
                "tool_name": TOOL,
                "workflow": WORKFLOW,
                "account": ACCOUNT,
                "fields": fields,
            },
            "policy": {
                "rule_id": "allow-tools",
                "rule_display": "When any agent calls a tool, then allow.",
                "matched_conditions": [],
                "decision_path": "allow",
            },
            "trust_level": "L0",
            "session_id": self._session,
            "seq": self._seq,
        }
        if self._seq:
            content["prev_receipt_hash"] = self._link
        return content

    def _signed(self, content: dict[str, Any]) -> bytes:
        # Only the fields come from outside; the rest is plain because it is written above.
        if not is_plain(content["action"]["fields"]):
            raise ValueError(content)
        body = canonical(content)
        content["action_hash"] = blake3(body).hexdigest()
        signature = crypto_sign(ACTION_DOMAIN + body, self._secret)[:64]
        operator = {
            "algorithm": "Ed25519",
            "key_id": "operator",
            "public_key": self._public,
            "signature": base64.b64encode(signature).decode(),
        }
        return orjson.dumps(
            {"alg": "heso-action/v2+ed25519", "content": content, "signatures": [operator]}
        )

    def _audited(self, action_hash: str, at: str) -> tuple[int, str]:
        audit_seq = self._audit_seq
        entry = {
            "seq": audit_seq,
            "prev_hash": self._entry_hash,
            "action_hash": action_hash,
            "workflow": WORKFLOW,
            "account": ACCOUNT,
            "gate_decision": "allow",
            "trust_level": "L0",
            "redaction_count": 0,
            "recorded_at": at,
            "signing_key_id": self._public,
        }
        entry_hash = blake3(AUDIT_PREFIX + canonical({"audit_entry": entry})).hexdigest()
        self._audit_seq, self._entry_hash = audit_seq + 1, entry_hash
        return audit_seq, entry_hash

    def _commit(self, rows: "list[Row | tuple[Statement, ...]]") -> None:
        self._database.execute("BEGIN IMMEDIATE")
        self._database.executemany(INSERT, [row for row in rows if type(row[0]) is int])
        for statements in rows:
            if type(statements[0]) is tuple:
                for statement, values in statements:
                    found = self._database.execute(statement, values).fetchone()
                    if statement is TAKE:  # whoever claims has to know what to run
                        self._taken[str(values[0])] = Taken(*found)
        self._database.execute("COMMIT")

    def _write(self) -> None:
        while True:
            batch = [self._queue.get()]
            try:
                while True:
                    batch.append(self._queue.get_nowait())
            except Empty:
                pass
            with self._lock:
                self._commit([row for row, _ in batch])
            loop = batch[0][1].get_loop()
            loop.call_soon_threadsafe(_settle, [durable for _, durable in batch])


def loads_hash(receipt: bytes) -> str:
    """The action hash that a receipt of ours shows."""
    name: str = orjson.loads(receipt)["content"]["action_hash"]
    return name


def verified(receipt: bytes) -> dict[str, Any]:
    """Check hash and signature of one receipt and return its content; ValueError or a libsodium error if not."""
    envelope = orjson.loads(receipt)
    content: dict[str, Any] = envelope["content"]
    claimed = content.pop("action_hash")
    if not is_plain(content):
        raise ValueError(claimed)
    body = canonical(content)
    if blake3(body).hexdigest() != claimed:
        raise ValueError(claimed)
    signed = envelope["signatures"][0]
    signature = base64.b64decode(signed["signature"])
    crypto_sign_open(signature + ACTION_DOMAIN + body, base64.b64decode(signed["public_key"]))
    content["action_hash"] = claimed
    return content


@contextmanager
def opened(folder: Path, session: str) -> Iterator[Floor]:
    """Open the floor in a folder of its own."""
    yield Floor(folder, session or WORKFLOW)


def _settle(waiting: list["asyncio.Future[None]"]) -> None:
    for durable in waiting:
        if not durable.done():
            durable.set_result(None)


def placed(receipt: bytes) -> tuple[str, int, str, str]:
    """What a chain needs to know of a receipt that holds: session, place, the hash before, its own."""
    content = verified(receipt)
    before = content.get("prev_receipt_hash", "")
    return content["session_id"], content["seq"], before, content["action_hash"]
