"""An HTTP request as it would go out, whichever library sends it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import unquote, urlsplit

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
WEBSOCKET_SCHEMES = ("ws", "wss")
_CREDENTIAL = re.compile(
    r"authorization|token|secret|cookie|password|passwd|signature|credential|x-amz-|(?:^|[-_])(?:auth|sig|key|apikey)(?:$|[-_])"
)
_NO_CREDENTIALS = frozenset(
    {
        *("idempotency-key", "sec-websocket-key"),
        *("page_token", "next_page_token", "pagetoken", "nextpagetoken", "continuation_token"),
    }
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request, complete. Header names are in lower case. `body` None: it is a stream whose bytes nobody has yet, of
    `size` bytes when that is known."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    body: bytes | None = field(repr=False, default=b"")
    size: int | None = None
    via: str = ""
    """A proxy or a local socket that it goes through: `host:port` or `unix:/path`."""

    def with_body(
        self, headers: Mapping[str, str], body: bytes | None, size: int | None
    ) -> "Exchange":
        return replace(self, headers=headers, body=body, size=size)

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
    def address(self) -> tuple[str, int]:
        """Host and port that it connects to."""
        scheme, host, port = self._place()
        return host, port or _PORTS.get(scheme, 0)

    @property
    def path(self) -> str:
        return urlsplit(self.url).path or "/"

    @property
    def query(self) -> str:
        return urlsplit(self.url).query

    @property
    def shown_query(self) -> str:
        """The query without what says who one is."""
        return "&".join(pair for pair in self.query.split("&") if not _is_credential(pair))

    @property
    def target(self) -> tuple[str, str, str, str]:
        """Where it goes and what it does there, whoever one is."""
        return self.method, self.origin, self.path, self.shown_query

    @property
    def media_type(self) -> str:
        """Of the body, without its parameters; empty when there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_websocket(self) -> bool:
        return urlsplit(self.url).scheme in WEBSOCKET_SCHEMES

    def _place(self) -> tuple[str, str, int | None]:
        parts = urlsplit(self.url)
        scheme, port = parts.scheme.lower(), parts.port
        return scheme, parts.hostname or "", None if port == _PORTS.get(scheme) else port


def is_credential(name: str) -> bool:
    """Whether a header or a query parameter of this name says who one is."""
    lower = name.lower()
    return lower not in _NO_CREDENTIALS and _CREDENTIAL.search(lower) is not None


def _is_credential(pair: str) -> bool:
    name, equals, _ = pair.partition("=")
    return bool(equals) and is_credential(unquote(name))


def segments(path: str) -> list[str]:
    """The segments of a path as a lenient server may read them: unescaped, without case, dots and doubled slashes."""
    found: list[str] = []
    for segment in unquote(path).replace("\\", "/").casefold().split("/"):
        if segment == "..":
            found = found[:-1]
        elif segment not in ("", "."):
            found.append(segment)
    return found
