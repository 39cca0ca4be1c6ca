"""The last door of an httpx client (httpx and httpx2 alike): every request that it sends, redirects included, is checked out.

A client sends through `send`, and, once its hooks, its authentication and its redirects have had their say, through
`_send_single_request`, once for each request that goes out. A sealed client has both replaced: the first opens a passage where
there is none and answers what was sent elsewhere, the second is the door.

Rule: the door reads the body off what the transport will read, and puts it back as these bytes.
"""

import sys
import weakref
from base64 import b64decode
from collections.abc import Awaitable, Callable
from functools import partial
from types import ModuleType
from typing import Any

import orjson

from heso.async_gate.errors import CaptureError
from heso.core.forms import BYTES
from heso.integrations.calling import (
    recall_here,
    recall_here_async,
    run_gated,
    run_gated_async,
    unseen,
)
from heso.integrations.checkout import check_out, check_out_async
from heso.integrations.describing import Settings, headers_to_send
from heso.integrations.exchange import Exchange
from heso.integrations.layers import Layer, sending
from heso.integrations.passage import Passage, current_passage
from heso.integrations.signals import Asked, Refused
from heso.transports.own import is_own_request

MODULES = ("httpx", "httpx2")
DOOR = "_send_single_request"


def find_httpx(client: object) -> ModuleType | None:
    """The module that the client is of; None when it is of neither, or has no door that we know."""
    for name in MODULES:
        module = sys.modules.get(name)
        if module is not None and isinstance(client, module.Client | module.AsyncClient):
            return module if hasattr(client, DOOR) else None
    return None


def seal(client: Any, settings: Settings, is_on: Callable[[], bool] | None = None) -> None:
    """Close the client's doors, while `is_on` says so (always, once it was sealed without). Raises `TypeError` for a
    client that has none."""
    module = find_httpx(client)
    if module is None:
        raise TypeError(f"{type(client).__name__} is no client of {' or '.join(MODULES)}")
    found = vars(client).get("send")
    if isinstance(found, _Sealed) and isinstance(vars(client).get(DOOR), _Sealed):
        found.change(settings, is_on)
        return
    kind = (_SendAsync, _DoorAsync) if isinstance(client, module.AsyncClient) else (_Send, _Door)
    shared = _Shared(weakref.ref(client), settings, is_on)
    vars(client)[DOOR] = kind[1](shared, DOOR)
    vars(client)["send"] = kind[0](shared, "send")


def is_sealed(client: object) -> bool:
    found = vars(client).get(DOOR)
    return isinstance(found, _Sealed) and found.is_on()


class _Shared:
    """What a client's two replacements know. It does not hold the client: one that is let go of closes its connections."""

    def __init__(self, client: Any, settings: Settings, is_on: Callable[[], bool] | None) -> None:
        self.client, self.settings, self.is_on = client, settings, is_on


class _Sealed:
    def __init__(self, shared: _Shared, name: str) -> None:
        self._shared, self._name = shared, name

    def _original(self, client: Any, *args: Any, **kwargs: Any) -> Any:
        """What the class has for it now: others may have put something in its place since, or taken it back."""
        return getattr(type(client), self._name)(client, *args, **kwargs)

    def is_on(self) -> bool:
        return self._shared.is_on is None or self._shared.is_on()

    def change(self, settings: Settings, is_on: Callable[[], bool] | None) -> None:
        shared = self._shared
        shared.settings = settings
        if is_on is None or not self.is_on():
            shared.is_on = is_on

    def _client(self) -> Any:
        client = self._shared.client()
        if client is None:
            raise ReferenceError("the client is gone")
        return client


class _Send(_Sealed):
    def __call__(self, request: Any, **options: Any) -> Any:
        client = self._client()
        if not self.is_on():
            return self._original(client, request, **options)
        send = partial(send_inside, self._original, client, request, options)
        passage = current_passage(client)
        if passage is not None and not passage.is_sending:
            return send()
        return run_gated(send, self._shared.settings, unseen, owner=client)


