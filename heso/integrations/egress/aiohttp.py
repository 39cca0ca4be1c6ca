"""aiohttp: `ClientSession._request` opens the passage; each request that goes out, redirects included, is asked about before
its connection is made, in `BaseConnector.connect`, and again where it is written."""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any
from weakref import WeakSet

from heso.integrations.calling import run_gated_async, unseen
from heso.integrations.checkout import check_out_async
from heso.integrations.describing import Settings
from heso.integrations.egress.bodies import body_of, checked_headers
from heso.integrations.egress.patching import Patches
from heso.integrations.exchange import Exchange
from heso.integrations.layers import (
    Layer,
    current_sending,
    is_let_through,
    refuse_answered,
    sending,
)
from heso.integrations.passage import Passage, current_passage

_asked: "WeakSet[Any]" = WeakSet()
"""The requests that were asked about and are not written yet."""


def gate(module: ModuleType, settings: Settings, patches: Patches) -> None:
    patches.put(module.ClientSession, "_request", partial(_gated_session, settings))
    patches.put(module.BaseConnector, "connect", partial(_gated_connector, module, settings))
    patches.put(module.ClientRequest, "send", partial(_gated_writing, module, settings))


def _gated_session(settings: Settings, original: Callable[..., Any]) -> Callable[..., Any]:
    async def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        if current_sending() is not None:  # a transport of another library's
            return await original(self, *args, **kwargs)

        async def go() -> Any:
            refuse_answered(settings, current_passage(self))
            return await original(self, *args, **kwargs)

        return await run_gated_async(go, settings, unseen, owner=self)

    return request


def _gated_connector(
    module: ModuleType, settings: Settings, original: Callable[..., Any]
) -> Callable[..., Any]:
    async def connect(self: Any, req: Any, *args: Any, **kwargs: Any) -> Any:
        exchange = _exchange(req, self, settings)
        if is_let_through(Layer.URLLIB3, exchange):
            return await original(self, req, *args, **kwargs)
        await check_out_async(exchange, settings, _passage_of_session(module))
        _asked.add(req)
        with sending(Layer.FRONT, exchange):
            return await original(self, req, *args, **kwargs)

    return connect


def _gated_writing(
    module: ModuleType, settings: Settings, original: Callable[..., Any]
) -> Callable[..., Any]:
    async def send(self: Any, conn: Any) -> Any:
        exchange = _exchange(self, None, settings)
        is_tunnel = exchange.method == "CONNECT" and current_sending() is not None
        if not (self in _asked or is_tunnel or is_let_through(Layer.URLLIB3, exchange)):
            await check_out_async(exchange, settings, _passage_of_session(module))
        _asked.discard(self)
        return await original(self, conn)

    return send


def _passage_of_session(module: ModuleType) -> Passage | None:
    passage = current_passage()
    is_sessions = passage is not None and isinstance(passage.owner, module.ClientSession)
    return passage if is_sessions else None


def _exchange(request: Any, connector: Any, settings: Settings) -> Exchange:
    body = getattr(request, "body", None)
    value = getattr(body, "_value", body)  # a payload of bytes keeps them there
    is_empty = body is None or body == b"" or type(body).__name__ == "EmptyBody"
    is_bytes = isinstance(value, bytes | bytearray | memoryview | str)
    content, size = (
        (b"", 0)
        if is_empty
        else body_of(value)
        if is_bytes
        else (None, getattr(body, "size", None))
    )
    proxy = getattr(request, "proxy", None)
    path = getattr(connector, "path", None)
    via = f"unix:{path}" if isinstance(path, str) else ""
    return Exchange(
        str.__str__(request.method).upper(),
        str(request.url).partition("#")[0],
        checked_headers(_without_framing(request.headers, content), content, settings),
        content,
        size,
        via if proxy is None else f"{proxy.host}:{proxy.port}",
    )


def _without_framing(headers: Any, content: bytes | None) -> dict[str, str]:
    """aiohttp frames what is no bytes by itself."""
    dropped = (
        ("transfer-encoding",) if content is not None else ("transfer-encoding", "content-length")
    )
    return {name: value for name, value in headers.items() if name.lower() not in dropped}
