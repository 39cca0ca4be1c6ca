"""Requests of heso's own: a notice to a reviewer, a stamp from a time authority. They are made while an action is at the
gate or after it, so a gate in their way would ask itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_own: ContextVar[bool] = ContextVar("heso_own_request", default=False)


@contextmanager
def own_request() -> Iterator[None]:
    """What is sent inside is heso's."""
    token = _own.set(True)
    try:
        yield
    finally:
        _own.reset(token)


def is_own_request() -> bool:
    return _own.get()
