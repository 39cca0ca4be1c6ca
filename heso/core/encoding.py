"""Text forms of bytes on the wire: base64 for keys and signatures, lower-case hex for hashes.

Rule: refuse what we would not have written. Each reader writes the value back and compares, so there is
exactly one text for every key, signature and hash (HESO/1 fact sheet, section 0).
"""

import binascii
from functools import lru_cache
from typing import NewType

from heso.core.errors import Malformed

PublicKey = NewType("PublicKey", str)  # 44 characters of base64
Digest = NewType("Digest", str)  # 64 lower-case hex characters

KEY_BYTES = 32
SIGNATURE_BYTES = 64
_HEX = frozenset("0123456789abcdef")


@lru_cache(maxsize=256)  # a chain names one key in every receipt
def parse_public_key(text: str) -> bytes:
    """The 32 raw bytes of a base64 public key."""
    return _parse_base64(text, KEY_BYTES, "public key")


def format_public_key(raw: bytes) -> PublicKey:
    return PublicKey(format_base64(raw))


def parse_signature(text: str) -> bytes:
    """The 64 raw bytes of a base64 signature."""
    return _parse_base64(text, SIGNATURE_BYTES, "signature")


def format_base64(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).decode("ascii")


def is_digest(text: object) -> bool:
    return type(text) is str and len(text) == 64 and _HEX.issuperset(text)


def parse_digest(text: str) -> Digest:
    if not is_digest(text):
        raise Malformed("digest", "not 64 lower-case hex characters")
    return Digest(text)


def _parse_base64(text: str, size: int, what: str) -> bytes:
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        raise Malformed(what, "not base64") from None
    if len(raw) != size:
        raise Malformed(what, f"{len(raw)} bytes, not {size}")
    if format_base64(raw) != text:
        raise Malformed(what, "not canonical base64")
    return raw
