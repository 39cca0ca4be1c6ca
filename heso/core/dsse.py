"""DSSE envelopes around in-toto statements: receipts for tools of the software supply chain (fact sheet, 8.2).

    PAE        "DSSEv1 " len(type) " " type " " len(body) " " body
    signature  Ed25519 over the PAE: plain, without a domain of this format

The statement's subject is the action hash and its predicate carries the whole receipt, so nothing is lost on the way:
whoever opens the envelope verifies the receipt inside it as usual. The envelope's signature adds who exported it.

Rule: what is signed is the payload's bytes as they travel, never a rewritten statement.
"""

import binascii
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import orjson

from heso.core.canonical import MAX_DEPTH, canonical_bytes
from heso.core.commitment import primitive_of
from heso.core.encoding import (
    Digest,
    PublicKey,
    format_base64,
    is_digest,
    parse_public_key,
    parse_signature,
)
from heso.core.errors import HesoError, Malformed
from heso.core.keys import signature_holds
from heso.core.receipt import Json, Signs
from heso.core.strict_json import MAX_BYTES, parse_json

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://hesohq.dev/ActionReceipt/v2"
_MOST_SIGNATURES = 100
_LARGEST_ENVELOPE = 2 * MAX_BYTES
_DEEPEST = MAX_DEPTH + 3  # a receipt that is as deep as receipts may be, inside a statement


@dataclass(eq=False)
class Untrusted(HesoError):
    """An envelope that no known key signed, or with a known key's signature that does not hold."""

    why: str
    next_step = "compare the key with the one its owner published"

    def __str__(self) -> str:
        return f"the envelope is not to be trusted: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """An in-toto statement about one action. `predicate` is free JSON; of ours, `receipt` is the whole receipt."""

    action_hash: Digest
    subject: str
    predicate: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A statement out of its envelope. `signed_by` hold; `unknown` are keys that nobody vouched for, unchecked."""

    statement: Statement
    signed_by: tuple[PublicKey, ...]
    unknown: tuple[str, ...]


def pre_authentication(body: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """The bytes a DSSE signature is over."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)


def state_receipt(envelope: Json) -> Statement:
    """The statement about a receipt, given as its parsed envelope."""
    content: Any = envelope["content"]
    action = content["action"]
    predicate: Json = {
        "primitive": primitive_of(action["verb"]),
        "trust_level": content["trust_level"],
        "verb": action["verb"],
        "receipt": envelope,
    }
    return Statement(
        action_hash=Digest(content["action_hash"]),
        subject=f"action://{action['workflow']}",
        predicate=predicate,
    )


def format_statement(statement: Statement) -> bytes:
    """The statement's canonical JSON text."""
    subject = {"name": statement.subject, "digest": {"blake3": statement.action_hash}}
    return canonical_bytes(
        {
            "_type": STATEMENT_TYPE,
            "subject": [subject],
            "predicateType": PREDICATE_TYPE,
            "predicate": statement.predicate,
        },
        max_depth=_DEEPEST,
    )


def parse_statement(body: bytes) -> Statement:
    """Raises `Malformed` for anything but a statement about exactly one action."""
    found = parse_json(body, max_bytes=_LARGEST_ENVELOPE, max_depth=_DEEPEST, what="statement")
    keys = {"_type", "subject", "predicateType", "predicate"}
    if not isinstance(found, dict) or found.keys() != keys:
        raise Malformed("statement", f"must be an object with {', '.join(sorted(keys))}")
    if found["_type"] != STATEMENT_TYPE:
        raise Malformed("statement", f"must be {STATEMENT_TYPE}", "_type")
    if found["predicateType"] != PREDICATE_TYPE:
        raise Malformed("statement", f"must be {PREDICATE_TYPE}", "predicateType")
    if not isinstance(found["predicate"], dict):
        raise Malformed("statement", "must be an object", "predicate")
    match found["subject"]:
        case [{"name": str(name), "digest": {"blake3": str(action_hash)}}] if is_digest(
            action_hash
        ):
            _check_subject(action_hash, found["predicate"])
            return Statement(
                action_hash=Digest(action_hash), subject=name, predicate=found["predicate"]
            )
    raise Malformed("statement", "must be one name with one blake3 digest", "subject")


def _check_subject(action_hash: str, predicate: Json) -> None:
    """A statement about one action that carries another one's receipt would lend it the first one's name."""
    match predicate:
        case {"receipt": {"content": {"action_hash": carried}}} if carried != action_hash:
            raise Malformed("statement", "is not about the receipt that it carries", "subject")


def seal_statement(statement: Statement, signer: Signs) -> bytes:
    """The JSON text of a signed DSSE envelope."""
    body = format_statement(statement)
    signature = signer.sign(pre_authentication(body))
    return orjson.dumps(
        {
            "payload": format_base64(body),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": signer.public_key, "sig": format_base64(signature)}],
        }
    )


def open_envelope(data: bytes, *, trusted: Collection[PublicKey]) -> Opened:
    """The statement in an envelope that at least one trusted key signed. Raises `Malformed` or `Untrusted`.

    A trusted key's signature that does not hold is refused, whoever else signed: somebody tampered with it.
    """
    body, signatures = _parse_envelope(data)
    signed = pre_authentication(body)
    good: dict[PublicKey, None] = {}
    unknown: list[str] = []
    for keyid, raw in signatures:
        if keyid not in trusted:
            unknown.append(keyid)
        elif signature_holds(parse_public_key(keyid), signed, raw):
            good[PublicKey(keyid)] = None
        else:
            raise Untrusted(f"the signature of {keyid} does not hold")
    if not good:
        raise Untrusted("no trusted key signed it")
    return Opened(statement=parse_statement(body), signed_by=tuple(good), unknown=tuple(unknown))


def _parse_envelope(data: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    found = parse_json(data, max_bytes=_LARGEST_ENVELOPE, what="DSSE envelope")
    keys = {"payload", "payloadType", "signatures"}
    if not isinstance(found, dict) or found.keys() != keys:
        raise Malformed("DSSE envelope", f"must be an object with {', '.join(sorted(keys))}")
    if found["payloadType"] != PAYLOAD_TYPE:
        raise Malformed("DSSE envelope", f"must be {PAYLOAD_TYPE}", "payloadType")
    rows = found["signatures"]
    if not isinstance(rows, list) or not 1 <= len(rows) <= _MOST_SIGNATURES:
        why = f"must be 1 to {_MOST_SIGNATURES} signatures"
        raise Malformed("DSSE envelope", why, "signatures")
    return _parse_payload(found["payload"]), [_parse_signature(row) for row in rows]


def _parse_payload(text: object) -> bytes:
    try:
        body = binascii.a2b_base64(str(text), strict_mode=True)
    except (binascii.Error, ValueError):
        raise Malformed("DSSE envelope", "not base64", "payload") from None
    if format_base64(body) != text:
        raise Malformed("DSSE envelope", "not canonical base64", "payload")
    return body


def _parse_signature(row: object) -> tuple[str, bytes]:
    match row:
        case {"keyid": str(keyid), "sig": str(sig), **rest} if not rest:
            return keyid, parse_signature(sig)
    raise Malformed("DSSE envelope", "must be a keyid and a sig", "signatures")
