"""Approval tokens: a yes or no that travels as bytes, for one exact action (fact sheet, section 5.3).

    wire    nonce[32] expiry u64be tag(01 approve, 02 reject) scope_len u32be scope signature[64] key[32]
    signed  approval-token domain ++ everything before the signature ++ the action's bytes

`action bytes` are the canonical content, or the raw 32-byte action hash for a delegated co-signature. The action is
not on the wire: a token says nothing about an action that the checker does not hold.

A token is checked in the order of `check_token`, and the first failure is the answer. Its nonce is spent once it is
known to be genuine and in time, so a token that is then found out of scope cannot be tried again elsewhere.
"""

import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from enum import StrEnum

from heso.core.domains import TOKEN_DOMAIN
from heso.core.encoding import (
    KEY_BYTES,
    SIGNATURE_BYTES,
    PublicKey,
    format_public_key,
    parse_public_key,
)
from heso.core.errors import HesoError
from heso.core.keys import signature_holds
from heso.core.receipt import Signs

NONCE_BYTES = 32
LARGEST = 2**64 - 1
_LONGEST_SCOPE = 4096
_HEAD = struct.Struct(f">{NONCE_BYTES}sQBI")
_TAIL = SIGNATURE_BYTES + KEY_BYTES

Spend = Callable[[bytes, int], bool]
"""Takes a nonce and the second until which it matters; False when it was spent before. `heso.ports.Nonces`."""


class Answer(StrEnum):
    """What a token says."""

    APPROVE = "approve"
    REJECT = "reject"


_TAGS = {1: Answer.APPROVE, 2: Answer.REJECT}
_TAG_OF = {answer: tag for tag, answer in _TAGS.items()}


class TokenFault(StrEnum):
    """Why a token or a delegation is not taken. The words are the format's."""

    MALFORMED = "Malformed"
    INVALID_DECISION = "InvalidDecision"
    UNREGISTERED_KEY = "UnregisteredKey"
    INVALID_SIGNATURE = "InvalidSignature"
    EXPIRED = "Expired"
    REPLAYED_NONCE = "ReplayedNonce"
    OUT_OF_SCOPE = "OutOfScope"
    OUT_OF_DECISION = "OutOfDecision"


@dataclass(eq=False)
class TokenRefused(HesoError):
    """A token that is not taken."""

    fault: TokenFault
    why: str

    next_step = "ask the approver for a new token for this action"

    def __str__(self) -> str:
        return f"{self.fault}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalToken:
    """A token as it was read. `expiry_seconds` is the last second, UTC, in which it is good."""

    nonce: bytes
    expiry_seconds: int
    answer: Answer
    scope: str
    public_key: PublicKey
    signature: bytes = field(repr=False)


def write_token(
    *,
    action: bytes,
    answer: Answer,
    scope: str,
    expiry_seconds: int,
    nonce: bytes,
    signer: Signs,
) -> bytes:
    """The bytes of a signed token. Raises `ValueError` for a nonce, scope or expiry that no reader would take."""
    body = _write_body(nonce, expiry_seconds, answer, scope)
    signature = signer.sign(TOKEN_DOMAIN + body + action)
    return body + signature + parse_public_key(signer.public_key)


def parse_token(wire: bytes) -> ApprovalToken:
    """Raises `TokenRefused` with Malformed or InvalidDecision. Nothing is checked against anything yet."""
    if len(wire) < _HEAD.size + _TAIL:
        raise _malformed(f"{len(wire)} bytes; at least {_HEAD.size + _TAIL} are needed")
    nonce, expiry, tag, scope_length = _HEAD.unpack_from(wire)
    if tag not in _TAGS:
        raise TokenRefused(
            TokenFault.INVALID_DECISION, f"{tag} is neither approve (1) nor reject (2)"
        )
    if scope_length > _LONGEST_SCOPE or len(wire) != _HEAD.size + scope_length + _TAIL:
        raise _malformed("its length is not what it says")
    end = _HEAD.size + scope_length
    return ApprovalToken(
        nonce=nonce,
        expiry_seconds=expiry,
        answer=_TAGS[tag],
        scope=_read_text(wire[_HEAD.size : end]),
        signature=wire[end : end + SIGNATURE_BYTES],
        public_key=format_public_key(wire[-KEY_BYTES:]),
    )


def check_token(
    wire: bytes,
    *,
    action: bytes,
    registered: Collection[PublicKey],
    now_seconds: int,
    scope: str,
    answer: Answer,
    spend: Spend,
) -> ApprovalToken:
    """The token, if it is a registered key's answer about exactly this action. Raises `TokenRefused`."""
    token = parse_token(wire)  # (1)
    if token.public_key not in registered:  # (2)
        raise TokenRefused(TokenFault.UNREGISTERED_KEY, f"{token.public_key} is not registered")
    signed = TOKEN_DOMAIN + wire[:-_TAIL] + action
    if not signature_holds(wire[-KEY_BYTES:], signed, token.signature):  # (3)
        raise TokenRefused(TokenFault.INVALID_SIGNATURE, "the signature is over another action")
    if now_seconds > token.expiry_seconds:  # (4)
        raise TokenRefused(TokenFault.EXPIRED, f"it was good until second {token.expiry_seconds}")
    if not spend(token.nonce, token.expiry_seconds):  # (5)
        raise TokenRefused(TokenFault.REPLAYED_NONCE, "it was used before")
    if token.scope != scope:  # (6)
        raise TokenRefused(TokenFault.OUT_OF_SCOPE, f"it is about {token.scope!r}, not {scope!r}")
    if token.answer is not answer:  # (7)
        raise TokenRefused(TokenFault.OUT_OF_DECISION, f"it says {token.answer}, not {answer}")
    return token


def _read_text(raw: bytes) -> str:
    """A name on the wire. Raises `TokenRefused`."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("a name in it is not UTF-8") from None


def _write_body(nonce: bytes, expiry_seconds: int, answer: Answer, scope: str) -> bytes:
    raw = scope.encode()
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce of {len(nonce)} bytes, not {NONCE_BYTES}")
    if len(raw) > _LONGEST_SCOPE or not 0 <= expiry_seconds <= LARGEST:
        raise ValueError("a scope or an expiry that no token can hold")
    return _HEAD.pack(nonce, expiry_seconds, _TAG_OF[answer], len(raw)) + raw


def _malformed(why: str) -> TokenRefused:
    return TokenRefused(TokenFault.MALFORMED, why)
