"""WebSockets of the `websockets` package: each connection is checked out before it is opened, redirects included.

They bypass the HTTP client, so wrapping a client that may open some puts a door here too. Only connections that somebody
here answers for pass the gate: those to the place of a gated client, and all of them under `heso.gate_http()`.
"""

import importlib
import sys
import warnings
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial, wraps
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakSet

from heso.async_gate.errors import CaptureError
from heso.integrations.calling import run_gated_async, unseen
from heso.integrations.checkout import check_out_async
from heso.integrations.describing import Settings
from heso.integrations.exchange import Exchange
from heso.integrations.layers import (
    Layer,
    go_through,
    is_let_through,
    refuse_answered,
    sending,
)
from heso.integrations.passage import current_passage

_PACKAGE = "websockets"
_GATED = "__heso_gated__"
Place = tuple[str, int]
_Find = Callable[[Place], Settings | None]
_OWNER = object()
_opened: "WeakSet[Any]" = WeakSet()
"""Connections whose opening was let through; their handshake comes later."""
_finders: dict[str, _Find] = {}


def gate_websockets(
    clients: Callable[[], Iterable[Any]], settings_of: Callable[[object], Settings | None]
) -> None:
    """Gate connections to where those of these clients lead that open any."""

    def find(place: Place) -> Settings | None:
        for client in clients():
            if place in _places_of(client):
                return settings_of(client)
        return None

    _finders["clients"] = find
    _patch()


def gate_all_websockets(settings: Settings | None) -> None:
    """Gate every other connection too; None: not any more."""
    if settings is None:
        _finders.pop("all", None)
        return
    _finders["all"] = lambda _place: settings
    _patch()


def is_patched() -> bool:
    module: Any = sys.modules.get(f"{_PACKAGE}.sync.client")
    return module is not None and hasattr(module.connect, _GATED)


def _find(place: Place) -> Settings | None:
    for name in ("clients", "all"):
        finder = _finders.get(name)
        found = None if finder is None else finder(place)
        if found is not None:
            return found
    return None


def _places_of(client: Any) -> set[Place]:
    """Where it may open a WebSocket; nowhere, for a client that opens none."""
    if not hasattr(client, "websocket_base_url"):
        return set()
    urls = (client.base_url, client.websocket_base_url)
    return {Exchange("GET", str(url)).address for url in urls if url}


def _patch() -> None:
    if is_patched() or find_spec(_PACKAGE) is None:
        return
    sync: Any = importlib.import_module(f"{_PACKAGE}.sync.client")
    later: Any = importlib.import_module(f"{_PACKAGE}.asyncio.client")
    sync.connect = _gated_connect(sync.connect)
    sync.ClientConnection.handshake = _gated_handshake(sync.ClientConnection.handshake)
    later.connect.create_connection = _gated_create(later.connect.create_connection)
    later.ClientConnection.handshake = _gated_handshake_later(later.ClientConnection.handshake)
    if find_spec(f"{_PACKAGE}.legacy") is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            legacy: Any = importlib.import_module(f"{_PACKAGE}.legacy.client")
        protocol = legacy.WebSocketClientProtocol
        protocol.handshake = _gated_legacy(protocol.handshake)


def _gated_connect(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def connect(uri: str, *args: Any, **kwargs: Any) -> Any:
        exchange = _exchange(uri)
        return _pass(exchange, partial(original, uri, *args, **kwargs), kwargs)

    setattr(connect, _GATED, True)
    del connect.__dict__["__wrapped__"]
    return connect


def _gated_handshake(original: Callable[..., Any]) -> Callable[..., Any]:
    """For whoever imported `connect` before it was gated."""

    def handshake(self: Any, *args: Any, **kwargs: Any) -> Any:
        uri = getattr(self.protocol, "uri", None) or self.protocol.wsuri
        return _pass(_exchange_of_parts(uri), partial(original, self, *args, **kwargs), {})

    return handshake


def _gated_handshake_later(original: Callable[..., Any]) -> Callable[..., Any]:
    """For whoever makes a connection by hand."""

    async def handshake(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self in _opened:
            return await original(self, *args, **kwargs)
        uri = getattr(self.protocol, "uri", None) or self.protocol.wsuri
        send = partial(original, self, *args, **kwargs)
        return await _pass_later(_exchange_of_parts(uri), send, {})

    return handshake


def _gated_legacy(original: Callable[..., Any]) -> Callable[..., Any]:
    async def handshake(self: Any, wsuri: Any, *args: Any, **kwargs: Any) -> Any:
        send = partial(original, self, wsuri, *args, **kwargs)
        return await _pass_later(_exchange_of_parts(wsuri), send, {})

    return handshake


def _gated_create(original: Callable[..., Any]) -> Callable[..., Any]:
    async def create_connection(self: Any, *args: Any, **kwargs: Any) -> Any:
        send = partial(original, self, *args, **kwargs)
        connection = await _pass_later(_exchange(self.uri), send, self.connection_kwargs)
        _opened.add(connection)
        return connection

    return create_connection


def _pass(exchange: Exchange, connect: Callable[[], Any], options: Mapping[str, Any]) -> Any:
    settings = _find(exchange.address)
    if settings is None or is_let_through(Layer.URLLIB3, exchange):
        return connect()
    exchange = _with_way(exchange, options, settings)
    return go_through(Layer.FRONT, exchange, settings, connect, _OWNER)


async def _pass_later(
    exchange: Exchange, connect: Callable[[], Awaitable[Any]], options: Mapping[str, Any]
) -> Any:
    settings = _find(exchange.address)
    if settings is None or is_let_through(Layer.URLLIB3, exchange):
        return await connect()
    exchange = _with_way(exchange, options, settings)

    async def send() -> Any:
        passage = current_passage(_OWNER)
        refuse_answered(settings, passage)
        await check_out_async(exchange, settings, passage)
        with sending(Layer.FRONT, exchange):
            return await connect()

    return await run_gated_async(send, settings, unseen, owner=_OWNER)


def _with_way(exchange: Exchange, options: Mapping[str, Any], settings: Settings) -> Exchange:
    """The exchange and the proxy it goes through. Raises `CaptureError` for options that lead elsewhere than the URL."""
    if any(options.get(name) is not None for name in ("host", "port", "sock", "unix", "path")):
        why = "its options lead elsewhere than its URL"
        raise CaptureError(settings.name, why, "say in the URL where it goes")
    return replace(exchange, via=_proxy_of(exchange.url, options.get("proxy", True)))


def _proxy_of(url: str, proxy: object) -> str:
    """The proxy's `host:port`: the given one, or, as the library does by itself, the environment's."""
    if proxy is True:
        uri: Any = importlib.import_module(f"{_PACKAGE}.uri")
        find = getattr(uri, "get_proxy", None)  # from version 15 on
        proxy = None if find is None else find(uri.parse_uri(url))
    return urlsplit(proxy).netloc.rpartition("@")[2] if isinstance(proxy, str) else ""


def _exchange(uri: str) -> Exchange:
    from websockets.uri import parse_uri  # noqa: PLC0415  # an extra, there when this is called

    return _exchange_of_parts(parse_uri(uri))


def _exchange_of_parts(uri: Any) -> Exchange:
    scheme = "wss" if uri.secure else "ws"
    host = f"[{uri.host}]" if ":" in uri.host else uri.host
    port = "" if uri.port == (443 if uri.secure else 80) else f":{uri.port}"
    return Exchange("GET", f"{scheme}://{host}{port}{uri.resource_name}")
