"""Commitments: what a receipt is about, signed, without showing what was done (fact sheet, section 8.4).

    signature = Ed25519("heso-commitment/v1" NUL ++ JCS(envelope))

An envelope holds hashes and coarse words only, so it can go to a party that must not see the arguments. Its values
are the signer's claims: a reader that holds the receipt compares them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from heso.core.canonical import canonical_bytes
from heso.core.domains import COMMITMENT_DOMAIN
from heso.core.encoding import (
    Digest,
    PublicKey,
    format_base64,
    parse_public_key,
    parse_signature,
)
from heso.core.errors import Malformed
from heso.core.hashing import digest
from heso.core.keys import signature_holds
from heso.core.receipt import Json, Signs
from heso.core.shapes import Integer, Mismatch, Record, Text, compile_check
from heso.core.strict_json import parse_json

_PRIMITIVES: Mapping[str, str] = MappingProxyType(
    {
        "payment": "move-value",
        "delete": "destroy",
        "account_change": "change-authority",
        "data_export": "disclose",
    }
)
_text = Text()
_ENVELOPE = Record(
    dict.fromkeys(
        (
            "action_hash",
            "chain_head",
            "primitive",
            "coarse_verb",
            "trust_level",
            "decision",
            "occurred_at",
        ),
        _text,
    ),
    {
        **dict.fromkeys(("chain_prev", "session_id", "taxonomy_hash", "resource_class"), _text),
        "seq": Integer(2**64 - 1),
    },
    is_sealed=True,
)
_check_envelope = compile_check(_ENVELOPE)


class CommitmentKind(StrEnum):
    """The verdict on a commitment."""

    VALID = "Valid"
    MALFORMED = "Malformed"
    WRONG_ALGORITHM = "WrongAlgorithm"
    INVALID_SIGNATURE = "InvalidSignature"
    FINGERPRINT_MISMATCH = "FingerprintMismatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """A signed envelope. `signer_fpr` is BLAKE3 of the raw key, 64 hex characters."""

    envelope: Json
    public_key: PublicKey
    signature: str
    signer_fpr: Digest


def primitive_of(verb: str) -> str:
    """The coarsest word for what a verb does."""
    return _PRIMITIVES.get(verb, "execute")


def draft_commitment(content: Json, *, chain_head: str, taxonomy_hash: str | None = None) -> Json:
    """The envelope for a receipt's content. `chain_head` is the session's head before it, 64 zeros for none."""
    action: Mapping[str, str] = content["action"]  # type: ignore[assignment]  # the wire's own shape
    policy: Mapping[str, str] = content["policy"]  # type: ignore[assignment]  # the wire's own shape
    path = policy["decision_path"]
    envelope: Json = {
        "action_hash": content["action_hash"],
        "chain_head": chain_head,
        "primitive": primitive_of(action["verb"]),
        "coarse_verb": action["verb"],
        "trust_level": content["trust_level"],
        "decision": {"block": "block", "require_approval": "suspended"}.get(path, "allow"),
        "occurred_at": content["captured_at"],
    }
    if "session_id" in content:
        envelope |= {
            "chain_prev": chain_head,
            "session_id": content["session_id"],
            "seq": content["seq"],
        }
    if taxonomy_hash is not None:
        envelope["taxonomy_hash"] = taxonomy_hash
    return envelope


def sign_commitment(envelope: Json, signer: Signs) -> Commitment:
    """Raises `Malformed` for an envelope that no verifier would read."""
    try:
        _check_envelope(envelope)
    except Mismatch as error:
        raise Malformed("commitment", error.why, ".".join(error.path)) from None
    signature = signer.sign(COMMITMENT_DOMAIN + canonical_bytes(envelope))
    return Commitment(
        envelope=envelope,
        public_key=signer.public_key,
        signature=format_base64(signature),
        signer_fpr=fingerprint_in_full(signer.public_key),
    )


def fingerprint_in_full(public_key: PublicKey) -> Digest:
    """How a commitment names its signer."""
    return digest(parse_public_key(public_key))


def verify_commitment(
    envelope: bytes, *, public_key: str, signature: str, signer_fpr: str
) -> CommitmentKind:
    """The verdict on the JSON text of an envelope. Never raises."""
    try:
        parsed = parse_json(envelope, what="commitment")
        _check_envelope(parsed)
        signed = COMMITMENT_DOMAIN + canonical_bytes(parsed)
    except (Malformed, Mismatch):
        return CommitmentKind.MALFORMED
    try:
        key = parse_public_key(public_key)
        raw = parse_signature(signature)
    except Malformed:
        return CommitmentKind.WRONG_ALGORITHM
    if not signature_holds(key, signed, raw):
        return CommitmentKind.INVALID_SIGNATURE
    if digest(key) != signer_fpr:
        return CommitmentKind.FINGERPRINT_MISMATCH
    return CommitmentKind.VALID
