"""Putting receipts in order: the one place where chains grow, shared by every store.

Rule 1: an `Ordering` is only right while its store lets nobody else write. The store makes it inside its write
        transaction and drops it whenever that transaction does not commit.
Rule 2: a batch is placed whole or not at all.
"""

from collections.abc import Callable
from dataclasses import dataclass

from heso.core.audit import AuditFacts, AuditTail, extend_audit
from heso.core.chain import Head, link_hash
from heso.core.encoding import Digest
from heso.core.instant import format_instant
from heso.core.receipt import Receipt, SessionId
from heso.ports import Batch, Entry, Seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A receipt with its place in the audit chain and, unless it stands alone, in its session."""

    entry: Entry
    position: int
    audit_entry: bytes
    entry_hash: Digest
    session_id: SessionId | None
    head: Head | None


class Ordering:
    """The ends of all chains. `load_head` reads a session's head from the store."""

    def __init__(
        self,
        tail: AuditTail,
        policy_hash: Digest | None,
        load_head: Callable[[SessionId], Head | None],
    ) -> None:
        self.policy_hash = policy_hash
        self._tail = tail
        self._load_head = load_head
        self._heads: dict[SessionId, Head | None] = {}

    @property
    def size(self) -> int:
        """How many sessions' heads are remembered."""
        return len(self._heads)

    def forget_heads(self) -> None:
        """Forget what is remembered of sessions. Only between transactions."""
        self._heads.clear()

    def head(self, session: SessionId) -> Head | None:
        if session not in self._heads:
            self._heads[session] = self._load_head(session)
        return self._heads[session]

    def place(self, seal: Seal) -> tuple[Batch, tuple[Placed, ...]]:
        """Call `seal` and give what it made its places. If anything raises, nothing has moved."""
        batch = seal(self)
        tail = self._tail
        moved: dict[SessionId, Head | None] = {}
        rows: list[Placed] = []
        for entry in batch.entries:
            session, head = self._advance(entry.receipt, moved)
            audit_entry, next_tail = extend_audit(tail, _facts(entry))
            rows.append(
                Placed(
                    entry=entry,
                    position=tail.size,
                    audit_entry=audit_entry,
                    entry_hash=next_tail.entry_hash,
                    session_id=session,
                    head=head,
                )
            )
            tail = next_tail
        self._tail = tail
        self._heads.update(moved)
        if rows:
            self.policy_hash = rows[-1].entry.policy_hash
        return batch, tuple(rows)

    def _advance(
        self, receipt: Receipt, moved: dict[SessionId, Head | None]
    ) -> tuple[SessionId | None, Head | None]:
        content = receipt.content
        if "session_id" not in content:
            return None, None
        session = SessionId(str(content["session_id"]))
        before = moved[session] if session in moved else self.head(session)
        seq = content["seq"]
        want = (0, None) if before is None else (before.seq + 1, before.link)
        if (seq, content.get("prev_receipt_hash")) != want or not isinstance(seq, int):
            raise ValueError(f"a receipt was sealed for place {seq} of {session!r}, which is at {want[0]}")
        head = Head(seq, link_hash(session, seq, receipt.action_hash))
        moved[session] = head
        return session, head


def _facts(entry: Entry) -> AuditFacts:
    content = entry.receipt.content
    action: dict[str, str] = content["action"]  # type: ignore[assignment]
    policy: dict[str, str] = content["policy"]  # type: ignore[assignment]
    redaction: dict[str, list[object]] = content.get("redaction", {})  # type: ignore[assignment]
    return AuditFacts(
        action_hash=entry.receipt.action_hash,
        workflow=action["workflow"],
        account=action["account"],
        gate_decision=str(content.get("kind", policy["decision_path"])),
        trust_level=str(content["trust_level"]),
        redaction_count=len(redaction.get("markers", ())),
        recorded_at=format_instant(entry.at),
        signing_key=entry.receipt.signer,
    )
