"""Redaction: what is hidden is gone from the bytes, and only that."""

import copy
import json
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from heso.core.canonical import canonical_bytes
from heso.core.errors import HesoError, Malformed
from heso.core.redaction import Redacted, Reveal, commit, merkle_root, redact_fields

HIDDEN = "4242-4242"


def salts() -> Callable[[], bytes]:
    """1, 2, 3... as 32-byte salts."""
    numbers: Iterator[int] = count(1)
    return lambda: next(numbers).to_bytes(32, "big")


def salt(number: int) -> bytes:
    return number.to_bytes(32, "big")


def hide(fields: dict[str, Any], *paths: str) -> Redacted:
    return redact_fields(fields, paths, draw_salt=salts())


def drop(fields: dict[str, Any], *paths: str) -> Redacted:
    return redact_fields(fields, paths, draw_salt=salts(), mode="destructive")


def test_a_value_becomes_its_commitment() -> None:
    reveal = Reveal(field_path="card", salt=salt(1), value_json=f'"{HIDDEN}"')
    commitment = commit(reveal)
    assert hide({"card": HIDDEN, "n": 1}, "card") == Redacted(
        fields={"card": {"_sd": commitment}, "n": 1},
        record={
            "mode": "commit_and_reveal",
            "markers": [
                {"field_path": "card", "algorithm": "salted-blake3/v1", "commitment": commitment}
            ],
            "merkle_root": merkle_root([commitment]),
        },
        reveals=(reveal,),
    )


def test_a_dropped_value_leaves_nothing_to_reveal() -> None:
    assert drop({"card": HIDDEN, "n": 1}, "card") == Redacted(
        fields={"card": "[redacted]", "n": 1},
        record={
            "mode": "destructive",
            "markers": [{"field_path": "card", "algorithm": "drop/v1", "commitment": ""}],
        },
        reveals=(),
    )


def test_a_dropped_value_draws_no_salt() -> None:
    def refuse() -> bytes:
        raise AssertionError

    result = redact_fields({"card": HIDDEN}, ["card"], draw_salt=refuse, mode="destructive")
    assert result.fields == {"card": "[redacted]"}


def test_nested_values_are_reached_and_their_siblings_kept() -> None:
    fields = {"a": {"b": {"c": HIDDEN, "d": 1}, "e": 2}, "f": 3}
    result = hide(fields, "a.b.c")
    commitment = commit(Reveal(field_path="a.b.c", salt=salt(1), value_json=f'"{HIDDEN}"'))
    assert result.fields == {"a": {"b": {"c": {"_sd": commitment}, "d": 1}, "e": 2}, "f": 3}


def test_paths_are_hidden_in_the_order_they_are_named_each_with_the_next_salt() -> None:
    fields = {"a": 1, "b": {"x": 2, "y": 3}, "c": 4}
    result = hide(fields, "b.y", "nowhere", "a", "b.x")
    reveals = (
        Reveal(field_path="b.y", salt=salt(1), value_json="3"),
        Reveal(field_path="a", salt=salt(2), value_json="1"),
        Reveal(field_path="b.x", salt=salt(3), value_json="2"),
    )
    hidden = {reveal.field_path: {"_sd": commit(reveal)} for reveal in reveals}
    assert result.reveals == reveals
    assert result.fields == {
        "a": hidden["a"],
        "b": {"x": hidden["b.x"], "y": hidden["b.y"]},
        "c": 4,
    }
    assert result.record is not None
    assert result.record["merkle_root"] == merkle_root([commit(reveal) for reveal in reveals])


@pytest.mark.parametrize("paths", [("a", "a.b"), ("a.b", "a"), ("a.b", "a", "a.b"), ("a", "a")])
def test_a_parent_hides_its_children_in_one_commitment(paths: tuple[str, ...]) -> None:
    result = hide({"a": {"b": HIDDEN, "c": 1}}, *paths)
    reveal = Reveal(field_path="a", salt=salt(1), value_json=f'{{"b":"{HIDDEN}","c":1}}')
    assert result.reveals == (reveal,)
    assert result.fields == {"a": {"_sd": commit(reveal)}}


