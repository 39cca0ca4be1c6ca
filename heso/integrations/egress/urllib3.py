"""urllib3: `HTTPConnectionPool.urlopen`, the way of its pools, managers and `urllib3.request`. It calls itself to try again."""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from heso.integrations.describing import Settings, is_same
from heso.integrations.egress.bodies import body_of, checked_headers, exchange_at
from heso.integrations.egress.patching import Patches
from heso.integrations.layers import Layer, current_sending, go_through, is_let_through


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
            content, size = body_of(body)
            sent = body if content is None or body is None else content
            said = checked_headers(self.headers if headers is None else headers, content, settings)
            exact = "".join([str.__str__(url)])
            verb = str.__str__(method).upper()
            exchange = exchange_at(_places(self), verb, exact).with_body(said, content, size)
            go = partial(original, self, verb, exact, sent, headers, *args, **kwargs)
            found = current_sending()
            is_mine = found is not None and found.layer is Layer.URLLIB3
            is_again = found is not None and is_mine and is_same(found.exchange, exchange)
            if found is not None and (is_again or is_let_through(Layer.URLLIB3, exchange)):
                found.go_down(settings.name)
                return go()
            return go_through(
                Layer.URLLIB3, exchange, settings, partial(_begin, go, settings), self
            )

        return urlopen

    patches.put(module.connectionpool.HTTPConnectionPool, "urlopen", gated)


def _begin(go: Callable[[], Any], settings: Settings) -> Any:
    found = current_sending()
    if found is not None:
        found.go_down(settings.name)
    return go()


def _places(pool: Any) -> tuple[str, str, int | None, str]:
    """Scheme, host and port of the pool, and its proxy's `host:port`."""
    proxy = getattr(pool, "proxy", None)
    return pool.scheme, pool.host, pool.port, "" if proxy is None else f"{proxy.host}:{proxy.port}"
