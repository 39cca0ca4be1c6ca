"""RFC 8785 (JSON Canonicalization Scheme): one value, one sequence of bytes.

Rule 1: `canonical_bytes` is exact for every JSON value; what RFC 8785 cannot express is refused.
Rule 2: an integer is accepted only when an IEEE double holds it exactly and prints it back unchanged, so two
        different numbers never share a hash.
Rule 3: orjson writes the bytes wherever its output is RFC 8785 to the letter; a guard proves that per value
        (exact types, ASCII keys, safe integers, floats in the range where both print alike). Everything
        else takes the exact writer. The two are compared with each other in tests/properties.
"""

import math

import orjson

from heso.core.errors import Malformed
from heso.core.strictness import StricterRule

MAX_SAFE_INTEGER = 2**53 - 1
MAX_DEPTH = 127  # nested containers counted from the root; HESO/1 refuses more

# Between these magnitudes a non-integral double is printed alike by orjson and by ECMAScript.
_PLAIN_FLOAT_MIN = 1e-4
_PLAIN_FLOAT_MAX = 1e15


def canonical_bytes(value: object, *, max_depth: int = MAX_DEPTH) -> bytes:
    """The RFC 8785 bytes of a JSON value (dict, list, str, int, float, bool, None).

    Raises `Malformed` for NaN, infinities, lone surrogates, integers a double cannot hold, keys that are not
    text, nesting deeper than `max_depth`, and every type that is not JSON.
    """
    try:
        if _is_plain(value, max_depth):
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:  # orjson found a lone surrogate
        raise Malformed("JSON value", "text is not valid Unicode") from error
    parts: list[bytes] = []
    _write(value, parts, max_depth)
    return b"".join(parts)


def is_plain_json(value: object, *, max_depth: int = MAX_DEPTH) -> bool:
    """Whether orjson with sorted keys writes RFC 8785 for this value. Raises `Malformed` when it is too deep."""
    return _is_plain(value, max_depth)


def format_number(value: float) -> str:
    """A finite double as ECMAScript's Number::toString prints it (ECMA-262, section 6.1.6.1.20)."""
    if not math.isfinite(value):
        raise Malformed("JSON number", "NaN and infinities are not JSON")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = float.__repr__(float.__abs__(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    padded = whole + fraction
    digits = padded.lstrip("0")
    point = (
        len(whole) + int(exponent or 0) - (len(padded) - len(digits))
    )  # value = 0.digits * 10**point
    return sign + _place_point(digits.rstrip("0"), point)


def _place_point(digits: str, point: int) -> str:
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    fraction = f".{digits[1:]}" if count > 1 else ""
    exponent = point - 1
    return f"{digits[0]}{fraction}e{'+' if exponent > 0 else '-'}{abs(exponent)}"


def _is_plain(value: object, room: int) -> bool:
    """Whether orjson with sorted keys writes RFC 8785 for this value. Exact types only: a subclass may write itself
    differently."""
    kind = type(value)
    if kind is dict:
        return _is_plain_dict(value, room)  # type: ignore[arg-type]  # kind is dict
    if kind is int:
        return -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER  # type: ignore[operator]
    if kind is list:
        if room == 0:
            raise _too_deep()
        return all(type(item) is str or _is_plain(item, room - 1) for item in value)  # type: ignore[attr-defined]
    if kind is float:
        return _is_plain_float(value)  # type: ignore[arg-type]
    return kind is str or kind is bool or value is None


def _is_plain_dict(value: dict[object, object], room: int) -> bool:
    if room == 0:
        raise _too_deep()
    for key, item in value.items():
        if type(key) is not str or not key.isascii():
            return False
        if type(item) is not str and not _is_plain(item, room - 1):
            return False
    return True


def _is_plain_float(value: float) -> bool:
    return _PLAIN_FLOAT_MIN <= abs(value) < _PLAIN_FLOAT_MAX and not value.is_integer()


def _write(value: object, parts: list[bytes], room: int) -> None:
    match value:
        case None | bool() | str():
            parts.append(_write_scalar(value))
        case int():
            parts.append(_write_integer(value))
        case float():
            parts.append(format_number(value).encode())
        case list():
            _write_list(value, parts, room)
        case dict():
            _write_dict(value, parts, room)
        case _:
            raise Malformed("JSON value", f"{type(value).__name__} is not a JSON type")


def _write_scalar(value: str | bool | None) -> bytes:
    try:
        return orjson.dumps(value)  # RFC 8785 escapes exactly what orjson escapes
    except TypeError as error:
        raise Malformed("JSON value", "text is not valid Unicode") from error


def _write_integer(value: int) -> bytes:
    text = int.__repr__(value) if abs(value) < 10**400 else ""  # no double is that large
    if not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        try:
            double = float(value)
            exact = int(double) == value and format_number(double) == text
        except OverflowError:
            exact = False
        if not exact:
            raise Malformed(
                "JSON number",
                "an integer beyond 2^53 loses digits as an IEEE double; send it as text",
                rule=StricterRule.EXACT_NUMBERS,
            )
    return text.encode()


def _write_list(value: list[object], parts: list[bytes], room: int) -> None:
    if room == 0:
        raise _too_deep()
    parts.append(b"[")
    for index, item in enumerate(value):
        if index:
            parts.append(b",")
        _write(item, parts, room - 1)
    parts.append(b"]")


def _write_dict(value: dict[object, object], parts: list[bytes], room: int) -> None:
    if room == 0:
        raise _too_deep()
    parts.append(b"{")
    for index, key in enumerate(sorted(value, key=_utf16)):
        if index:
            parts.append(b",")
        parts.append(_write_scalar(key))  # type: ignore[arg-type]  # _utf16 refused every key that is not text
        parts.append(b":")
        _write(value[key], parts, room - 1)
    parts.append(b"}")


def _utf16(key: object) -> bytes:
    """RFC 8785 section 3.2.3 sorts keys by UTF-16 code units, not by code points."""
    if not isinstance(key, str):
        raise Malformed("JSON object", f"a key is {type(key).__name__}, not text")
    return key.encode("utf-16-be", "surrogatepass")


def _too_deep() -> Malformed:
    return Malformed("JSON value", "nested too deep")
