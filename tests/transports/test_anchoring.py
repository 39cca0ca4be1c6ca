"""Asking for a time while the chain may grow: what is written carries a token for exactly itself, or nothing is."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from heso.async_gate.anchoring import (
    Anchor,
    Unanchored,
    anchor_content,
    append_anchored,
    append_anchored_inline,
)
from heso.core.encoding import Digest
from heso.core.time_anchor import anchor_hash
from heso.core.timestamps import MAX_TOKEN_BYTES, TimeRoots
from heso.ports import Appended, NoTimestamp
from heso.transports.rfc3161 import HttpTimeAuthority
from tests.core.conftest import Forge


@pytest.fixture
def forge() -> Forge:
    return Forge()


class Authority:
    """Signs nothing; counts."""

    name = "tsa.example"

    def __init__(self) -> None:
        self.asked: list[Digest] = []

    async def stamp(self, anchored: Digest) -> bytes:
        self.asked.append(anchored)
        await anyio.lowlevel.checkpoint()
        return b"token over " + anchored.encode()


class Chain:
    """A session that somebody else appends to `busy` times, each time while the authority is asked."""

    def __init__(self, forge: Any, busy: int) -> None:
        self._forge = forge
        self._seq = 0
        self._busy = busy
        self.written: list[dict[str, Any]] = []

    def append(self, anchor: Anchor | None) -> tuple[Appended, ...]:
        content = anchor_content(self._forge.content(session_id="s", seq=self._seq), anchor)
        self.written.append(content)
        return ()

    def grow(self) -> None:
        if self._busy:
            self._busy -= 1
            self._seq += 1

    def inline(self, anchor: Anchor | None) -> tuple[Appended, ...]:
        if anchor is not None:
            self.grow()
        return self.append(anchor)

    async def in_turn(self, anchor: Anchor | None) -> tuple[Appended, ...]:
        return self.inline(anchor)


def _append(chain: Chain, authority: Authority | None, *, is_inline: bool) -> None:
    if is_inline:
        append_anchored_inline(chain.inline, authority)
    else:
        anyio.run(append_anchored, chain.in_turn, authority)


@pytest.mark.parametrize("is_inline", [True, False])
@pytest.mark.parametrize("busy", [0, 1, 3])
def test_a_chain_that_grew_meanwhile_is_asked_about_again(
    forge: Any, busy: int, *, is_inline: bool
) -> None:
    authority, chain = Authority(), Chain(forge, busy)
    _append(chain, authority, is_inline=is_inline)
    assert len(authority.asked) == busy + 1
    (written,) = chain.written
    anchor: Any = written["time_anchor"]
    assert anchor["anchored_hash"] == anchor_hash(written) == authority.asked[-1]
    assert (anchor["tsa"], written["anchor_policy"], written["seq"]) == (
        "tsa.example",
        "required",
        busy,
    )


@pytest.mark.parametrize("is_inline", [True, False])
def test_a_chain_that_never_rests_is_given_up_and_nothing_is_written(
    forge: Any, *, is_inline: bool
) -> None:
    authority, chain = Authority(), Chain(forge, 100)
    with pytest.raises(NoTimestamp, match="grew 5 times"):
        _append(chain, authority, is_inline=is_inline)
    assert (len(authority.asked), chain.written) == (5, [])


@pytest.mark.parametrize("is_inline", [True, False])
def test_without_an_authority_nothing_is_written(forge: Any, *, is_inline: bool) -> None:
    chain = Chain(forge, 0)
    with pytest.raises(NoTimestamp, match="names no time authority"):
        _append(chain, None, is_inline=is_inline)
    assert chain.written == []


def test_inline_waits_also_where_a_loop_runs(forge: Any) -> None:
    authority, chain = Authority(), Chain(forge, 1)

    async def inside() -> None:
        append_anchored_inline(chain.inline, authority)

    anyio.run(inside)
    assert len(chain.written) == 1


def test_a_token_for_another_draft_is_never_put_in(forge: Any) -> None:
    with pytest.raises(Unanchored):
        anchor_content(forge.content(), Anchor(Digest("ab" * 32), b"t", "a"))


Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]


def _ask(answer: Answer) -> bytes:
    async def stamp() -> bytes:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            authority = HttpTimeAuthority("https://tsa.example/", TimeRoots(()), client=client)
            return await authority.stamp(Digest("ab" * 32))

    return anyio.run(stamp)


async def _endless() -> AsyncIterator[bytes]:
    while True:
        yield bytes(MAX_TOKEN_BYTES // 4)


REPLY = {"content-type": "application/timestamp-reply"}


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: httpx.Response(500, headers=REPLY), "it answered 500"),
        (lambda: httpx.Response(302, headers={**REPLY, "location": "/x"}), "it answered 302"),
        (lambda: httpx.Response(200, content=b"x"), "it answered 200 with ''"),
        (lambda: httpx.Response(200, headers={"content-type": "text/html"}), "with 'text/html'"),
        (lambda: httpx.Response(200, headers=REPLY, content=b""), "cannot be read"),
        (lambda: httpx.Response(200, headers=REPLY, content=b"0" * 100), "cannot be read"),
        (lambda: httpx.Response(200, headers=REPLY, content=_endless()), "its answer has no end"),
        (
            lambda: httpx.Response(200, headers=REPLY, content=bytes.fromhex("30053003020102")),
            "did not grant it",
        ),
    ],
)
def test_an_answer_that_is_none_gives_no_token(
    make: Callable[[], httpx.Response], why: str
) -> None:
    async def answer(_: httpx.Request) -> httpx.Response:
        return make()

    with pytest.raises(NoTimestamp, match=why):
        _ask(answer)


def test_only_a_hash_is_sent_and_only_over_http() -> None:
    sent: list[httpx.Request] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        raise httpx.ReadTimeout("slow")

    with pytest.raises(NoTimestamp, match=r"did not answer \(ReadTimeout\)"):
        _ask(answer)
    (request,) = sent
    assert request.headers["content-type"] == "application/timestamp-query"
    assert len(request.content) < 100
    for address in ("file:///etc/passwd", "ftp://tsa.example", "tsa.example"):
        with pytest.raises(ValueError, match="neither http nor https"):
            HttpTimeAuthority(address, TimeRoots(()))
