"""Whether arguments changed is answered the quick way when it can be, and the answer is the slow way's."""

import enum
import math
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from heso.async_gate.snapshot import Unfit, is_unchanged, snapshot_fields
from heso.core.canonical import canonical_bytes


class Colour(enum.Enum):
    ONE = 1
    NOT = math.nan


class Count(enum.IntEnum):
    ONE = 1


class Text(str):
    __slots__ = ()


@dataclass
class Order:
    one: object = 1


SCALARS = st.sampled_from(
    [
        *(None, True, False, 0, 1, -1, 2**53, 2**64, 0.0, -0.0, 1.0, 1e300, math.nan, math.inf, "", "1", "é"),
        *("null", Text("1"), Decimal(1), Decimal("1.0"), b"1", Colour.ONE, Colour.NOT, Count.ONE),
        *(uuid.UUID(int=1), str(uuid.UUID(int=1)), "\ud800", orjson.Fragment(b"1"), orjson.Fragment(b"null")),
        *(Order(), Order(1.0), Order(True)),
    ]
)  # fmt: skip
KEYS = st.sampled_from(["a", "b", Text("a"), 1, "1", Colour.ONE])
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner),
        st.sets(st.sampled_from([1, "1", 2.5]), max_size=2),
        st.dictionaries(KEYS, inner, max_size=3),
    ),
    max_leaves=6,
)


def form(value: object) -> bytes | None:
    try:
        return canonical_bytes(snapshot_fields({"value": value})[0])
    except Unfit:
        return None


@settings(max_examples=1500, deadline=None)
@given(VALUES, VALUES)
def test_unchanged_means_that_the_form_is_the_same(before: Any, after: Any) -> None:
    judged = form(before)
    if judged is None:
        return
    fields, _ = snapshot_fields({"value": before})
    assert is_unchanged({"value": before}, fields)
    assert is_unchanged({"value": after}, fields) == (form(after) == judged)


@settings(max_examples=1500, deadline=None)
@given(SCALARS, SCALARS, st.sampled_from([list, lambda v: {"k": v}, lambda v: [[v], {"k": [v]}]]))
def test_one_value_put_in_another_ones_place_is_seen(before: Any, after: Any, around: Any) -> None:
    if around is list:
        around = lambda value: [value]  # noqa: E731
    judged = form(around(before))
    if judged is None:
        return
    fields, _ = snapshot_fields({"value": around(before)})
    assert is_unchanged({"value": around(after)}, fields) == (form(around(after)) == judged)


def test_a_structure_that_holds_itself_has_changed() -> None:
    fields, _ = snapshot_fields({"value": [[]]})
    loop: list[object] = []
    loop.append(loop)
    assert not is_unchanged({"value": loop}, fields)
