"""What policy, receipts and reviewers see of a request that a client sends.

    {"model": "...", "messages": [...],                     the body, by name
     "http": {"method": "POST", "origin": "https://...", "path": "/v1/chat/completions",
              "query": "...", "media_type": "application/json",
              "headers": {...}, "hidden": {...}, "body": ...}}

Rule 1: it is read off the very bytes that go out, so what was judged is what is sent; whatever sentinel, default or
        rewriting came before has become bytes, or has left none.
Rule 2: a body that can be read as a JSON object is read as one, whatever it says it is. Keys given twice, names that are
        heso's own: refused.
Rule 3: headers that say who one is are no part of the action and are never kept. Headers that somebody added are kept hidden.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from heso.async_gate.stages import Call
from heso.core.canonical import canonical_bytes
from heso.core.encoding import Digest
from heso.core.errors import Malformed
from heso.core.receipt import Verb
from heso.core.strict_json import parse_json
from heso.integrations.exchange import Exchange, is_credential, segments
from heso.integrations.hiding import hide_in_lists
from heso.integrations.multipart import Part, parse_parts
from heso.integrations.payloads import LARGEST_TEXT, Payloads, refuse_own_names
from heso.policy.scope import parse_host
from heso.taxonomy.facts import Signal

HTTP = "http"
FORM = "multipart/form-data"
REQUEST_VERSION = "request-1"
"""The version under which requests are tools: how they are described, and so how they are sent again."""

_MOST_BODY = 512 * 1024 * 1024
_RUNS_A_MODEL = frozenset(
    {
        *("completions", "responses", "messages", "embeddings", "images", "audio", "videos"),
        *("moderations", "batches", "runs", "realtime", "live", "complete", "converse", "invoke"),
        *("edits", "generations", "speech", "transcriptions", "translations", "rerank", "classify"),
        *("decisions", "predict", "rawpredict", "streamrawpredict"),
    }
)
_WORDS = re.compile(r"[^0-9a-z]+")
_SHOWN_HEADERS = frozenset(
    {"anthropic-beta", "anthropic-version", "openai-beta", "openai-organization", "openai-project"}
)
_OF_THE_CONNECTION = frozenset(
    {
        *("accept", "accept-encoding", "connection", "content-length", "content-type", "host"),
        *("transfer-encoding", "user-agent", "expect", "te", "upgrade", "idempotency-key"),
        *("traceparent", "tracestate", "baggage"),
    }
)
_OF_THE_CLIENT = ("x-stainless-", "sec-websocket-")
_BEFORE_JSON = b" \t\r\n\0\xef\xbb\xbf\xff\xfe"  # white space and byte order marks, in any encoding
_SENT_LATER = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the requests of one client are shown. `name` is the tool on receipts; `largest` as in `Payloads`."""

    name: str
    redact: tuple[str, ...] = ()
    largest: int = LARGEST_TEXT
    records_outcomes: bool = False
    is_model: bool = True
    """A model client's bodies are the action and are shown; any other's are kept hidden."""
    proxies: frozenset[str] | None = None
    """The proxies and local sockets that requests may go through; None: any. They are shown either way."""


@dataclass(frozen=True, slots=True)
class Described:
    """The call, and the values behind the hashes in it."""

    call: Call
    payloads: Mapping[Digest, bytes] = field(repr=False, default_factory=dict)
    can_wait: bool = True
    is_to_be_kept: bool = False
    """People are asked about it, and what it shows by hash has to be there when they have decided."""


def describe(exchange: Exchange, settings: Settings, *, whole: bool = False) -> Described:
    """Raises `Malformed`. `whole`: what is kept hidden of other than a model's requests is there as well, so that an
    approval is for exactly these bytes."""
    if exchange.via and settings.proxies is not None and exchange.via not in settings.proxies:
        raise Malformed("request", f"goes through {exchange.via}, which was not named")
    return (
        _describe_model_call(exchange, settings)
        if settings.is_model
        else _describe_request(exchange, settings, whole=whole)
    )


def is_same(one: Exchange, other: Exchange) -> bool:
    """Whether these are one action: a retry, not another request. Who one is may differ: it may have been renewed."""
    if one.target != other.target or one.via != other.via:
        return False
    if _added_headers(one) != _added_headers(other):
        return False
    if one.body == other.body and one.size == other.size:
        return _shown_type(one) == _shown_type(other)
    if not one.body or not other.body or one.media_type != other.media_type:
        return False
    try:  # a boundary is drawn anew each time; an approved body is written anew from the receipt
        return _body_form(one) == _body_form(other)
    except Malformed:
        return False


