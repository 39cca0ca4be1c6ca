"""Values by hash: what is shrunk comes back as it was, fits, and cannot be written by a caller."""

import copy
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from heso.async_gate.snapshot import snapshot_fields
from heso.core.canonical import MAX_SAFE_INTEGER, canonical_bytes
from heso.core.errors import Malformed
from heso.core.hashing import digest
from heso.integrations.multipart import Part
from heso.integrations.payloads import (
    DIGEST,
    HIDDEN,
    LARGEST_TEXT,
    MOST_TOGETHER,
    Payloads,
    restore_payloads,
)

QUICK = settings(derandomize=True, deadline=None, max_examples=100)
FEW = settings(
    derandomize=True,
    deadline=None,
    max_examples=15,
    phases=[Phase.explicit, Phase.generate],  # large examples are not worth their shrinking
)

NAMES = st.sampled_from(["a", "b", "data", "type", "format", "media_type", "é", "bytes"])
TEXTS = st.one_of(
    st.text(max_size=60),
    st.sampled_from(["base64", "data:image/png;base64,AAAA", "DATA:;base64,", "digest", "$"]),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.dictionaries(NAMES, VALUES, max_size=4)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What is inside ends by then, or fails instead of hanging."""

    def fail(*_: object) -> None:
        raise AssertionError(f"it takes more than {seconds} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def texts_in(value: object) -> Iterator[str]:
    """Every text that is shown, those of stand-ins apart."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)
    elif isinstance(value, dict) and DIGEST not in value:
        for item in value.values():
            yield from texts_in(item)


def integers_in(value: object) -> Iterator[int]:
    if type(value) is int:
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from integers_in(item)


@given(FIELDS, st.integers(1, 40))
@QUICK
def test_any_fields_that_were_shrunk_come_back_as_they_were(
    fields: dict[str, Any], largest: int
) -> None:
    before = copy.deepcopy(fields)
    payloads = Payloads(largest)
    shown = payloads.shrink(fields)
    assert fields == before
    assert canonical_bytes(restore_payloads(shown, payloads.kept.get)) == canonical_bytes(fields)
    assert all(digest(content) == name for name, content in payloads.kept.items())
    assert not payloads.saw_big_integer


@given(FIELDS, st.integers(1, 40))
@settings(QUICK, phases=[Phase.generate])
def test_no_text_is_shown_that_has_more_bytes_than_the_limit(
    fields: dict[str, Any], largest: int
) -> None:
    shown = Payloads(largest).shrink(fields)
    assert [text for text in texts_in(shown) if len(text.encode()) > largest] == []


@given(FIELDS, st.integers(1, 40))
@QUICK
def test_any_value_is_shown_the_same_way_each_time(fields: dict[str, Any], largest: int) -> None:
    again = orjson.loads(orjson.dumps(fields))
    assert Payloads(largest).shrink(fields) == Payloads(largest).shrink(again)


@given(
    st.recursive(
        st.integers() | st.booleans() | st.integers(2**53 - 3, 2**53 + 3),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
        max_leaves=8,
    )
)
@example(MAX_SAFE_INTEGER)
@example(MAX_SAFE_INTEGER + 1)
@example(-MAX_SAFE_INTEGER - 1)
@QUICK
def test_any_integer_beyond_what_json_readers_agree_on_is_flagged_and_shown_by_its_digits(
    value: Any,
) -> None:
    payloads = Payloads()
    shown = payloads.shrink({"a": value})
    is_big = any(abs(number) > MAX_SAFE_INTEGER for number in integers_in(value))
    assert payloads.saw_big_integer is is_big
    assert is_big or shown == {"a": value}
    assert [text.lstrip("-").isdecimal() for text in texts_in(shown)] == [
        True for number in integers_in(value) if abs(number) > MAX_SAFE_INTEGER
    ]


def many(shape: str, text: str, length: int, count: int) -> object:
    """A list of about `count` bytes whose items are texts, objects or lists of texts of that length."""
    texts = [f"{index}{text * (length // len(text))}" for index in range(count // (length + 40))]
    if shape == "objects":
        return [{"role": "user", "content": one} for one in texts]
    if shape == "deep":
        return {"deep": texts}
    return [[one, 0.5, None] for one in texts] if shape == "lists" else texts


SHAPES = st.tuples(
    st.sampled_from(["texts", "objects", "lists", "deep"]),
    st.text("xyzé\n", min_size=1, max_size=3),
    st.integers(1, 4000),
    st.integers(170_000, 400_000),
)


@given(FIELDS, st.dictionaries(st.sampled_from("wxyz"), SHAPES, min_size=1, max_size=3))
@FEW
def test_any_fields_that_are_too_much_together_fit_and_come_back(
    fields: dict[str, Any], shapes: dict[str, tuple[str, str, int, int]]
) -> None:
    fields = {**fields, **{name: many(*shape) for name, shape in shapes.items()}}
    payloads = Payloads()
    with within(2):
        shown = payloads.shrink(fields)
    snapshot_fields(shown)
    assert canonical_bytes(restore_payloads(shown, payloads.kept.get)) == canonical_bytes(fields)


def test_of_a_long_list_the_first_items_go_and_the_last_stay() -> None:
    messages = [{"role": "user", "content": f"{index:04}" + "x" * 10_000} for index in range(40)]
    payloads = Payloads()
    shown = payloads.shrink({"messages": messages})["messages"]
    assert isinstance(shown, list)
    gone = [DIGEST in item for item in shown]
    assert gone == sorted(gone, reverse=True)
    assert 0 < gone.count(True) < 40
    assert shown[-1] == messages[-1]
    assert shown[0] == {
        DIGEST: digest(canonical_bytes(messages[0])),
        "bytes": len(canonical_bytes(messages[0])),
        "type": "json",
    }


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({f"k{index}": "x" * 100 for index in range(2000)}, id="texts"),
        pytest.param({f"k{index}": [1, 2, 3] * 20 for index in range(3000)}, id="lists"),
        pytest.param(dict.fromkeys(map(str, range(10_000)), 1), id="numbers"),
        pytest.param({"k" * 200_000: 1, "j" * 200_000: 2}, id="names"),
        pytest.param({"a": {"b" * 200_000: 1}}, id="a name inside"),
    ],
)
def test_many_small_fields_end_as_a_refusal_or_as_something_that_fits(
    fields: dict[str, Any],
) -> None:
    payloads = Payloads()
    try:
        with within(3):
            shown = payloads.shrink(fields)
    except Malformed:
        return
    assert len(canonical_bytes(shown)) <= MOST_TOGETHER
    assert restore_payloads(shown, payloads.kept.get) == fields


@pytest.mark.parametrize("item", [1, "", [], {}, {"": 0}, [[]], 0.5, True, None, "\n"], ids=repr)
def test_what_fits_together_fits_one_action_as_well(item: object) -> None:
    count = MOST_TOGETHER // (len(orjson.dumps(item)) + 1) - 100
    payloads = Payloads()
    shown = payloads.shrink({"items": [item] * count})
    taken, _ = snapshot_fields(shown)
    assert restore_payloads(taken, payloads.kept.get) == {"items": [item] * count}


def test_a_float_in_what_is_shown_by_hash_comes_back_as_the_number_it_was() -> None:
    fields = {"a": [{"n": 1.2345678901234567e19, "x": "x" * 10_000}] * 20}
    payloads = Payloads()
    shown = payloads.shrink(fields)
    assert restore_payloads(shown, payloads.kept.get) == fields


@pytest.mark.parametrize("name", [DIGEST, HIDDEN])
@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda own: own, id="among the fields"),
        pytest.param(lambda own: {"a": own}, id="in an object"),
        pytest.param(lambda own: {"a": [own]}, id="in a list"),
        pytest.param(lambda own: {"a": [[{"b": [own]}]]}, id="deep"),
    ],
)
def test_a_body_that_uses_one_of_our_own_names_is_refused(name: str, wrap: Any) -> None:
    own = {name: "0" * 64, "bytes": 1, "type": "text"}
    with pytest.raises(Malformed):
        Payloads().shrink(wrap(own))


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,iVBORw0KGgo=",
        "DATA:image/png;base64,iVBORw0KGgo=",
        "data:;base64,",
        "dAtA:text/plain;charset=utf-8;BASE64,aGk=",
    ],
)
def test_a_data_url_is_shown_by_its_hash_however_short_and_however_spelled(url: str) -> None:
    assert Payloads().shrink({"url": [url]}) == {
        "url": [{DIGEST: digest(url.encode()), "bytes": len(url), "type": "text"}]
    }


