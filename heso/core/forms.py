"""The objects that stand for what has no JSON form: `{"$bytes": ...}` and its like.

They look like objects and are none: nothing in them can be named by a path.
"""

BYTES = "$bytes"
OBJECT = "$object"
CALLABLE = "$callable"
_STANDINS = frozenset({BYTES, OBJECT, CALLABLE})


def is_standin(value: object) -> bool:
    """Whether a snapshot wrote this for something that is not JSON."""
    return isinstance(value, dict) and len(value) == 1 and not _STANDINS.isdisjoint(value)
