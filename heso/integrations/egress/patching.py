"""Putting a method of ours in another library's place, and taking it back."""

from collections.abc import Callable
from functools import wraps
from typing import Any

_ABSENT = object()


class Patches:
    """What was replaced, newest last."""

    def __init__(self) -> None:
        self._replaced: list[tuple[Any, str, object]] = []

    def put(self, owner: Any, name: str, make: Callable[[Callable[..., Any]], Any]) -> None:
        """Replace `owner.name` by what `make` makes of it. It looks like the original and does not lead to it."""
        original = getattr(owner, name)
        made = wraps(original)(make(original))
        del made.__wrapped__
        self._replaced.append((owner, name, vars(owner).get(name, _ABSENT)))
        setattr(owner, name, made)

    def take_back(self) -> None:
        while self._replaced:
            owner, name, original = self._replaced.pop()
            if original is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
