"""Canonical JSON against another implementation, against itself, and against the reader."""

import json
import math
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from heso.core.canonical import MAX_DEPTH, MAX_SAFE_INTEGER, _write, canonical_bytes, format_number
from heso.core.errors import Malformed
from heso.core.strict_json import parse_json

QUICK = settings(derandomize=True, deadline=None, max_examples=300)

EDGES = [
    0.0,
    -0.0,
    1e-4,
    1e-5,
    1e-6,
    1e-7,
    1e15,
    1e16,
    1e20,
    1e21,
    5e-324,
    2.0**53,
    1.5e15,
    0.1 + 0.2,
]
FLOATS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(EDGES),
    st.builds(math.nextafter, st.sampled_from(EDGES), st.sampled_from([-math.inf, math.inf])),
)
TEXT = st.one_of(st.text(), st.text('\x00\x1f"\\/\x7f\u2028é\ue000\uffff\U00010000a'))
KEYS = st.one_of(st.text("abAB\x00\x7f", max_size=3), TEXT)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER),
    FLOATS,
    TEXT,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)
NOT_ALWAYS_JSON = st.recursive(
    st.one_of(
        SCALARS,
        st.integers(),
        st.integers(-(10**40), 10**40),
        st.integers(0, 1100).map(lambda power: 2**power),
        st.integers(0, 400).map(lambda power: -(10**power)),
        st.floats(),
        st.text(st.characters()),
        st.text(st.characters(categories=["Cs", "Lu"])),
        st.binary(max_size=3),
        st.sampled_from([(), (1,), {1}, 1j, object]),
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.one_of(KEYS, st.integers(), st.none()), inner, max_size=4)
    ),
    max_leaves=10,
)


def as_doubles(value: Any) -> Any:
    """RFC 8785 writes 2.702159776422295e16 as an integer's digits; a reader of doubles reads them back."""
    if isinstance(value, list):
        return [as_doubles(item) for item in value]
    if isinstance(value, dict):
        return {key: as_doubles(item) for key, item in value.items()}
    return float(value) if type(value) is int else value


@given(VALUES)
@QUICK
def test_it_writes_what_another_implementation_writes(value: Any) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)


@given(FLOATS)
@settings(QUICK, max_examples=2000)
def test_a_number_reads_back_as_itself_and_is_printed_as_by_another_implementation(
    number: float,
) -> None:
    text = format_number(number)
    assert text.encode() == rfc8785.dumps(number) == canonical_bytes(number)
    assert float(text) == number


@given(VALUES)
@QUICK
def test_the_fast_way_and_the_exact_way_write_the_same(value: Any) -> None:
    parts: list[bytes] = []
    _write(value, parts, MAX_DEPTH)
    assert canonical_bytes(value) == b"".join(parts)


def is_lost(number: object) -> bool:
    """A double whose text is an integer that no double holds exactly."""
    text = format_number(number) if type(number) is float else ""
    return text.lstrip("-").isdigit() and int(text) != number


def holds_lost(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(holds_lost, value))
    if isinstance(value, dict):
        return any(map(holds_lost, value.values()))
    return is_lost(value)


@given(VALUES | st.floats(2.0**53, 1e21))
@QUICK
def test_what_is_written_reads_back_and_writes_the_same_again_or_is_refused(value: Any) -> None:
    text = canonical_bytes(value)
    read = parse_json(text)
    assert as_doubles(read) == as_doubles(value)
    if holds_lost(value):
        with pytest.raises(Malformed, match="loses digits"):
            canonical_bytes(read)
    else:
        assert canonical_bytes(read) == text


@given(st.floats(-(2.0**53), 2.0**53) | st.floats(min_value=1e21, allow_infinity=False))
@QUICK
def test_no_double_is_lost_below_2_to_the_53_nor_from_ten_to_the_21(number: float) -> None:
    assert not is_lost(number)


@given(VALUES, st.sampled_from([None, 1, "\t"]), st.booleans())
@QUICK
def test_how_a_text_is_spelled_does_not_change_what_is_read(
    value: Any, indent: int | str | None, ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    assert canonical_bytes(parse_json(text)) == canonical_bytes(value)


@given(NOT_ALWAYS_JSON)
@QUICK
def test_any_value_is_written_exactly_or_refused(value: Any) -> None:
    try:
        text = canonical_bytes(value)
    except Malformed:
        return
    assert as_doubles(json.loads(text)) == as_doubles(value)


@given(st.integers(), st.integers(-3, 3))
@QUICK
def test_two_integers_never_share_their_bytes(integer: int, step: int) -> None:
    for near in (integer, 2**53 + integer % 1000, 10**20 + integer % 1000):
        try:
            one, other = canonical_bytes(near), canonical_bytes(near + step)
        except Malformed:
            continue
        assert (one == other) == (step == 0)


LARGE = st.one_of(
    st.integers(2**53, 2**70),
    st.floats(2.0**53, 2.0**70).map(int),
    st.floats(2.0**53, 9.99e20).map(lambda number: int(format_number(number))),
    st.integers(0, 2**52).map(lambda half: 2**53 + 2 * half),
)


@given(LARGE)
@settings(QUICK, max_examples=1000)
def test_an_integer_is_written_exactly_when_a_double_holds_it_and_prints_its_digits(
    integer: int,
) -> None:
    for number in (integer, -integer):
        double = float(number)
        if int(double) == number and format_number(double) == str(number):
            assert canonical_bytes(number) == str(number).encode() == canonical_bytes(double)
        else:
            with pytest.raises(Malformed, match="loses digits"):
                canonical_bytes(number)
