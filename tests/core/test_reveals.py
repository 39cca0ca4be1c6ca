"""Opening what was hidden: a reveal fits the marker of its path or is refused; a sidecar is read strictly."""

import json
from dataclasses import replace
from typing import Any

import pytest

from heso.core.errors import Malformed
from heso.core.hashing import digest
from heso.core.redaction import (
    Reveal,
    check_reveals,
    commit,
    format_sidecar,
    parse_sidecar,
    redact_fields,
)

FIELDS = {"card": "4242", "owner": {"name": "Ann", "age": 40}, "city": "Oslo"}


@pytest.fixture
def hidden() -> tuple[dict[str, Any], tuple[Reveal, ...]]:
    """A content with two commitments, and what opens them."""
    salts = iter([b"\x01" * 32, b"\x02" * 32])
    result = redact_fields(FIELDS, ["card", "owner.name"], draw_salt=lambda: next(salts))
    return {"action": {"fields": result.fields}, "redaction": result.record}, result.reveals


def test_the_right_reveals_open_their_commitments(hidden: Any) -> None:
    content, reveals = hidden
    assert check_reveals(content, reveals) == reveals
    assert check_reveals(content, reveals[::-1]) == reveals[::-1]
    assert check_reveals(content, reveals[1:]) == reveals[1:]
    assert check_reveals(content, []) == ()


@pytest.mark.parametrize(
    "change",
    [
        {"salt": b"\x03" * 32},
        {"value_json": '"4243"'},
        {"value_json": '"4242" '},
        {"value_json": "4242"},
        {"value_json": ""},
        {"field_path": "owner.name"},
    ],
)
def test_a_reveal_changed_anywhere_opens_nothing(hidden: Any, change: dict[str, Any]) -> None:
    content, (reveal, other) = hidden
    with pytest.raises(Malformed, match="does not open the commitment"):
        check_reveals(content, [other, replace(reveal, **change)])


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_a_salt_is_32_bytes_everywhere(hidden: Any, size: int) -> None:
    content, (reveal, other) = hidden
    short = replace(reveal, salt=b"\x01" * size)
    for use in (lambda: commit(short), lambda: check_reveals(content, [other, short])):
        with pytest.raises(Malformed, match="the salt is not 32 bytes") as caught:
            use()
        assert caught.value.where == "card"
        assert "4242" not in str(caught.value)


def test_every_bit_of_a_salt_counts(hidden: Any) -> None:
    content, (reveal, _) = hidden
    for bit in range(256):
        salt = (int.from_bytes(reveal.salt, "big") ^ 1 << bit).to_bytes(32, "big")
        with pytest.raises(Malformed, match="does not open"):
            check_reveals(content, [replace(reveal, salt=salt)])


@pytest.mark.parametrize(
    "path", ["city", "", "card.", "owner", "owner.age", "Card", "action.fields.card"]
)
def test_a_reveal_for_a_path_without_a_marker_is_refused(hidden: Any, path: str) -> None:
    content, (reveal, _) = hidden
    with pytest.raises(Malformed, match="the receipt has no commitment here") as caught:
        check_reveals(content, [replace(reveal, field_path=path)])
    assert caught.value.where == path


def test_a_content_without_redaction_opens_nothing(hidden: Any) -> None:
    _, reveals = hidden
    for content in ({}, {"redaction": None}, {"redaction": {"markers": []}}):
        with pytest.raises(Malformed, match="the receipt has no commitment here"):
            check_reveals(content, reveals)


def test_a_dropped_value_cannot_be_revealed() -> None:
    result = redact_fields(FIELDS, ["card"], draw_salt=bytes, mode="destructive")
    reveal = Reveal(field_path="card", salt=b"\x01" * 32, value_json='"4242"')
    with pytest.raises(Malformed, match="the receipt has no commitment here"):
        check_reveals({"redaction": result.record}, [reveal])


def test_a_commitment_in_capitals_is_not_opened(hidden: Any) -> None:
    content, (reveal, _) = hidden
    marker = content["redaction"]["markers"][0]
    marker["commitment"] = marker["commitment"].upper()
    with pytest.raises(Malformed, match="does not open"):
        check_reveals(content, [reveal])


def test_a_salt_of_another_size_never_opens_a_commitment() -> None:
    """Salt, path and value are hashed without lengths: with a longer salt, a committed 213 opens as a 3."""
    honest = Reveal(field_path="1", salt=b"\x01" * 32, value_json="213")
    lie = Reveal(field_path="1", salt=b"\x01" * 32 + b"12", value_json="3")
    assert digest(lie.salt + b"1" + b"3") == commit(honest)
    with pytest.raises(Malformed, match="the salt is not 32 bytes"):
        commit(lie)
    marker = {"field_path": "1", "algorithm": "salted-blake3/v1", "commitment": commit(honest)}
    content: dict[str, object] = {"redaction": {"mode": "commit_and_reveal", "markers": [marker]}}
    assert check_reveals(content, [honest]) == (honest,)
    with pytest.raises(Malformed, match="the salt is not 32 bytes"):
        check_reveals(content, [lie])


