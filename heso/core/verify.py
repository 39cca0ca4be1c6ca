"""The verifier of one receipt: a numbered list, and the first failure is the verdict (fact sheet, section 2.4).

    (1) parse and schema              Malformed
    (2) envelope algorithm            WrongAlgorithm
    (3) action version                Unsupported
    (4) action hash                   HashMismatch
    (5) signature roles               Malformed
    (6) signatures                    Malformed, InvalidSignature, SelfApproval, ThresholdNotMet
    (7) trust level                   TrustLevelMismatch
    (8) redaction markers             MalformedRedaction
    (9) time anchor present           TimeAnchorUnverifiable
   (10) time anchor required          AnchorRequired
   (11) payment mandate               MandateRejected
   (12)                               Valid

It is pure and offline, and it trusts nothing inside the receipt: a Valid verdict says which keys signed, not that
they are anybody's. The caller compares `signers` with keys it got elsewhere, or passes `operator=`.

Stricter than the format's reference, on purpose: unknown keys and nulls in typed objects are Malformed; lifecycle
links go through the whole list; an L1 receipt needs an approver's record that says `approved` and names the
approver's key; a number a double cannot hold is Malformed.
Not built yet, and never Valid: time anchors (any is TimeAnchorUnverifiable), quorum receipts and lifecycle links
other than `suspended` (Unsupported).
"""

from typing import Any

from heso.core.domains import (
    ACTION_VERSION,
    APPROVER,
    APPROVER_DOMAIN,
    ENVELOPE_ALG,
    OPERATOR,
    OPERATOR_DOMAIN,
    SIGNATURE_ALGORITHM,
    SUSPEND_DOMAIN,
)
from heso.core.encoding import Digest, PublicKey, is_digest, parse_public_key, parse_signature
from heso.core.errors import Malformed
from heso.core.hashing import digest
from heso.core.hot import hot_value
from heso.core.keys import signature_holds
from heso.core.receipt import canonical_content
from heso.core.redaction import has_sound_markers
from heso.core.schema import check_receipt
from heso.core.strict_json import parse_json
from heso.core.verdict import Kind, Verdict

_SHOWN = 80  # how much of a foreign text a detail repeats


@hot_value
class Examined:
    """A receipt that was read, and the verdict on it. `envelope` is None when it could not be read."""

    verdict: Verdict
    envelope: dict[str, Any] | None


def verify_receipt(data: bytes, *, operator: PublicKey | None = None) -> Verdict:
    """The verdict on the JSON text of one receipt.

    `operator` pins the key that must have signed as operator: another signer is InvalidSignature.
    Never raises for any `data`.
    """
    return examine_receipt(data, operator=operator).verdict


def examine_receipt(data: bytes, *, operator: PublicKey | None = None) -> Examined:
    """As `verify_receipt`, and the parsed receipt beside the verdict."""
    try:
        envelope: Any = parse_json(data, what="receipt")  # (1)
        check_receipt(envelope)
    except Malformed as error:
        return Examined(Verdict(kind=Kind.MALFORMED, detail=str(error)), None)
    try:
        verdict = _examine(envelope, operator)
    except _Refused as refused:
        verdict = Verdict(
            kind=refused.kind,
            detail=refused.detail,
            action_hash=_claimed_hash(envelope),
        )
    return Examined(verdict, envelope)


def _claimed_hash(envelope: dict[str, Any]) -> Digest | None:
    claimed = envelope["content"]["action_hash"]
    return Digest(claimed) if is_digest(claimed) else None


class _Refused(Exception):
    def __init__(self, kind: Kind, detail: str = "") -> None:
        self.kind = kind
        self.detail = detail


def _examine(envelope: dict[str, Any], operator: PublicKey | None) -> Verdict:
    content = envelope["content"]
    if envelope["alg"] != ENVELOPE_ALG:  # (2)
        raise _Refused(Kind.WRONG_ALGORITHM, envelope["alg"][:_SHOWN])
    if content["action_version"] != ACTION_VERSION:  # (3)
        raise _Refused(Kind.UNSUPPORTED, content["action_version"][:_SHOWN])
    canonical = _check_hash(content)  # (4)
    entries = _check_roles(envelope["signatures"])  # (5)
    signers, level = _check_signatures(content, canonical, entries)  # (6)
    if operator is not None and signers[0] != operator:
        raise _Refused(Kind.INVALID_SIGNATURE, f"the operator is {signers[0]}, not the pinned key")
    if content["trust_level"] != level:  # (7)
        raise _Refused(
            Kind.TRUST_LEVEL_MISMATCH, f"embedded={content['trust_level']} derived={level}"
        )
    if "redaction" in content and not has_sound_markers(content["redaction"]):  # (8)
        raise _Refused(Kind.MALFORMED_REDACTION)
    if "time_anchor" in content:  # (9)
        raise _Refused(Kind.TIME_ANCHOR_UNVERIFIABLE, "this verifier checks no RFC 3161 tokens yet")
    if "anchor_policy" in content:  # (10)
        raise _Refused(Kind.ANCHOR_REQUIRED)
    _check_mandate(content["action"])  # (11)
    return Verdict(  # (12)
        kind=Kind.VALID,
        trust_level=level,
        action_hash=Digest(content["action_hash"]),
        signers=signers,
    )


