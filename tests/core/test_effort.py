"""What a hostile text can cost: work and memory stay within a small multiple of what is read."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from heso.core.chain import verify_action_chain
from heso.core.errors import Malformed
from heso.core.strict_json import MAX_BYTES, parse_json, split_array
from heso.core.strictness import StricterRule
from heso.core.verdict import ChainKind, Kind
from heso.core.verify import verify_lifecycle_receipt, verify_receipt

Json = dict[str, Any]
LARGE = "y" * 1_000_000


@pytest.fixture(scope="module")
def crowd(forge: Any) -> bytes:
    """A link over a megabyte with four thousand signatures over it, of which the last one holds."""
    content = forge.content(kind="completed", action=forge.action(fields={"x": LARGE}))
    good = forge.entry("operator", forge.operator, content)
    bad = {**good, "signature": forge.operator.sign(b"something else")}
    text: bytes = forge.text(forge.envelope(content, *[bad] * 4000, good))
    assert len(text) < MAX_BYTES
    return text


@pytest.mark.parametrize("compat", [False, True])
def test_signatures_without_end_over_a_large_content_are_not_all_tried(
    crowd: bytes, *, compat: bool
) -> None:
    verdict = verify_lifecycle_receipt(crowd, compat=compat)
    assert (verdict.kind, verdict.stricter) == (Kind.MALFORMED, None)
    if compat:
        assert verdict.detail.startswith("4001 signatures over 1000")


@pytest.mark.parametrize("compat", [False, True])
def test_so_many_signatures_are_not_tried_however_small_the_content_is(
    forge: Any, *, compat: bool
) -> None:
    content = forge.content(kind="completed")
    good = forge.entry("operator", forge.operator, content)
    text = forge.text(forge.envelope(content, *[good] * 513))
    verdict = verify_lifecycle_receipt(text, compat=compat)
    assert verdict.kind == Kind.MALFORMED
    assert verdict.detail.startswith("513 signatures over")


@pytest.mark.parametrize("compat", [False, True])
@pytest.mark.parametrize("depth", [125, 500, 1000, 5000])
def test_what_a_later_key_hides_counts_as_deep_wherever_the_reader_stands(
    forge: Any, depth: int, *, compat: bool
) -> None:
    text = forge.text(forge.l0()).replace(
        b'"rooms":2', b'"rooms":' + b"[" * depth + b"]" * depth + b',"rooms":2'
    )
    verdict = verify_receipt(text, compat=compat)
    assert (verdict.kind, verdict.stricter) == (Kind.MALFORMED, None)

    def deeper(frames: int) -> Kind:
        return verify_receipt(text, compat=compat).kind if frames == 0 else deeper(frames - 1)

    assert deeper(400) == Kind.MALFORMED


def _quorum(forge: Any, votes: int, fields: Json) -> bytes:
    """A quorum of so many people, every signature sound."""
    people = [type(forge.operator)(bytes([100 + number]) * 32) for number in range(votes)]
    roster = [person.public for person in people]
    records = [forge.approval(approver_identity=person.public) for person in people]

    def content(approvers: list[Json]) -> Json:
        block = {"threshold": votes, "roster": roster, "approvers": approvers}
        made: Json = forge.content(
            trust_level="L1", multi_approval=block, action=forge.action(fields=fields)
        )
        return made

    legs = [
        forge.entry("approver", person, content([record]))
        for person, record in zip(people, records, strict=True)
    ]
    operator = forge.entry("operator", forge.operator, content([]))
    text: bytes = forge.text(forge.envelope(content(records), operator, *legs))
    return text


def test_a_quorum_may_be_large_or_be_about_something_large(forge: Any) -> None:
    assert verify_receipt(_quorum(forge, 100, {"x": "y" * 1000})).trust_level == "L1"
    assert verify_receipt(_quorum(forge, 10, {"x": LARGE})).trust_level == "L1"


def test_a_quorum_that_is_large_and_about_something_large_is_more_than_is_read(forge: Any) -> None:
    text = _quorum(forge, 30, {"x": LARGE})
    for compat in (False, True):
        assert verify_receipt(text, compat=compat).kind is Kind.MALFORMED


ARRAYS: dict[str, bytes] = {
    "numbers": b"1",
    "texts": b'""',
    "empty arrays": b"[]",
    "empty objects": b"{}",
    "objects": b'{"":0}',
    "words": b"false",
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("read", [parse_json, split_array, verify_receipt])
def test_memory_stays_within_a_multiple_of_the_text(
    name: str, read: Callable[[bytes], object]
) -> None:
    """Deep enough somewhere that depth has to be looked at, and spaced so that the slow reader runs too.

    An empty list is three bytes of text and 64 in memory, twice: that is the multiple.
    """
    deep = b"[" * 100 + b"]" * 100
    item = ARRAYS[name]
    text = b"[ " + b",".join([deep, deep, *[item] * (200_000 // (len(item) + 1))]) + b"]"
    tracemalloc.start()
    try:
        read(text)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 150 * len(text)


def test_a_long_text_beside_many_brackets_costs_no_more() -> None:
    text = b'["' + b"y" * 1_000_000 + b'",' + b",".join([b"[]"] * 200) + b"]"
    tracemalloc.start()
    try:
        parse_json(text)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 20 * len(text)  # of which orjson has 13


def test_a_value_that_is_no_container_has_no_depth() -> None:
    text = b'"' + b"[" * 200 + b'"'
    assert parse_json(text) == "[" * 200


def test_depth_is_counted_wherever_it_is() -> None:
    for depth, is_read in ((127, True), (128, False)):
        for text in (
            b"[" * depth + b"]" * depth,
            b'{"a":' * depth + b"1" + b"}" * depth,
            b"[1," * depth + b"1" + b"]" * depth,
            b"[[]," + b"[" * (depth - 1) + b"]" * (depth - 1) + b",{}]",
        ):
            if is_read:
                parse_json(text)
            else:
                with pytest.raises(Malformed, match="nested deeper than 127"):
                    parse_json(text)


@pytest.mark.parametrize("compat", [False, True])
def test_a_negative_zero_is_a_number_and_no_count(forge: Any, *, compat: bool) -> None:
    """Readers that keep its sign take it for a double. As free JSON it is hashed as 0 by everybody."""
    counted = forge.text(forge.l0(forge.content(session_id="s", seq=0)))
    assert verify_receipt(counted, compat=compat).is_valid
    negative = counted.replace(b'"seq":0', b'"seq":-0')
    assert verify_receipt(negative, compat=compat).kind is Kind.MALFORMED
    assert verify_action_chain([counted]).is_valid
    assert verify_action_chain([negative]).kind is ChainKind.MALFORMED
    free = forge.text(forge.l0(forge.content(action=forge.action(fields={"n": 0}))))
    assert verify_receipt(free.replace(b'"n":0', b'"n":-0'), compat=compat).is_valid
    assert verify_receipt(free.replace(b'"n":0', b'"n":-0.0'), compat=compat).is_valid


def test_a_number_too_long_to_be_one_is_no_number(forge: Any) -> None:
    text = forge.text(forge.l0(forge.content(action=forge.action(fields={"n": 0}))))
    for digits in (400, 5000, 100_000):
        long = text.replace(b'"n":0', b'"n":' + b"9" * digits)
        for compat in (False, True):
            assert verify_receipt(long, compat=compat).kind is Kind.MALFORMED


def test_a_size_is_refused_by_its_rule_and_by_the_reference_too(forge: Any) -> None:
    with pytest.raises(Malformed) as refused:
        parse_json(b" " * (MAX_BYTES + 1))
    assert refused.value.rule is StricterRule.SIZE


@pytest.mark.parametrize(
    ("text", "items"),
    [
        (b"[]", []),
        (b" [ ] ", []),
        (b'[{"a":1}]', [b'{"a":1}']),
        (b'\t[ {"a": [1, "]"]} ,\r\n2 , "x" ]\n', [b'{"a": [1, "]"]}', b"2", b'"x"']),
        ('["Łódź","\U0001f600"]'.encode(), ['"Łódź"'.encode(), '"\U0001f600"'.encode()]),
        (b'[{"a":1,"a":2}]', [b'{"a":1,"a":2}']),
    ],
)
def test_an_array_is_cut_into_the_texts_of_its_items(text: bytes, items: list[bytes]) -> None:
    assert split_array(text) == items


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[",
        b"[1",
        b"[1,",
        b"[1,]",
        b"[,1]",
        b"[1 2]",
        b"[1]]",
        b"[1] 2",
        b"[1]\x0b",
        b"\xef\xbb\xbf[1]",
        b"[\xff]",
        b"[" * 100_000,
        b'["\n"]',
        b"[" + b"9" * 10_000 + b"]",
    ],
)
def test_what_is_no_array_is_malformed(text: bytes) -> None:
    with pytest.raises(Malformed):
        split_array(text)