def test_two_markers_of_one_path_both_count() -> None:
    """The format allows a path twice: the second marker hides the first one's placeholder."""
    first = Reveal(field_path="card", salt=b"\x01" * 32, value_json='"4242"')
    second = Reveal(
        field_path="card", salt=b"\x02" * 32, value_json=json.dumps({"_sd": commit(first)})
    )
    markers = [
        {"field_path": "card", "algorithm": "salted-blake3/v1", "commitment": commit(reveal)}
        for reveal in (first, second)
    ]
    content: dict[str, object] = {"redaction": {"mode": "commit_and_reveal", "markers": markers}}
    assert check_reveals(content, [first, second]) == (first, second)
    assert check_reveals(content, [second]) == (second,)
    for lie in (replace(first, salt=second.salt), replace(second, value_json='"4242"')):
        with pytest.raises(Malformed, match="does not open the commitment"):
            check_reveals(content, [lie])


def test_of_a_dropped_and_a_committed_marker_at_one_path_only_the_commitment_opens() -> None:
    reveal = Reveal(field_path="card", salt=b"\x01" * 32, value_json='"4242"')
    committed = {
        "field_path": "card",
        "algorithm": "salted-blake3/v1",
        "commitment": commit(reveal),
    }
    dropped = {"field_path": "card", "algorithm": "drop/v1", "commitment": commit(reveal)}
    for markers in ([committed, dropped], [dropped, committed]):
        content: dict[str, object] = {"redaction": {"mode": "destructive", "markers": markers}}
        assert check_reveals(content, [reveal]) == (reveal,)
    with pytest.raises(Malformed, match="the receipt has no commitment here"):
        check_reveals({"redaction": {"mode": "destructive", "markers": [dropped]}}, [reveal])


def test_a_sidecar_reads_back_as_it_was_written(hidden: Any) -> None:
    _, reveals = hidden
    text = format_sidecar(reveals)
    assert parse_sidecar(text) == reveals
    assert json.loads(text) == {
        "reveals": [
            {"field_path": "card", "salt_hex": "01" * 32, "value_json": '"4242"'},
            {"field_path": "owner.name", "salt_hex": "02" * 32, "value_json": '"Ann"'},
        ]
    }
    assert parse_sidecar(format_sidecar([])) == ()


ROW = {"field_path": "card", "salt_hex": "01" * 32, "value_json": '"4242"'}
BAD_SIDECARS: dict[str, tuple[object, str]] = {
    "a list": ([ROW], "no list `reveals`"),
    "null": (None, "no list `reveals`"),
    "no reveals": ({}, "no list `reveals`"),
    "reveals as an object": ({"reveals": {"0": ROW}}, "no list `reveals`"),
    "a row that is text": ({"reveals": ["x"]}, "reveals.0: must be an object"),
    "a second row that is null": ({"reveals": [ROW, None]}, "reveals.1: must be an object"),
    **{
        f"no {key}": ({"reveals": [{k: v for k, v in ROW.items() if k != key}]}, "reveals.0")
        for key in ROW
    },
    **{f"{key} null": ({"reveals": [{**ROW, key: None}]}, "reveals.0") for key in ROW},
    **{f"{key} a number": ({"reveals": [{**ROW, key: 1}]}, "reveals.0") for key in ROW},
    "a short salt": ({"reveals": [{**ROW, "salt_hex": "01" * 31}]}, "64 lower-case hex"),
    "a long salt": ({"reveals": [{**ROW, "salt_hex": "01" * 33}]}, "64 lower-case hex"),
    "a salt in capitals": ({"reveals": [{**ROW, "salt_hex": "AB" * 32}]}, "64 lower-case hex"),
    "a salt that is not hex": ({"reveals": [{**ROW, "salt_hex": "zz" * 32}]}, "64 lower-case hex"),
    "a salt with a space": (
        {"reveals": [{**ROW, "salt_hex": "01 " * 21 + "0"}]},
        "64 lower-case hex",
    ),
}


@pytest.mark.parametrize("name", BAD_SIDECARS)
def test_a_sidecar_that_is_not_one_is_refused_with_its_place(name: str) -> None:
    value, why = BAD_SIDECARS[name]
    with pytest.raises(Malformed) as caught:
        parse_sidecar(json.dumps(value).encode())
    assert str(caught.value).startswith("malformed reveal sidecar")
    assert why in str(caught.value)
    assert "4242" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b'\xef\xbb\xbf{"reveals":[]}',
        b'{"reveals":[],"reveals":[]}',
        b'{"reveals":[]} x',
        b'{"reveals":[{"field_path":"a","field_path":"b","salt_hex":"","value_json":""}]}',
    ],
)
def test_a_sidecar_is_read_as_strict_json(text: bytes) -> None:
    with pytest.raises(Malformed, match="reveal sidecar"):
        parse_sidecar(text)


def test_a_commitment_is_the_hash_of_salt_path_and_value() -> None:
    reveal = Reveal(field_path="pé.x", salt=b"\x07" * 32, value_json='"ü"')
    assert commit(reveal) == digest(b"\x07" * 32 + "pé.x".encode() + '"ü"'.encode())
