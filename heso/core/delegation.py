"""Delegation envelopes: an operator lets another key answer for one action, for a while (fact sheet, section 5.4).

    wire    01 action_hash[32] nonce[32] expiry u64be not_before u64be K[32] sub_len u32be sub scope_len u32be scope
            signature[64] operator[32]
    signed  delegation domain ++ everything before the signature

The holder of K then answers with an approval token over the raw action hash. Both are checked together, in the order
of `check_delegation`; the first failure is the answer. An envelope may be read by anyone, and its key cannot be the
operator's own.
"""

import struct
from dataclasses import dataclass, field
from enum import StrEnum

from heso.core.approval_token import (
    LARGEST,
    NONCE_BYTES,
    Answer,
    ApprovalToken,
    Spend,
    TokenRefused,
    check_token,
)
from heso.core.domains import DELEGATION_DOMAIN
from heso.core.encoding import (
    KEY_BYTES,
    SIGNATURE_BYTES,
    Digest,
    PublicKey,
    format_public_key,
    parse_digest,
    parse_public_key,
)
from heso.core.errors import HesoError
from heso.core.keys import signature_holds
from heso.core.receipt import Signs

VERSION = 1
_LONGEST_NAME = 4096
_HEAD = struct.Struct(f">B32s{NONCE_BYTES}sQQ{KEY_BYTES}s")
_LENGTH = struct.Struct(">I")
_TAIL = SIGNATURE_BYTES + KEY_BYTES
_SHORTEST = _HEAD.size + 2 * _LENGTH.size + _TAIL


class DelegationFault(StrEnum):
    """Why a delegation is not taken. The words are the format's."""

    MALFORMED = "Malformed"
    UNSUPPORTED_VERSION = "UnsupportedVersion"
    OPERATOR_KEY_MISMATCH = "OperatorKeyMismatch"
    INVALID_SIGNATURE = "InvalidSignature"
    SELF_DELEGATION = "SelfDelegation"
    ACTION_HASH_MISMATCH = "ActionHashMismatch"
    SCOPE_MISMATCH = "ScopeMismatch"
    NOT_YET_VALID = "NotYetValid"
    EXPIRED = "Expired"
    CO_SIGN = "CoSign"


