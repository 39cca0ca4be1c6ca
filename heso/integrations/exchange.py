"""An HTTP request as it would go out, whichever library sends it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

WEBSOCKET_SCHEMES = ("ws", "wss")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, complete. Header names are in lower case. `body` None: it is a stream whose bytes nobody has yet, of
    `size` bytes when that is known."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    body: bytes | None = field(repr=False, default=b"")
    size: int | None = None

    @property
    def origin(self) -> str:
        """Scheme, host and port, without what a URL may say of a user."""
        scheme, host, port = self._place()
        shown = f"[{host}]" if ":" in host else host
        return f"{scheme}://{shown}" if port is None else f"{scheme}://{shown}:{port}"

    @property
    def host(self) -> str:
        return self._place()[1]

    @property
    def path(self) -> str:
        return urlsplit(self.url).path or "/"

    @property
    def query(self) -> str:
        return urlsplit(self.url).query

    @property
    def media_type(self) -> str:
        """Of the body, without its parameters; empty when there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_websocket(self) -> bool:
        return urlsplit(self.url).scheme in WEBSOCKET_SCHEMES

    def _place(self) -> tuple[str, str, int | None]:
        parts = urlsplit(self.url)
        return parts.scheme.lower(), parts.hostname or "", parts.port


def segments(path: str) -> list[str]:
    """The segments of a path as a lenient server may read them: unescaped, without case, dots and doubled slashes."""
    found: list[str] = []
    for segment in unquote(path).replace("\\", "/").casefold().split("/"):
        if segment == "..":
            found = found[:-1]
        elif segment not in ("", "."):
            found.append(segment)
    return found
