"""The last door of an httpx client (httpx and httpx2 alike): every request that it sends, redirects included, is checked out.

A client has two places for it. Its `send` opens a passage where there is none and answers what was sent elsewhere; its
last request hook sees each request as it goes out, with what authentication and other hooks did to it.
"""

import sys
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from types import ModuleType
from typing import Any, cast

import orjson

from heso.core.forms import BYTES
from heso.integrations.describing import Settings
from heso.integrations.exchange import Exchange
from heso.integrations.layers import Layer, sending
from heso.integrations.passage import (
    Passage,
    check_out,
    check_out_async,
    current_passage,
    is_answered,
    run_gated,
    run_gated_async,
    unseen,
)

MODULES = ("httpx", "httpx2")


def find_httpx(client: object) -> ModuleType | None:
    """The module that the client is of; None when it is of neither."""
    for name in MODULES:
        module = sys.modules.get(name)
        if module is not None and isinstance(client, module.Client | module.AsyncClient):
            return module
    return None


def seal(client: Any, settings: Settings) -> None:
    """Close the client's doors; again, if somebody opened one since. Raises `TypeError` for a client of neither module."""
    module = find_httpx(client)
    if module is None:
        raise TypeError(f"{type(client).__name__} is no client of {' or '.join(MODULES)}")
    is_async = isinstance(client, module.AsyncClient)
    sealed = vars(client).get("send")
    if isinstance(sealed, _SealedSend | _SealedSendAsync):
        sealed.settings = settings
    else:
        client.send = (_SealedSendAsync if is_async else _SealedSend)(_send_of(client), settings)
    ensure_hook(client, settings, is_async=is_async)


def _send_of(client: Any) -> Callable[..., Any]:
    """The client's own `send`. It does not hold the client: a client that is let go of closes its connections."""
    if "send" in vars(client):  # another library's
        return cast("Callable[..., Any]", client.send)
    found = weakref.ref(client)
    send = type(client).send

    def call(request: Any, **options: Any) -> Any:
        return send(found(), request, **options)

    return call


def is_sealed(client: object) -> bool:
    return isinstance(vars(client).get("send"), _SealedSend | _SealedSendAsync)


def ensure_hook(
    client: Any, settings: Settings, *, is_async: bool, is_on: Callable[[], bool] = lambda: True
) -> None:
    """Our hook is the client's last one, so that nothing comes after it; with these settings."""
    hooks = client.event_hooks["request"]
    last = hooks[-1] if hooks else None
    if isinstance(last, _Hook | _HookAsync) and last.settings is settings:
        return
    hooks[:] = [hook for hook in hooks if not isinstance(hook, _Hook | _HookAsync)]
    hooks.append((_HookAsync if is_async else _Hook)(settings, is_on))


class _Hook:
    def __init__(self, settings: Settings, is_on: Callable[[], bool]) -> None:
        self.settings, self.is_on = settings, is_on

    def __call__(self, request: Any) -> None:
        if not self.is_on():
            return
        _put_changed(request)
        body = request.read() if _is_whole(self.settings, request) else None
        check_out(_exchange(request, body), self.settings)


class _HookAsync:
    def __init__(self, settings: Settings, is_on: Callable[[], bool]) -> None:
        self.settings, self.is_on = settings, is_on

    async def __call__(self, request: Any) -> None:
        if not self.is_on():
            return
        _put_changed(request)
        body = await request.aread() if _is_whole(self.settings, request) else None
        await check_out_async(_exchange(request, body), self.settings)


class _SealedSend:
    def __init__(self, original: Callable[..., Any], settings: Settings) -> None:
        self.original, self.settings = original, settings

    def __call__(self, request: Any, **options: Any) -> Any:
        passage = current_passage()
        if is_answered(passage):
            return _answer(request, passage)
        send = partial(self._send, request, options)
        return send() if passage is not None else run_gated(send, self.settings, unseen)

    def _send(self, request: Any, options: dict[str, Any]) -> Any:
        with sending(Layer.FRONT):
            return self.original(request, **options)


class _SealedSendAsync:
    def __init__(self, original: Callable[..., Awaitable[Any]], settings: Settings) -> None:
        self.original, self.settings = original, settings

    async def __call__(self, request: Any, **options: Any) -> Any:
        passage = current_passage()
        if is_answered(passage):
            return _answer(request, passage)
        send = partial(self._send, request, options)
        if passage is not None:
            return await send()
        return await run_gated_async(send, self.settings, unseen)

    async def _send(self, request: Any, options: dict[str, Any]) -> Any:
        with sending(Layer.FRONT):
            return await self.original(request, **options)


def kept_answer(response: Any) -> object:
    """What is kept of a response that nobody waits for: its body, as JSON where it is JSON, as text where it is text."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return orjson.loads(response.content)
    return response.text if kind.startswith("text/") else response.content


def _answer(request: Any, passage: Passage | None) -> Any:
    """The response that somebody else got, made again of what was kept of it."""
    told = None if passage is None else passage.answer
    module = sys.modules[type(request).__module__.partition(".")[0]]
    if isinstance(told, str):
        kind, content = _kind_of_text(request), told.encode()
    elif isinstance(told, dict) and told.keys() == {BYTES}:
        from base64 import b64decode  # noqa: PLC0415  # hardly ever

        kind, content = "application/octet-stream", b64decode(told[BYTES])
    else:
        kind, content = "application/json", orjson.dumps(told)
    return module.Response(200, headers={"content-type": kind}, content=content, request=request)


def _kind_of_text(request: Any) -> str:
    accepts_events = b'"stream":true' in request.content.replace(b" ", b"")
    return "text/event-stream" if accepts_events else "text/plain"


def _put_changed(request: Any) -> None:
    """An approver changed what is sent: the client's own request goes out with the approved body."""
    passage = current_passage()
    if passage is None or passage.changed is None:
        return
    changed = passage.changed
    module = sys.modules[type(request).__module__.partition(".")[0]]
    request.stream = module.ByteStream(changed.body)
    request._content = changed.body  # noqa: SLF001  # what `read()` gives; there is no other way to replace it
    request.headers["content-length"] = str(len(changed.body or b""))
    request.headers["content-type"] = changed.headers["content-type"]


def _is_whole(settings: Settings, request: Any) -> bool:
    """A model's request is judged by its body. Of any other a body that is a stream is left one."""
    passage = current_passage()
    used = settings if passage is None else passage.settings
    return used.is_model or hasattr(request, "_content")


def _exchange(request: Any, body: bytes | None) -> Exchange:
    headers: dict[str, str] = {}
    for name, value in request.headers.multi_items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    length = headers.get("content-length", "")
    return Exchange(
        method=request.method.upper(),
        url=_url_of(request),
        headers=headers,
        body=body,
        size=int(length) if body is None and length.isdecimal() else None,
    )


def _url_of(request: Any) -> str:
    url = request.url
    host = url.raw_host.decode("ascii")
    place = f"[{host}]" if ":" in host else host
    port = "" if url.port is None else f":{url.port}"
    return f"{url.scheme}://{place}{port}{url.raw_path.decode('ascii')}"
