"""Looking up what a condition names: a literal argument first, then a dotted path into the arguments, then one of
the reserved names.

What can be read in two ways is `UNREADABLE`, so that wrapping or doubling an argument never makes a call laxer: a
path that meets something other than an object, and a literal key beside a path of the same spelling.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, Literal

from heso.core.forms import is_standin
from heso.core.receipt import Action

RESERVED = frozenset({"verb", "tool_name", "target_host", "workflow", "account"})


class Absence(Enum):
    """Why there is no value. JSON null is a value."""

    MISSING = "missing"
    UNREADABLE = "unreadable"


MISSING: Final[Literal[Absence.MISSING]] = Absence.MISSING
UNREADABLE: Final[Literal[Absence.UNREADABLE]] = Absence.UNREADABLE


def find_field(action: Action, name: str) -> object:
    """The value, `MISSING` or `UNREADABLE`."""
    fields = action.fields
    if "." in name:
        by_path = _walk(fields, name)
        if name not in fields:
            return by_path
        return fields[name] if by_path is MISSING else UNREADABLE
    if name in fields:
        return fields[name]
    if name in RESERVED:
        value = getattr(action, name)
        return MISSING if value is None else str(value)
    return MISSING


def _walk(fields: Mapping[str, object], path: str) -> object:
    found: object = fields
    for segment in path.split("."):
        if not isinstance(found, Mapping) or is_standin(found):
            return MISSING if found is None else UNREADABLE
        if segment not in found:
            return MISSING
        found = found[segment]
    return found