class _SendAsync(_Sealed):
    async def __call__(self, request: Any, **options: Any) -> Any:
        client = self._client()
        if not self.is_on():
            return await self._original(client, request, **options)
        send = partial(send_inside_async, self._original, client, request, options)
        passage = current_passage(client)
        if passage is not None and not passage.is_sending:
            return await send()
        return await run_gated_async(send, self._shared.settings, unseen, owner=client)


class _Door(_Sealed):
    def __call__(self, request: Any) -> Any:
        client = self._client()
        if not self.is_on():
            return self._original(client, request)
        return pass_door(self._original, client, request, self._shared.settings)


class _DoorAsync(_Sealed):
    async def __call__(self, request: Any) -> Any:
        client = self._client()
        if not self.is_on():
            return await self._original(client, request)
        return await pass_door_async(self._original, client, request, self._shared.settings)


def send_inside(original: Callable[..., Any], client: Any, request: Any, options: Any) -> Any:
    """Send in the client's open passage, or answer without sending."""
    passage = current_passage(client)
    if passage is None:
        raise ReferenceError("the passage is over")
    if passage.is_answered:
        return _answer(request, passage)
    passage.is_sending = True
    try:
        return original(client, request, **options)
    finally:
        passage.is_sending = False


async def send_inside_async(
    original: Callable[..., Awaitable[Any]], client: Any, request: Any, options: Any
) -> Any:
    """`send_inside` for an asynchronous client."""
    passage = current_passage(client)
    if passage is None:
        raise ReferenceError("the passage is over")
    if passage.is_answered:
        return _answer(request, passage)
    passage.is_sending = True
    try:
        return await original(client, request, **options)
    finally:
        passage.is_sending = False


def pass_door(original: Callable[..., Any], client: Any, request: Any, settings: Settings) -> Any:
    """Check the request out, then let the transport have it."""
    if is_own_request():
        return original(client, request)
    passage = _sending_passage(client)
    if passage is None:

        def alone() -> Any:
            return _out(original, client, request, settings, current_passage(client))

        return run_gated(alone, settings, unseen, owner=client)
    return _out(original, client, request, settings, passage)


async def pass_door_async(
    original: Callable[..., Awaitable[Any]], client: Any, request: Any, settings: Settings
) -> Any:
    """`pass_door` for an asynchronous client."""
    if is_own_request():
        return await original(client, request)
    passage = _sending_passage(client)
    if passage is None:

        async def alone() -> Any:
            return await _out_async(original, client, request, settings, current_passage(client))

        return await run_gated_async(alone, settings, unseen, owner=client)
    return await _out_async(original, client, request, settings, passage)


def _out(
    original: Callable[..., Any],
    client: Any,
    request: Any,
    settings: Settings,
    passage: Passage | None,
) -> Any:
    used = settings if passage is None else passage.settings
    _put_changed(request, passage)
    body = None
    if _is_whole(used, request):
        body = b"".join(request.stream)
        request.stream = _module_of(request).ByteStream(body)
    if not request.url.host:
        return original(client, request)  # which says that this is no URL
    exchange = _exchange(client, request, body, used)

    def send() -> Any:
        with sending(Layer.FRONT, exchange):
            return original(client, request)

    try:
        check_out(exchange, settings, passage)
    except Asked as asked:
        if passage is None or not passage.left:
            raise
        return _answer_or(recall_here(asked, passage, send), request, passage)
    return send()


async def _out_async(
    original: Callable[..., Awaitable[Any]],
    client: Any,
    request: Any,
    settings: Settings,
    passage: Passage | None,
) -> Any:
    used = settings if passage is None else passage.settings
    _put_changed(request, passage)
    body = None
    if _is_whole(used, request):
        body = b"".join([piece async for piece in request.stream])
        request.stream = _module_of(request).ByteStream(body)
    if not request.url.host:
        return await original(client, request)
    exchange = _exchange(client, request, body, used)

    async def send() -> Any:
        with sending(Layer.FRONT, exchange):
            return await original(client, request)

    try:
        await check_out_async(exchange, settings, passage)
    except Asked as asked:
        if passage is None or not passage.left:
            raise
        return _answer_or(await recall_here_async(asked, passage, send), request, passage)
    return await send()


