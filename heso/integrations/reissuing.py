"""Sending an approved request again, in any process: out of the checkpoint, through a client that its owner makes.

A receipt holds no credentials, so whoever resumes has to say which client sends it:

    heso.register_client("openai", lambda: OpenAI())

Rule 1: what goes out is the approved request, read back from it and compared with it, or nothing.
Rule 2: values that the receipt shows by their hashes are read from the project's own folder and hashed again.
"""

from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction, signature
from typing import Any, cast
from urllib.parse import urlsplit

import orjson
from anyio import to_thread

from heso.async_gate.door import installed_gate
from heso.async_gate.errors import GateError
from heso.async_gate.registry import RegisteredTool, register_tool
from heso.core.encoding import Digest
from heso.core.errors import Malformed
from heso.integrations.clients import settings_of, wrap
from heso.integrations.describing import HTTP, REQUEST_VERSION
from heso.integrations.exchange import Exchange
from heso.integrations.hiding import put_back
from heso.integrations.httpx_door import find_httpx, kept_answer
from heso.integrations.multipart import Part
from heso.integrations.passage import admitted_already
from heso.integrations.payloads import restore_payloads

_METHODS = ("get", "post", "put", "patch", "delete")
_BOUNDARY = "heso-7b1f0c52a9d84e6fb3c6d0e8a4517f29"


def register_client(name: str, factory: Callable[[], Any]) -> None:
    """Say which client sends the requests of `name` that people approved: `heso.resume` and `heso worker` call `factory`
    for each. `name` is the wrapped client's, `openai` or `anthropic` unless it was given another.

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


def exchange_of(fields: Mapping[str, object], headers: Mapping[str, str]) -> Exchange:
    """The request that these fields describe. `headers` are those that no receipt shows. Raises `GateError`."""
    http = _http_of(fields)
    try:
        body, content_type = _body_of(fields, http)
    except Malformed as error:
        why = f"its body cannot be made again: {error}"
        raise GateError("the request", why, "send it where it was asked for") from error
    query = str(http["query"])
    url = f"{http['origin']}{http['path']}" + (f"?{query}" if query else "")
    added = cast("dict[str, str]", http.get("headers", {}))
    return Exchange(
        method=str(http["method"]),
        url=url,
        headers={**headers, **added, "content-type": content_type},
        body=body,
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
            response = await send(exchange.url, **options)
            await response.aread()
        else:
            response = await to_thread.run_sync(lambda: send(exchange.url, **options))
            response.read()
    return kept_answer(response)


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
    return urlsplit(str(_http_of(fields)["origin"])).hostname


def _http_of(fields: Mapping[str, object]) -> dict[str, object]:
    http = fields.get(HTTP)
    if not isinstance(http, dict):
        raise GateError("the request", "it does not say what it was", "ask again")
    return http


def _body_of(fields: Mapping[str, object], http: Mapping[str, object]) -> tuple[bytes, str]:
    kind = str(http["media_type"])
    if not kind:
        return b"", ""
    named = {name: value for name, value in fields.items() if name != HTTP}
    moved = cast("dict[str, object]", http.get("hidden", {}))
    restored = restore_payloads(put_back(named, moved), _find_payload)
    if kind == "multipart/form-data":
        return _write_parts(cast("dict[str, object]", restored)), f"{kind}; boundary={_BOUNDARY}"
    if "body" in http:
        restored = restore_payloads(http["body"], _find_payload)
        if isinstance(restored, Part):
            return restored.content, kind
    return orjson.dumps(restored), kind


def _find_payload(name: Digest) -> bytes | None:
    gate = installed_gate()
    return None if gate is None else gate.reveals.find(name)


def _write_parts(fields: Mapping[str, object]) -> bytes:
    lines: list[bytes] = []
    for name, value in fields.items():
        for item in value if isinstance(value, list) else [value]:
            part = item if isinstance(item, Part) else Part("", str(item).encode())
            where = f'form-data; name="{name}"'
            if part.filename is not None:
                where += f'; filename="{part.filename}"'
            if _BOUNDARY.encode() in part.content:
                raise Malformed("multipart body", "holds the boundary")
            lines += [f"--{_BOUNDARY}".encode(), f"Content-Disposition: {where}".encode()]
            if part.media_type:
                lines.append(f"Content-Type: {part.media_type}".encode())
            lines += [b"", part.content]
    lines += [f"--{_BOUNDARY}--".encode(), b""]
    return b"\r\n".join(lines)
