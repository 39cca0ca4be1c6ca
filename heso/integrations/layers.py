"""HTTP libraries stand on each other. The highest one that was called knows most, so it asks; those beneath it do not
ask again.

Rule 1: what is beneath is the transport of a request that was let through, for as long as it is on its way. Hooks, retries
        and redirects are above.
Rule 2: it is let through for where it goes. Anything else that is sent meanwhile asks for itself.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar
from urllib.parse import unquote

from heso.async_gate.errors import GateError
from heso.integrations.calling import run_gated, unseen
from heso.integrations.checkout import check_out
from heso.integrations.describing import Settings
from heso.integrations.exchange import Exchange, segments
from heso.integrations.passage import Passage, current_passage
from heso.integrations.signals import Refused, SentOnce
from heso.transports.own import is_own_request

T = TypeVar("T")


class Layer(IntEnum):
    """Who stands on whom."""

    HTTP_CLIENT = 1
    URLLIB3 = 2
    FRONT = 3
    """httpx, requests, aiohttp, websockets."""


@dataclass(slots=True)
class Sending:
    """A request that was let through and is on its way."""

    layer: Layer
    exchange: Exchange
    is_once: bool = False
    """People approved it: the libraries beneath do not try again."""
    is_over: bool = False
    went_down: bool = False

    def is_for(self, exchange: Exchange) -> bool:
        """Whether that is this, as a library beneath spells it."""
        mine, other = self.exchange, exchange
        return (mine.method, mine.origin, segments(mine.path), unquote(mine.query)) == (
            other.method,
            other.origin,
            segments(other.path),
            unquote(other.query),
        )

    def go_down(self, tool: str) -> None:
        """A library beneath takes it up. Raises `Refused` when it does so again, and may not."""
        if self.is_once and self.went_down:
            raise Refused(SentOnce(tool))
        self.went_down = True


_sending: ContextVar[Sending | None] = ContextVar("heso_sending", default=None)


def current_sending() -> Sending | None:
    """What is on its way here. A task that was started meanwhile has no part in it once it has arrived."""
    found = _sending.get()
    return None if found is None or found.is_over else found


def is_let_through(layer: Layer, exchange: Exchange) -> bool:
    """Whether a library above this one has asked for this already, or it is a request of heso's own."""
    found = current_sending()
    is_beneath = found is not None and found.layer > layer and found.is_for(exchange)
    return is_beneath or is_own_request()


@contextmanager
def sending(layer: Layer, exchange: Exchange) -> Iterator[None]:
    """What is sent inside, to where this goes, was let through."""
    passage = current_passage()
    is_once = passage is not None and passage.is_approved
    found = Sending(layer, exchange, is_once)
    token = _sending.set(found)
    try:
        yield
    finally:
        found.is_over = True
        _sending.reset(token)


def go_through(
    layer: Layer,
    exchange: Exchange,
    settings: Settings,
    send: Callable[[], T],
    owner: object,
) -> T:
    """Ask, then send; or only send, when a library above has asked."""
    if is_let_through(layer, exchange):
        return send()

    def asked() -> T:
        passage = current_passage(owner)
        refuse_answered(settings, passage)
        check_out(exchange, settings, passage)
        with sending(layer, exchange):
            return send()

    return run_gated(asked, settings, unseen, owner=owner)


def refuse_answered(settings: Settings, passage: Passage | None) -> None:
    """These libraries cannot be answered with what somebody else got."""
    if passage is not None and passage.is_answered:
        why = "it was sent elsewhere already, and its answer cannot be given here"
        raise Refused(GateError(settings.name, why, "see heso log, or ask for something else"))
