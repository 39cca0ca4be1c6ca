"""The reference store: everything in memory, nothing survives the process. For tests, and to read the port by."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from heso.core.audit import START, format_audit_entry
from heso.core.encoding import Digest
from heso.core.hashing import digest
from heso.core.instant import Instant
from heso.core.journal import ENDED_RUNS, JournalStep, Run, RunId, RunState, Signal
from heso.core.receipt import Json, SessionId
from heso.core.ticket import UNDECIDED, Ticket, TicketState
from heso.ports import EVERYTHING, Appended, Batch, Filter, NotWritten, Record, Seal
from heso.stores.ordering import Ordering, Placed, audit_facts


class MemoryLedger:
    """A `Ledger` and its `Records`."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._rows: list[Placed] = []
        self._ordering = Ordering(START, None, self)
        self._policies: dict[Digest, bytes] = {}
        self._is_closed = False
        self.tickets = MemoryTickets()
        self.journal = MemoryJournal(self.tickets)

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
            self.journal.put(batch)
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

    def load_run(self, run: RunId) -> Run | None:
        return self.journal.runs.get(run)

    def load_signal(self, run: RunId, name: str) -> Signal | None:
        waiting = (s for s in self.journal.signals.values() if not s.is_taken)
        return next((s for s in waiting if (s.run, s.name) == (run, name)), None)

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

    async def opened_after(self, number: int, *, limit: int = 50) -> Sequence[Ticket]:
        return [ticket for ticket in self.by_hash.values() if ticket.number > number][:limit]

    def _in_order(self, state: TicketState) -> list[Ticket]:
        found = [ticket for ticket in self.by_hash.values() if ticket.state is state]
        return sorted(found, key=lambda ticket: (ticket.due, ticket.number))


class MemoryJournal:
    """`Journal`; the ledger writes it."""

    def __init__(self, tickets: MemoryTickets) -> None:
        self.runs: dict[RunId, Run] = {}
        self.signals: dict[int, Signal] = {}
        self._steps: dict[RunId, dict[tuple[str, int], JournalStep]] = {}
        self._tickets = tickets

    def put(self, batch: Batch) -> None:
        self.runs.update({run.id: run for run in batch.runs})
        if batch.replaces_steps_of is not None:
            self._steps.pop(batch.replaces_steps_of, None)
        for step in batch.steps:
            self._steps.setdefault(step.run, {})[step.key] = step
        for signal in batch.signals:
            number = signal.number if signal.is_taken else len(self.signals) + 1
            self.signals[number] = replace(signal, number=number)

    async def find(self, run: RunId) -> Run | None:
        return self.runs.get(run)

    async def steps(self, run: RunId) -> Sequence[JournalStep]:
        found = self._steps.get(run, {}).values()
        return sorted(found, key=lambda step: (step.at, step.name, step.occurrence))

    async def newest(self, limit: int) -> Sequence[Run]:
        return list(reversed(self.runs.values()))[:limit]

    async def running(self, limit: int) -> Sequence[Run]:
        return [run for run in self.runs.values() if run.state is RunState.RUNNING][:limit]

    async def movable(self, now: Instant, limit: int) -> Sequence[Run]:
        return [run for run in self.runs.values() if self._may_move(run, now)][:limit]

    def _may_move(self, run: Run, now: Instant) -> bool:
        if run.state is not RunState.WAITING:
            return run.state is RunState.READY
        return run.due <= now or any(
            self._has_come(run, what) for what in run.waiting_for.splitlines()
        )

    def _has_come(self, run: Run, what: str) -> bool:
        kind, _, name = what.partition(":")
        if kind == "signal":
            untaken = {(s.run, s.name) for s in self.signals.values() if not s.is_taken}
            return (run.id, name) in untaken
        if kind == "run":
            child = self.runs.get(RunId(name))
            return child is not None and child.state in ENDED_RUNS
        ticket = self._tickets.by_hash.get(Digest(what))
        return ticket is not None and ticket.state not in UNDECIDED


class MemoryReveals:
    """`Reveals`."""

    def __init__(self) -> None:
        self._sidecars: dict[Digest, bytes] = {}

    def keep(self, merkle_root: Digest, sidecar: bytes) -> None:
        self._sidecars.setdefault(merkle_root, sidecar)

    def find(self, merkle_root: Digest) -> bytes | None:
        return self._sidecars.get(merkle_root)


class MemoryNotices:
    """`Notices`."""

    def __init__(self) -> None:
        self._sent: set[str] = set()

    def was_sent(self, key: str) -> bool:
        return key in self._sent

    def mark_sent(self, key: str) -> None:
        self._sent.add(key)


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
