"""BLAKE3, and the fingerprints made of it."""

from blake3 import blake3

from heso.core.encoding import Digest, PublicKey, parse_public_key


def digest(data: bytes) -> Digest:
    """BLAKE3 of `data`, 64 lower-case hex characters."""
    return Digest(blake3(data).hexdigest())


def fingerprint(public_key: PublicKey) -> str:
    """How people compare keys: `heso:` and the first 32 hex characters of BLAKE3(raw key)."""
    return "heso:" + digest(parse_public_key(public_key))[:32]