@pytest.mark.parametrize(
    "beside",
    [{"type": "base64"}, {"media_type": "image/png"}, {"mime_type": "a/b"}, {"format": "wav"}],
    ids=str,
)
def test_base64_beside_what_it_is_is_shown_by_its_hash(beside: dict[str, str]) -> None:
    stand_in = {DIGEST: digest(b"aGVsbG8="), "bytes": 8, "type": "text"}
    shown = Payloads().shrink({"source": {**beside, "data": "aGVsbG8="}})
    assert shown == {"source": {**beside, "data": stand_in}}


def test_a_text_of_the_limit_is_shown_and_one_byte_more_is_not() -> None:
    text = "x" * LARGEST_TEXT
    assert Payloads().shrink({"a": text}) == {"a": text}
    more = text + "x"
    assert Payloads().shrink({"a": more}) == {
        "a": {DIGEST: digest(more.encode()), "bytes": LARGEST_TEXT + 1, "type": "text"}
    }


@given(
    st.binary(max_size=50),
    st.none() | st.text(max_size=9),
    st.sampled_from(["", "image/png", "text/plain; charset=utf-8"]),
)
@QUICK
def test_any_file_of_a_form_comes_back_with_its_name_and_kind(
    content: bytes, filename: str | None, media_type: str
) -> None:
    payloads = Payloads()
    shown = payloads.file(Part("f", content, filename, media_type))
    assert shown == {
        DIGEST: digest(content),
        "bytes": len(content),
        "type": "file",
        "filename": filename,
        "media_type": media_type,
    }
    restored = restore_payloads({"f": [shown]}, payloads.kept.get)
    assert restored == {"f": [Part("", content, filename, media_type)]}