def headers_to_send(exchange: Exchange) -> dict[str, str]:
    """The headers of an approved request that a client has to send besides its own."""
    kind = exchange.headers.get("content-type")
    added = _added_headers(exchange)
    return added if kind is None else {**added, "content-type": kind}


def runs_a_model(exchange: Exchange) -> bool:
    """Whether a model works on what is sent: completions, responses, messages, embeddings, images, audio and their like."""
    if exchange.is_websocket:
        return True
    if exchange.method in ("GET", "HEAD", "DELETE", "OPTIONS"):
        return False
    return any(
        not _RUNS_A_MODEL.isdisjoint(_WORDS.split(segment)) for segment in segments(exchange.path)
    )


def _describe_model_call(exchange: Exchange, settings: Settings) -> Described:
    payloads = Payloads(settings.largest)
    fields, opaque = _read_body(exchange, payloads)
    shown, moved, plain = hide_in_lists(fields, settings.redact)
    http = _http_of(exchange) | opaque
    hidden = [f"{HTTP}.hidden.{name}" for name in moved]
    if moved:
        http["hidden"] = moved
    if "body" in opaque and settings.redact:
        hidden.append(f"{HTTP}.body")  # no path leads into it
    added = _added_headers(exchange)
    _refuse_other_host(exchange)
    if added:
        _refuse_unhideable(added)
        http["headers"] = added
        hidden += [f"{HTTP}.headers.{name}" for name in added if name not in _SHOWN_HEADERS]
    verb = Verb.LLM_CALL if runs_a_model(exchange) else Verb.HTTP_REQUEST
    call = _call(exchange, settings, {**shown, HTTP: http}, verb, (*plain, *hidden))
    can_wait = not payloads.saw_big_integer and _can_be_sent_later(exchange)
    return Described(call, payloads.kept, can_wait)


def _can_be_sent_later(exchange: Exchange) -> bool:
    """Whether a client can be told to send it: a read with a body, or a method of its own, only by who asked for it."""
    return exchange.method in _SENT_LATER or (exchange.method == "GET" and not exchange.body)


def _describe_request(exchange: Exchange, settings: Settings, *, whole: bool) -> Described:
    """Method, place and sizes; what it says is hidden, and is there at all only where people are asked about it."""
    http = _http_of(exchange)
    _refuse_other_host(exchange)
    names = {pair.partition("=")[0] for pair in exchange.query.split("&") if "=" in pair}
    http["query_names"] = sorted(names)
    del http["query"]
    http["header_names"] = sorted(exchange.headers)
    http["body_bytes"] = _size_of(exchange)
    hidden: list[str] = []
    payloads = Payloads(settings.largest)
    if whole and exchange.body is not None:
        if exchange.body:
            http["body"] = _body_by_hash(exchange, payloads)
        http["query"] = exchange.shown_query
        hidden = [f"{HTTP}.body", f"{HTTP}.query"]
    call = _call(exchange, settings, {HTTP: http}, Verb.HTTP_REQUEST, (*settings.redact, *hidden))
    return Described(call, payloads.kept, exchange.body is not None)


def _body_by_hash(exchange: Exchange, payloads: Payloads) -> object:
    """The body's hash; of a form the hash of each part, because its boundary is drawn by lot."""
    body = exchange.body or b""
    if exchange.media_type == FORM:
        try:
            parts = parse_parts(body, exchange.headers["content-type"])
        except Malformed:
            return payloads.binary(body)
        return [{"name": part.name, **payloads.file(part)} for part in parts]
    return payloads.binary(body)


def _call(
    exchange: Exchange,
    settings: Settings,
    fields: Mapping[str, object],
    verb: Verb,
    redact: tuple[str, ...],
) -> Call:
    return Call(
        tool_name=settings.name,
        fields=fields,
        verb=verb,
        target_host=exchange.host,
        redact=redact,
        signal=_signal(exchange, redact),
        tool_version=REQUEST_VERSION,
    )


def _http_of(exchange: Exchange) -> dict[str, object]:
    http: dict[str, object] = {
        "method": exchange.method,
        "origin": exchange.origin,
        "path": exchange.path,
        "query": exchange.shown_query,
        "media_type": _shown_type(exchange),
    }
    if exchange.via:
        http["via"] = exchange.via
    return http


def _shown_type(exchange: Exchange) -> str:
    """The body's type with its parameters, but for a form's: its boundary is drawn by lot."""
    if exchange.body == b"":
        return ""
    is_form = exchange.media_type == FORM
    return FORM if is_form else exchange.headers.get("content-type", "").strip()


