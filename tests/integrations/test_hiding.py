"""Hiding in lists, for any JSON and any paths: nothing of it is seen, and it comes back where it was."""

import copy
from collections.abc import Iterator
from itertools import count
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heso.core.canonical import canonical_bytes
from heso.core.errors import Malformed
from heso.core.redaction import redact_fields
from heso.integrations.hiding import hide_in_lists, put_back
from heso.integrations.payloads import DIGEST, HIDDEN

QUICK = settings(derandomize=True, deadline=None, max_examples=200)
SECRET = "s3cr3t-é"  # noqa: S105  # opens nothing
WRITTEN = SECRET.encode()[:6]

SEGMENTS = st.sampled_from(["a", "b", "content", "0", "1", "é", "_sd", "$bytes", "x-y"])
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text("xyz", max_size=3))
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SEGMENTS, inner, max_size=4),
    max_leaves=20,
)
FIELDS = st.dictionaries(SEGMENTS, VALUES, max_size=4)
PATHS = st.lists(SEGMENTS, min_size=1, max_size=4).map(".".join)
SECRETS = st.sampled_from([SECRET, [SECRET], [[1, SECRET]], {"deep": [{"er": SECRET}]}])


@st.composite
def fields_with_a_secret(draw: st.DrawFn) -> tuple[dict[str, Any], list[str]]:
    """Fields that hold the secret only where the one path leads, through objects and lists, or where it runs into
    something that is neither; and more paths."""
    names = st.sampled_from(["a", "b", "content", "é", "x-y"])  # a number picks, and may miss
    path = draw(st.lists(names, min_size=1, max_size=4))
    stop = draw(st.integers(1, len(path)))
    value: Any = draw(SECRETS) if stop == len(path) else SECRET
    for segment in reversed(path[:stop]):
        value = {**draw(st.dictionaries(SEGMENTS, PLAIN, max_size=2)), segment: value}
        for _ in range(draw(st.integers(0, 2)) if segment != path[0] else 0):
            value = [*draw(st.lists(VALUES, max_size=2)), value, *draw(st.lists(PLAIN, max_size=2))]
    if not isinstance(value, dict):  # the same name twice on the way
        value = {path[0]: value}
    others = draw(st.lists(PATHS, max_size=3))
    return value, draw(st.permutations([".".join(path), *others]))


def receipt_of(fields: dict[str, Any], paths: list[str]) -> tuple[bytes, dict[str, Any], Any]:
    """What a receipt would show, and what was hidden by which path."""
    shown, moved, plain = hide_in_lists(fields, paths)
    numbers = count(1)
    redacted = redact_fields(
        {**shown, "http": {"hidden": moved}},
        (*plain, *(f"http.hidden.{name}" for name in moved)),
        draw_salt=lambda: next(numbers).to_bytes(32, "big"),
    )
    return canonical_bytes([redacted.fields, redacted.record]), moved, redacted