def test_a_value_whose_content_is_gone_or_another_is_refused() -> None:
    payloads = Payloads(3)
    shown = payloads.shrink({"a": ["long enough"]})
    for find in (lambda _: None, lambda _: b"", lambda _: b"long enougH"):
        with pytest.raises(Malformed):
            restore_payloads(shown, find)


@pytest.mark.parametrize(
    ("content", "stand_in"),
    [
        pytest.param(b"x", {}, id="without a type"),
        pytest.param(b"\xff", {"type": "text"}, id="text that is none"),
        pytest.param(b"{", {"type": "json"}, id="JSON that is none"),
        pytest.param(b"x", {"type": "something"}, id="of another type"),
    ],
)
def test_a_stand_in_that_its_content_does_not_fit_is_refused(
    content: bytes, stand_in: dict[str, object]
) -> None:
    kept = {digest(content): content}
    with pytest.raises(Malformed):
        restore_payloads({"a": {DIGEST: digest(content), "bytes": 1, **stand_in}}, kept.get)


def test_what_is_kept_is_in_no_repr() -> None:
    payloads = Payloads(3)
    payloads.shrink({"a": "THE-SECRET"})
    assert "THE-SECRET" not in repr(payloads)
    assert "THE-SECRET" not in repr(Part("a", b"THE-SECRET"))
