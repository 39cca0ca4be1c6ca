"""One logical call on its way out through a client, as a value: what it was let through for.

Rule 1: what people approved goes out once. Trying again is for what policy lets pass by itself.
Rule 2: a passage is of one client and one call. Whoever else sends while it is open, and whoever sends when it is over,
        passes the gate by itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from heso.async_gate.pipeline import Permit
from heso.integrations.describing import Settings
from heso.integrations.exchange import Exchange

_NOTHING = object()


@dataclass(slots=True)
class Passage:
    """What one logical call has been admitted for. `owner` is the client that sends in it."""

    settings: Settings
    owner: object = None
    admitted: list[Exchange] = field(default_factory=list)
    permit: Permit | None = None
    is_approved: bool = False
    """People approved the first of `admitted`: it goes out once."""
    answer: object = _NOTHING
    """What it is answered with instead of being sent."""
    changed: Exchange | None = None
    """What is sent in its place: an approver changed it."""
    is_carried: bool = False
    """Whether the next call takes this passage instead of one of its own."""
    is_sending: bool = False
    is_over: bool = False
    left: int = 0
    """How many requests went out in it."""
    is_used: bool = False
    """Whether what was approved went out."""

    @property
    def is_answered(self) -> bool:
        """Whether the request at hand is answered without being sent."""
        return self.answer is not _NOTHING


_passage: ContextVar[Passage | None] = ContextVar("heso_passage", default=None)


def current_passage(owner: object = None) -> Passage | None:
    """The open passage; with an `owner`, only this one's."""
    passage = _passage.get()
    if passage is None or passage.is_over or (owner is not None and passage.owner is not owner):
        return None
    return passage


@contextmanager
def inside(passage: Passage) -> Iterator[None]:
    """What is sent inside is sent in it. It is over then."""
    token = _passage.set(passage)
    try:
        yield
    finally:
        passage.is_over = True
        _passage.reset(token)


@contextmanager
def admitted_already(
    exchange: Exchange, settings: Settings, *, puts_body: bool = False
) -> Iterator[None]:
    """The next call that is made inside was approved as this, and goes out as this, once, or passes the gate itself.
    `puts_body`: whatever body it has is replaced by this one."""
    changed = exchange if puts_body else None
    passage = Passage(
        settings, None, [exchange], is_approved=True, changed=changed, is_carried=True
    )
    with inside(passage):
        yield
