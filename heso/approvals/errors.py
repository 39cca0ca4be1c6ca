"""What somebody who decides, claims or asks after an action may meet. Whoever meets one has changed nothing."""

from dataclasses import dataclass

from heso.core.encoding import Digest
from heso.core.errors import HesoError


@dataclass(eq=False)
class NoSuchTicket(HesoError):
    """No action of this name waits here, or ever did."""

    action_hash: str
    next_step: str = "see what waits with `heso inbox`; it may belong to another project"

    def __str__(self) -> str:
        return f"no suspended action {self.action_hash[:12]!r} in this project"


@dataclass(eq=False)
class MayNotDecide(HesoError):
    """Somebody decided what is not theirs to decide."""

    who: str
    why: str
    next_step = "see who may decide it with `heso inbox`; the roster is in heso.toml"

    def __str__(self) -> str:
        return f"{self.who} may not decide this: {self.why}"


@dataclass(eq=False)
class TooLate(HesoError):
    """The deadline has passed."""

    action_hash: Digest
    deadline: str
    next_step = "the action has to be asked again"

    def __str__(self) -> str:
        return f"{self.action_hash[:12]} could be decided until {self.deadline}"


@dataclass(eq=False)
class StaleClaim(HesoError):
    """Somebody else has claimed the action since, or it was settled without us. What we know of it is not recorded."""

    action_hash: Digest
    fence: int
    newest: int
    next_step = "compare what both did; `heso show` has the links"

    def __str__(self) -> str:
        return f"claim {self.fence} of {self.action_hash[:12]} is over; {self.newest} is the newest"


@dataclass(eq=False)
class AnswerUnreadable(HesoError):
    """A request or an answer that travelled is not one, or was changed on its way."""

    what: str
    why: str
    next_step = "export it again: heso request export HASH"

    def __str__(self) -> str:
        return f"this is no {self.what}: {self.why}"
