"""Canonical JSON: what it refuses, and the corners where two writers could differ."""

import json
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from types import MappingProxyType

import pytest

from heso.core.canonical import MAX_DEPTH, MAX_SAFE_INTEGER, canonical_bytes, format_number
from heso.core.errors import Malformed


class Colour(StrEnum):
    RED = "red"


class Count(IntEnum):
    TWO = 2


class Measured(float):
    """A float that prints and negates as itself, as numeric libraries' scalars do."""

    def __abs__(self) -> "Measured":
        return Measured(float.__abs__(self))

    def __repr__(self) -> str:
        return f"Measured({float.__repr__(self)})"


def nested(depth: int, wrap: Callable[[object], object]) -> object:
    value: object = wrap("innermost")
    for _ in range(depth - 1):
        value = wrap(value)
    return value


IN_PLACE: dict[str, Callable[[object], object]] = {
    "alone": lambda value: value,
    "in a list": lambda value: [value],
    "in an object": lambda value: {"k": value},
    "beside a key that is not ascii": lambda value: {"ключ": 1, "k": value},
    "deep": lambda value: {"a": [{"b": [1.5, value]}]},
}

REFUSED = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "minus infinity": float("-inf"),
    "a high surrogate alone": "\ud800",
    "a low surrogate alone": "x\udfffy",
    "surrogates in the wrong order": "\udc00\ud800",
    "a key with a lone surrogate": {"\ud83d": 1},
    "bytes": b"x",
    "a tuple": (1, 2),
    "a set": {1},
    "a datetime": datetime(2026, 1, 1, tzinfo=UTC),
    "a read-only mapping": MappingProxyType({"a": 1}),
    "a complex number": 1j,
    "an object": object(),
    "a key that is a number": {1: "x"},
    "a key that is none": {None: "x"},
    "a key that is true": {True: "x"},
    "a key that is bytes": {b"k": "x"},
    "keys of two types": {"a": 1, 2: 1},
    "2^53 + 1": 2**53 + 1,
    "minus 2^53 - 1": -(2**53) - 1,
    "2^64 - 1": 2**64 - 1,
    "2^64, whose double prints other digits": 2**64,
    "an integer that a double holds and prints otherwise": 27021597764222952,
    "an integer between two doubles that prints as the nearest one does": 27021597764222950,
    "10^400": 10**400,
    "minus 10^5000": -(10**5000),
}


@pytest.mark.parametrize("place", IN_PLACE)
@pytest.mark.parametrize("name", REFUSED)
def test_what_json_cannot_say_is_refused_wherever_it_stands(name: str, place: str) -> None:
    with pytest.raises(Malformed):
        canonical_bytes(IN_PLACE[place](REFUSED[name]))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: [value],
        lambda value: {"k": value},
        lambda value: {"ключ": value},
        lambda value: [float(1), value],
    ],
)
def test_the_deepest_value_is_written_and_one_more_level_is_refused(
    wrap: Callable[[object], object],
) -> None:
    assert json.loads(canonical_bytes(nested(MAX_DEPTH, wrap))) == nested(MAX_DEPTH, wrap)
    with pytest.raises(Malformed, match="nested too deep"):
        canonical_bytes(nested(MAX_DEPTH + 1, wrap))


@pytest.mark.parametrize("depth", [1, 2, 126])
@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"ключ": value}])
def test_the_depth_that_is_written_may_be_set_lower(
    depth: int, wrap: Callable[[object], object]
) -> None:
    value = nested(depth, wrap)
    assert canonical_bytes(value, max_depth=depth) == canonical_bytes(value)
    with pytest.raises(Malformed) as caught:
        canonical_bytes(value, max_depth=depth - 1)
    assert str(caught.value) == "malformed JSON value: nested too deep"


def test_a_value_that_holds_itself_is_refused() -> None:
    ring: list[object] = []
    ring.append(ring)
    loop: dict[str, object] = {}
    loop["ключ"] = loop
    for value in (ring, loop):
        with pytest.raises(Malformed, match="nested too deep"):
            canonical_bytes(value)


