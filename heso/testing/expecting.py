"""What the conformance suites share: the stores they are handed, and how they complain."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from heso.ports import Journal, Ledger, Records, Tickets


class Nonconforming(AssertionError):
    """A store that does not keep a promise of its port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One empty ledger, and the ways to read it."""

    ledger: Ledger
    records: Records
    tickets: Tickets
    journal: Journal


StoreMaker = Callable[[], AbstractContextManager[Store]]
"""Makes a fresh, empty store, and lets go of it afterwards."""


def expect(holds: bool, promise: str) -> None:
    """Raises `Nonconforming` naming the promise. No `assert`: it must hold under `python -O` too."""
    if not holds:
        raise Nonconforming(promise)
