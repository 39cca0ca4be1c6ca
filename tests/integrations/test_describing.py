"""What a request is described as, and back: the same action, no secret where it does not belong, never too large."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heso.async_gate.snapshot import MAX_BYTES, snapshot_fields
from heso.core.canonical import canonical_bytes
from heso.core.errors import Malformed
from heso.core.receipt import Verb
from heso.integrations.describing import Settings, describe, runs_a_model
from heso.integrations.exchange import Exchange, is_credential
from tests.integrations.exchanges import (
    MODEL,
    OBJECTS,
    QUICK,
    SECRET,
    URL,
    form,
    posted,
    receipt_of,
    sent,
)


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


CREDENTIALS = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "x-amz-security-token",
    "anthropic-api-key",
]


@pytest.mark.parametrize("name", CREDENTIALS)
@pytest.mark.parametrize("used", [MODEL, Settings(name="http", is_model=False)])
def test_credentials_are_nowhere(name: str, used: Settings) -> None:
    exchange = sent({"a": 1}, url=f"https://user:{SECRET}@h/x", headers={name: f"Bearer {SECRET}"})
    for whole in (False, True):
        described = describe(exchange, used, whole=whole)
        everything = [repr(exchange), repr(described), str(described.call.fields)]
        everything += [str(described.call.redact), str(described.call.signal)]
        everything += map(repr, described.payloads.values())
        assert not any(SECRET in one for one in everything)


def test_an_added_header_is_kept_and_is_hidden() -> None:
    described = describe(sent({"a": 1}, headers={"x-tenant": SECRET, "x-b": "c"}), MODEL)
    assert described.call.fields["http"] == {
        "method": "POST",
        "origin": "https://api.example.com",
        "path": "/v1/chat/completions",
        "query": "",
        "media_type": "application/json",
        "headers": {"x-tenant": SECRET, "x-b": "c"},
    }
    assert described.call.redact == ("http.headers.x-tenant", "http.headers.x-b")
    assert SECRET.encode() not in receipt_of(described)
    assert SECRET not in repr(described)


@pytest.mark.parametrize("name", ["x.y", "*", "x-*"])
def test_a_header_that_no_path_can_name_is_refused(name: str) -> None:
    with pytest.raises(Malformed):
        describe(sent({}, headers={name: SECRET}), MODEL)


SECRETS = st.sampled_from(
    [SECRET, [SECRET], {"x": [SECRET]}, SECRET * 20, "data:a/b;base64," + SECRET]
)


@given(OBJECTS, SECRETS, st.integers(0, 2), st.integers(0, 2), st.integers(8, 300))
@QUICK
def test_no_redacted_value_of_a_body_is_in_any_byte_of_a_receipt(
    body: dict[str, Any], secret: Any, before: int, after: int, largest: int
) -> None:
    other = {"role": "user"}
    message = {"role": "user", "content": secret}
    body = {**body, "messages": [other] * before + [message] + [other] * after}
    exchange = sent(body, url=URL + f"?key={SECRET}")
    used = Settings(name="model", redact=("messages.content", "http.query"), largest=largest)
    described = describe(exchange, used)
    assert SECRET.encode() not in receipt_of(described)
    assert SECRET not in repr(described)
    assert SECRET not in repr(exchange)


@pytest.mark.parametrize("path", ["http.path", "http"])
def test_a_path_that_is_hidden_is_in_no_byte_of_a_receipt(path: str) -> None:
    described = describe(
        sent({}, url=f"https://h/{SECRET}?{SECRET}"),
        Settings(name="m", redact=(path, "http.query")),
    )
    assert SECRET.encode() not in receipt_of(described)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    "body", [SECRET.encode(), b"\xff" + SECRET.encode(), b'{"a":"%b"}' % SECRET.encode()]
)
def test_what_a_request_of_no_model_says_is_in_no_byte_of_a_receipt(
    whole: bool, body: bytes
) -> None:
    exchange = posted(body, url=f"https://h/x?a={SECRET}", headers={"x-tenant": SECRET})
    described = describe(exchange, Settings(name="http", is_model=False), whole=whole)
    assert SECRET.encode() not in receipt_of(described)
    assert SECRET not in repr(described)
    http: Any = described.call.fields["http"]
    assert (http["query_names"], http["header_names"], http["body_bytes"]) == (
        ["a"],
        ["content-type", "x-tenant"],
        len(body),
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions",
        "/v1/chat/%63ompletions",
        "/v1/chat/%63%6F%6d%70letions",
        "//v1//chat//completions//",
        "/v1/chat/./completions/.",
        "/v1/models/../completions",
        "/v1/models/%2e%2E/completions",
        "/../../completions",
        "/v1/Chat/COMPLETIONS",
        "/v1\\chat\\completions",
        "/v1%5Cchat%5ccompletions",
        "/v1%2Fchat%2Fcompletions",
        "/openai/deployments/x/completions",
        "/v1/messages/count_tokens",
        "/v1/responses/resp_1/cancel",
        "/v1/embeddings",
        "/v1/audio/speech",
        "/model/some.model/invoke",
        "/model/some.model/invoke-with-response-stream",
        "/model/some.model/converse-stream",
        "/v1/projects/p/locations/l/publishers/anthropic/models/claude:rawPredict",
        "/v1/projects/p/locations/l/publishers/anthropic/models/claude:streamRawPredict",
    ],
)
def test_a_model_runs_however_its_path_is_spelled(method: str, path: str) -> None:
    exchange = Exchange(method=method, url=f"https://h{path}?x=1", body=b"{}")
    assert runs_a_model(exchange)
    assert describe(exchange, MODEL).call.verb is Verb.LLM_CALL


@given(
    st.sampled_from(["completions", "messages", "embeddings", "responses", "converse"]),
    st.lists(st.sampled_from(["", ".", "v1", "x/..", "%2e", "x/%2E%2e", "\\", "a%2f"]), max_size=4),
    st.lists(st.sampled_from(["", "/", "//", "/x", "\\", "/.", "%2f", "?a=1"]), max_size=1),
    st.data(),
)
@QUICK
def test_any_spelling_of_a_models_path_is_a_models_path(
    word: str, before: list[str], after: list[str], data: st.DataObject
) -> None:
    spelled = "".join(
        data.draw(st.sampled_from([letter, letter.upper(), f"%{ord(letter):02x}"]))
        for letter in word
    )
    url = f"https://h/{'/'.join([*before, spelled])}{''.join(after)}"
    assert runs_a_model(Exchange(method="POST", url=url))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/chat/completions"),
        ("DELETE", "/v1/responses/resp_1"),
        ("POST", "/v1/files"),
        ("POST", "/v1/completions/../files"),
        ("POST", "/v1/mycompletions"),
        ("POST", "/?completions"),
        ("POST", "/"),
    ],
)
def test_other_requests_run_no_model(method: str, path: str) -> None:
    exchange = Exchange(method=method, url=f"https://h{path}")
    assert not runs_a_model(exchange)
    assert describe(exchange, MODEL).call.verb is Verb.HTTP_REQUEST


BODIES = {
    "a key twice": b'{"model":"a","model":"b"}',
    "a key twice, deep": b'{"a":[{"b":1,"b":1}]}',
    "a key twice, escaped": b'{"model":"a","\\u006dodel":"b"}',
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":-Infinity}',
    "too large a number": b'{"a":1e999}',
    "a lone surrogate": b'{"a":"\\ud800"}',
    "a lone surrogate in a name": b'{"\\udc00":1}',
    "NaN behind much white space": b" " * 100 + b'{"a":NaN}',
    "a byte order mark": b'\xef\xbb\xbf{"a":1}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "no UTF-8": b'{"a":"\xff"}',
    "nested too deep": b'{"a":' * 200 + b"1" + b"}" * 200,
    "nested beyond any reader": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "lists nested too deep": b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "http": b'{"http":{}}',
    "http, escaped": b'{"ht\\u0074p":1}',
    "$digest": b'{"$digest":"0","bytes":1,"type":"text"}',
    "$digest, escaped": b'{"\\u0024digest":"0"}',
    "$digest, escaped, deep": b'{"a":[{"\\u0024\\u0064igest":"0","type":"text"}]}',
    "$digest, deep": b'{"a":{"b":[{"$digest":"0","type":"text"}]}}',
    "$hidden": b'{"$hidden":"messages/0/content"}',
    "$hidden, deep": b'{"messages":[{"content":{"$hidden":"messages/0/content"}}]}',
    "$hidden, escaped": b'{"messages":[{"content":{"$h\\u0069dden":"messages/0/content"}}]}',
}


READ_BY_NOBODY = ("no UTF-8", "nested beyond any reader", "lists nested too deep")


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_two_readers_could_read_differently_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        describe(posted(body), MODEL)


@pytest.mark.parametrize("kind", ["text/plain", ""], ids=repr)
@pytest.mark.parametrize("what", sorted(BODIES.keys() - READ_BY_NOBODY))
def test_such_a_body_is_refused_whatever_it_says_it_is(what: str, kind: str) -> None:
    """Python's own reader takes each of these for a JSON object."""
    assert isinstance(json.loads(BODIES[what]), dict)
    with pytest.raises(Malformed):
        describe(posted(BODIES[what], kind), MODEL)


