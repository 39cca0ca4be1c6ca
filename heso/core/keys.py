"""Ed25519 by libsodium's rules: cofactorless, S < L, no small-order A or R (fact sheet, section 2.3).

OpenSSL and WebCrypto accept more; a receipt must not be valid in one verifier and forged in another.
"""

from dataclasses import dataclass, field

from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import CryptoError

from heso.core.encoding import KEY_BYTES, SIGNATURE_BYTES, PublicKey, format_public_key
from heso.core.errors import Malformed


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key in memory. It satisfies `heso.ports.Signer`; it never shows its secret in a repr."""

    public_key: PublicKey
    _secret: bytes = field(repr=False)

    @classmethod
    def from_seed(cls, seed: bytes) -> "SigningKey":
        if len(seed) != KEY_BYTES:
            raise Malformed("key seed", f"{len(seed)} bytes, not {KEY_BYTES}")
        public, secret = crypto_sign_seed_keypair(seed)
        return cls(format_public_key(public), secret)

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return crypto_sign(message, self._secret)[:SIGNATURE_BYTES]


def signature_holds(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) is `public_key`'s (32 bytes) over exactly `message`."""
    try:
        crypto_sign_open(signature + message, public_key)
    except CryptoError:
        return False
    return True
