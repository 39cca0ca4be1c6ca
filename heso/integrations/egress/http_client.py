"""http.client, and urllib.request on top of it: `HTTPConnection.request`, and `putrequest` for whoever starts there."""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from heso.integrations.describing import Settings
from heso.integrations.egress.bodies import body_of, headers_of, url_of
from heso.integrations.egress.patching import Patches
from heso.integrations.exchange import Exchange
from heso.integrations.layers import Layer, go_through, is_on_its_way


def gate(module: ModuleType, settings: Settings, patches: Patches) -> None:
    def whole(original: Callable[..., Any]) -> Callable[..., Any]:
        def request(
            self: Any, method: str, url: str, body: Any = None, headers: Any = (), **kwargs: Any
        ) -> Any:
            place = _place(module, self, url)
            exchange = Exchange(method.upper(), place, headers_of(headers), *body_of(body))
            go = partial(original, self, method, url, body, dict(headers or ()), **kwargs)
            return go_through(Layer.HTTP_CLIENT, exchange, settings, go)

        return request

    def piecemeal(original: Callable[..., Any]) -> Callable[..., Any]:
        def putrequest(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            go = partial(original, self, method, url, *args, **kwargs)
            if is_on_its_way():
                return go()
            exchange = Exchange(method.upper(), _place(module, self, url), {}, None)
            return go_through(Layer.HTTP_CLIENT, exchange, settings, go)

        return putrequest

    patches.put(module.HTTPConnection, "request", whole)
    patches.put(module.HTTPConnection, "putrequest", piecemeal)


def _place(module: ModuleType, connection: Any, url: str) -> str:
    scheme = "https" if isinstance(connection, module.HTTPSConnection) else "http"
    host = getattr(connection, "_tunnel_host", None) or connection.host
    port = getattr(connection, "_tunnel_port", None) or connection.port
    return url_of(scheme, host, port, url)