@pytest.mark.parametrize("body", [b"{", b'{"a":1}x', b"{'a':1}", b'{"a":1,}', b" ", b"[1", b"\xff"])
def test_what_says_it_is_json_and_is_not_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        describe(posted(body), MODEL)


@pytest.mark.parametrize("body", [b'[{"$digest":"0"}]', b'[[{"\\u0024hidden":"0"}]]'])
def test_a_list_that_uses_our_own_names_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        describe(posted(body), MODEL)


@pytest.mark.parametrize("name", ["http", "$digest", "$hidden"])
def test_a_form_that_uses_our_own_names_is_refused(name: str) -> None:
    with pytest.raises(Malformed):
        describe(form({name: "0"}, [("f", b"1")]), MODEL)


def test_a_stream_that_nobody_has_read_is_refused() -> None:
    with pytest.raises(Malformed):
        describe(replace(posted(b""), body=None), MODEL)


def messages(number: int, make: Callable[[int], object]) -> dict[str, object]:
    return {"model": "m", "messages": [make(index) for index in range(number)]}


LARGE: dict[str, Callable[[], object]] = {
    "one text": lambda: {"input": "é\n" * 1_000_000},
    "long messages": lambda: messages(300, lambda n: {"role": "user", "content": f"{n}" * 3000}),
    "short messages": lambda: messages(3000, lambda n: {"role": "user", "content": f"hi {n}"}),
    "very many messages": lambda: messages(50_000, lambda n: {"role": "user", "content": f"{n}"}),
    "messages just below the limit": lambda: messages(9000, lambda _: {"content": "x"}),
    "texts instead of messages": lambda: messages(30_000, lambda _: "x"),
    "digits": lambda: {"input": [1] * 78_000},
    "tokens": lambda: {"input": [[index] * 30 for index in range(10_000, 25_000)]},
    "small objects": lambda: {"input": [{"": 0}] * 20_000},
    "an embedded image": lambda: messages(1, lambda _: {"url": "data:a/b;base64," + "A" * 10**6}),
    "many fields": lambda: {f"field{index}": "x" * 100 for index in range(2000)},
    "very many fields": lambda: {f"f{index}": 1 for index in range(100_000)},
    "long names": lambda: {"n" * 2_500_000: 1},
    "long names inside": lambda: {"a": {"n" * 2_500_000: 1}},
    "a long list": lambda: [{"a": "x" * 90}] * 20_000,
    "control characters": lambda: {"a": ["\x00" * 15_000] * 9},
}


