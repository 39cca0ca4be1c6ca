"""Checking a whole ledger again, from its bytes: what a stranger with an export could check, and its completeness."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from heso.core.audit import verify_audit_chain
from heso.core.collection import verify_collection
from heso.core.encoding import Digest, PublicKey
from heso.core.hashing import digest
from heso.core.verify import verify_receipt
from heso.ports import Record, Records

POLICY_SESSION = "heso.policy"


class LedgerBroken(AssertionError):
    """A ledger that does not keep its promises, and where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was checked: how many receipts, and how many of them in each session."""

    receipts: int
    sessions: dict[str, int]
    action_hashes: tuple[Digest, ...]


def check_ledger(
    records: Records,
    *,
    operator: PublicKey | None = None,
    acknowledged: Iterable[str] = (),
) -> Evidence:
    """Verify everything again and return the evidence. Raises `LedgerBroken`.

    (1) positions run from 0 without a gap, and `count` agrees
    (2) every receipt is Valid, signed by `operator` when one is given
    (3) every session is a Valid chain, and each record names its receipt's session
    (4) the audit chain is Valid, and each entry is about its receipt
    (5) every policy entry has the text it names
    (6) every hash in `acknowledged` is there, and nobody else was told the same one
    """
    kept = list(records.read())
    if [record.position for record in kept] != list(range(len(kept))):  # (1)
        raise LedgerBroken("the positions have gaps or repeats")
    if records.count() != len(kept):
        raise LedgerBroken(f"{records.count()} are counted and {len(kept)} are there")
    contents = [_check_receipt(record, operator) for record in kept]  # (2)
    sessions = _check_sessions(kept, contents)  # (3)
    _check_audit(kept, contents)  # (4)
    _check_policies(records, contents)  # (5)
    hashes = tuple(Digest(content["action_hash"]) for content in contents)
    _check_acknowledged(hashes, acknowledged)  # (6)
    return Evidence(receipts=len(kept), sessions=sessions, action_hashes=hashes)


def _check_receipt(record: Record, operator: PublicKey | None) -> dict[str, Any]:
    verdict = verify_receipt(record.receipt, operator=operator)
    if not verdict.is_valid:
        raise LedgerBroken(f"receipt {record.position}: {verdict.kind} {verdict.detail}")
    content: dict[str, Any] = orjson.loads(record.receipt)["content"]
    if content.get("session_id") != record.session_id:
        raise LedgerBroken(f"receipt {record.position} is filed under another session")
    return content


def _check_sessions(kept: Sequence[Record], contents: Sequence[dict[str, Any]]) -> dict[str, int]:
    sessions, _ = verify_collection(record.receipt for record in kept)
    for session in sessions:
        if not session.verdict.is_valid:
            verdict = session.verdict
            raise LedgerBroken(
                f"session {session.session_id!r}: {verdict.kind} at {verdict.seq}: {verdict.detail}"
            )
    placed = sum(session.receipts for session in sessions)
    if placed != sum("session_id" in content for content in contents):
        raise LedgerBroken("a receipt is in no session")
    return {session.session_id: session.receipts for session in sessions}


def _check_audit(kept: Sequence[Record], contents: Sequence[dict[str, Any]]) -> None:
    if not kept:
        return
    verdict = verify_audit_chain(record.audit_entry for record in kept)
    if not verdict.is_valid:
        raise LedgerBroken(f"audit chain: {verdict.kind} at {verdict.seq}: {verdict.detail}")
    for record, content in zip(kept, contents, strict=True):
        if orjson.loads(record.audit_entry)["action_hash"] != content["action_hash"]:
            raise LedgerBroken(f"audit entry {record.position} is about another receipt")


def _check_policies(records: Records, contents: Sequence[dict[str, Any]]) -> None:
    for content in contents:
        if content.get("session_id") != POLICY_SESSION:
            continue
        wanted = Digest(content["action"]["fields"]["policy_hash"])
        text = records.policy_text(wanted)
        if text is None or digest(text) != wanted:
            raise LedgerBroken(f"the text of policy {wanted} is missing or another one")


def _check_acknowledged(hashes: Sequence[Digest], acknowledged: Iterable[str]) -> None:
    if len(set(hashes)) != len(hashes):
        raise LedgerBroken("a receipt is there twice")
    told = list(acknowledged)
    if len(set(told)) != len(told):
        raise LedgerBroken("one receipt was acknowledged to two callers")
    missing = set(told).difference(hashes)
    if missing:
        names = ", ".join(sorted(missing)[:3])
        raise LedgerBroken(f"{len(missing)} acknowledged receipts are not there: {names}")
