"""Looking up what a condition names: a literal argument first, then a dotted path into the arguments, then one of
the reserved names."""

from heso.core.receipt import Action

RESERVED = frozenset({"verb", "tool_name", "target_host", "workflow", "account"})


class _Missing:
    """The value of a field that is not there; JSON null is not missing."""

    def __repr__(self) -> str:
        return "<missing>"


MISSING = _Missing()


def find_field(action: Action, name: str) -> object:
    """The value, or `MISSING`."""
    fields = action.fields
    if name in fields:
        return fields[name]
    if "." in name:
        found: object = fields
        for segment in name.split("."):
            if not isinstance(found, dict) or segment not in found:
                return MISSING
            found = found[segment]
        return found
    if name in RESERVED:
        value = getattr(action, name)
        return MISSING if value is None else str(value)
    return MISSING
