"""Which receipts belong together: whole sessions, because half a chain proves little, and what became of each question.

Rule 1: a session is taken whole or not at all; the wish says which, by any one of its receipts.
Rule 2: with a question go its lifecycle chain and the receipt that the approvers signed; with everything go the policies'
        own session and the chain of keys.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from heso.core.encoding import Digest
from heso.core.lifecycle import KEYS_SESSION, LIFECYCLE_PREFIX
from heso.ports import EVERYTHING, Filter, Record, Records

POLICY_SESSION = "heso.policy"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the evidence is to be about; None is everything. `since` is a receipt's own time, `YYYY-MM-DD...Z`."""

    session: str | None = None
    workflow: str | None = None
    since: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A receipt: its exact bytes, and its content for reading."""

    receipt: bytes
    content: Json


@dataclass(frozen=True, slots=True)
class Collected:
    """The receipts in audit order, and the texts of the policies that they were judged by, by hash."""

    items: tuple[Item, ...]
    policies: dict[Digest, bytes]


def collect(records: Records, wish: Wish) -> Collected:
    """Read the ledger twice: what is wanted, then all that belongs to it."""
    sessions, hashes = _wanted(records, wish)
    if not sessions and not hashes:
        return Collected((), {})
    sessions |= {POLICY_SESSION, KEYS_SESSION}
    items = tuple(
        item
        for item in _items(records.read(EVERYTHING))
        if item.content.get("session_id") in sessions or item.content["action_hash"] in hashes
    )
    return Collected(items, _policies(items, records))


def _wanted(records: Records, wish: Wish) -> tuple[set[str], set[str]]:
    sessions: set[str] = set()
    hashes: set[str] = set()
    narrowed = Filter(session_id=wish.session, workflow=wish.workflow)
    for item in _items(records.read(narrowed)):
        if wish.since is not None and item.content["captured_at"] < wish.since:
            continue
        session = item.content.get("session_id")
        if session is None:
            hashes.add(item.content["action_hash"])
        elif not session.startswith(LIFECYCLE_PREFIX) and session != POLICY_SESSION:
            sessions.add(session)
    # What became of the questions in them is filed under each question's own hash.
    for item in _items(records.read(Filter(decision="require_approval"))):
        if item.content.get("session_id") in sessions or item.content["action_hash"] in hashes:
            sessions.add(LIFECYCLE_PREFIX + item.content["action_hash"])
    hashes |= _approved_in(records, sessions)
    return sessions, hashes


def _approved_in(records: Records, sessions: set[str]) -> set[str]:
    """The receipts that approvers signed themselves: an approved link names them."""
    found: set[str] = set()
    for item in _items(records.read(Filter(decision="approved"))):
        if item.content.get("session_id") in sessions:
            conditions: Sequence[Json] = item.content["policy"]["matched_conditions"]
            found |= {str(c["value"]) for c in conditions if c["field"] == "gate.approval"}
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
        yield Item(record.receipt, orjson.loads(record.receipt)["content"])
