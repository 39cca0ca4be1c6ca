"""Putting receipts in order: the one place where chains grow, shared by every store.

Rule 1: an `Ordering` is only right while its store lets nobody else write. The store makes it inside its write
        transaction and drops it whenever that transaction does not commit.
Rule 2: a batch is placed whole or not at all.
"""

from collections.abc import Callable
from typing import Any

from heso.core.audit import AuditFacts, AuditTail, describe_receipt, extend_audit
from heso.core.chain import Head, link_hash
from heso.core.encoding import Digest
from heso.core.hashing import digest
from heso.core.hot import hot_value
from heso.core.instant import format_instant
from heso.core.receipt import Receipt, SessionId
from heso.ports import Batch, Entry, Seal

_LATEST = 2**63 - 1


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
            if not 0 <= entry.at <= _LATEST:
                raise ValueError(f"{entry.at} is no time a ledger can hold")
            session, seq = self._advance(entry.receipt, moved)
            after = extend_audit(tail, audit_facts(entry))
            rows.append(Placed(entry, tail, after.entry_hash, session, seq))
            tail = after
        self._tail = tail
        self._heads.update(moved)
        if batch.policy is not None:
            self.policy_hash = digest(batch.policy)
        return batch, tuple(rows)

    def _advance(
        self, receipt: Receipt, moved: dict[SessionId, Head | None]
    ) -> tuple[SessionId | None, int | None]:
        content: dict[str, Any] = receipt.content
        if "session_id" not in content:
            return None, None
        session: SessionId = content["session_id"]
        seq: int = content["seq"]
        before = moved[session] if session in moved else self.head(session)
        want = (0, None) if before is None else (before.seq + 1, before.link)
        if (seq, content.get("prev_receipt_hash")) != want:
            raise ValueError(
                f"a receipt was sealed for place {seq} of {session!r}, which is at {want[0]}"
            )
        moved[session] = Head(seq, link_hash(session, seq, receipt.action_hash))
        return session, seq


def audit_facts(entry: Entry) -> AuditFacts:
    receipt = entry.receipt
    return describe_receipt(
        receipt.content, recorded_at=format_instant(entry.at), signer=receipt.signer
    )
