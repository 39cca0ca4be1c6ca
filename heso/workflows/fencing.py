"""Holding a run: the newest fence drives it, and every other driver is told to stop."""

from dataclasses import dataclass

from heso.core.errors import HesoError
from heso.core.journal import Run, RunId
from heso.ports import Heads


@dataclass(eq=False)
class NoSuchRun(HesoError):
    """No run of this name."""

    run: str
    next_step = "see what there is with `heso runs list`"

    def __str__(self) -> str:
        return f"no run {self.run!r} in this project"


class NotOurs(BaseException):
    """Somebody else drives the run now, or it was cancelled. Not an `Exception`: a workflow must not go on."""


def find_run(heads: Heads, run: RunId) -> Run:
    """Raises `NoSuchRun`."""
    found = heads.run(run)
    if found is None:
        raise NoSuchRun(run)
    return found


def check_fence(heads: Heads, run: Run) -> Run:
    """The run as it is now. Raises `NotOurs` unless it still runs under this fence."""
    now = find_run(heads, run.id)
    if (now.state, now.fence) != (run.state, run.fence):
        raise NotOurs
    return now
