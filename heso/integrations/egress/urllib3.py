"""urllib3: `HTTPConnectionPool.urlopen`, the way of its pools, managers and `urllib3.request`."""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from heso.integrations.describing import Settings
from heso.integrations.egress.bodies import body_of, headers_of, url_of
from heso.integrations.egress.patching import Patches
from heso.integrations.exchange import Exchange
from heso.integrations.layers import Layer, go_through


def gate(module: ModuleType, settings: Settings, patches: Patches) -> None:
    def gated(original: Callable[..., Any]) -> Callable[..., Any]:
        def urlopen(
            self: Any,
            method: str,
            url: str,
            body: Any = None,
            headers: Any = None,
            *args: Any,
            **kwargs: Any,
        ) -> Any:
            place = url_of(self.scheme, self.host, self.port, url)
            exchange = Exchange(method.upper(), place, headers_of(headers), *body_of(body))
            go = partial(original, self, method, url, body, headers, *args, **kwargs)
            return go_through(Layer.URLLIB3, exchange, settings, go)

        return urlopen

    patches.put(module.connectionpool.HTTPConnectionPool, "urlopen", gated)
