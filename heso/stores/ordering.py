"""Putting receipts in order: the one place where chains grow, shared by every store.

Rule 1: an `Ordering` is only right while its store lets nobody else write. The store makes it inside its write
        transaction and drops it whenever that transaction does not commit.
Rule 2: a batch is placed whole or not at all.
Rule 3: what a store keeps beside the receipts (tickets, runs) it writes at once, so that the next batch of the same
        transaction is shown it.
Rule 4: a key that handed over signs nothing any more, in whichever process it still is.
Rule 5: a lifecycle link that could not follow the ones before it is refused, so every chain that was written can be
        verified.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from heso.core.audit import AuditFacts, AuditTail, describe_receipt, extend_audit
from heso.core.chain import Head, link_hash
from heso.core.encoding import Digest, PublicKey
from heso.core.hashing import digest
from heso.core.hot import hot_value
from heso.core.instant import format_instant
from heso.core.journal import Run, RunId, Signal
from heso.core.lifecycle import KEYS_SESSION, Course, check_session_kind
from heso.core.receipt import Receipt, SessionId
from heso.core.ticket import Ticket
from heso.ports import Batch, Entry, KeyRetired, Seal

_LATEST = 2**63 - 1
_REMEMBERED_SESSIONS = 10_000


@hot_value
class Placed:
    """A receipt with its place in the audit chain and, unless it stands alone, in its session."""

    entry: Entry
    before: AuditTail
    entry_hash: Digest
    session_id: SessionId | None
    seq: int | None

    @property
    def position(self) -> int:
        return self.before.size


class Contents(Protocol):
    """What an ordering reads of its store, inside the store's own transaction."""

    def load_head(self, session: SessionId) -> Head | None: ...

    def load_links(self, session: SessionId) -> Iterable[Mapping[str, Any]]:
        """The contents of a lifecycle session, in order; it is never long."""
        ...

    def load_ticket(self, action_hash: Digest) -> Ticket | None: ...

    def load_undelivered(self, call_key: Digest) -> Ticket | None: ...

    def load_run(self, run: RunId) -> Run | None: ...

    def load_signal(self, run: RunId, name: str) -> Signal | None: ...


class Ordering:
    """The ends of all chains, and the tickets, as the store's `contents` have them."""

    def __init__(self, tail: AuditTail, policy_hash: Digest | None, contents: Contents) -> None:
        self.policy_hash = policy_hash
        self._tail = tail
        self._contents = contents
        self.retired_keys = _retired_by(contents.load_links(KEYS_SESSION))
        self._heads: dict[SessionId, Head | None] = {}
        self._courses: dict[SessionId, Course | Mapping[str, Any]] = {}

    def begin(self) -> None:
        """A transaction begins. What came before it is in the store.

        What is remembered of an action's own session goes: after a request nothing follows for minutes or weeks, and ten
        thousand contents in memory make Python's collector dear. So do the heads, once there are too many.
        """
        for session in self._courses:
            self._heads.pop(session, None)
        self._courses.clear()
        if len(self._heads) > _REMEMBERED_SESSIONS:
            self._heads.clear()

    def head(self, session: SessionId) -> Head | None:
        if session not in self._heads:
            self._heads[session] = self._contents.load_head(session)
        return self._heads[session]

    def ticket(self, action_hash: Digest) -> Ticket | None:
        return self._contents.load_ticket(action_hash)

    def undelivered(self, call_key: Digest) -> Ticket | None:
        return self._contents.load_undelivered(call_key)

    def run(self, run: RunId) -> Run | None:
        return self._contents.load_run(run)

    def signal(self, run: RunId, name: str) -> Signal | None:
        return self._contents.load_signal(run, name)

    def place(self, seal: Seal) -> tuple[Batch, tuple[Placed, ...]]:
        """Call `seal` and give what it made its places. If anything raises, nothing has moved."""
        batch = seal(self)
        if not batch.entries and batch.policy is None:
            return batch, ()
        tail = self._tail
        moved: dict[SessionId, Head | None] = {}
        courses: dict[SessionId, Course | Mapping[str, Any]] = {}
        rows: list[Placed] = []
        for entry in batch.entries:
            if entry.receipt.signer in self.retired_keys:
                raise KeyRetired(entry.receipt.signer)
            if not 0 <= entry.at <= _LATEST:
                raise ValueError(f"{entry.at} is no time a ledger can hold")
            session, seq = self._advance(entry.receipt, moved, courses)
            after = extend_audit(tail, audit_facts(entry))
            rows.append(Placed(entry, tail, after.entry_hash, session, seq))
            tail = after
        self._tail = tail
        self._heads.update(moved)
        if KEYS_SESSION in moved:
            self.retired_keys |= _retired_by(entry.receipt.content for entry in batch.entries)
        self._courses.update(courses)
        if batch.policy is not None:
            self.policy_hash = digest(batch.policy)
        return batch, tuple(rows)

    def _advance(
        self,
        receipt: Receipt,
        moved: dict[SessionId, Head | None],
        courses: dict[SessionId, Course | Mapping[str, Any]],
    ) -> tuple[SessionId | None, int | None]:
        content: dict[str, Any] = receipt.content
        if "session_id" not in content:
            return None, None
        session: SessionId = content["session_id"]
        seq: int = content["seq"]
        if seq == 0 and content.get("kind") == "suspended" and session not in moved:
            before = None  # named after a receipt that is new; a unique index stands guard
        else:
            before = moved[session] if session in moved else self.head(session)
        want = (0, None) if before is None else (before.seq + 1, before.link)
        if (seq, content.get("prev_receipt_hash")) != want:
            raise ValueError(
                f"a receipt was sealed for place {seq} of {session!r}, which is at {want[0]}"
            )
        if check_session_kind(session, content.get("kind", "action")):
            self._follow(session, content, courses)
        moved[session] = Head(seq, link_hash(session, seq, receipt.action_hash))
        return session, seq

    def _follow(
        self,
        session: SessionId,
        content: Mapping[str, Any],
        courses: dict[SessionId, Course | Mapping[str, Any]],
    ) -> None:
        """Refuse what cannot follow. Links placed before in this transaction are not in the store yet: `_courses` has
        them."""
        if content["seq"] == 0 and content["kind"] == "suspended":
            courses[session] = (
                content  # it may; where it leads is worked out once something follows
            )
            return
        course = courses.get(session) or self._courses.get(session)
        if course is None:
            course = Course()
            for link in self._contents.load_links(session):
                course.take(link)
        elif isinstance(course, Course):
            course = course.copy()
        else:
            opening, course = course, Course()
            course.take(opening)
        courses[session] = course
        course.take(content)


def _retired_by(links: Iterable[Mapping[str, Any]]) -> frozenset[PublicKey]:
    rotations = (link["key_rotation"] for link in links if "key_rotation" in link)
    return frozenset(PublicKey(rotation["outgoing_public_key"]) for rotation in rotations)


def audit_facts(entry: Entry) -> AuditFacts:
    receipt = entry.receipt
    return describe_receipt(
        receipt.content, recorded_at=format_instant(entry.at), signer=receipt.signer
    )