def _check_hash(content: dict[str, Any]) -> bytes:
    unhashed = dict(content)
    del unhashed["action_hash"]
    try:
        canonical = canonical_content(unhashed)
    except Malformed as error:
        raise _Refused(Kind.MALFORMED, str(error)) from None
    if digest(canonical) != content["action_hash"]:
        raise _Refused(Kind.HASH_MISMATCH)
    return canonical


def _check_roles(signatures: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    """The one entry of each role. A quorum's several approvers are told apart in step 6."""
    entries: dict[str, dict[str, str]] = {}
    for entry in signatures:
        role = entry["key_id"]
        if role not in (OPERATOR, APPROVER):
            raise _Refused(Kind.MALFORMED, f"unknown signature role {role[:40]!r}")
        if role == OPERATOR and role in entries:
            raise _Refused(Kind.MALFORMED, "more than one operator signature")
        entries[role if role not in entries else f"another {role}"] = entry
    return entries


def _check_signatures(
    content: dict[str, Any], canonical: bytes, entries: dict[str, dict[str, str]]
) -> tuple[tuple[PublicKey, ...], str]:
    """The keys that signed, operator first, and the trust level their signatures amount to."""
    kind = content.get("kind", "action")
    if "multi_approval" in content:
        if "approver_decision" in content:
            raise _Refused(Kind.MALFORMED, "both approver_decision and multi_approval")
        raise _Refused(Kind.UNSUPPORTED, "quorum receipts")
    if f"another {APPROVER}" in entries:
        raise _Refused(Kind.MALFORMED, "more than one approver signature")
    if kind != "action":
        return _check_link_signature(content, kind, canonical, entries)
    if OPERATOR not in entries:
        raise _Refused(Kind.MALFORMED, "no operator signature")
    operator = _check_entry(entries[OPERATOR], OPERATOR_DOMAIN, canonical)
    if APPROVER not in entries:
        return (operator,), "L0"
    approver = _check_entry(entries[APPROVER], APPROVER_DOMAIN, canonical)
    if approver == operator:
        raise _Refused(Kind.SELF_APPROVAL)
    _check_approval_says_so(content, approver)
    return (operator, approver), "L1"


def _check_link_signature(
    content: dict[str, Any], kind: str, canonical: bytes, entries: dict[str, dict[str, str]]
) -> tuple[tuple[PublicKey, ...], str]:
    """A lifecycle link: exactly one signature, by the role and under the domain of its kind (section 3.3)."""
    if kind != "suspended":
        raise _Refused(Kind.UNSUPPORTED, f"lifecycle links of kind {kind}")
    if "suspension" not in content:
        raise _Refused(Kind.MALFORMED, "a suspended link without its suspension block")
    if entries.keys() != {OPERATOR}:
        raise _Refused(Kind.MALFORMED, "a suspended link carries one signature, by the operator")
    return (_check_entry(entries[OPERATOR], SUSPEND_DOMAIN, canonical),), "L0"


def _check_entry(entry: dict[str, str], domain: bytes, canonical: bytes) -> PublicKey:
    role = entry["key_id"]
    if entry["algorithm"] != SIGNATURE_ALGORITHM:
        raise _Refused(Kind.INVALID_SIGNATURE, f"{role}: unsupported algorithm")
    try:
        key = parse_public_key(entry["public_key"])
        signature = parse_signature(entry["signature"])
    except Malformed as error:
        raise _Refused(Kind.INVALID_SIGNATURE, f"{role}: {error}") from None
    if not signature_holds(key, domain + canonical, signature):
        raise _Refused(Kind.INVALID_SIGNATURE, f"{role}: does not verify")
    return PublicKey(entry["public_key"])


def _check_approval_says_so(content: dict[str, Any], approver: PublicKey) -> None:
    """An approver's signature under a record that says no, or names somebody else, is not an approval."""
    record = content.get("approver_decision")
    if record is None:
        raise _Refused(Kind.MALFORMED, "an approver signed, but there is no approver_decision")
    if record["decision"] != "approved":
        raise _Refused(Kind.MALFORMED, f"the approver's record says {record['decision']}")
    if record["approver_identity"] != approver:
        raise _Refused(Kind.MALFORMED, "the approver's record names another key")


def _check_mandate(action: dict[str, Any]) -> None:
    mandate = action.get("mandate")
    if action["verb"] == "payment" and mandate is not None and mandate["verdict"] != "valid":
        raise _Refused(Kind.MANDATE_REJECTED, mandate["verdict"])
