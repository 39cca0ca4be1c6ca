"""From a call's arguments to names: what Python itself would bind, defaults included, `self` and `cls` left out.

A `**kwargs` parameter gives its entries under their own names, so that policy sees `amount` however it was passed.
"""

import inspect
from collections.abc import Callable
from typing import Any

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Binder:
    """Binds calls of one function. Made once, when the function is decorated."""

    def __init__(self, function: Callable[..., Any], *, is_static: bool = False) -> None:
        self._signature = _signature(function)
        parameters = list(self._signature.parameters.values())
        self._receiver = "" if is_static else _receiver(function, parameters)
        self._is_plain = all(p.kind not in _VARIADIC for p in parameters)
        self._positional = tuple(p.name for p in parameters if p.kind in _POSITIONAL)
        self._positional_only = frozenset(
            p.name for p in parameters if p.kind is inspect.Parameter.POSITIONAL_ONLY
        )
        self._defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        self._names = frozenset(p.name for p in parameters)

    @property
    def signature(self) -> inspect.Signature:
        """What calling it binds."""
        return self._signature

    @property
    def receiver(self) -> str:
        """The name of `self` or `cls`; empty when there is none."""
        return self._receiver

    @property
    def keywords(self) -> str:
        """The name of the `**kwargs` parameter; empty when there is none."""
        kinds = self._signature.parameters.values()
        return next((p.name for p in kinds if p.kind is inspect.Parameter.VAR_KEYWORD), "")

    @property
    def names(self) -> frozenset[str]:
        """The parameters that become fields."""
        return self._names - {self._receiver}

    def bind(self, args: tuple[object, ...], kwargs: dict[str, object]) -> dict[str, object]:
        """The arguments by name. Raises the `TypeError` that the call itself would raise."""
        if self._is_plain and len(args) <= len(self._positional):
            bound: dict[str, object] = dict(zip(self._positional, args, strict=False)) | kwargs
            for name, default in self._defaults.items():
                if name not in bound:
                    bound[name] = default
            if bound.keys() == self._names and (not kwargs or self._is_by_name(kwargs, len(args))):
                if self._receiver:
                    del bound[self._receiver]
                return bound
        return self._bind_exactly(args, kwargs)

    def _is_by_name(self, kwargs: dict[str, object], taken: int) -> bool:
        """Whether no keyword repeats a positional argument or names a positional-only one."""
        return kwargs.keys().isdisjoint(self._positional[:taken]) and kwargs.keys().isdisjoint(
            self._positional_only
        )

    def _bind_exactly(
        self, args: tuple[object, ...], kwargs: dict[str, object]
    ) -> dict[str, object]:
        call = self._signature.bind(*args, **kwargs)
        call.apply_defaults()
        bound: dict[str, object] = {}
        for name, value in call.arguments.items():
            if self._signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
                for key in value:
                    if key in bound:
                        raise TypeError(
                            f"the argument {key!r} is given twice: by position and in **{name}"
                        )
                bound.update(value)
            elif name != self._receiver:
                bound[name] = value
        return bound


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    """What calling it binds. A wrapper that only passes on `*args, **kwargs` is read through to what it wraps; one with
    parameters of its own is not, because its defaults are the ones that run."""
    own = inspect.signature(function, follow_wrapped=False)
    is_passing_on = all(p.kind in _VARIADIC for p in own.parameters.values())
    return inspect.signature(function) if is_passing_on else own


def _receiver(function: Callable[..., Any], parameters: list[inspect.Parameter]) -> str:
    """The name of `self` or `cls`: the first parameter of a function that was defined in a class."""
    owner = getattr(function, "__qualname__", "").rpartition(".")[0]
    is_method = bool(owner) and not owner.endswith("<locals>")
    if is_method and parameters and parameters[0].name in ("self", "cls", "mcs"):
        return parameters[0].name
    return ""
