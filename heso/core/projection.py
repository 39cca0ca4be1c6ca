"""Reading a receipt as the format's reference does: typed objects keep what they know, and drop the rest.

The reference parses into typed records and hashes those (fact sheet, section 1.9). So an unknown key, a null for an
optional key and a written-out default vanish before hashing, a repeated key is an error only where the format knows
it, and the last one wins in free JSON.

Rule 1: what this reader gives fits the same table as the strict one, `heso.core.schema`.
Rule 2: every number is hashed as a double, as in the reference's canonical bytes; `as_doubles` sees to that.
Not imitated: typed objects written as arrays, and enumerations written as `{"L0": null}`. The reference reads them;
nobody writes them.
"""

import math
from collections.abc import Sequence
from typing import assert_never

from heso.core.errors import Malformed
from heso.core.shapes import SAFE, Flag, Free, Integer, ListOf, Mismatch, OneOf, Record, Shape, Text
from heso.core.strict_json import parse_any_json, parse_integer

_LONGEST_INTEGER = 400  # digits; no double is that large


class Pairs:
    """A JSON object as it was written: its keys in order, repeated ones too."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: Sequence[tuple[str, object]]) -> None:
        self.pairs = pairs


def project_json(data: bytes, shape: Shape, *, what: str) -> object:
    """The value of a JSON text, reduced to what `shape` knows. Raises `Malformed`."""
    import json  # noqa: PLC0415  # only compat reads like this, and a cold start counts in milliseconds

    parse_any_json(data, what=what)  # the text itself is sound
    try:
        value = json.loads(
            data,
            object_pairs_hook=Pairs,
            parse_int=_parse_integer,
            parse_float=_parse_double,
        )
        return _project(value, shape)
    except Mismatch as error:
        raise Malformed(what, error.why, ".".join(error.path)) from None
    except (ValueError, RecursionError):
        raise Malformed(what, "not strict JSON") from None


def as_doubles(value: object) -> object:
    """The value with every integer that a double does not hold exactly replaced by the nearest double."""
    if isinstance(value, dict):
        return {key: as_doubles(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_doubles(item) for item in value]
    if type(value) is int and not -SAFE <= value <= SAFE:
        return float(value)
    return value


def _parse_integer(digits: str) -> int | float:
    return parse_integer(digits) if len(digits) < _LONGEST_INTEGER else _parse_double(digits)


def _parse_double(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError("beyond a double")
    return value


def _project(value: object, shape: Shape) -> object:
    match shape:
        case Record():
            return _project_record(value, shape)
        case ListOf(item=item):
            return _project_list(value, item)
        case Free(is_object=is_object):
            return _project_free(value, is_object=is_object)
        case OneOf(names=names, record=record):
            return _project_name(value, names, record)
        case Text() | Flag() | Integer():
            return _project_scalar(value, shape)
        case _:
            assert_never(shape)


def _project_record(value: object, shape: Record) -> dict[str, object]:
    if not isinstance(value, Pairs):
        raise Mismatch("must be an object")
    known: dict[str, object] = {}
    for key, item in value.pairs:
        of = shape.required.get(key) or shape.optional.get(key)
        if of is None:
            if shape.is_sealed:
                raise Mismatch("unknown key").inside(key[:80])
            continue
        if key in known:
            raise Mismatch("duplicate key").inside(key)
        try:
            is_absent = item is None and key in shape.optional and key not in shape.never_null
            known[key] = None if is_absent else _project(item, of)
        except Mismatch as error:
            raise error.inside(key) from None
    missing = shape.required.keys() - known.keys()
    if missing:
        raise Mismatch("missing").inside(min(missing))
    return {key: item for key, item in known.items() if not _is_dropped(key, item, shape)}


def _is_dropped(key: str, item: object, shape: Record) -> bool:
    if key not in shape.optional:
        return False
    return item is None or (key in shape.drops and (item is False or item == []))


def _project_list(value: object, item_shape: Shape) -> list[object]:
    if type(value) is not list:
        raise Mismatch("must be an array")
    projected: list[object] = []
    for index, item in enumerate(value):
        try:
            projected.append(_project(item, item_shape))
        except Mismatch as error:
            raise error.inside(str(index)) from None
    return projected


def _project_free(value: object, *, is_object: bool = False) -> object:
    if isinstance(value, Pairs):
        return {key: _project_free(item) for key, item in value.pairs}
    if is_object:
        raise Mismatch("must be an object")
    if isinstance(value, list):
        return [_project_free(item) for item in value]
    return value


def _project_name(value: object, names: tuple[str, ...], record: Record | None) -> object:
    if isinstance(value, str) and value in names:
        return value
    if record is None or isinstance(value, str):
        raise Mismatch(f"must be one of {', '.join(names)}")
    return _project_record(value, record)


def _project_scalar(value: object, shape: Text | Flag | Integer) -> object:
    match shape:
        case Text():
            fits = type(value) is str
        case Flag():
            fits = type(value) is bool
        case Integer(largest=largest):
            fits = type(value) is int and 0 <= value <= largest
        case _:
            assert_never(shape)
    if not fits:
        raise Mismatch("has the wrong type")
    return value
