"""Holding a run: the newest fence drives it, and every other driver is told to stop."""

from dataclasses import dataclass

from heso.core.errors import HesoError
from heso.core.journal import Run, RunId
from heso.ports import Batch, Heads, Ledger, Seal
from heso.workflows.unwinding import NotOurs


@dataclass(eq=False)
class NoSuchRun(HesoError):
    """No run of this name."""

    run: str
    next_step = "see what there is with `heso runs list`"

    def __str__(self) -> str:
        return f"no run {self.run!r} in this project"


class FenceLost(Exception):
    """Said inside a seal, where nothing but an `Exception` is one caller's own: `NotOurs` to whoever asked."""


def find_run(heads: Heads, run: RunId) -> Run:
    """Raises `NoSuchRun`."""
    found = heads.run(run)
    if found is None:
        raise NoSuchRun(run)
    return found


def check_fence(heads: Heads, run: Run) -> Run:
    """The run as it is now, in a seal. Raises `FenceLost` unless it still runs under this fence."""
    now = find_run(heads, run.id)
    if (now.state, now.fence) != (run.state, run.fence):
        raise FenceLost
    return now


def append_if_ours(ledger: Ledger, run: Run, seal: Seal) -> None:
    """Append what `seal` makes. Raises `NotOurs`, and nothing is written, unless the run still runs under this fence."""

    def checked(heads: Heads) -> Batch:
        check_fence(heads, run)
        return seal(heads)

    try:
        ledger.append_inline(checked)
    except FenceLost:
        raise NotOurs from None