@dataclass(eq=False)
class DelegationRefused(HesoError):
    """A delegation that is not taken. `cause` is the token's own refusal when that is the reason."""

    fault: DelegationFault
    why: str
    cause: TokenRefused | None = None

    next_step = "ask the operator for a new delegation for this action"

    def __str__(self) -> str:
        return f"{self.fault}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """An envelope as it was read. It holds from `not_before_seconds` up to, not including, `expiry_seconds` (UTC)."""

    action_hash: Digest
    nonce: bytes
    expiry_seconds: int
    not_before_seconds: int
    delegate: PublicKey
    subject: str
    scope: str
    operator: PublicKey
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delegated:
    """A delegation and the answer given under it; both hold."""

    delegation: Delegation
    token: ApprovalToken


def write_delegation(
    *,
    action_hash: Digest,
    delegate: PublicKey,
    subject: str,
    scope: str,
    not_before_seconds: int,
    expiry_seconds: int,
    nonce: bytes,
    signer: Signs,
) -> bytes:
    """The bytes of a signed envelope. Raises `ValueError` for values that no reader would take."""
    if delegate == signer.public_key:
        raise ValueError("an operator cannot delegate to itself")
    if len(nonce) != NONCE_BYTES or not 0 <= not_before_seconds < expiry_seconds <= LARGEST:
        raise ValueError("a nonce or a time that no delegation can hold")
    names = [text.encode() for text in (subject, scope)]
    if any(len(name) > _LONGEST_NAME for name in names):
        raise ValueError(f"a name longer than {_LONGEST_NAME} bytes")
    body = _HEAD.pack(
        VERSION,
        bytes.fromhex(parse_digest(action_hash)),
        nonce,
        expiry_seconds,
        not_before_seconds,
        parse_public_key(delegate),
    ) + b"".join(_LENGTH.pack(len(name)) + name for name in names)
    signature = signer.sign(DELEGATION_DOMAIN + body)
    return body + signature + parse_public_key(signer.public_key)


def parse_delegation(wire: bytes) -> Delegation:
    """Raises `DelegationRefused` with Malformed or UnsupportedVersion. Nothing is checked against anything yet."""
    if len(wire) < _SHORTEST:
        raise _malformed(f"{len(wire)} bytes; at least {_SHORTEST} are needed")
    version, action_hash, nonce, expiry, not_before, delegate = _HEAD.unpack_from(wire)
    if version != VERSION:
        why = f"version {version}; this reader knows {VERSION}"
        raise DelegationRefused(DelegationFault.UNSUPPORTED_VERSION, why)
    subject, at = _read_name(wire, _HEAD.size)
    scope, at = _read_name(wire, at)
    if len(wire) != at + _TAIL:
        raise _malformed("its length is not what it says")
    return Delegation(
        action_hash=Digest(action_hash.hex()),
        nonce=nonce,
        expiry_seconds=expiry,
        not_before_seconds=not_before,
        delegate=format_public_key(delegate),
        subject=subject,
        scope=scope,
        signature=wire[at : at + SIGNATURE_BYTES],
        operator=format_public_key(wire[-KEY_BYTES:]),
    )


def check_delegation(
    wire: bytes,
    token: bytes,
    *,
    operator: PublicKey,
    action_hash: Digest,
    scope: str,
    answer: Answer,
    now_seconds: int,
    spend: Spend,
) -> Delegated:
    """The delegation and the answer under it, if both are about exactly this action. Raises `DelegationRefused`."""
    delegation = parse_delegation(wire)  # (1)
    _check_envelope(delegation, wire, operator)  # (2) to (4)
    _check_use(delegation, action_hash, scope, now_seconds)  # (5) to (8)
    try:  # (9)
        checked = check_token(
            token,
            action=bytes.fromhex(action_hash),
            registered=(delegation.delegate,),
            now_seconds=now_seconds,
            scope=scope,
            answer=answer,
            spend=spend,
        )
    except TokenRefused as refused:
        raise DelegationRefused(DelegationFault.CO_SIGN, str(refused), refused) from None
    return Delegated(delegation, checked)


def _check_envelope(delegation: Delegation, wire: bytes, operator: PublicKey) -> None:
    if delegation.operator != operator:  # (2)
        why = f"{delegation.operator} is not the registered operator"
        raise DelegationRefused(DelegationFault.OPERATOR_KEY_MISMATCH, why)
    signed = DELEGATION_DOMAIN + wire[:-_TAIL]
    if not signature_holds(wire[-KEY_BYTES:], signed, delegation.signature):  # (3)
        raise DelegationRefused(DelegationFault.INVALID_SIGNATURE, "it was changed after signing")
    if delegation.delegate == operator:  # (4)
        raise DelegationRefused(DelegationFault.SELF_DELEGATION, "the delegate is the operator")


def _check_use(delegation: Delegation, action_hash: Digest, scope: str, now_seconds: int) -> None:
    if delegation.action_hash != action_hash:  # (5)
        why = f"it is about {delegation.action_hash}"
        raise DelegationRefused(DelegationFault.ACTION_HASH_MISMATCH, why)
    if delegation.scope != scope:  # (6)
        why = f"it is about {delegation.scope!r}, not {scope!r}"
        raise DelegationRefused(DelegationFault.SCOPE_MISMATCH, why)
    if now_seconds < delegation.not_before_seconds:  # (7)
        why = f"it holds from second {delegation.not_before_seconds}"
        raise DelegationRefused(DelegationFault.NOT_YET_VALID, why)
    if now_seconds >= delegation.expiry_seconds:  # (8)
        why = f"it held until second {delegation.expiry_seconds}"
        raise DelegationRefused(DelegationFault.EXPIRED, why)


def _read_name(wire: bytes, at: int) -> tuple[str, int]:
    if at + _LENGTH.size > len(wire) - _TAIL:
        raise _malformed("it ends in the middle of a name")
    (length,) = _LENGTH.unpack_from(wire, at)
    start = at + _LENGTH.size
    if length > _LONGEST_NAME or start + length > len(wire) - _TAIL:
        raise _malformed("a name is longer than the envelope")
    try:
        return wire[start : start + length].decode("utf-8"), start + length
    except UnicodeDecodeError:
        raise _malformed("a name in it is not UTF-8") from None


def _malformed(why: str) -> DelegationRefused:
    return DelegationRefused(DelegationFault.MALFORMED, why)
