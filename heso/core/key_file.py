"""The key container: an Ed25519 seed under a passphrase, 104 bytes.

    magic "HESOKEY1" | opslimit u32be | memory KiB u32be | salt 16 | nonce 24 | ciphertext 32 + tag 16

The key is Argon2id(passphrase, salt) with the stated costs; XChaCha20-Poly1305 seals the seed with everything
before the nonce's end as associated data, so a changed cost, salt or nonce does not open.
Costs are read from the file and bounded first: a hostile file cannot make us allocate a terabyte.
"""

import struct

from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
    crypto_pwhash_alg,
    crypto_pwhash_ALG_ARGON2ID13,
)
from nacl.exceptions import CryptoError

from heso.core.encoding import KEY_BYTES
from heso.core.errors import Malformed, WrongPassphrase

MAGIC = b"HESOKEY1"
SALT_BYTES = 16
NONCE_BYTES = 24
OPSLIMIT = 3
MEMORY_KIB = 64 * 1024  # with OPSLIMIT about a tenth of a second on a laptop

_HEAD = struct.Struct(">8sII16s24s")
_SIZE = _HEAD.size + KEY_BYTES + 16
_MAX_OPSLIMIT = 16
_MAX_MEMORY_KIB = 1024 * 1024
_MIN_MEMORY_KIB = 8


def seal_key(
    seed: bytes,
    passphrase: bytes,
    *,
    salt: bytes,
    nonce: bytes,
    opslimit: int = OPSLIMIT,
    memory_kib: int = MEMORY_KIB,
) -> bytes:
    """The container's bytes. `salt` (16) and `nonce` (24) must be fresh random bytes."""
    if len(seed) != KEY_BYTES or not _are_sound(opslimit, memory_kib):
        raise Malformed("key", "a seed of 32 bytes and costs within bounds are needed")
    head = _HEAD.pack(MAGIC, opslimit, memory_kib, salt, nonce)
    key = _derive(passphrase, salt, opslimit, memory_kib)
    return head + crypto_aead_xchacha20poly1305_ietf_encrypt(seed, head, nonce, key)


def open_key(container: bytes, passphrase: bytes) -> bytes:
    """The seed. Raises `Malformed` for bytes that are no container, `WrongPassphrase` when it does not open."""
    if len(container) != _SIZE or not container.startswith(MAGIC):
        raise Malformed("key file", "not a heso key container")
    _, opslimit, memory_kib, salt, nonce = _HEAD.unpack_from(container)
    if not _are_sound(opslimit, memory_kib):
        raise Malformed("key file", "its key derivation costs are out of bounds")
    key = _derive(passphrase, salt, opslimit, memory_kib)
    try:
        return crypto_aead_xchacha20poly1305_ietf_decrypt(
            container[_HEAD.size :], container[: _HEAD.size], nonce, key
        )
    except CryptoError:
        raise WrongPassphrase from None


def _are_sound(opslimit: int, memory_kib: int) -> bool:
    return 1 <= opslimit <= _MAX_OPSLIMIT and _MIN_MEMORY_KIB <= memory_kib <= _MAX_MEMORY_KIB


def _derive(passphrase: bytes, salt: bytes, opslimit: int, memory_kib: int) -> bytes:
    return crypto_pwhash_alg(
        KEY_BYTES, passphrase, salt, opslimit, memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13
    )
