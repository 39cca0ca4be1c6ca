"""The one call that every subject gates.

Rule 1: every subject gets the same arguments, so every receipt has about the same bytes.
Rule 2: an order is named once over all processes, so a stored receipt can be matched to the call that made it.
Rule 3: only the standard library, because the peer's environment has nothing else.
"""

from collections.abc import Awaitable, Callable
from itertools import count
from os import getpid
from typing import Any

WORKFLOW = "bench"
ACCOUNT = "bench"
TOOL = "refund"

Body = Callable[..., int]
AsyncBody = Callable[..., Awaitable[int]]
Items = list[dict[str, Any]]

NOTE = "The parcel came back unopened; the carrier's scan and the warehouse's count agree. " * 4

_orders = count()


def next_arguments() -> dict[str, Any]:
    """Return what one call is made with: text, a number, a list and nested objects, about 0.5 KB."""
    return {
        "order": f"o-{getpid()}-{next(_orders)}",
        "cents": 9900,
        "currency": "EUR",
        "note": NOTE,
        "items": [{"sku": "lamp-3", "quantity": 1}, {"sku": "bulb-9", "quantity": 4}],
    }


def refund(order: str, cents: int, currency: str, note: str, items: Items) -> int:
    """Do nothing: what is measured is everything around this body."""
    del order, currency, note, items
    return cents


async def refund_later(order: str, cents: int, currency: str, note: str, items: Items) -> int:
    """Do nothing, in a coroutine."""
    del order, currency, note, items
    return cents
