"""The audit chain: every receipt of a project, of every kind, in commit order (fact sheet, section 9.2).

    entry_hash = BLAKE3("heso-audit/v1" NUL ++ JCS({"audit_entry": entry without entry_hash}))

Deleting or reordering anything breaks it at that place. Cutting its end does not; a later entry, or a head kept
elsewhere, shows that.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from heso.core.canonical import canonical_bytes
from heso.core.domains import AUDIT_PREFIX
from heso.core.encoding import Digest, PublicKey
from heso.core.errors import Malformed
from heso.core.hashing import digest
from heso.core.hot import hot_value
from heso.core.strict_json import parse_json
from heso.core.verdict import ChainKind, ChainVerdict

GENESIS = Digest("0" * 64)

_KEYS = (
    "seq",
    "prev_hash",
    "action_hash",
    "workflow",
    "account",
    "gate_decision",
    "trust_level",
    "redaction_count",
    "recorded_at",
    "signing_key_id",
)
_INTEGERS = frozenset({"seq", "redaction_count"})
_OPTIONAL = "approver_decision"


AuditFacts = dict[str, str | int]
"""What the audit chain remembers of a receipt: an entry without its place. `describe_receipt` makes it."""


@hot_value
class AuditTail:
    """The end of an audit chain: how many entries there are, and the hash of the last."""

    size: int
    entry_hash: Digest


START = AuditTail(0, GENESIS)


def extend_audit(tail: AuditTail, facts: AuditFacts) -> AuditTail:
    """The tail after one more entry."""
    return AuditTail(tail.size + 1, _hash_fresh_entry(_entry(tail, facts)))


def format_audit_entry(
    tail: AuditTail, facts: AuditFacts, entry_hash: Digest | None = None
) -> bytes:
    """The JSON text of the entry that follows `tail`, as an audit file holds it.

    `entry_hash` is the hash it got when it was written; without one it is computed.
    """
    entry = _entry(tail, facts)
    return orjson.dumps({**entry, "entry_hash": entry_hash or _hash_fresh_entry(entry)})


def describe_receipt(
    content: Mapping[str, Any], *, recorded_at: str, signer: PublicKey
) -> AuditFacts:
    """What the audit chain remembers of a receipt with this content."""
    action = content["action"]
    kind = content.get("kind", "action")
    return {
        "action_hash": content["action_hash"],
        "workflow": action["workflow"],
        "account": action["account"],
        "gate_decision": content["policy"]["decision_path"] if kind == "action" else kind,
        "trust_level": content["trust_level"],
        "redaction_count": len(content["redaction"]["markers"]) if "redaction" in content else 0,
        "recorded_at": recorded_at,
        "signing_key_id": signer,
    }


def verify_audit_chain(entries: Iterable[bytes]) -> ChainVerdict:
    """The verdict on a whole audit chain, from its first entry, each the JSON text of one entry."""
    tail = START
    for data in entries:
        try:
            entry = _parse_entry(data)
            want = _hash_entry({k: v for k, v in entry.items() if k != "entry_hash"})
        except Malformed as error:
            return ChainVerdict(kind=ChainKind.MALFORMED, detail=str(error), seq=tail.size)
        if entry["seq"] != tail.size or entry["prev_hash"] != tail.entry_hash:
            detail = f"entry {tail.size} does not follow the entry before it"
            return ChainVerdict(kind=ChainKind.LINK_BROKEN, detail=detail, seq=tail.size)
        if entry["entry_hash"] != want:
            detail = f"entry {tail.size} is not what was hashed"
            return ChainVerdict(kind=ChainKind.CONTENT_TAMPER, detail=detail, seq=tail.size)
        tail = AuditTail(tail.size + 1, want)
    if tail.size == 0:
        return ChainVerdict(kind=ChainKind.EMPTY)
    return ChainVerdict(kind=ChainKind.VALID, length=tail.size)


def _entry(tail: AuditTail, facts: AuditFacts) -> AuditFacts:
    return {"seq": tail.size, "prev_hash": tail.entry_hash, **facts}


def _hash_entry(entry: dict[str, object]) -> Digest:
    return digest(AUDIT_PREFIX + canonical_bytes({"audit_entry": entry}))


def _hash_fresh_entry(entry: AuditFacts) -> Digest:
    """As `_hash_entry`, for an entry made here: text and small integers under ASCII keys need no guard."""
    try:
        text = orjson.dumps({"audit_entry": entry}, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise Malformed("audit entry", "text is not valid Unicode") from error
    return digest(AUDIT_PREFIX + text)


def _parse_entry(data: bytes) -> dict[str, object]:
    entry = parse_json(data, what="audit entry")
    if not isinstance(entry, dict):
        raise Malformed("audit entry", "must be an object")
    for key in (*_KEYS, "entry_hash"):
        if key not in entry:
            raise Malformed("audit entry", "missing", key)
    for key, value in entry.items():
        if key not in _KEYS and key not in ("entry_hash", _OPTIONAL):
            raise Malformed("audit entry", "unknown key", key[:80])
        if type(value) is not (int if key in _INTEGERS else str):
            raise Malformed("audit entry", "has the wrong type", key)
    return entry
