"""Which receipts belong together: whole sessions, because half a chain proves little, and what became of each question.

Rule 1: a session is taken whole or not at all; the wish says which, by any one of its receipts.
Rule 2: with a question go its lifecycle chain and the receipt that the approvers signed; with everything go the policies'
        own session and the chain of keys.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from heso.async_gate.stages import POLICY_SESSION
from heso.core.encoding import Digest
from heso.core.lifecycle import KEYS_SESSION, LIFECYCLE_PREFIX
from heso.core.links import APPROVAL_FIELD
from heso.ports import EVERYTHING, Filter, Record, Records

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the evidence is to be about; None is everything. `since` is a time of the ledger, `YYYY-MM-DD...Z`."""

    session: str | None = None
    workflow: str | None = None
    since: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A receipt: its exact bytes, its content for reading, and when the ledger took it. A link's own time is the question's,
    and a completed one has none."""

    receipt: bytes
    content: Json
    at: str


@dataclass(frozen=True, slots=True)
class Collected:
    """The receipts in audit order, and the texts of the policies that they were judged by, by hash."""

    items: tuple[Item, ...]
    policies: dict[Digest, bytes]


def collect(records: Records, wish: Wish) -> Collected:
    """Read the ledger three times: what is wanted, the questions in it, and then all that belongs to both."""
    sessions, alone = _wanted(records, wish)
    if not sessions and not alone:
        return Collected((), {})
    sessions = _with_questions(records, sessions, alone)
    sessions |= {POLICY_SESSION, KEYS_SESSION}
    alone |= _approved_in(records, sessions)
    items = tuple(
        item
        for item in _items(records.read(EVERYTHING))
        if item.content.get("session_id") in sessions or item.content["action_hash"] in alone
    )
    return Collected(items, _policies(items, records))


def _wanted(records: Records, wish: Wish) -> tuple[set[str], set[str]]:
    """The sessions with a receipt that was wished for, and the hashes of receipts outside any session."""
    sessions: set[str] = set()
    alone: set[str] = set()
    narrowed = Filter(session_id=wish.session, workflow=wish.workflow)
    for item in _items(records.read(narrowed)):
        if wish.since is not None and item.at < wish.since:
            continue
        session = item.content.get("session_id")
        if session is None:
            alone.add(item.content["action_hash"])
        elif session == wish.session or session not in (POLICY_SESSION, KEYS_SESSION):
            sessions.add(session)
    return sessions, alone


def _with_questions(records: Records, sessions: set[str], alone: set[str]) -> set[str]:
    """With a question's session goes its lifecycle chain, which is filed under the question's hash; and the other way."""
    found = set(sessions)
    for item in _items(records.read(Filter(decision="require_approval"))):
        lifecycle = LIFECYCLE_PREFIX + item.content["action_hash"]
        session = item.content.get("session_id")
        if session in sessions or lifecycle in sessions or item.content["action_hash"] in alone:
            found |= {lifecycle} if session is None else {lifecycle, session}
    # A session that came in by one of its questions brings the others.
    if found != sessions:
        return _with_questions(records, found, alone)
    return found


def _approved_in(records: Records, sessions: set[str]) -> set[str]:
    """The receipts that approvers signed themselves: an approved link names them."""
    found: set[str] = set()
    for item in _items(records.read(Filter(decision="approved"))):
        if item.content.get("session_id") in sessions:
            conditions: Sequence[Json] = item.content["policy"]["matched_conditions"]
            found |= {str(c["value"]) for c in conditions if c["field"] == APPROVAL_FIELD}
    return found


def _policies(items: Iterable[Item], records: Records) -> dict[Digest, bytes]:
    found: dict[Digest, bytes] = {}
    for item in items:
        if item.content.get("session_id") == POLICY_SESSION:
            policy_hash = Digest(str(item.content["action"]["fields"].get("policy_hash")))
            text = records.policy_text(policy_hash)
            if text is not None:
                found[policy_hash] = text
    return found


def _items(records: Iterable[Record]) -> Iterator[Item]:
    for record in records:
        content = orjson.loads(record.receipt)["content"]
        yield Item(record.receipt, content, orjson.loads(record.audit_entry)["recorded_at"])
