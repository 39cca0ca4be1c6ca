"""requests: `Session.send`, through which it also sends each redirect."""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from heso.integrations.describing import Settings
from heso.integrations.egress.patching import Patches
from heso.integrations.exchange import Exchange
from heso.integrations.layers import Layer, go_through


def gate(module: ModuleType, settings: Settings, patches: Patches) -> None:
    def gated(original: Callable[..., Any]) -> Callable[..., Any]:
        def send(self: Any, request: Any, **options: Any) -> Any:
            go = partial(original, self, request, **options)
            return go_through(Layer.FRONT, _exchange(request), settings, go)

        return send

    patches.put(module.Session, "send", gated)


def _exchange(request: Any) -> Exchange:
    headers = {str(k).lower(): str(v) for k, v in request.headers.items()}
    body = request.body
    if isinstance(body, str):
        body = body.encode()
    length = headers.get("content-length", "")
    return Exchange(
        str(request.method).upper(),
        str(request.url),
        headers,
        b"" if body is None else bytes(body) if isinstance(body, bytes | bytearray) else None,
        int(length) if length.isdecimal() else None,
    )