def pointers_in(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if HIDDEN in value:
            yield value[HIDDEN]
        for item in value.values():
            yield from pointers_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from pointers_in(item)


@given(FIELDS, st.lists(PATHS, max_size=5))
@QUICK
def test_any_fields_come_back_as_they_were_and_are_left_alone(
    fields: dict[str, Any], paths: list[str]
) -> None:
    before = copy.deepcopy(fields)
    shown, moved, _ = hide_in_lists(fields, paths)
    assert fields == before
    assert canonical_bytes(put_back(shown, moved)) == canonical_bytes(fields)
    assert sorted(pointers_in([shown, moved])) == sorted(moved)


@given(fields_with_a_secret())
@QUICK
def test_no_hidden_value_is_in_any_byte_of_what_a_receipt_shows(
    case: tuple[dict[str, Any], list[str]],
) -> None:
    fields, paths = case
    shown, _, redacted = receipt_of(fields, paths)
    assert WRITTEN not in shown
    assert any(WRITTEN in reveal.value_json.encode() for reveal in redacted.reveals)


@given(fields_with_a_secret())
@QUICK
def test_what_moved_is_hidden_each_with_a_commitment_of_its_own(
    case: tuple[dict[str, Any], list[str]],
) -> None:
    fields, paths = case
    _, moved, redacted = receipt_of(fields, paths)
    markers = [] if redacted.record is None else redacted.record["markers"]
    hidden = {one["field_path"] for one in markers}
    assert {f"http.hidden.{name}" for name in moved} <= hidden


CASES = [
    (
        "every message's content",
        {"messages": [{"role": "u", "content": "x"}, {"role": "a", "content": ["y"]}]},
        ["messages.content"],
        {
            "messages": [
                {"role": "u", "content": {HIDDEN: "messages/0/content"}},
                {"role": "a", "content": {HIDDEN: "messages/1/content"}},
            ]
        },
        {"messages/0/content": "x", "messages/1/content": ["y"]},
        (),
    ),
    (
        "one item by its number",
        {"a": ["x", "y", "z"]},
        ["a.1"],
        {"a": ["x", {HIDDEN: "a/1"}, "z"]},
        {"a/1": "y"},
        (),
    ),
    (
        "through lists in lists",
        {"a": [[{"b": 1}], {"b": 2}]},
        ["a.b"],
        {"a": [[{"b": {HIDDEN: "a/0/0/b"}}], {"b": {HIDDEN: "a/1/b"}}]},
        {"a/0/0/b": 1, "a/1/b": 2},
        (),
    ),
    (
        "what it runs into, but not nothing",
        {"a": ["x", 1, None, {"c": 2}]},
        ["a.b"],
        {"a": [{HIDDEN: "a/0"}, {HIDDEN: "a/1"}, None, {"c": 2}]},
        {"a/0": "x", "a/1": 1},
        (),
    ),
    ("a list itself", {"a": ["x"]}, ["a"], {"a": ["x"]}, {}, ("a",)),
    ("an object's", {"a": {"b": "x"}}, ["a.b"], {"a": {"b": "x"}}, {}, ("a.b",)),
    (
        "a stand-in as a whole",
        {"a": [{DIGEST: "0", "bytes": 1, "type": "json"}]},
        ["a.bytes"],
        {"a": [{HIDDEN: "a/0"}]},
        {"a/0": {DIGEST: "0", "bytes": 1, "type": "json"}},
        (),
    ),
    (
        "once, by two paths",
        {"a": [{"b": "x"}]},
        ["a.b", "a.0"],
        {"a": [{HIDDEN: "a/0"}]},
        {"a/0/b": "x", "a/0": {"b": {HIDDEN: "a/0/b"}}},
        (),
    ),
]


@pytest.mark.parametrize(
    ("fields", "paths", "shown", "moved", "plain"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_what_is_shown_moved_and_left_to_the_format(
    fields: dict[str, Any],
    paths: list[str],
    shown: dict[str, Any],
    moved: dict[str, Any],
    plain: tuple[str, ...],
) -> None:
    assert hide_in_lists(fields, paths) == (shown, moved, plain)


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        pytest.param({"a": []}, ["a.b"], id="an empty list"),
        pytest.param({"a": [SECRET]}, ["a.7"], id="a number that is not there"),
        pytest.param({"a": SECRET}, ["a.b"], id="a text"),
        pytest.param({"a": {DIGEST: SECRET}}, ["a.b"], id="a stand-in"),
        pytest.param({"a": {"$bytes": SECRET}}, ["a.b"], id="bytes"),
        pytest.param({"a": [{"$bytes": SECRET}]}, ["a.$bytes"], id="bytes in a list"),
        pytest.param({"a": [[[SECRET]]]}, ["a.0.0.0.b"], id="deeper than the path"),
        pytest.param({"a": [{"b": SECRET}], "a.b": SECRET}, ["a.b"], id="a name with a dot"),
    ],
)
def test_what_a_path_means_is_hidden_whatever_stands_there(
    fields: dict[str, Any], paths: list[str]
) -> None:
    shown, _, redacted = receipt_of(fields, paths)
    assert WRITTEN not in shown
    assert redacted.record is not None


def test_a_path_that_is_named_twice_hides_what_it_hides_once() -> None:
    fields = {"a": [{"b": SECRET, "role": "user"}]}
    assert hide_in_lists(fields, ["a.b", "a.b"]) == hide_in_lists(fields, ["a.b"])


def test_two_values_whose_ways_are_written_alike_are_both_kept() -> None:
    fields = {"a": [{"b/c": "one", "b": {"c": "two"}}]}
    shown, moved, _ = hide_in_lists(fields, ["a.b/c", "a.b.c"])
    assert put_back(shown, moved) == fields


@pytest.mark.parametrize(
    ("fields", "moved"),
    [
        pytest.param({"a": [{HIDDEN: "a/0"}]}, {}, id="nothing was moved"),
        pytest.param({"a": []}, {"a/0": 1}, id="no place"),
        pytest.param({"a": [{HIDDEN: "a/0"}, {HIDDEN: "a/0"}]}, {"a/0": 1}, id="two places"),
        pytest.param({"a": [{HIDDEN: "a/0"}]}, {"a/0": {HIDDEN: "a/0"}}, id="a ring"),
        pytest.param({"a": [{HIDDEN: "a/1"}]}, {"a/0": 1}, id="another name"),
        pytest.param({"a": [{HIDDEN: ["a/0"]}]}, {"a/0": 1}, id="no name"),
    ],
)
def test_what_is_hidden_and_where_it_was_must_fit(
    fields: dict[str, Any], moved: dict[str, Any]
) -> None:
    with pytest.raises(Malformed):
        put_back(fields, moved)


def test_hiding_in_a_long_list_takes_time_by_its_length_alone() -> None:
    def seconds(length: int) -> float:
        fields = {"messages": ["x"] * length}
        began = perf_counter()
        hide_in_lists(fields, ["messages.content"])
        return perf_counter() - began

    short = min(seconds(2000) for _ in range(3))
    assert seconds(32_000) < max(48 * short, 0.2)  # 16 times as long; squared it would be 256


def test_a_path_to_more_places_than_a_receipt_has_room_for_hides_the_list() -> None:
    fields = {"messages": [{"content": "x"}] * 501}
    assert hide_in_lists(fields, ["messages.content"]) == (fields, {}, ("messages.content",))
    shown, moved, plain = hide_in_lists(
        {"messages": [{"content": "x"}] * 500}, ["messages.content"]
    )
    assert (len(moved), plain) == (500, ())
    assert "x" not in str(shown)
