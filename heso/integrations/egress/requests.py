"""requests: `Session.send`, through which it also sends each redirect; `HTTPAdapter.send` is the way to the transport."""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from heso.integrations.describing import Settings
from heso.integrations.egress.bodies import body_of, checked_headers
from heso.integrations.egress.patching import Patches
from heso.integrations.exchange import Exchange
from heso.integrations.layers import Layer, is_let_through, refuse_answered, sending
from heso.integrations.passage import check_out, current_passage, run_gated, unseen


def gate(module: ModuleType, settings: Settings, patches: Patches) -> None:
    patches.put(module.Session, "send", partial(_gated_session, module, settings))
    patches.put(module.adapters.HTTPAdapter, "send", _gated_adapter)


def _gated_session(
    module: ModuleType, settings: Settings, original: Callable[..., Any]
) -> Callable[..., Any]:
    def send(self: Any, request: Any, **options: Any) -> Any:
        exact = _exact(request)
        exchange = _exchange(module, self, exact, options, settings)
        if is_let_through(Layer.FRONT, exchange):
            return original(self, exact, **options)

        def go() -> Any:
            passage = current_passage(self)
            refuse_answered(settings, passage)
            check_out(exchange, settings, passage)
            return original(self, exact, **options)

        return run_gated(go, settings, unseen, owner=self)

    return send


def _gated_adapter(original: Callable[..., Any]) -> Callable[..., Any]:
    def send(self: Any, request: Any, *args: Any, **options: Any) -> Any:
        go = partial(original, self, request, *args, **options)
        passage = current_passage()
        for admitted in () if passage is None else passage.admitted:
            if _is_this(admitted, request):
                with sending(Layer.FRONT, admitted):
                    return go()
        return go()  # whoever calls an adapter by itself is asked by urllib3

    return send


def _exact(request: Any) -> Any:
    """The request with texts and bytes that are nothing but that: no subclass says something else than it holds."""
    exact = request.copy()
    exact.method = "".join([str.__str__(request.method)]).upper()
    exact.url = "".join([str.__str__(request.url)])
    if isinstance(request.body, bytes | bytearray | str):
        exact.body = body_of(request.body)[0]
    return exact


def _exchange(
    module: ModuleType, session: Any, request: Any, options: dict[str, Any], settings: Settings
) -> Exchange:
    proxies = options.get("proxies")
    if proxies is None:
        proxies = module.utils.resolve_proxies(request, session.proxies, session.trust_env)
    proxy = module.utils.select_proxy(request.url, proxies) or ""
    body, size = body_of(request.body)
    headers = checked_headers(request.headers, body, settings)
    length = headers.get("content-length", "")
    return Exchange(
        request.method,
        request.url.partition("#")[0],
        headers,
        body,
        int(length) if body is None and length.isdecimal() else size,
        via=urlsplit(proxy if "//" in proxy else f"//{proxy}").netloc.rpartition("@")[2],
    )


def _is_this(admitted: Exchange, request: Any) -> bool:
    sent = Exchange(str(request.method).upper(), str(request.url).partition("#")[0])
    return sent.target == admitted.target
