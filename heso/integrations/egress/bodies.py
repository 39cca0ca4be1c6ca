"""What a low-level library is given, as an exchange has it."""

from collections.abc import Mapping
from typing import Any

_PORTS = {"http": 80, "https": 443}


def body_of(body: Any) -> tuple[bytes | None, int | None]:
    """The bytes of a body, or None for a stream; and its size when that is known."""
    if body is None:
        return b"", 0
    if isinstance(body, str):
        body = body.encode("utf-8", "surrogateescape")
    if isinstance(body, bytes | bytearray | memoryview):
        content = bytes(body)
        return content, len(content)
    return None, None


def headers_of(headers: Any) -> Mapping[str, str]:
    """Header names in lower case; values as text."""
    items = headers.items() if hasattr(headers, "items") else headers or ()
    return {_text(name).lower(): _text(value) for name, value in items}


def url_of(scheme: str, host: str, port: int | None, target: str) -> str:
    """The URL of a request target on a connection. A target with a host of its own goes through a proxy."""
    if target.startswith(("http://", "https://")):
        return target.partition("#")[0]
    bare = host.strip("[]")
    place = f"[{bare}]" if ":" in bare else bare
    if port is not None and port != _PORTS.get(scheme):
        place += f":{port}"
    return f"{scheme}://{place}{target if target.startswith('/') else '/' + target}".partition("#")[
        0
    ]


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
