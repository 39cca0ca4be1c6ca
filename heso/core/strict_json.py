"""Reading JSON that somebody else wrote: RFC 8259, and nothing that two readers could read differently.

Refused: duplicate keys, a byte order mark, invalid UTF-8, trailing data, NaN and infinities, numbers beyond a
double, lone surrogates, too many bytes, too deep. Every refusal is `Malformed`.

orjson does the reading. It keeps the last of two equal keys, so a duplicate shows as a text that is shorter
when written back: a compact text that survives the round trip has none, and only other texts (pretty-printed,
escaped differently) pay for the slow reader that looks at every pair.
"""

import json
import re
from itertools import accumulate

import orjson

from heso.core.canonical import MAX_DEPTH
from heso.core.errors import Malformed
from heso.core.strictness import StricterRule

MAX_BYTES = 2 * 1024 * 1024


def parse_json(
    data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH, what: str = "JSON"
) -> object:
    """The value of a JSON text. `what` names the text in the error."""
    value = parse_any_json(data, max_bytes=max_bytes, max_depth=max_depth, what=what)
    try:
        if orjson.dumps(value) == data:
            return value
    except TypeError:
        pass  # nested deeper than orjson writes, where the caller allowed that much
    del value  # the slow reader makes another one
    return _parse_every_pair(data, what)


def parse_any_json(
    data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH, what: str = "JSON"
) -> object:
    """As `parse_json`, but of two equal keys the last one stays. Only for who looks at every pair itself."""
    if len(data) > max_bytes:
        why = f"{len(data)} bytes; at most {max_bytes} are read"
        raise Malformed(what, why, rule=StricterRule.SIZE)
    try:
        value: object = orjson.loads(data)
    except ValueError as error:  # orjson.JSONDecodeError is one
        raise Malformed(what, f"not strict JSON: {_reason(error)}") from None
    if data.count(b"[") + data.count(b"{") > max_depth and _depth(data) > max_depth:
        raise Malformed(what, f"nested deeper than {max_depth}")
    return value


def parse_integer(digits: str) -> int | float:
    """A negative zero is a double, as to every reader that keeps its sign: no count, and hashed as 0."""
    return -0.0 if digits == "-0" else int(digits)


def _parse_every_pair(data: bytes, what: str) -> object:
    try:
        return json.loads(data, object_pairs_hook=_unique_pairs, parse_int=parse_integer)
    except _DuplicateKey as error:
        why = f"duplicate key {error.key!r}"
        raise Malformed(what, why, rule=StricterRule.DUPLICATE_KEYS) from None
    except (
        ValueError,
        RecursionError,
    ) as error:  # JSONDecodeError is a ValueError; so is an absurdly long integer
        raise Malformed(what, f"not strict JSON: {_reason(error)}") from None


def split_array(data: bytes, *, what: str = "JSON array") -> list[bytes]:
    """The texts of an array's items, each as it was written. Whoever reads one reads it strictly."""
    try:
        text = data.decode("utf-8")
        at = _skip_space(text, 0)
        if text[at : at + 1] != "[":
            raise Malformed(what, "does not begin with [")
        at = _skip_space(text, at + 1)
        items: list[bytes] = []
        while text[at : at + 1] != "]" or items:
            _, end = _DECODER.raw_decode(text, at)
            items.append(text[at:end].encode())
            at = _skip_space(text, end)
            if text[at : at + 1] == "]":
                break
            if text[at : at + 1] != ",":
                raise Malformed(what, "items are separated by commas")
            at = _skip_space(text, at + 1)
    except (ValueError, RecursionError) as error:
        raise Malformed(what, f"not strict JSON: {_reason(error)}") from None
    if text[at + 1 :].strip(_SPACE):
        raise Malformed(what, "has something behind it")
    return items


_DECODER = json.JSONDecoder()
_SPACE = " \t\n\r"


def _skip_space(text: str, at: int) -> int:
    while text[at : at + 1] in tuple(_SPACE):
        at += 1
    return at


class _DuplicateKey(Exception):
    def __init__(self, key: str) -> None:
        self.key = key[:80]


def _unique_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKey(key)
            seen.add(key)
    return value


def _depth(data: bytes) -> int:
    """How deep the text is nested, also where a later key hides it: whoever reads pair by pair goes down there too."""
    brackets = _TEXT.sub(b"", data).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0)


_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"')  # possessive: nothing is remembered for going back
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in _STEP)


def _reason(error: Exception) -> str:
    """The reader's words without the text it was reading: that may hold a secret."""
    return error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