def test_a_name_that_begins_alike_is_no_child() -> None:
    assert drop({"a": {"b": 1}, "ab": 2, "a-b": 3}, "a", "ab").fields == {
        "a": "[redacted]",
        "ab": "[redacted]",
        "a-b": 3,
    }


MISSED = {
    "a missing key": ({"a": 1}, "b"),
    "a missing child": ({"a": {"b": 1}}, "a.c"),
    "below null": ({"a": None}, "a.b"),
    "far below null": ({"a": {"b": None}}, "a.b.c.d"),
    "below a missing key": ({"a": {"b": 1}}, "a.c.d"),
    "an index in brackets": ({"a": [HIDDEN]}, "a[0]"),
    "a wildcard": ({"a": {"b": HIDDEN}}, "a.*"),
    "a prefix of the wire": ({"a": 1}, "action.fields.a"),
    "a leading dot": ({"a": 1}, ".a"),
    "a trailing dot": ({"a": {"b": 1}}, "a."),
    "two dots": ({"a": {"b": 1}}, "a..b"),
    "another case": ({"a": 1}, "A"),
}


@pytest.mark.parametrize("name", MISSED)
def test_a_path_that_does_not_match_hides_nothing_and_draws_no_salt(name: str) -> None:
    fields, path = MISSED[name]

    def refuse() -> bytes:
        raise AssertionError

    result = redact_fields(fields, [path], draw_salt=refuse)
    assert result == Redacted(fields=fields, record=None)
    assert drop(fields, path) == Redacted(fields=fields, record=None)


# An argument of another shape than the rule's author thought of: path -> (fields, what is hidden, as what)
RUN_INTO: dict[str, tuple[dict[str, Any], str, str, str]] = {
    "a text": ({"a": HIDDEN}, "a.b", "a", f'"{HIDDEN}"'),
    "an empty text": ({"a": ""}, "a.b", "a", '""'),
    "a number": ({"a": 42424242}, "a.b", "a", "42424242"),
    "a boolean": ({"a": False}, "a.b", "a", "false"),
    "a list": ({"a": [HIDDEN]}, "a.b", "a", f'["{HIDDEN}"]'),
    "an empty list": ({"a": []}, "a.b", "a", "[]"),
    "an index": ({"a": [HIDDEN]}, "a.0", "a", f'["{HIDDEN}"]'),
    "the objects of a list": ({"a": [{"b": HIDDEN}]}, "a.b", "a", f'[{{"b":"{HIDDEN}"}}]'),
    "a text further down": ({"a": {"b": HIDDEN}}, "a.b.c.d", "a.b", f'"{HIDDEN}"'),
    "a list further down": ({"a": {"b": [HIDDEN]}}, "a.b.c", "a.b", f'["{HIDDEN}"]'),
    "a text, by a trailing dot": ({"a": HIDDEN}, "a.", "a", f'"{HIDDEN}"'),
}


@pytest.mark.parametrize("name", RUN_INTO)
def test_a_path_that_runs_into_something_else_hides_that(name: str) -> None:
    fields, path, reached, value_json = RUN_INTO[name]
    fields = {**fields, "other": 1}
    reveal = Reveal(field_path=reached, salt=salt(1), value_json=value_json)
    result = hide(fields, path)
    assert result.reveals == (reveal,)
    assert result == hide(fields, reached)
    assert result.record is not None
    assert result.record["markers"] == [
        {"field_path": reached, "algorithm": "salted-blake3/v1", "commitment": commit(reveal)}
    ]
    assert result.fields["other"] == 1
    dropped = drop(fields, path)
    assert dropped == drop(fields, reached)
    assert HIDDEN.encode() not in canonical_bytes({"f": dropped.fields, "r": dropped.record})


def test_several_paths_that_run_into_one_value_hide_it_once() -> None:
    result = hide({"card": [HIDDEN], "n": 1}, "card.number", "n", "card.cvc", "card")
    assert [reveal.field_path for reveal in result.reveals] == ["card", "n"]


