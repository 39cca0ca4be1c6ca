"""Redaction, for any fields and any paths: the secret is not in the receipt, and the sidecar proves it was."""

import copy
import json
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from heso.core.canonical import canonical_bytes
from heso.core.errors import Malformed
from heso.core.keys import SigningKey
from heso.core.receipt import Action, DecisionPath, PolicyRecord, Verb, draft_content, seal_receipt
from heso.core.redaction import (
    Mode,
    Redacted,
    check_reveals,
    format_sidecar,
    merkle_root,
    parse_sidecar,
    redact_fields,
)
from heso.core.verify import verify_receipt

QUICK = settings(derandomize=True, deadline=None, max_examples=200)
OPERATOR = SigningKey.from_seed(b"\x00" * 32)
HIDDEN = "s3cr3t-\u00e9\n"
WRITTEN = HIDDEN.encode()[:7]  # what of it survives any escaping

SEGMENTS = st.sampled_from(["a", "b", "card", "0", "é", "_sd", "x-y"])
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text("xyz", max_size=3))
FIELDS = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(SEGMENTS, inner, max_size=4),
    max_leaves=12,
)
PATHS = st.lists(SEGMENTS, min_size=1, max_size=4)
MODES: st.SearchStrategy[Mode] = st.sampled_from(["commit_and_reveal", "destructive"])


@st.composite
def fields_with_secrets(draw: st.DrawFn) -> tuple[dict[str, Any], list[str]]:
    """Fields that hold the secret only at (or below) the paths that come with them, and some other paths."""
    fields: dict[str, Any] = draw(st.dictionaries(SEGMENTS, FIELDS, max_size=4))
    secret_paths = draw(st.lists(PATHS, min_size=1, max_size=3))
    for path in secret_paths:
        spot = fields
        for segment in path[:-1]:
            inner = spot.get(segment)
            if not isinstance(inner, dict):
                inner = spot[segment] = {}
            spot = inner
        spot[path[-1]] = draw(
            st.sampled_from([HIDDEN, [HIDDEN], {"deep": [{"er": HIDDEN}]}, {HIDDEN: 1}])
        )
    others = draw(st.lists(PATHS, max_size=3))
    return fields, draw(st.permutations([".".join(path) for path in secret_paths + others]))


@st.composite
def fields_of_another_shape(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    """Fields whose only secret stands at the path or where it runs into something that is no object."""
    path = draw(PATHS)
    stop = draw(st.integers(1, len(path)))
    value: Any = draw(st.sampled_from([HIDDEN, [HIDDEN], [{"b": HIDDEN}], [[HIDDEN, 1]]]))
    for segment in reversed(path[:stop]):
        value = {**draw(st.dictionaries(SEGMENTS, PLAIN, max_size=2)), segment: value}
    return value, ".".join(path)


@given(fields_of_another_shape(), MODES)
@QUICK
def test_an_argument_of_another_shape_does_not_show_what_was_meant_to_be_hidden(
    case: tuple[dict[str, Any], str], mode: Mode
) -> None:
    fields, path = case
    result = redact(fields, [path], mode)
    assert result.record is not None
    (marker,) = result.record["markers"]  # type: ignore[misc]
    assert path == marker["field_path"] or path.startswith(marker["field_path"] + ".")
    assert WRITTEN not in canonical_bytes({"f": result.fields, "r": result.record})


def redact(fields: dict[str, Any], paths: list[str], mode: Mode) -> Redacted:
    numbers = count(1)
    return redact_fields(
        fields, paths, draw_salt=lambda: next(numbers).to_bytes(32, "big"), mode=mode
    )


def at(fields: Any, path: str) -> Any:
    for segment in path.split("."):
        fields = fields[segment]
    return fields


@given(fields_with_secrets(), MODES)
@QUICK
def test_the_secret_is_in_no_byte_of_the_receipt_and_the_receipt_is_valid(
    case: tuple[dict[str, Any], list[str]], mode: Mode
) -> None:
    fields, paths = case
    before = copy.deepcopy(fields)
    result = redact(fields, paths, mode)
    content = draft_content(
        Action(
            verb=Verb.PAYMENT, tool_name="t", workflow="w", account="a", fields=dict(result.fields)
        ),
        PolicyRecord(
            rule_id="r", rule_display="d", matched_conditions=[], decision_path=DecisionPath.REDACT
        ),
        captured_at="",
        operator=OPERATOR.public_key,
        redaction=result.record,
    )
    receipt = seal_receipt(content, OPERATOR)
    assert WRITTEN not in receipt.body
    assert WRITTEN not in canonical_bytes(content)
    assert verify_receipt(receipt.body).is_valid
    assert fields == before


@given(fields_with_secrets())
@QUICK
def test_every_commitment_opens_to_the_value_that_was_there(
    case: tuple[dict[str, Any], list[str]],
) -> None:
    fields, paths = case
    result = redact(fields, paths, "commit_and_reveal")
    assert result.record is not None
    markers: Any = result.record["markers"]
    content: dict[str, object] = {"redaction": result.record}
    reveals = parse_sidecar(format_sidecar(result.reveals))
    assert reveals == result.reveals == check_reveals(content, reveals)
    assert [reveal.field_path for reveal in reveals] == [marker["field_path"] for marker in markers]
    assert [json.loads(r.value_json) for r in reveals] == [
        at(fields, r.field_path) for r in reveals
    ]
    assert result.record["merkle_root"] == merkle_root([marker["commitment"] for marker in markers])
    assert [at(result.fields, marker["field_path"]) for marker in markers] == [
        {"_sd": marker["commitment"]} for marker in markers
    ]


@given(fields_with_secrets(), st.data())
@QUICK
def test_a_reveal_of_another_receipt_or_value_opens_nothing(
    case: tuple[dict[str, Any], list[str]], data: st.DataObject
) -> None:
    fields, paths = case
    result = redact(fields, paths, "commit_and_reveal")
    reveal = data.draw(st.sampled_from(result.reveals))
    other = data.draw(st.sampled_from(result.reveals))
    changed = copy.copy(reveal)
    lie = type(reveal)(
        field_path=reveal.field_path,
        salt=data.draw(st.sampled_from([reveal.salt, other.salt, b"\x00" * 32])),
        value_json=data.draw(st.sampled_from([reveal.value_json, other.value_json, '"x"'])),
    )
    content: dict[str, object] = {"redaction": result.record}
    if lie == changed:
        assert check_reveals(content, [lie]) == (lie,)
        return
    try:
        check_reveals(content, [lie])
    except Malformed:
        return
    raise AssertionError(lie)


@given(fields_with_secrets())
@QUICK
def test_what_is_not_hidden_stays_as_it_was(case: tuple[dict[str, Any], list[str]]) -> None:
    fields, paths = case
    shown = redact(fields, paths, "destructive").fields
    assert restored(shown, fields) == fields


def restored(shown: Any, original: Any) -> Any:
    """`shown` with every dropped value taken from `original` again."""
    if shown == "[redacted]":
        return original
    if isinstance(shown, dict):
        assert shown.keys() == original.keys()
        return {key: restored(item, original[key]) for key, item in shown.items()}
    return shown