NUMBERS: list[tuple[float, bytes]] = [
    (0, b"0"),
    (-0.0, b"0"),
    (1.0, b"1"),
    (-1.5, b"-1.5"),
    (0.0001, b"0.0001"),
    (0.00001, b"0.00001"),
    (0.000001, b"0.000001"),
    (1e-7, b"1e-7"),
    (-1.25e-7, b"-1.25e-7"),
    (123456789012345.6, b"123456789012345.6"),
    (999999999999999.9, b"999999999999999.9"),
    (1234567890123456.8, b"1234567890123456.8"),
    (1e15, b"1000000000000000"),
    (1e16, b"10000000000000000"),
    (1e20, b"100000000000000000000"),
    (1e21, b"1e+21"),
    (1.5e300, b"1.5e+300"),
    (5e-324, b"5e-324"),
    (1.7976931348623157e308, b"1.7976931348623157e+308"),
    (MAX_SAFE_INTEGER, b"9007199254740991"),
    (-MAX_SAFE_INTEGER, b"-9007199254740991"),
    (2**53, b"9007199254740992"),
    (2**53 + 2, b"9007199254740994"),
    (-(2**53) - 2, b"-9007199254740994"),
    (2.702159776422295e16, b"27021597764222950"),
    (2.0**64, b"18446744073709552000"),
    (10**20, b"100000000000000000000"),
]


@pytest.mark.parametrize(("number", "text"), NUMBERS)
def test_numbers_are_printed_the_ecmascript_way(number: float, text: bytes) -> None:
    assert canonical_bytes(number) == text
    assert canonical_bytes({"n": [number]}) == b'{"n":[' + text + b"]}"


@pytest.mark.parametrize("number", [2.702159776422295e16, 2.0**64, -(2.0**70) / 2])
def test_a_double_whose_text_no_double_holds_is_written_and_not_read_back(number: float) -> None:
    """The one exception to reading back what was written: as an integer that text is another number."""
    text = canonical_bytes(number)
    with pytest.raises(Malformed, match="beyond 2\\^53 loses digits"):
        canonical_bytes(int(text))
    assert canonical_bytes(float(text)) == text


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_has_no_text(number: float) -> None:
    with pytest.raises(Malformed, match="NaN and infinities"):
        format_number(number)


def test_keys_sort_by_utf16_code_units() -> None:
    keys = ["\U00010000", "\ue000", "\uffff", "é", "z", "a", "", "\x7f", "\ud7ff", "aa", "a\x00"]
    in_order = [
        "",
        "a",
        "a\x00",
        "aa",
        "z",
        "\x7f",
        "é",
        "\ud7ff",
        "\U00010000",
        "\ue000",
        "\uffff",
    ]
    assert list(json.loads(canonical_bytes(dict.fromkeys(keys, 0)))) == in_order


def test_ascii_keys_sort_alike_on_both_ways() -> None:
    keys = [chr(code) for code in range(127, -1, -1)]
    plain = canonical_bytes(dict.fromkeys(keys, 0))
    exact = canonical_bytes({**dict.fromkeys(keys, 0), "é": 0})
    assert exact == plain[:-1] + ',"é":0}'.encode()


def test_only_quote_backslash_and_controls_are_escaped() -> None:
    short = {8: r"\b", 9: r"\t", 10: r"\n", 12: r"\f", 13: r"\r", 34: r"\"", 92: r"\\"}
    for code in (*range(0x300), 0x2028, 0x2029, 0xFEFF, 0xFFFF, 0x1F600):
        text = short.get(code, f"\\u{code:04x}" if code < 0x20 else chr(code))
        assert canonical_bytes(chr(code)) == f'"{text}"'.encode()
        assert canonical_bytes({chr(code): True}) == f'{{"{text}":true}}'.encode()


def test_subclasses_of_json_types_are_written_as_what_they_are() -> None:
    value = OrderedDict([("b", Colour.RED), ("a", Count.TWO), (Colour.RED, [None, False])])
    assert canonical_bytes(value) == b'{"a":2,"b":"red","red":[null,false]}'


def test_a_float_with_a_repr_of_its_own_is_still_written_as_json() -> None:
    assert canonical_bytes([Measured(1.5), Measured(-0.25)]) == b"[1.5,-0.25]"


def test_text_is_not_normalised() -> None:
    assert canonical_bytes({"é": 1, "e\u0301": 2}) == '{"e\u0301":2,"é":1}'.encode()


def test_the_error_says_what_is_wrong_and_never_quotes_the_value() -> None:
    with pytest.raises(Malformed) as caught:
        canonical_bytes({"password": ["hunter2", b"hunter2"]})
    assert str(caught.value) == "malformed JSON value: bytes is not a JSON type"
    with pytest.raises(Malformed) as caught:
        canonical_bytes({"pin": 12345678901234567890123})
    assert "12345" not in str(caught.value)


def test_writing_leaves_the_value_as_it_was() -> None:
    value = {"b": [1, {"z": 0, "a": 0}], "a": {"ключ": 1.0}}
    before = json.dumps(value)
    canonical_bytes(value)
    assert json.dumps(value) == before
