"""aiohttp: `ClientSession._request` opens the passage, `ClientRequest.send` asks for each request that goes out, redirects
included. The connection is made before that; nothing is sent on it."""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from heso.integrations.describing import Settings
from heso.integrations.egress.bodies import body_of, headers_of
from heso.integrations.egress.patching import Patches
from heso.integrations.exchange import Exchange
from heso.integrations.layers import Layer, is_let_through, refuse_answered, sending
from heso.integrations.passage import check_out_async, run_gated_async, unseen


def gate(module: ModuleType, settings: Settings, patches: Patches) -> None:
    def session(original: Callable[..., Any]) -> Callable[..., Any]:
        async def request(self: Any, *args: Any, **kwargs: Any) -> Any:
            if is_let_through(Layer.FRONT):
                return await original(self, *args, **kwargs)
            go = partial(_send, original, self, args, kwargs, settings)
            return await run_gated_async(go, settings, unseen)

        return request

    def last(original: Callable[..., Any]) -> Callable[..., Any]:
        async def send(self: Any, conn: Any) -> Any:
            if not is_let_through(Layer.FRONT):
                await check_out_async(_exchange(self), settings)
            return await original(self, conn)

        return send

    patches.put(module.ClientSession, "_request", session)
    patches.put(module.ClientRequest, "send", last)


async def _send(
    original: Callable[..., Any], session: Any, args: Any, kwargs: Any, settings: Settings
) -> Any:
    refuse_answered(settings)
    with sending(Layer.FRONT):
        return await original(session, *args, **kwargs)


def _exchange(request: Any) -> Exchange:
    body = getattr(request, "body", None)
    value = getattr(body, "_value", body)  # a payload of bytes keeps them there
    return Exchange(
        str(request.method).upper(),
        str(request.url).partition("#")[0],
        headers_of(request.headers),
        *body_of(value),
    )
