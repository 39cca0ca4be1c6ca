"""How a run leaves its workflow function when it cannot go on now.

Not an `Exception`, so that a workflow's own `except Exception` cannot swallow it.
"""

from heso.core.instant import Instant

NEVER = Instant(2**63 - 1)


class Waits(BaseException):
    """The run waits: until `due`, or until something that a line of `waiting_for` names has come."""

    def __init__(self, waiting_for: str = "", due: Instant = NEVER) -> None:
        self.waiting_for = waiting_for
        self.due = due


class Parks(BaseException):
    """The run cannot go on by itself: its code changed, or a step is in doubt."""

    def __init__(self, why: str) -> None:
        self.why = why
