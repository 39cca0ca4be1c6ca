"""The reference store: everything in memory, nothing survives the process. For tests, and to read the port by."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from heso.core.audit import START, format_audit_entry
from heso.core.encoding import Digest
from heso.core.hashing import digest
from heso.core.instant import Instant
from heso.core.receipt import Json, SessionId
from heso.core.ticket import Ticket, TicketState
from heso.ports import EVERYTHING, Appended, Filter, NotWritten, Record, Seal
from heso.stores.ordering import Ordering, Placed, audit_facts


class MemoryLedger:
    """A `Ledger` and its `Records`."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._ordering = Ordering(START, None, self)
        self._rows: list[Placed] = []
        self._policies: dict[Digest, bytes] = {}
        self._is_closed = False
        self.tickets = MemoryTickets()

    async def append(self, seal: Seal) -> tuple[Appended, ...]:
        return self.append_inline(seal)

    def append_inline(self, seal: Seal) -> tuple[Appended, ...]:
        with self._turn:
            if self._is_closed:
                raise NotWritten("the ledger is closed")
            batch, rows = self._ordering.place(seal)
            self._rows.extend(rows)
            for ticket in batch.tickets:
                self.tickets.put(ticket)
            if batch.policy is not None:
                self._policies.setdefault(digest(batch.policy), batch.policy)
            return tuple(Appended(row.position, row.entry_hash, row.entry.receipt) for row in rows)

    def close(self) -> None:
        with self._turn:
            self._is_closed = True

    def load_head(self, session: SessionId) -> None:  # noqa: ARG002  # the ordering never forgets one
        return None

    def load_links(self, session: SessionId) -> list[Json]:
        return [row.entry.receipt.content for row in self._rows if row.session_id == session]

    def load_ticket(self, action_hash: Digest) -> Ticket | None:
        return self.tickets.by_hash.get(action_hash)

    def load_undelivered(self, call_key: Digest) -> Ticket | None:
        newest = reversed(self.tickets.by_hash.values())
        return next((t for t in newest if t.call_key == call_key and not t.is_delivered), None)

    def read(self, wanted: Filter = EVERYTHING, *, after: int = -1) -> Iterator[Record]:
        for row in islice(self._rows, after + 1, None):
            if _fits(row, wanted):
                yield _record(row)

    def newest(self, count: int, wanted: Filter = EVERYTHING) -> Sequence[Record]:
        fitting = [_record(row) for row in self._rows if _fits(row, wanted)]
        return fitting[-count:] if count else []

    def find(self, prefix: str) -> Sequence[Record]:
        fitting = (row for row in self._rows if row.entry.receipt.action_hash.startswith(prefix))
        return [_record(row) for row in islice(fitting, 10)]

    def action_hashes(self) -> Iterator[Digest]:
        return (row.entry.receipt.action_hash for row in self._rows)

    def policy_text(self, policy_hash: Digest) -> bytes | None:
        return self._policies.get(policy_hash)

    def count(self) -> int:
        return len(self._rows)


class MemoryTickets:
    """`Tickets`; the ledger writes them."""

    def __init__(self) -> None:
        self.by_hash: dict[Digest, Ticket] = {}

    def put(self, ticket: Ticket) -> None:
        known = self.by_hash.get(ticket.action_hash)
        number = len(self.by_hash) + 1 if known is None else known.number
        self.by_hash[ticket.action_hash] = replace(ticket, number=number)

    async def find(self, action_hash: Digest) -> Ticket | None:
        return self.by_hash.get(action_hash)

    async def beginning(self, prefix: str) -> Sequence[Ticket]:
        return [self.by_hash[key] for key in sorted(self.by_hash) if key.startswith(prefix)][:10]

    async def in_state(
        self, state: TicketState, *, after: tuple[int, int] = (-1, -1), limit: int = 50
    ) -> Sequence[Ticket]:
        return [t for t in self._in_order(state) if (t.due, t.number) > after][:limit]

    async def due(self, state: TicketState, by: Instant, *, limit: int = 50) -> Sequence[Ticket]:
        return [t for t in self._in_order(state) if t.due <= by][:limit]

    async def count(self, state: TicketState) -> int:
        return len(self._in_order(state))

    def _in_order(self, state: TicketState) -> list[Ticket]:
        found = [ticket for ticket in self.by_hash.values() if ticket.state is state]
        return sorted(found, key=lambda ticket: (ticket.due, ticket.number))


class MemoryReveals:
    """`Reveals`."""

    def __init__(self) -> None:
        self._sidecars: dict[Digest, bytes] = {}

    def keep(self, merkle_root: Digest, sidecar: bytes) -> None:
        self._sidecars.setdefault(merkle_root, sidecar)

    def find(self, merkle_root: Digest) -> bytes | None:
        return self._sidecars.get(merkle_root)


class MemoryNonces:
    """`Nonces`."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._spent: set[bytes] = set()

    def spend(self, nonce: bytes, expiry_seconds: int) -> bool:  # noqa: ARG002  # nothing is ever forgotten here
        with self._turn:
            is_fresh = nonce not in self._spent
            self._spent.add(nonce)
            return is_fresh


def _record(row: Placed) -> Record:
    return Record(
        position=row.position,
        session_id=row.session_id,
        receipt=row.entry.receipt.body,
        audit_entry=format_audit_entry(row.before, audit_facts(row.entry)),
    )


def _fits(row: Placed, wanted: Filter) -> bool:
    facts = audit_facts(row.entry)
    action: dict[str, str] = row.entry.receipt.content["action"]  # type: ignore[assignment]
    pairs = (
        (wanted.session_id, row.session_id),
        (wanted.workflow, facts["workflow"]),
        (wanted.account, facts["account"]),
        (wanted.decision, facts["gate_decision"]),
        (wanted.tool_name, action["tool_name"]),
        (wanted.verb, action["verb"]),
    )
    return all(want is None or want == value for want, value in pairs)
