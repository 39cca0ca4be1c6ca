"""requests: `Session.send`, through which it also sends each redirect; `HTTPAdapter.send` is the way to the transport."""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from heso.integrations.calling import run_gated, unseen
from heso.integrations.checkout import check_out
from heso.integrations.describing import Settings
from heso.integrations.egress.bodies import body_of, checked_headers
from heso.integrations.egress.patching import Patches
from heso.integrations.exchange import Exchange
from heso.integrations.layers import Layer, is_let_through, refuse_answered, sending
from heso.integrations.passage import current_passage


def gate(module: ModuleType, settings: Settings, patches: Patches) -> None:
    patches.put(module.Session, "send", partial(_gated_session, module, settings))
    patches.put(module.adapters.HTTPAdapter, "send", partial(_gated_adapter, module, settings))


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
            check_out(exchange, settings, passage, is_leaving=False)
            return original(self, exact, **options)

        return run_gated(go, settings, unseen, owner=self)

    return send


def _gated_adapter(
    module: ModuleType, settings: Settings, original: Callable[..., Any]
) -> Callable[..., Any]:
    def send(self: Any, request: Any, *args: Any, **options: Any) -> Any:
        passage = current_passage()
        if passage is None or not isinstance(passage.owner, module.Session):
            return original(self, request, *args, **options)  # urllib3 asks
        exact = _exact(request)
        exchange = _exchange(module, passage.owner, exact, options, settings)
        check_out(exchange, settings, passage)
        with sending(Layer.FRONT, exchange):
            return original(self, exact, *args, **options)

    return send


def _exact(request: Any) -> Any:
    """The request with texts and bytes that are nothing but that: no subclass says something else than it holds."""
    body = request.body
    is_bytes = isinstance(body, bytes | bytearray | str)
    has_exact_body = not is_bytes or type(body) in (str, bytes)
    if type(request.method) is str and type(request.url) is str and has_exact_body:
        return request
    exact = request.copy()
    exact.method = "".join([str.__str__(request.method)]).upper()
    exact.url = "".join([str.__str__(request.url)])
    if is_bytes:
        exact.body = body_of(body)[0]
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
        request.method.upper(),
        request.url.partition("#")[0],
        headers,
        body,
        int(length) if body is None and length.isdecimal() else size,
        via=urlsplit(proxy if "//" in proxy else f"//{proxy}").netloc.rpartition("@")[2],
    )
