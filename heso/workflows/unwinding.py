"""How a run leaves its workflow function when it cannot go on now.

Not an `Exception`, so that a workflow's own `except Exception` cannot swallow it. One that catches `BaseException` all the
same gets it again at its next step, and at its end.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from heso.core.instant import Instant

NEVER = Instant(2**63 - 1)


class Leaves(BaseException):
    """The run goes on later, or elsewhere, or not at all: no step of it happens here now."""


class Waits(Leaves):
    """The run waits: until `due`, or until something that a line of `waiting_for` names has come. `why` is our own trouble,
    when it is that."""

    def __init__(self, waiting_for: str = "", due: Instant = NEVER, why: str | None = None) -> None:
        self.waiting_for = waiting_for
        self.due = due
        self.why = why


class Parks(Leaves):
    """The run cannot go on by itself: its code changed, or a step is in doubt."""

    def __init__(self, why: str) -> None:
        self.why = why


class NotOurs(Leaves):
    """Somebody else drives the run now, or it was cancelled."""


@dataclass(slots=True)
class Branch:
    """What runs one step after the other: a workflow function, or one of the branches of a `gather`."""

    left: Leaves | None = None


_branch: ContextVar[Branch | None] = ContextVar("heso_branch", default=None)


@contextmanager
def branching() -> Iterator[Branch]:
    """Inside is a branch of its own."""
    branch = Branch()
    token = _branch.set(branch)
    try:
        yield branch
    finally:
        _branch.reset(token)


@contextmanager
def stepping() -> Iterator[None]:
    """Inside is one step. A branch that was left has no further one."""
    branch = _branch.get()
    if branch is None:
        yield
        return
    if branch.left is not None:
        raise branch.left
    try:
        yield
    except Leaves as left:
        branch.left = left
        raise


def first_of(left: list[Leaves]) -> Leaves:
    """What several branches that were left amount to."""
    for kind in (NotOurs, Parks):
        found = next((one for one in left if isinstance(one, kind)), None)
        if found is not None:
            return found
    waits = [one for one in left if isinstance(one, Waits)]
    lines = dict.fromkeys(line for one in waits for line in one.waiting_for.split("\n") if line)
    why = next((one.why for one in waits if one.why is not None), None)
    return Waits("\n".join(lines), min(one.due for one in waits), why)
