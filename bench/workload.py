"""The one call that every subject gates.

Rule 1: every subject gets the same arguments, so every receipt has about the same bytes.
Rule 2: an order number is used once per process, so a stored receipt can be matched to the call that made it.
Rule 3: only the standard library, because the peer's environment has nothing else.
"""

from collections.abc import Iterator
from itertools import count
from os import getpid
from typing import Any

WORKFLOW = "bench"
ACCOUNT = "bench"
NOTE = "The parcel came back unopened; the carrier's scan and the warehouse's agree. " * 4

type_of_items = list[dict[str, Any]]


def refund(order: str, cents: int, currency: str, note: str, items: type_of_items) -> int:  # noqa: ARG001
    """Do nothing: what is measured is everything around this body."""
    return cents


async def refund_later(
    order: str,  # noqa: ARG001 - the names become the fields of the receipt
    cents: int,
    currency: str,  # noqa: ARG001
    note: str,  # noqa: ARG001
    items: type_of_items,  # noqa: ARG001
) -> int:
    """Do nothing, asynchronously."""
    return cents
