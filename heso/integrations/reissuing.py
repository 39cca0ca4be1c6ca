"""Sending an approved request again, in any process: out of the checkpoint, through a client that its owner makes.

A receipt holds no credentials, so whoever resumes has to say which client sends it:

    heso.register_client("openai", lambda: OpenAI())

Rule: what goes out is the approved request, read back from the checkpoint and compared with it, or nothing.
"""

from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction, signature
from typing import Any
from urllib.parse import urlsplit

from anyio import to_thread

from heso.async_gate.errors import GateError
from heso.async_gate.registry import RegisteredTool, register_tool
from heso.integrations.clients import settings_of, wrap
from heso.integrations.describing import REQUEST_VERSION
from heso.integrations.exchange import Exchange
from heso.integrations.httpx_door import find_httpx, kept_answer
from heso.integrations.passage import admitted_already
from heso.integrations.rewriting import exchange_of, http_of

_METHODS = ("get", "post", "put", "patch", "delete")


def register_client(name: str, factory: Callable[[], Any]) -> None:
    """Say which client sends the requests of `name` that people approved: `heso.resume` and `heso worker` call `factory`
    for each, and close the client that it made when it has sent. `name` is the wrapped client's, `openai` or `anthropic`
    unless it was given another.

    What is sent this way is resumed as its answer's JSON value, as text for a stream, as bytes for anything else. The
    newest factory of a name counts. The client may be sync or async; it is wrapped if it is not.
    """

    async def send_again(**fields: Any) -> Any:
        return await _send_again(name, factory(), fields)

    register_tool(
        RegisteredTool(
            name=name,
            version=REQUEST_VERSION,
            function=send_again,
            kind="coroutine",
            signature=signature(send_again),
            target_host=_host_of,
        )
    )


async def _send_again(name: str, client: Any, fields: dict[str, object]) -> Any:
    settings = settings_of(client) or settings_of(wrap(client, name=name))
    if settings is None:  # for the type checker: it was wrapped just now
        raise GateError(name, "its client is not gated")
    exchange = exchange_of(fields, {})
    send = getattr(client, exchange.method.lower(), None)
    if exchange.method.lower() not in _METHODS or send is None:
        raise GateError(name, f"its client sends no {exchange.method}")
    options = _options_of(client, exchange)
    is_multipart = exchange.media_type == "multipart/form-data"  # no client takes one ready-made
    with admitted_already(exchange, settings, puts_body=is_multipart):
        if iscoroutinefunction(send):
            async with client:
                response = await send(exchange.url, **options)
                await response.aread()
        else:
            response = await to_thread.run_sync(
                lambda: _send_inline(client, send, exchange, options)
            )
    return kept_answer(response)


def _send_inline(client: Any, send: Any, exchange: Exchange, options: dict[str, Any]) -> Any:
    with client:
        response = send(exchange.url, **options)
        response.read()
    return response


def _options_of(client: Any, exchange: Exchange) -> dict[str, Any]:
    module = find_httpx(client._client)  # noqa: SLF001
    if module is None:
        raise GateError(type(client).__name__, "what it sends with is not known")
    headers = {k: v for k, v in exchange.headers.items() if k != "content-type"}
    options: dict[str, Any] = {"cast_to": module.Response}
    if exchange.body and exchange.media_type != "multipart/form-data":
        options["content"] = exchange.body
        headers["content-type"] = exchange.headers["content-type"]
    options["options"] = {"headers": headers}
    return options


def _host_of(fields: Mapping[str, Any]) -> str | None:
    return urlsplit(str(http_of(fields)["origin"])).hostname
