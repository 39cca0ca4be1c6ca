"""Requests made again from what a receipt says of them, and which two requests are one action."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heso.async_gate.door import install_gate
from heso.async_gate.snapshot import snapshot_fields
from heso.core.canonical import MAX_SAFE_INTEGER
from heso.integrations.describing import Described, Settings, describe, is_same
from heso.integrations.exchange import Exchange
from heso.integrations.rewriting import exchange_of
from tests.approvals.shop import Shop, open_shop
from tests.integrations.exchanges import (
    FILES,
    FORM_NAMES,
    MODEL,
    OBJECTS,
    QUICK,
    URL,
    URLS,
    USED,
    VALUES,
    form,
    posted,
    sent,
)


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    yield open_shop(None)
    install_gate(None)


def made_again(shop: Shop, described: Described) -> Exchange:
    """What goes out for an approved call: out of its snapshot, and what was kept."""
    for name, content in described.payloads.items():
        shop.reveals.keep(name, content)
    fields, _ = snapshot_fields(described.call.fields)
    return exchange_of(fields, {})


def assert_comes_back(shop: Shop, exchange: Exchange, used: Settings = MODEL) -> None:
    described = describe(exchange, used)
    assert described.can_wait
    again = made_again(shop, described)
    assert (again.method, again.url) == (exchange.method, exchange.url)
    assert is_same(exchange, again)
    assert is_same(again, exchange)
    assert describe(again, used).call == described.call


@given(URLS, st.sampled_from(["POST", "PUT", "PATCH"]), OBJECTS, USED)
@QUICK
def test_any_json_request_comes_back_as_the_same_action(
    shop: Shop, url: str, method: str, body: dict[str, Any], used: Settings
) -> None:
    assert_comes_back(shop, sent(body, url=url, method=method), used)


@given(VALUES, st.sampled_from(["application/json", "application/problem+json"]))
@QUICK
def test_any_json_that_is_no_object_comes_back_as_the_same_action(
    shop: Shop, value: Any, kind: str
) -> None:
    body = [value] if isinstance(value, dict) else value
    assert_comes_back(shop, sent(body, kind=kind))


@given(URLS, st.sampled_from(["GET", "DELETE", "POST"]))
@QUICK
def test_any_request_without_a_body_comes_back_as_the_same_action(
    shop: Shop, url: str, method: str
) -> None:
    for headers in ({}, {"content-type": "application/json"}):
        assert_comes_back(shop, Exchange(method=method, url=url, headers=headers))


@given(
    st.binary(min_size=1, max_size=60),
    st.sampled_from(["application/octet-stream", "text/plain", "application/x-ndjson", "x/y"]),
)
@QUICK
def test_any_body_that_is_no_json_comes_back_as_the_same_action(
    shop: Shop, body: bytes, kind: str
) -> None:
    exchange = posted(b"\x00" + body, kind)
    assert_comes_back(shop, exchange)
    assert made_again(shop, describe(exchange, MODEL)).body == exchange.body


@given(st.dictionaries(FORM_NAMES, st.text(max_size=30), max_size=3), FILES, st.integers(4, 40))
@QUICK
def test_any_form_comes_back_as_the_same_action(
    shop: Shop, data: dict[str, str], files: Any, largest: int
) -> None:
    in_order = sorted(files, key=lambda file: file[0])
    data = {f"field {name}": value for name, value in data.items()}
    assert_comes_back(shop, form(data, in_order), Settings(name="model", largest=largest))


def test_a_form_whose_names_come_in_turns_comes_back_in_its_order(shop: Shop) -> None:
    assert_comes_back(shop, form({}, [("a", b"1"), ("b", b"2"), ("a", b"3")]))


def test_a_form_whose_part_has_a_type_that_is_not_ascii_comes_back(shop: Shop) -> None:
    assert_comes_back(shop, form({}, [("f", ("x", b"1", "text/plain; name=é"))]))


@pytest.mark.parametrize(
    "kind", ["", "text/plain; charset=latin-1", "multipart/mixed; boundary=x"], ids=repr
)
@pytest.mark.parametrize("body", [b'{"a":1}', b"plain"])
def test_a_body_comes_back_whatever_its_type_says(shop: Shop, kind: str, body: bytes) -> None:
    exchange = posted(body, kind)
    again = made_again(shop, describe(exchange, MODEL))
    assert again.body == body
    assert is_same(again, exchange)
    if body == b"plain":
        assert again.headers.get("content-type", "") == kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"a":1}', "application/json"),
        (b"plain", "text/plain"),
        (b"\xff\x00", "application/octet-stream"),
    ],
)
def test_a_request_of_no_model_comes_back_when_it_was_described_whole(
    shop: Shop, body: bytes, kind: str
) -> None:
    exchange = posted(body, kind, url=URL + "?a=1")
    used = Settings(name="http", is_model=False)
    again = made_again(shop, describe(exchange, used, whole=True))
    assert (again.url, again.body) == (exchange.url, body)


def test_a_form_of_no_model_is_one_action_whatever_its_boundary() -> None:
    used = Settings(name="http", is_model=False)
    one, other = form({"a": "1"}, [("f", b"x")]), form({"a": "1"}, [("f", b"x")])
    assert one.body != other.body
    assert (
        describe(one, used, whole=True).call.fields["http"]["body"]
        == (describe(other, used, whole=True).call.fields["http"]["body"])
    )


@given(st.integers(MAX_SAFE_INTEGER - 2, 2**70) | st.integers(-(2**70), -MAX_SAFE_INTEGER + 2))
@QUICK
def test_any_integer_that_readers_read_differently_cannot_wait(number: int) -> None:
    for body in (b'{"a":[%d]}', b'{"a":{"b":%d}}', b"[%d]", b'{"a": %d }'):
        is_safe = abs(number) <= MAX_SAFE_INTEGER
        assert describe(posted(body % number), MODEL).can_wait is is_safe


SPELLINGS = {
    "spaces": (b'{"a":1,"b":[1,2]}', b'{ "a" : 1,\n"b":[1, 2]}'),
    "order": (b'{"a":1,"b":2}', b'{"b":2,"a":1}'),
    "escapes": (b'{"a":"\\u0061/"}', b'{"a":"a\\/"}'),
    "numbers": (b'{"a":1.0}', b'{"a":1}'),
}


@pytest.mark.parametrize(("one", "other"), SPELLINGS.values(), ids=SPELLINGS.keys())
def test_one_value_spelled_in_two_ways_is_one_action(one: bytes, other: bytes) -> None:
    assert is_same(posted(one), posted(other))
    assert describe(posted(one), MODEL).call == describe(posted(other), MODEL).call


FORM = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n{"x":1}\r\n--b--\r\n'
OTHERS = {
    "a value": (posted(b'{"a":1}'), posted(b'{"a":2}')),
    "a type of value": (posted(b'{"a":1}'), posted(b'{"a":"1"}')),
    "the method": (posted(b"{}"), posted(b"{}", method="PUT")),
    "the host": (posted(b"{}"), posted(b"{}", url=URL.replace("api", "evil"))),
    "the path": (posted(b"{}"), posted(b"{}", url=URL + "/x")),
    "the query": (posted(b"{}"), posted(b"{}", url=URL + "?a")),
    "the order of parts": (
        form({}, [("a", b"1"), ("a", b"2")]),
        form({}, [("a", b"2"), ("a", b"1")]),
    ),
    "what the same bytes are read as": (
        posted(FORM, "multipart/form-data; boundary=b"),
        posted(FORM, "application/octet-stream"),
    ),
    "which boundary the same bytes are read by": (
        posted(b"--b\r\n--b--\r\n", "multipart/mixed; boundary=b"),
        posted(b"--b\r\n--b--\r\n", "text/plain"),
    ),
    "bytes that are no JSON object": (
        posted(b"[1]", "text/plain"),
        posted(b"[1 ]", "text/plain"),
    ),
    "a header that somebody added": (
        posted(b"{}", headers={"x-tenant": "a"}),
        posted(b"{}", headers={"x-tenant": "b"}),
    ),
    "a header that is shown": (
        posted(b"{}", headers={"openai-organization": "a"}),
        posted(b"{}", headers={"openai-organization": "b"}),
    ),
}


@pytest.mark.parametrize(("one", "other"), OTHERS.values(), ids=OTHERS.keys())
def test_requests_that_are_described_differently_are_not_one_action(
    one: Exchange, other: Exchange
) -> None:
    assert describe(one, MODEL).call != describe(other, MODEL).call
    assert not is_same(one, other)


VOLATILE = {
    "authorization": "Bearer",
    "x-api-key": "",
    "x-stainless-retry-count": "",
    "traceparent": "",
    "user-agent": "",
    "idempotency-key": "",
}


@pytest.mark.parametrize("name", VOLATILE)
def test_a_header_of_the_connection_or_of_who_one_is_makes_no_other_action(name: str) -> None:
    one, other = (posted(b"{}", headers={name: value}) for value in ("a", "b"))
    assert is_same(one, other)
    assert (
        describe(one, MODEL).call
        == describe(other, MODEL).call
        == describe(posted(b"{}"), MODEL).call
    )
