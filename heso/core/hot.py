"""Values on the gate's path: frozen for the type checker, plain at run time.

A frozen dataclass costs 0.6 us more to make than a plain one, and one gated call makes about fifteen of them: ten
microseconds of a budget of sixty. mypy refuses every assignment all the same.
"""

from dataclasses import dataclass, field
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def hot_value(cls: type[T]) -> type[T]:
    """A dataclass with slots. Treat its instances as immutable; mypy does."""
    made: Any = dataclass(slots=True)(cls)
    return made  # type: ignore[no-any-return]  # the same class, with slots