def _answer_or(told: Any, request: Any, passage: Passage) -> Any:
    """The response, or one made of what was kept of somebody else's."""
    return _answer(request, passage) if passage.is_answered else told


def _sending_passage(client: object) -> Passage | None:
    passage = current_passage(client)
    return passage if passage is not None and passage.is_sending else None


def kept_answer(response: Any) -> object:
    """What is kept of a response that nobody waits for: its body, as JSON where it is JSON, as text where it is text."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return orjson.loads(response.content)
        except ValueError:
            return response.text
    return response.text if kind.startswith("text/") else response.content


def _answer(request: Any, passage: Passage) -> Any:
    """The response that somebody else got, made again of what was kept of it."""
    told = passage.answer
    if isinstance(told, str):
        kind, content = _kind_of_text(request), told.encode()
    elif isinstance(told, dict) and told.keys() == {BYTES}:
        kind, content = "application/octet-stream", b64decode(told[BYTES])
    else:
        kind, content = "application/json", orjson.dumps(told)
    headers = {"content-type": kind}
    return _module_of(request).Response(200, headers=headers, content=content, request=request)


def _kind_of_text(request: Any) -> str:
    body = getattr(request, "_content", b"")
    return "text/event-stream" if b'"stream":true' in body.replace(b" ", b"") else "text/plain"


def _put_changed(request: Any, passage: Passage | None) -> None:
    """An approver changed what is sent: the client's own request goes out with what was approved."""
    if passage is None or passage.changed is None:
        return
    changed = passage.changed
    for name, value in headers_to_send(changed).items():
        request.headers[name] = value
    request.stream = _module_of(request).ByteStream(changed.body)
    request.headers["content-length"] = str(len(changed.body or b""))


def _is_whole(settings: Settings, request: Any) -> bool:
    """A model's request is judged by its body. Of any other a body that is a stream is left one."""
    return settings.is_model or isinstance(request.stream, _module_of(request).ByteStream)


def _module_of(request: Any) -> Any:
    return sys.modules[type(request).__module__.partition(".")[0]]


def _exchange(client: Any, request: Any, body: bytes | None, settings: Settings) -> Exchange:
    headers: dict[str, str] = {}
    for name, value in request.headers.multi_items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    length = headers.get("content-length", "")
    if body is not None and length and length != str(len(body)):
        _refuse(settings, "its content-length is not its body's")
    if "target" in request.extensions:
        _refuse(settings, "it goes to another target than its URL's")
    return Exchange(
        method="".join(request.method).upper(),
        url=_url_of(request),
        headers=headers,
        body=body,
        size=int(length) if body is None and length.isdecimal() else None,
        via=_via(client, request),
    )


def _refuse(settings: Settings, why: str) -> None:
    error = CaptureError(settings.name, why, "send it as the client makes it")
    raise Refused(error)


def _via(client: Any, request: Any) -> str:
    """The proxy or the local socket that the client's transport goes through, as far as it is one of httpx's own."""
    transport = client._transport_for_url(request.url)  # noqa: SLF001  # nothing public tells
    pool = getattr(transport, "_pool", None)
    path = getattr(pool, "_uds", None)
    if path is not None:
        return f"unix:{path}"
    proxy = getattr(pool, "_proxy_url", None)
    if proxy is None:
        return ""
    host = proxy.host.decode("ascii") if isinstance(proxy.host, bytes) else str(proxy.host)
    return f"{host}:{proxy.port or (443 if proxy.scheme in (b'https', 'https') else 80)}"


def _url_of(request: Any) -> str:
    url = request.url
    host = url.raw_host.decode("ascii")
    place = f"[{host}]" if ":" in host else host
    port = "" if url.port is None else f":{url.port}"
    return f"{url.scheme}://{place}{port}{url.raw_path.decode('ascii')}"
