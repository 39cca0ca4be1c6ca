"""httpx and httpx2: `send` opens the passage, `_send_single_request` is the door. A transport that is called without a client
is not seen."""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from heso.integrations.calling import run_gated, run_gated_async, unseen
from heso.integrations.describing import Settings
from heso.integrations.egress.patching import Patches
from heso.integrations.httpx_door import (
    DOOR,
    is_sealed,
    pass_door,
    pass_door_async,
    send_inside,
    send_inside_async,
)
from heso.integrations.layers import refuse_answered
from heso.integrations.passage import current_passage
from heso.transports.own import is_own_request


def gate(module: ModuleType, settings: Settings, patches: Patches) -> None:
    patches.put(module.Client, "send", partial(_gated_send, settings))
    patches.put(module.AsyncClient, "send", partial(_gated_send_async, settings))
    patches.put(module.Client, DOOR, partial(_door, settings))
    patches.put(module.AsyncClient, DOOR, partial(_door_async, settings))


def _gated_send(settings: Settings, original: Callable[..., Any]) -> Callable[..., Any]:
    def send(self: Any, request: Any, **options: Any) -> Any:
        if is_sealed(self) or is_own_request():
            return original(self, request, **options)

        def go() -> Any:
            refuse_answered(settings, current_passage(self))
            return send_inside(original, self, request, options)

        return run_gated(go, settings, unseen, owner=self)

    return send


def _gated_send_async(settings: Settings, original: Callable[..., Any]) -> Callable[..., Any]:
    async def send(self: Any, request: Any, **options: Any) -> Any:
        if is_sealed(self) or is_own_request():
            return await original(self, request, **options)

        async def go() -> Any:
            refuse_answered(settings, current_passage(self))
            return await send_inside_async(original, self, request, options)

        return await run_gated_async(go, settings, unseen, owner=self)

    return send


def _door(settings: Settings, original: Callable[..., Any]) -> Callable[..., Any]:
    def gated(self: Any, request: Any) -> Any:
        if is_sealed(self):
            return original(self, request)
        return pass_door(original, self, request, settings)

    return gated


def _door_async(settings: Settings, original: Callable[..., Any]) -> Callable[..., Any]:
    async def gated(self: Any, request: Any) -> Any:
        if is_sealed(self):
            return await original(self, request)
        return await pass_door_async(original, self, request, settings)

    return gated