def _read_body(
    exchange: Exchange, payloads: Payloads
) -> tuple[dict[str, object], dict[str, object]]:
    """The body by name with what is large in it replaced, or what stands in `http` for one that has no names."""
    body = exchange.body
    if body is None:
        raise Malformed("body", "is a stream that cannot be read before it is sent")
    if not body:
        return {}, {}
    if exchange.media_type == FORM:
        return _read_form(exchange, payloads)
    is_json = exchange.media_type == "application/json" or exchange.media_type.endswith("+json")
    if not is_json and not _is_read_as_json(body):
        return {}, {"body": payloads.binary(body)}
    value = parse_json(body, max_bytes=_MOST_BODY, what="body")
    if not isinstance(value, dict):
        return {}, {"body": payloads.shrink({"body": value})["body"]}
    _refuse_reserved(value)
    return payloads.shrink(value) if _may_hold_more(exchange, payloads) else value, {}


def _read_form(
    exchange: Exchange, payloads: Payloads
) -> tuple[dict[str, object], dict[str, object]]:
    parts = parse_parts(exchange.body or b"", exchange.headers["content-type"])
    fields: dict[str, object] = {}
    for part in parts:
        value = _value_of(part, payloads)
        if part.name not in fields:
            fields[part.name] = value
            continue
        before = fields[part.name]
        fields[part.name] = [*before, value] if isinstance(before, list) else [before, value]
    _refuse_reserved(fields)
    order = [part.name for part in parts]
    by_name = [name for name in fields for _ in range(order.count(name))]
    return payloads.fit(fields), {} if order == by_name else {"order": order}


def _refuse_reserved(fields: Mapping[str, object]) -> None:
    refuse_own_names(fields)
    if HTTP in fields:
        raise Malformed("body", f"{HTTP!r} is heso's own name in it")


def _is_read_as_json(body: bytes) -> bool:
    """Whether a reader that takes anything would take it for a JSON object, whatever it says it is."""
    if not body.lstrip(_BEFORE_JSON).startswith(b"{"):
        return False
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False


def _value_of(part: Part, payloads: Payloads) -> object:
    if part.filename is not None or part.media_type:
        return payloads.file(part)
    try:
        return payloads.take(part.content.decode())
    except UnicodeDecodeError:
        return payloads.file(part)


def _may_hold_more(exchange: Exchange, payloads: Payloads) -> bool:
    """Whether a body has to be walked: most are short and hold nothing but short texts."""
    body = exchange.body or b""
    return (
        len(body) > min(payloads.largest, LARGEST_TEXT)
        or any(sign in body for sign in (b"\\u", b'"$'))
        or b"data" in body.lower()
        or _has_long_digits(body)
    )


def _has_long_digits(body: bytes) -> bool:
    """Whether it may hold an integer beyond 2^53, which has 16 digits."""
    squeezed = body.translate(_DIGITS_AS_ZERO)
    return b"0" * 16 in squeezed


_DIGITS_AS_ZERO = bytes(ord("0") if chr(byte) in "0123456789" else byte for byte in range(256))


def _added_headers(exchange: Exchange) -> dict[str, str]:
    """What somebody put in the headers that is part of the action."""
    return {
        name: value
        for name, value in exchange.headers.items()
        if not (
            name in _OF_THE_CONNECTION or name.startswith(_OF_THE_CLIENT) or is_credential(name)
        )
    }


def _refuse_unhideable(names: Iterable[str]) -> None:
    for name in names:
        if "." in name or "*" in name:
            raise Malformed("header", "its name has a dot or a star, and cannot be hidden", name)


def _refuse_other_host(exchange: Exchange) -> None:
    host = exchange.headers.get("host")
    if host is not None and parse_host(host) != parse_host(exchange.host):
        raise Malformed("header", "names another host than the URL", "host")


def _size_of(exchange: Exchange) -> int | None:
    return exchange.size if exchange.body is None else len(exchange.body)


def _body_form(exchange: Exchange) -> object:
    """The body as what it means. Raises `Malformed` for one that means its bytes."""
    body = exchange.body or b""
    if exchange.media_type == FORM:
        return parse_parts(body, exchange.headers["content-type"])
    is_json = exchange.media_type == "application/json" or exchange.media_type.endswith("+json")
    if not is_json and not _is_read_as_json(body):
        raise Malformed("body", "is not JSON")
    return canonical_bytes(parse_json(body, max_bytes=_MOST_BODY, what="body"))


def _signal(exchange: Exchange, hidden: tuple[str, ...]) -> Signal:
    """What it is classified by. A path that is to be hidden is not told there either."""
    hides_path = any(path in (HTTP, f"{HTTP}.path") for path in hidden)
    return Signal(method=exchange.method, path=None if hides_path else exchange.path)
