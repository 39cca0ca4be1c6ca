"""Points in time as whole nanoseconds since 1970 UTC, and the one way in which receipts write them."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import NewType

from heso.core.errors import Malformed

Instant = NewType("Instant", int)

SECOND = 1_000_000_000
MINUTE = 60 * SECOND


def format_instant(instant: Instant) -> str:
    """`YYYY-MM-DDTHH:MM:SSZ`, cut to the second."""
    return _format_second(instant // SECOND)


def instant_of(moment: datetime) -> Instant:
    """Raises `Malformed` for a time without a zone: it is a different instant on every machine."""
    if moment.tzinfo is None:
        raise Malformed("time", "has no time zone; write Z or an offset")
    seconds = int(moment.replace(microsecond=0).timestamp())
    return Instant(seconds * SECOND + moment.microsecond * 1000)


@lru_cache(maxsize=16)  # a burst of actions shares its second
def _format_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
