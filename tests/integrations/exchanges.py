"""Requests as values, for the tests of what is made of them."""

from itertools import count
from typing import Any

import httpx
import orjson
from hypothesis import settings
from hypothesis import strategies as st

from heso.async_gate.snapshot import snapshot_fields
from heso.core.canonical import MAX_SAFE_INTEGER, canonical_bytes
from heso.core.redaction import redact_fields
from heso.integrations.describing import Described, Settings
from heso.integrations.exchange import Exchange

QUICK = settings(derandomize=True, deadline=None, max_examples=60)
MODEL = Settings(name="model")
URL = "https://api.example.com/v1/chat/completions"
SECRET = "s3cr3t-value"  # noqa: S105  # opens nothing

HOSTS = st.sampled_from(
    ["api.example.com", "127.0.0.1", "[::1]", "[2001:db8::7]", "xn--bcher-kva.de"]
)
PORTS = st.sampled_from(["", ":1", ":8080", ":65535"])
PATHS = st.sampled_from(["/", "/v1/x", "/v1//x", "/v1/x%20y", "/v1/x;y=1", "/a%2Fb/", "/:go"])
QUERIES = st.sampled_from(["", "?a=1", "?a=1&a=2&b", "?q=%20%3F", "?a=b?c=d", "?a=http://x/y"])
URLS = st.builds(
    lambda scheme, *rest: f"{scheme}://{''.join(rest)}",
    st.sampled_from(["http", "https"]),
    HOSTS,
    PORTS,
    PATHS,
    QUERIES,
)
NAMES = st.sampled_from(["a", "b", "data", "type", "format", "messages", "content", "é", "body"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER),
    st.floats(-1e15, 1e15),
    st.text(max_size=12),
    st.sampled_from(["data:image/png;base64,AAAA", "base64", "é" * 30]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=5)
REDACTED = st.lists(
    st.sampled_from(["a", "messages.content", "a.b", "b.0.a", "http.query", "http.path", "data"]),
    max_size=3,
).map(tuple)
USED = st.builds(Settings, name=st.just("model"), redact=REDACTED, largest=st.integers(4, 40))
FORM_NAMES = st.sampled_from(["a", "b", "file[]", "é", 'q"', "back\\slash"])
FILES = st.lists(
    st.tuples(
        FORM_NAMES,
        st.tuples(st.sampled_from(["x.png", "é.txt", 'a"b']), st.binary(max_size=60)),
    ),
    min_size=1,
    max_size=4,
)


def posted(body: bytes, kind: str = "application/json", **more: Any) -> Exchange:
    headers = {**({"content-type": kind} if kind else {}), **more.pop("headers", {})}
    return Exchange(**{"method": "POST", "url": URL, **more}, headers=headers, body=body)


def sent(body: object, **more: Any) -> Exchange:
    return posted(orjson.dumps(body), **more)


def form(data: Any, files: Any, **more: Any) -> Exchange:
    request = httpx.Request("POST", URL, data=data, files=files)
    return posted(request.read(), request.headers["content-type"], **more)


def receipt_of(described: Described) -> bytes:
    """All that a receipt would show of it."""
    call, numbers = described.call, count(1)
    fields, _ = snapshot_fields(call.fields)
    shown = redact_fields(fields, call.redact, draw_salt=lambda: next(numbers).to_bytes(32, "big"))
    others = [call.tool_name, str(call.target_host), repr(call.signal), str(call.verb)]
    return canonical_bytes([shown.fields, shown.record, others])
