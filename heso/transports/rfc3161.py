"""Asking a time authority over HTTP (RFC 3161, section 3.4). Needs the `time` extra.

Only a hash leaves the machine. The reply is checked against the pinned roots before anybody sees it, so a token that
no verifier would take never gets into a receipt.
"""

import httpx
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

from heso.core.encoding import Digest
from heso.core.time_anchor import AnchorRefused, imprint_of
from heso.core.timestamps import MAX_TOKEN_BYTES, TimeRoots, check_reply, decode_reply
from heso.ports import NoTimestamp
from heso.transports.own import own_request

_QUERY = "application/timestamp-query"
_REPLY = "application/timestamp-reply"


class HttpTimeAuthority:
    """A `TimeAuthority` at `url`. It believes only `roots`, follows no redirect, and gives up after a while."""

    def __init__(
        self,
        url: str,
        roots: TimeRoots,
        *,
        timeout_seconds: float = 10.0,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        if httpx.URL(url).scheme not in ("http", "https"):
            raise ValueError(f"{url} is neither http nor https")
        self._url = url
        self._roots = roots
        self._timeout_seconds = timeout_seconds
        self._client = client

    @property
    def name(self) -> str:
        return httpx.URL(self._url).host

    async def stamp(self, anchored: Digest) -> bytes:
        builder = TimestampRequestBuilder().data(bytes.fromhex(anchored))
        request = (
            builder.hash_algorithm(HashAlgorithm.SHA256).cert_request(cert_request=True).build()
        )
        reply = await self._ask(request.as_bytes())
        try:
            decoded = decode_reply(reply)
            if decoded.nonce != request.nonce:
                raise AnchorRefused("it answers another request")
            check_reply(decoded, imprint=imprint_of(anchored), roots=self._roots.roots)
        except AnchorRefused as refused:
            raise NoTimestamp(self.name, str(refused), "check the authority and its root") from None
        return decoded.token

    async def _ask(self, query: bytes) -> bytes:
        try:
            with own_request():
                if self._client is not None:
                    return await self._post(self._client, query)
                async with httpx.AsyncClient(follow_redirects=False) as client:
                    return await self._post(client, query)
        except httpx.HTTPError as error:
            why = f"it did not answer ({type(error).__name__})"
            raise NoTimestamp(self.name, why, "check the network, and try again") from None

    async def _post(self, client: httpx.AsyncClient, query: bytes) -> bytes:
        headers = {"content-type": _QUERY, "accept": _REPLY}
        async with client.stream(
            "POST", self._url, content=query, headers=headers, timeout=self._timeout_seconds
        ) as answer:
            kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            if answer.status_code != httpx.codes.OK or kind != _REPLY:
                why = f"it answered {answer.status_code} with {kind[:80]!r}"
                raise NoTimestamp(self.name, why, "check that the address is a time authority's")
            reply = b""
            async for piece in answer.aiter_bytes():
                reply += piece
                if len(reply) > MAX_TOKEN_BYTES:
                    raise NoTimestamp(self.name, "its answer has no end", "use another authority")
            return reply
