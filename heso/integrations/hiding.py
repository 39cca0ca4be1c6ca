"""Hiding what lies in lists: `messages.content` hides the content of every message, each with a commitment of its own.

The format's own paths walk objects only. So a value in a list is moved to an object of its own, `http.hidden`, under the
way that leads to it, and that object's entries are hidden as the format does it; in the list stays where it went.

    {"messages": [{"role": "user", "content": {"$hidden": "messages/0/content"}}],
     "http": {"hidden": {"messages/0/content": {"_sd": ...}}}}

Rule: a path that runs into something else hides that instead, as everywhere; and so does one that leads to more places than
      a receipt has room for.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from heso.core.errors import Malformed
from heso.core.forms import is_standin
from heso.integrations.payloads import DIGEST, HIDDEN

Way = tuple[str | int, ...]
_MOST_WAYS = 500


def hide_in_lists(
    fields: Mapping[str, object], paths: Sequence[str]
) -> tuple[dict[str, object], dict[str, object], tuple[str, ...]]:
    """The fields, what was moved out of them by its way, and the paths that need no moving."""
    shown: dict[str, object] = dict(fields)
    moved: dict[str, object] = {}
    plain: list[str] = []
    ours: dict[int, object] = {}
    for path in dict.fromkeys(paths):
        ways = list(_ways(shown, path.split("."), ()))
        through_lists = [way for way in ways if any(isinstance(step, int) for step in way)]
        if len(through_lists) > _MOST_WAYS:
            plain.append(
                path
            )  # which hides the list: a commitment for each item would fill the receipt
            continue
        if path in shown or not through_lists:  # a key may be written like a path
            plain += [path, *(".".join(map(str, way)) for way in ways if not through_lists)]
        for way in through_lists:
            name = "/".join(map(_escape, way))
            if name not in moved:
                moved[name] = _take_out(shown, way, {HIDDEN: name}, ours)
    return shown, moved, tuple(dict.fromkeys(plain))


def _escape(step: str | int) -> str:
    """As in a JSON pointer (RFC 6901): no two ways are written alike."""
    return str(step).replace("~", "~0").replace("/", "~1")


def put_back(fields: Mapping[str, object], moved: Mapping[str, object]) -> dict[str, object]:
    """The fields as they were. Raises `Malformed` when what is hidden and where do not fit."""
    left = dict(moved)

    def restore(value: object) -> object:
        if isinstance(value, dict):
            if HIDDEN in value:
                name = str(value[HIDDEN])
                if name not in left:
                    raise Malformed("hidden value", "is not there", name)
                return restore(left.pop(name))
            return {key: restore(item) for key, item in value.items()}
        if isinstance(value, list):
            return [restore(item) for item in value]
        return value

    restored = {key: restore(value) for key, value in fields.items()}
    if left:
        raise Malformed("hidden value", "has no place", min(left))
    return restored


def _ways(value: object, rest: Sequence[str], walked: Way) -> Iterator[Way]:
    is_closed = isinstance(value, dict) and (
        HIDDEN in value or DIGEST in value or is_standin(value)
    )
    if not rest or is_closed:
        yield walked
    elif isinstance(value, list):
        yield from _ways_in_list(value, rest, walked)
    elif isinstance(value, dict):
        if rest[0] in value:
            yield from _ways(value[rest[0]], rest[1:], (*walked, rest[0]))
    elif value is not None and walked:
        yield walked


def _ways_in_list(value: list[object], rest: Sequence[str], walked: Way) -> Iterator[Way]:
    """A number picks one item; any other name goes through all of them."""
    picked = int(rest[0]) if rest[0].isascii() and rest[0].isdigit() else None
    for index, item in enumerate(value):
        if picked is None:
            yield from _ways(item, rest, (*walked, index))
        elif picked == index:
            yield from _ways(item, rest[1:], (*walked, index))


def _take_out(
    root: dict[str, object], way: Way, instead: object, ours: dict[int, object]
) -> object:
    """What stands there, replaced. The lists and objects on the way are replaced by copies of themselves, once: `ours`
    are those that are copies already."""
    here: dict[str, object] | list[object] = root
    for step in way[:-1]:
        inner: Any = here[step]  # type: ignore[index]  # `_ways` walked it
        if id(inner) not in ours:
            inner = list(inner) if isinstance(inner, list) else dict(inner)
            ours[id(inner)] = here[step] = inner  # type: ignore[index]
        here = inner
    taken: object = here[way[-1]]  # type: ignore[index]
    here[way[-1]] = instead  # type: ignore[index]
    return taken