MAY_BE_REFUSED = ("many fields", "very many fields", "long names", "long names inside")
"""Their names alone may be too much; everything else has values that can be shown by hash."""


@pytest.mark.parametrize(
    ("what", "redact"),
    [(what, ()) for what in LARGE]
    + [(what, ("messages.content", "input.x")) for what in LARGE if what not in MAY_BE_REFUSED],
)
def test_no_call_is_described_that_is_larger_than_an_action_may_be(
    what: str, redact: tuple[str, ...]
) -> None:
    exchange = sent(LARGE[what]())
    try:
        with within(3):
            described = describe(exchange, Settings(name="model", redact=redact))
    except Malformed:
        assert what in MAY_BE_REFUSED
        return
    fields, _ = snapshot_fields(described.call.fields)
    assert len(canonical_bytes(fields)) <= MAX_BYTES


@pytest.mark.parametrize("number", [50, 2000])
def test_a_form_of_many_parts_is_no_larger_than_an_action_may_be(number: int) -> None:
    exchange = form({f"field{index}": "x" * 2000 for index in range(number)}, [("f", b"1" * 10**6)])
    try:
        with within(3):
            described = describe(exchange, MODEL)
    except Malformed:
        return
    fields, _ = snapshot_fields(described.call.fields)
    assert len(canonical_bytes(fields)) <= MAX_BYTES


@pytest.mark.parametrize(("redact", "spaces"), [((), b""), (("messages.content",), b" ")])
def test_a_hundred_thousand_messages_are_described_in_no_time(
    redact: tuple[str, ...], spaces: bytes
) -> None:
    body = orjson.dumps(messages(100_000, lambda n: {"role": "user", "content": f"say {n:012}"}))
    with within(2.5):
        described = describe(posted(spaces + body), Settings(name="model", redact=redact))
    assert len(body) > 4_500_000
    snapshot_fields(described.call.fields)


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "X-Api-Key",
        "api-key",
        "ocp-apim-subscription-key",
        "helicone-auth",
        "x-auth-token",
        "sig",
        "X-Amz-Signature",
        "access_token",
        "key",
        "Set-Cookie",
        "client_secret",
    ],
)
def test_a_name_that_says_who_one_is_is_known_for_it(name: str) -> None:
    assert is_credential(name)


@pytest.mark.parametrize(
    "name",
    [
        "x-tenant",
        "page_token",
        "after",
        "limit",
        "idempotency-key",
        "session_id",
        "monkey",
        "author",
    ],
)
def test_any_other_name_is_part_of_the_action(name: str) -> None:
    assert not is_credential(name)
