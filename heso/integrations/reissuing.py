"""Sending an approved request again, in any process: out of the checkpoint, through a client that its owner makes.

A receipt holds no credentials, so whoever resumes has to say which client sends it:

    heso.register_client("openai", lambda: OpenAI())

Rule: what goes out is the approved request, read back from the checkpoint and compared with it, or nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import iscoroutinefunction, signature
from typing import Any
from urllib.parse import urlsplit

from anyio import to_thread

from heso.async_gate.errors import GateError
from heso.async_gate.registry import RegisteredTool, register_tool
from heso.core.errors import HesoError
from heso.integrations.clients import live_clients, settings_of, wrap
from heso.integrations.describing import FORM, REQUEST_VERSION
from heso.integrations.exchange import Exchange
from heso.integrations.httpx_door import find_httpx, kept_answer
from heso.integrations.passage import admitted_already
from heso.integrations.rewriting import exchange_of, http_of


def register_client(name: str, factory: Callable[[], Any]) -> None:
    """Say which client sends the requests of `name` that people approved: `heso.resume` and `heso worker` call `factory`
    for each, and close the client that it made when it has sent (but not one that is wrapped already). `name` is the
    wrapped client's, `openai` or `anthropic` unless it was given another.

    What is sent this way is resumed as its answer's JSON value, as text for a stream, as bytes for anything else. The
    newest factory of a name counts. The client may be sync or async; it is wrapped if it is not.
    """

    async def send_again(**fields: Any) -> Any:
        return await _send_again(name, factory, fields)

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


@dataclass(eq=False)
class RequestFailed(HesoError):
    """What was approved was sent, and what came back is an error. `said` names it, without what it said."""

    said: str

    next_step = "look at what the provider has of it"

    def __str__(self) -> str:
        return f"the request was sent and failed: {self.said}"


async def _send_again(name: str, factory: Callable[[], Any], fields: dict[str, object]) -> Any:
    lived = live_clients()
    client = factory()
    is_shared = any(client is one for one in lived)
    settings = settings_of(client) or settings_of(wrap(client, name=name))
    if settings is None:  # for the type checker: it was wrapped just now
        raise GateError(name, "its client is not gated")
    if client.is_closed():
        raise GateError(name, "its client is closed", "let the factory make a new one each time")
    exchange = exchange_of(fields, {})
    send = getattr(client, exchange.method.lower())
    options = _options_of(client, send, exchange)
    puts_body = bool(exchange.body) and "content" not in options
    try:
        with admitted_already(exchange, settings, puts_body=puts_body):
            if iscoroutinefunction(send):
                response = await _sent(client, send, exchange.url, options, is_shared=is_shared)
            else:
                response = await to_thread.run_sync(
                    lambda: _send_inline(client, send, exchange.url, options, is_shared=is_shared)
                )
    except HesoError:
        raise
    except Exception as error:
        status = getattr(error, "status_code", None)
        said = type(error).__name__ + (f" ({status})" if type(status) is int else "")
        raise RequestFailed(said) from error
    return kept_answer(response)


async def _sent(
    client: Any, send: Any, url: str, options: dict[str, Any], *, is_shared: bool
) -> Any:
    try:
        response = await send(url, **options)
        await response.aread()
        return response
    finally:
        if not is_shared:
            await client.close()


def _send_inline(
    client: Any, send: Any, url: str, options: dict[str, Any], *, is_shared: bool
) -> Any:
    try:
        response = send(url, **options)
        response.read()
        return response
    finally:
        if not is_shared:
            client.close()


def _options_of(client: Any, send: Any, exchange: Exchange) -> dict[str, Any]:
    """How the client is told to send it: with its body where the client takes one ready-made, which then is signed, if the
    client signs; else the body is put in at the door."""
    module = find_httpx(client._client)  # noqa: SLF001
    if module is None:
        raise GateError(type(client).__name__, "what it sends with is not known")
    headers = {k: v for k, v in exchange.headers.items() if k != "content-type"}
    options: dict[str, Any] = {"cast_to": module.Response}
    takes_content = "content" in signature(send).parameters and exchange.media_type != FORM
    if exchange.body and takes_content:
        options["content"] = exchange.body
        headers["Content-Type"] = exchange.headers.get("content-type", "")  # spelled as its default
    options["options"] = {"headers": headers, "max_retries": 0}
    return options


def _host_of(fields: Mapping[str, Any]) -> str | None:
    return urlsplit(str(http_of(fields)["origin"])).hostname
