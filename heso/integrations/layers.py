"""HTTP libraries stand on each other. The highest one that was called knows most, so it asks; those beneath it do not
ask again.

Rule: what is beneath is known by the call that is going on, not by a mark on the request: a redirect that a library sends
      through its own front door is asked about like any other request.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from typing import TypeVar

from heso.async_gate.errors import GateError
from heso.integrations.describing import Settings
from heso.integrations.exchange import Exchange
from heso.integrations.passage import (
    check_out,
    current_passage,
    is_answered,
    run_gated,
    unseen,
)
from heso.transports.own import is_own_request

T = TypeVar("T")


class Layer(IntEnum):
    """Who stands on whom."""

    NOBODY = 0
    HTTP_CLIENT = 1
    URLLIB3 = 2
    FRONT = 3
    """httpx, requests, aiohttp, websockets."""


_above: ContextVar[Layer] = ContextVar("heso_layer", default=Layer.NOBODY)


def is_let_through(layer: Layer) -> bool:
    """Whether a library above this one has asked already, or it is a request of heso's own."""
    return _above.get() > layer or is_own_request()


def is_on_its_way() -> bool:
    """Whether whatever is being sent here was let through by any library."""
    return _above.get() > Layer.NOBODY or is_own_request()


@contextmanager
def sending(layer: Layer) -> Iterator[None]:
    """What is sent inside was asked about by a library of this layer."""
    token = _above.set(layer)
    try:
        yield
    finally:
        _above.reset(token)


def go_through(layer: Layer, exchange: Exchange, settings: Settings, send: Callable[[], T]) -> T:
    """Ask, then send; or only send, when a library above has asked."""
    if is_let_through(layer):
        return send()

    def asked() -> T:
        refuse_answered(settings)
        check_out(exchange, settings)
        with sending(layer):
            return send()

    return run_gated(asked, settings, unseen)


def refuse_answered(settings: Settings) -> None:
    """These libraries cannot be answered with what somebody else got."""
    if is_answered(current_passage()):
        why = "it was sent elsewhere already, and its answer cannot be given here"
        raise GateError(settings.name, why, "see heso log, or ask for something else")