@pytest.mark.parametrize(
    ("value", "value_json"),
    [
        (None, "null"),
        (False, "false"),
        ("", '""'),
        ({}, "{}"),
        ([], "[]"),
        (1.0, "1"),
        ({"b": 1, "a": [True]}, '{"a":[true],"b":1}'),
        ("é\n", '"é\\n"'),
    ],
)
def test_any_value_that_is_there_is_hidden_even_null(value: object, value_json: str) -> None:
    reveal = Reveal(field_path="x", salt=salt(1), value_json=value_json)
    assert hide({"x": value}, "x").reveals == (reveal,)


@pytest.mark.parametrize("redact", [hide, drop])
def test_the_fields_given_are_not_changed_and_share_nothing_that_was(
    redact: Callable[..., Redacted],
) -> None:
    fields = {"a": {"b": {"c": HIDDEN}, "list": [1]}, "d": {"e": 1}}
    before = copy.deepcopy(fields)
    inner = fields["a"]
    result = redact(fields, "a.b.c", "d.e", "a.list")
    assert fields == before
    assert fields["a"] is inner
    assert result.fields["a"] is not inner


@pytest.mark.parametrize("redact", [hide, drop])
def test_the_secret_is_in_none_of_the_bytes_that_are_signed(
    redact: Callable[..., Redacted],
) -> None:
    fields = {"a": {"b": HIDDEN, "deep": {"x": [HIDDEN]}}, "c": HIDDEN}
    result = redact(fields, "a.b", "a.deep", "c")
    assert HIDDEN.encode() not in canonical_bytes({"f": result.fields, "r": result.record})


def test_no_paths_hide_nothing() -> None:
    fields = {"a": 1}
    assert hide(fields) == Redacted(fields=fields, record=None)
    assert hide({}, "a") == Redacted(fields={}, record=None)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_salt_that_could_not_hide_a_value_is_refused(size: int) -> None:
    """A short salt lets a card number be guessed from its commitment, and the sidecar would not read back."""
    with pytest.raises(Malformed, match="the salt is not 32 bytes") as caught:
        redact_fields({"card": HIDDEN}, ["card"], draw_salt=lambda: b"\x01" * size)
    assert caught.value.where == "card"
    assert HIDDEN not in str(caught.value)


def test_a_value_that_is_not_json_is_refused_without_being_quoted() -> None:
    with pytest.raises(HesoError) as caught:
        hide({"card": HIDDEN.encode()}, "card")
    assert HIDDEN not in str(caught.value)


def test_a_reveal_shows_its_value_in_json() -> None:
    value = {"z": [1.5, None], "a": "é"}
    (reveal,) = hide({"x": value}, "x").reveals
    assert json.loads(reveal.value_json) == value


def test_a_result_does_not_show_the_secret_or_salt_in_a_repr() -> None:
    """A repr ends up in a log, in a trace, in an assertion of somebody's test."""
    result = hide({"card": HIDDEN}, "card")
    assert HIDDEN not in repr(result)
    assert HIDDEN not in repr(result.reveals[0])


def test_a_key_that_is_spelt_like_the_path_is_hidden_as_well_as_what_the_path_leads_to() -> None:
    """Policy reads such a key as the path, so hiding only one of them would show the other."""
    salts = iter([b"\x01" * 32, b"\x02" * 32])
    fields = {"card.number": "4242", "card": {"number": "4343"}}
    redacted = redact_fields(fields, ["card.number"], draw_salt=lambda: next(salts))
    assert b"4242" not in canonical_bytes(dict(redacted.fields))
    assert b"4343" not in canonical_bytes(dict(redacted.fields))
    assert [reveal.value_json for reveal in redacted.reveals] == ['"4242"', '"4343"']


@pytest.mark.parametrize("standin", ["$bytes", "$object", "$callable"])
def test_what_only_stands_for_an_argument_is_hidden_whole(standin: str) -> None:
    fields = {"card": {standin: "NDI0Mg=="}}
    redacted = redact_fields(fields, ["card.number"], draw_salt=lambda: b"\x01" * 32)
    assert redacted.fields["card"].keys() == {"_sd"}
    assert [reveal.field_path for reveal in redacted.reveals] == ["card"]
