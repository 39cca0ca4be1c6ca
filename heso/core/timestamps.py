"""Reading RFC 3161 tokens with pinned roots. Needs the `time` extra; imported by name only.

The CMS signature, its signed attributes, the chain to a pinned root as of the token's own time, and the signer's
critical time-stamping key usage are checked by `rfc3161-client` over OpenSSL. What it leaves to its caller is here:
the imprint's algorithm, the size, the order of the certificates, and that a token is one DER value with nothing behind
it.

Not checked: revocation. A root whose authority lost a key has to be unpinned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

from cryptography.x509 import Certificate, load_pem_x509_certificates
from rfc3161_client import (
    PKIStatus,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from heso.core.errors import Malformed
from heso.core.instant import Instant, instant_of
from heso.core.time_anchor import AnchorRefused

MAX_TOKEN_BYTES = 64 * 1024
_SHA256 = "2.16.840.1.101.3.4.2.1"
_SET = 0xA0  # the certificates of a CMS SignedData
_GRANTED = bytes.fromhex("3003020100")  # PKIStatusInfo: granted


@dataclass(frozen=True, slots=True)
class TimeRoots:
    """Certificates whose word about time is taken. It satisfies `heso.core.time_anchor.ReadsTokens`."""

    roots: tuple[Certificate, ...]

    def gen_time(self, token: bytes, imprint: bytes) -> Instant:
        return check_reply(decode_reply(_as_reply(token)), imprint=imprint, roots=self.roots)


def parse_time_roots(pem: bytes) -> TimeRoots:
    """The certificates in a PEM text. Raises `Malformed`."""
    try:
        found = load_pem_x509_certificates(pem)
    except ValueError:
        raise Malformed("time roots", "no PEM certificates") from None
    return TimeRoots(tuple(dict.fromkeys(found)))


@dataclass(frozen=True, slots=True)
class Reply:
    """An authority's reply as it was read; nothing is checked but that it was granted."""

    response: TimeStampResponse
    nonce: int | None
    algorithm: str
    gen_time: Instant
    token: bytes


def decode_reply(data: bytes) -> Reply:
    """A DER TimeStampResp. Raises `AnchorRefused`."""
    if len(data) > MAX_TOKEN_BYTES:
        raise AnchorRefused(f"{len(data)} bytes; at most {MAX_TOKEN_BYTES} are read")
    try:
        response = decode_timestamp_response(_sort_certificates(data))
        status = int(response.status)
        info = response.tst_info if status == PKIStatus.GRANTED else None
        if info is not None:
            return Reply(
                response=response,
                nonce=info.nonce,
                algorithm=info.message_imprint.hash_algorithm.dotted_string,
                gen_time=instant_of(info.gen_time.replace(tzinfo=UTC)),
                token=bytes(response.time_stamp_token()),
            )
    except Exception as error:  # noqa: BLE001  # a foreign parser over hostile bytes: whatever it is, it is no token
        raise AnchorRefused(f"its token cannot be read ({type(error).__name__})") from None
    raise AnchorRefused(f"the authority did not grant it (status {status})")


def check_reply(reply: Reply, *, imprint: bytes, roots: Sequence[Certificate]) -> Instant:
    """The reply's time, if a root vouches for it and it is over this imprint. Raises `AnchorRefused`."""
    if reply.algorithm != _SHA256:
        raise AnchorRefused("its imprint is not SHA-256")
    if not roots:
        raise AnchorRefused("no root is pinned")
    try:
        VerifierBuilder(roots=list(roots)).build().verify(reply.response, imprint)
    except VerificationError as error:
        raise AnchorRefused(f"its token does not hold: {error}") from None
    except Exception as error:  # noqa: BLE001  # as above
        raise AnchorRefused(f"its token cannot be checked ({type(error).__name__})") from None
    return reply.gen_time


def _sort_certificates(reply: bytes) -> bytes:
    """The reply with its certificates in the order of DER, which is the only one that the library reads.

    CMS leaves their order to the authority, and no signature is over it. What is not read here is left as it is.
    """
    try:
        (whole,) = _parts(reply, 0, len(reply))
        _, token = _parts(reply, *whole[1:])
        _, explicit = _parts(reply, *token[1:])
        (signed,) = _parts(reply, *explicit[1:])
        start, end = next(part[1:] for part in _parts(reply, *signed[1:]) if reply[part[0]] == _SET)
        certificates = [reply[at:behind] for at, _, behind in _parts(reply, start, end)]
    except (ValueError, IndexError, StopIteration):
        return reply
    return reply[:start] + b"".join(sorted(certificates)) + reply[end:]


def _parts(data: bytes, at: int, end: int) -> list[tuple[int, int, int]]:
    """The DER values in a range: where each begins, where its content does, and where it ends."""
    parts: list[tuple[int, int, int]] = []
    while at < end:
        size, start = data[at + 1], at + 2
        if size > 0x80:
            start += size - 0x80
            size = int.from_bytes(data[at + 2 : start], "big")
        elif size == 0x80:
            raise ValueError("a length that is not definite")
        if start + size > end:
            raise ValueError("a value that is longer than what it is in")
        parts.append((at, start, start + size))
        at = start + size
    return parts


def _as_reply(token: bytes) -> bytes:
    """The library reads whole replies: the token with a status before it."""
    body = _GRANTED + token
    size = len(body)
    if size < 0x80:
        return bytes((0x30, size)) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((0x30, 0x80 | len(length))) + length + body
