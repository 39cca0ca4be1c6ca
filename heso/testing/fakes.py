"""A clock that moves when told, dice that fall the same way every time, a key that everybody knows."""

from blake3 import blake3

from heso.core.encoding import PublicKey
from heso.core.instant import SECOND, Instant
from heso.core.keys import SigningKey

NEW_YEAR = Instant(1_767_225_600 * SECOND)
"""2026-01-01T00:00:00Z."""


class FakeClock:
    """A `Clock` that stands still until `advance`."""

    def __init__(self, at: Instant = NEW_YEAR) -> None:
        self._now = at

    def now(self) -> Instant:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on; a negative number moves back, as a wall clock may."""
        self._now = Instant(self._now + round(seconds * SECOND))


class FakeDice:
    """`Dice` whose draws are all different and the same in every run. Never for a real key."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self.drawn = 0

    def draw(self, size: int) -> bytes:
        self.drawn += 1
        return blake3(f"{self._seed}/{self.drawn}".encode()).digest(length=size)


class FakeSigner:
    """A `Signer` whose seed is one byte, thirty-two times. `signed` counts its signatures."""

    def __init__(self, seed: int = 1) -> None:
        self._key = SigningKey.from_seed(bytes([seed]) * 32)
        self.signed = 0

    @property
    def public_key(self) -> PublicKey:
        return self._key.public_key

    def sign(self, message: bytes) -> bytes:
        self.signed += 1
        return self._key.sign(message)
