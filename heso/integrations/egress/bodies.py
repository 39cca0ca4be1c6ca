"""What a low-level library is given, as an exchange has it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from heso.async_gate.errors import CaptureError
from heso.integrations.describing import Settings
from heso.integrations.exchange import Exchange

_PORTS = {"http": 80, "https": 443}
Places = tuple[str, str, int | None, str]
"""Scheme, host and port that a connection leads to, and its proxy's `host:port`."""


def body_of(body: Any, *, encoding: str = "utf-8") -> tuple[bytes | None, int | None]:
    """The bytes of a body, exactly, or None for a stream; and its size when that is known."""
    if body is None:
        return b"", 0
    if isinstance(body, str):
        content = str.__str__(body).encode(
            encoding, "surrogateescape" if encoding == "utf-8" else "strict"
        )
        return content, len(content)
    if isinstance(body, bytes | bytearray | memoryview):
        content = bytes(memoryview(body))
        return content, len(content)
    return None, None


def checked_headers(headers: Any, body: bytes | None, settings: Settings) -> Mapping[str, str]:
    """Header names in lower case; values as text. Raises `CaptureError` for headers that say another length than the
    body has: what follows would be a request of its own."""
    items = headers.items() if hasattr(headers, "items") else headers or ()
    found = {_text(name).lower(): _text(value) for name, value in items}
    length = found.get("content-length", "")
    if body is not None and length and length != str(len(body)):
        raise CaptureError(settings.name, "its content-length is not its body's", "leave it out")
    if body and "transfer-encoding" in found:
        raise CaptureError(settings.name, "it frames its own body", "leave transfer-encoding out")
    return found


def exchange_at(places: Places, method: str, target: str) -> Exchange:
    """A request target on a connection. A target with a host of its own goes through whoever the connection leads to."""
    scheme, host, port, via = places
    target = "".join([str.__str__(target)])
    here = f"{scheme}://{_place(host, port, scheme)}"
    if target.startswith(("http://", "https://")):
        exchange = Exchange(method, target.partition("#")[0], via=via)
        if exchange.origin == Exchange(method, here).origin:
            return exchange
        return replace(exchange, via=via or f"{host}:{port or _PORTS[scheme]}")
    path = target if target.startswith("/") else f"/{target}"
    return Exchange(method, f"{here}{path}".partition("#")[0], via=via)


def _place(host: str, port: int | None, scheme: str) -> str:
    bare = host.strip("[]")
    place = f"[{bare}]" if ":" in bare else bare
    return place if port is None or port == _PORTS.get(scheme) else f"{place}:{port}"


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
