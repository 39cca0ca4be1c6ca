"""WebSockets of the `websockets` package: each connection is checked out before it is opened, redirects included.

They bypass the HTTP client, so wrapping a client that may open some puts a door here too. Only connections that somebody
here answers for pass the gate: those to the place of a gated client, and all of them under `heso.gate_http()`.
"""

import importlib
import sys
from collections.abc import Callable, Iterable
from functools import partial, wraps
from importlib.util import find_spec
from typing import Any

from heso.integrations.describing import Settings
from heso.integrations.exchange import Exchange
from heso.integrations.layers import Layer, refuse_answered, sending
from heso.integrations.passage import (
    check_out,
    check_out_async,
    current_passage,
    run_gated,
    run_gated_async,
    unseen,
)

_PACKAGE = "websockets"
_GATED = "__heso_gated__"
_Find = Callable[[str], Settings | None]
_finders: dict[str, _Find] = {}


def gate_websockets(
    clients: Callable[[], Iterable[Any]], settings_of: Callable[[object], Settings | None]
) -> None:
    """Gate connections to where those of these clients lead that open any."""

    def find(place: str) -> Settings | None:
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


def _find(place: str) -> Settings | None:
    for name in ("clients", "all"):
        finder = _finders.get(name)
        found = None if finder is None else finder(place)
        if found is not None:
            return found
    return None


def _places_of(client: Any) -> set[str]:
    """Host and port of where it may open a WebSocket; nowhere, for a client that opens none."""
    if not hasattr(client, "websocket_base_url"):
        return set()
    return {
        _place(Exchange("GET", str(u))) for u in (client.base_url, client.websocket_base_url) if u
    }


def _place(exchange: Exchange) -> str:
    scheme, _, rest = exchange.origin.partition("://")
    has_port = rest.rpartition("]")[2].count(":")
    return rest if has_port else f"{rest}:{443 if scheme in ('https', 'wss') else 80}"


def _patch() -> None:
    if is_patched() or find_spec(_PACKAGE) is None:
        return
    sync: Any = importlib.import_module(f"{_PACKAGE}.sync.client")
    later: Any = importlib.import_module(f"{_PACKAGE}.asyncio.client")
    sync.connect = _gated_connect(sync.connect)
    sync.ClientConnection.handshake = _gated_handshake(sync.ClientConnection.handshake)
    later.connect.create_connection = _gated_create(later.connect.create_connection)


def _gated_connect(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def connect(uri: str, *args: Any, **kwargs: Any) -> Any:
        return _pass(_exchange(uri), partial(original, uri, *args, **kwargs))

    setattr(connect, _GATED, True)
    del connect.__dict__["__wrapped__"]
    return connect


def _gated_handshake(original: Callable[..., Any]) -> Callable[..., Any]:
    """For whoever imported `connect` before it was gated."""

    def handshake(self: Any, *args: Any, **kwargs: Any) -> Any:
        uri = getattr(self.protocol, "uri", None) or self.protocol.wsuri
        return _pass(_exchange_of_parts(uri), partial(original, self, *args, **kwargs))

    return handshake


def _gated_create(original: Callable[..., Any]) -> Callable[..., Any]:
    async def create_connection(self: Any, *args: Any, **kwargs: Any) -> Any:
        exchange = _exchange(self.uri)
        passage = current_passage()
        settings = _find(_place(exchange)) if passage is None else passage.settings
        if settings is None:
            return await original(self, *args, **kwargs)

        async def connect() -> Any:
            refuse_answered(settings)
            await check_out_async(exchange, settings)
            with sending(Layer.FRONT):
                return await original(self, *args, **kwargs)

        return (
            await connect()
            if passage is not None
            else await run_gated_async(connect, settings, unseen)
        )

    return create_connection


def _pass(exchange: Exchange, connect: Callable[[], Any]) -> Any:
    passage = current_passage()
    settings = _find(_place(exchange)) if passage is None else passage.settings
    if settings is None:
        return connect()

    def send() -> Any:
        refuse_answered(settings)
        check_out(exchange, settings)
        with sending(Layer.FRONT):
            return connect()

    return send() if passage is not None else run_gated(send, settings, unseen)


def _exchange(uri: str) -> Exchange:
    from websockets.uri import parse_uri  # noqa: PLC0415  # an extra, there when this is called

    return _exchange_of_parts(parse_uri(uri))


def _exchange_of_parts(uri: Any) -> Exchange:
    scheme = "wss" if uri.secure else "ws"
    host = f"[{uri.host}]" if ":" in uri.host else uri.host
    port = "" if uri.port == (443 if uri.secure else 80) else f":{uri.port}"
    return Exchange("GET", f"{scheme}://{host}{port}{uri.resource_name}")
