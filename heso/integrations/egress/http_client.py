"""http.client, and urllib.request on top of it: `HTTPConnection.request`, and `putrequest` for whoever starts there."""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from heso.integrations.describing import Settings
from heso.integrations.egress.bodies import body_of, checked_headers, exchange_at
from heso.integrations.egress.patching import Patches
from heso.integrations.layers import Layer, current_sending, go_through, sending

if TYPE_CHECKING:
    from heso.integrations.exchange import Exchange

_begun: "WeakKeyDictionary[Any, Exchange]" = WeakKeyDictionary()
"""The requests that were let through and whose connection is made later."""


def gate(module: ModuleType, settings: Settings, patches: Patches) -> None:
    patches.put(module.HTTPConnection, "request", partial(_gated_request, module, settings))
    patches.put(module.HTTPConnection, "putrequest", partial(_gated_start, module, settings))
    patches.put(module.HTTPConnection, "connect", _connects_later)
    patches.put(module.HTTPSConnection, "connect", _connects_later)


def _gated_request(
    module: ModuleType, settings: Settings, original: Callable[..., Any]
) -> Callable[..., Any]:
    def request(
        self: Any, method: str, url: str, body: Any = None, headers: Any = (), **kwargs: Any
    ) -> Any:
        content, size = body_of(body, encoding="iso-8859-1")
        sent = body if content is None or body is None else content
        verb = str.__str__(method).upper()
        said = checked_headers(headers, content, settings)
        exchange = exchange_at(_places(module, self), verb, url).with_body(said, content, size)
        exact = "".join([str.__str__(url)])
        go = partial(original, self, method, exact, sent, dict(headers or ()), **kwargs)
        return go_through(Layer.HTTP_CLIENT, exchange, settings, go, self)

    return request


def _gated_start(
    module: ModuleType, settings: Settings, original: Callable[..., Any]
) -> Callable[..., Any]:
    def putrequest(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        exact = "".join([str.__str__(url)])
        go = partial(original, self, method, exact, *args, **kwargs)
        verb = str.__str__(method).upper()
        exchange = exchange_at(_places(module, self), verb, url).with_body({}, None, None)
        found = current_sending()
        if found is not None and found.is_for(exchange):
            return go()

        def begin() -> Any:
            _begun[self] = exchange
            return go()

        return go_through(Layer.HTTP_CLIENT, exchange, settings, begin, self)

    return putrequest


def _connects_later(original: Callable[..., Any]) -> Callable[..., Any]:
    def connect(self: Any) -> Any:
        begun = _begun.pop(self, None)
        if begun is None or current_sending() is not None:
            return original(self)
        with sending(Layer.HTTP_CLIENT, begun):
            return original(self)

    return connect


def _places(module: ModuleType, connection: Any) -> tuple[str, str, int | None, str]:
    """Scheme, host and port that it goes to, and the proxy's `host:port` that it goes through."""
    scheme = "https" if isinstance(connection, module.HTTPSConnection) else "http"
    tunnel = getattr(connection, "_tunnel_host", None)
    if tunnel is None:
        return scheme, connection.host, connection.port, ""
    through = f"{connection.host}:{connection.port}"
    return scheme, tunnel, getattr(connection, "_tunnel_port", None), through
