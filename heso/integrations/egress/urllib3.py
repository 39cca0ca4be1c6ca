"""urllib3: `HTTPConnectionPool.urlopen`, the way of its pools, managers and `urllib3.request`. It calls itself to try again."""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from heso.async_gate.errors import GateError
from heso.integrations.describing import Settings
from heso.integrations.egress.bodies import body_of, checked_headers, exchange_at
from heso.integrations.egress.patching import Patches
from heso.integrations.layers import Layer, current_sending, go_through
from heso.integrations.passage import Refused, current_passage


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
            said = checked_headers(headers, content, settings)
            verb = str.__str__(method).upper()
            exchange = exchange_at(_places(self), verb, url).with_body(said, content, size)
            go = partial(original, self, exchange.method, url, sent, headers, *args, **kwargs)
            found = current_sending()
            is_again = found is not None and found.layer is Layer.URLLIB3 and found.is_for(exchange)
            passage = current_passage(self)
            if is_again and passage is not None:
                if passage.is_approved:
                    why = "it was sent, and what people approved is sent once"
                    raise Refused(GateError(settings.name, why, "turn off retries for it"))
                return go()
            return go_through(Layer.URLLIB3, exchange, settings, go, self)

        return urlopen

    patches.put(module.connectionpool.HTTPConnectionPool, "urlopen", gated)


def _places(pool: Any) -> tuple[str, str, int | None, str]:
    """Scheme, host and port of the pool, and its proxy's `host:port`."""
    proxy = getattr(pool, "proxy", None)
    return pool.scheme, pool.host, pool.port, "" if proxy is None else f"{proxy.host}:{proxy.port}"
