"""httpx and httpx2: `Client.send` and `AsyncClient.send`. A transport that is called without a client is not seen."""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from heso.integrations.describing import Settings
from heso.integrations.egress.patching import Patches
from heso.integrations.httpx_door import ensure_hook, is_sealed
from heso.integrations.layers import Layer, is_let_through, refuse_answered, sending
from heso.integrations.passage import current_passage, run_gated, run_gated_async, unseen


def gate(
    module: ModuleType, settings: Settings, patches: Patches, is_on: Callable[[], bool]
) -> None:
    def sync(original: Callable[..., Any]) -> Callable[..., Any]:
        def send(self: Any, request: Any, **options: Any) -> Any:
            if is_sealed(self) or is_let_through(Layer.FRONT):
                return original(self, request, **options)
            ensure_hook(self, settings, is_async=False, is_on=is_on)
            go = partial(_send, original, self, request, options, settings)
            return go() if current_passage() is not None else run_gated(go, settings, unseen)

        return send

    def later(original: Callable[..., Any]) -> Callable[..., Any]:
        async def send(self: Any, request: Any, **options: Any) -> Any:
            if is_sealed(self) or is_let_through(Layer.FRONT):
                return await original(self, request, **options)
            ensure_hook(self, settings, is_async=True, is_on=is_on)
            go = partial(_send_async, original, self, request, options, settings)
            if current_passage() is not None:
                return await go()
            return await run_gated_async(go, settings, unseen)

        return send

    patches.put(module.Client, "send", sync)
    patches.put(module.AsyncClient, "send", later)


def _send(
    original: Callable[..., Any], client: Any, request: Any, options: Any, settings: Settings
) -> Any:
    refuse_answered(settings)
    with sending(Layer.FRONT):
        return original(client, request, **options)


async def _send_async(
    original: Callable[..., Any], client: Any, request: Any, options: Any, settings: Settings
) -> Any:
    refuse_answered(settings)
    with sending(Layer.FRONT):
        return await original(client, request, **options)
