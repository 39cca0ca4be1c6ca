"""Time anchors: an outside authority's word that a receipt existed at a time (fact sheet, sections 2.2 and 8.3).

    anchored hash = BLAKE3(JCS(content without action_hash and time_anchor))
    imprint       = SHA-256(32 raw bytes of the anchored hash), the message a time authority signs (RFC 3161)

The anchor is part of the content and so of the action hash; what it anchors is the content without it.

Rule: this file reads no tokens. A `ReadsTokens` does, with roots that the relying party pinned; without one no anchor
      is ever taken for a time.
"""

import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from nacl.bindings import crypto_hash_sha256  # loaded anyway; hashlib costs a cold start 3 ms

from heso.core.encoding import Digest, format_base64, is_digest
from heso.core.errors import HesoError
from heso.core.hashing import digest
from heso.core.instant import Instant
from heso.core.receipt import Json, canonical_content

ANCHOR_KIND = "rfc3161"
_NOT_ANCHORED = ("action_hash", "time_anchor")


@dataclass(eq=False)
class AnchorRefused(HesoError):
    """A time anchor that does not show when the receipt existed."""

    why: str
    next_step = "ask the time authority for another token, and pin the root it signs under"

    def __str__(self) -> str:
        return self.why


class ReadsTokens(Protocol):
    """Knows which time authorities to believe."""

    def gen_time(self, token: bytes, imprint: bytes) -> Instant:
        """The time in a DER TimeStampToken over exactly this imprint. Raises `AnchorRefused` for every other token."""
        ...


def anchor_hash(
    content: Mapping[str, Any], canonicalize: Callable[[Json], bytes] = canonical_content
) -> Digest:
    """What a time authority vouches for. The same before and after the anchor is added."""
    anchored = {key: value for key, value in content.items() if key not in _NOT_ANCHORED}
    return digest(canonicalize(anchored))


def imprint_of(anchored: Digest) -> bytes:
    """The 32 bytes that the authority's token is over."""
    return crypto_hash_sha256(bytes.fromhex(anchored))


def add_anchor(content: Json, *, token: bytes, tsa: str) -> Json:
    """The content with its anchor. `tsa` names the authority for people; nothing rests on it."""
    anchor: Json = {
        "kind": ANCHOR_KIND,
        "token_b64": format_base64(token),
        "tsa": tsa,
        "anchored_hash": anchor_hash(content),
    }
    return {**content, "time_anchor": anchor}


def check_anchor(content: Mapping[str, Any], anchored: Digest, reader: ReadsTokens) -> Instant:
    """When the content with this anchored hash existed at the latest. Raises `AnchorRefused`."""
    anchor: Mapping[str, str] = content["time_anchor"]
    if anchor["kind"] != ANCHOR_KIND:
        raise AnchorRefused(f"anchors of kind {anchor['kind'][:40]!r} are not known")
    if not is_digest(anchor["anchored_hash"]):
        raise AnchorRefused("its hash is not 64 lower-case hex characters")
    if anchor["anchored_hash"] != anchored:
        raise AnchorRefused("it is about another content")
    return reader.gen_time(_parse_token(anchor["token_b64"]), imprint_of(anchored))


def _parse_token(text: str) -> bytes:
    try:
        token = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        raise AnchorRefused("its token is not base64") from None
    if not token or format_base64(token) != text:
        raise AnchorRefused("its token is empty, or not canonical base64")
    return token
