"""Putting an outside authority's time into a receipt, where a rule demands one.

A receipt's content depends on the chain's end, and asking an authority takes seconds: too long to hold the ledger. So
the content is drafted against the chain as it is and nothing is written; the authority is asked; and the receipt is
written only if the draft is still the same. When another receipt got in between, it is all done again.

Rule: no token, no receipt, and the body does not run.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from heso.core.encoding import Digest
from heso.core.receipt import Json
from heso.core.time_anchor import add_anchor, anchor_hash
from heso.ports import Appended, NoTimestamp, TimeAuthority

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Anchor:
    """A token over the content with this anchored hash."""

    anchored: Digest
    token: bytes
    authority: str


class Unanchored(Exception):
    """A draft that has no token yet. Raised out of the seal, so nothing is written."""

    def __init__(self, anchored: Digest) -> None:
        self.anchored = anchored


def anchor_content(content: Json, anchor: Anchor | None) -> Json:
    """The content with its anchor. Raises `Unanchored` when the anchor is not for it."""
    content = {**content, "anchor_policy": "required"}
    anchored = anchor_hash(content)
    if anchor is None or anchor.anchored != anchored:
        raise Unanchored(anchored)
    return add_anchor(content, token=anchor.token, tsa=anchor.authority)


async def append_anchored(
    append: Callable[[Anchor | None], Awaitable[tuple[Appended, ...]]],
    authority: TimeAuthority | None,
) -> tuple[Appended, ...]:
    """Append with an anchor that fits. Raises `NoTimestamp`."""
    anchor = None
    for _ in range(_ATTEMPTS):
        try:
            return await append(anchor)
        except Unanchored as draft:
            anchor = await _stamp(draft.anchored, authority)
    raise _too_busy()


def append_anchored_inline(
    append: Callable[[Anchor | None], tuple[Appended, ...]], authority: TimeAuthority | None
) -> tuple[Appended, ...]:
    """The same in the calling thread, which waits."""
    anchor = None
    for _ in range(_ATTEMPTS):
        try:
            return append(anchor)
        except Unanchored as draft:
            anchor = _wait_for_stamp(draft.anchored, authority)
    raise _too_busy()


async def _stamp(anchored: Digest, authority: TimeAuthority | None) -> Anchor:
    if authority is None:
        raise NoTimestamp(
            "nobody",
            "a rule demands a trusted time, and the project names no time authority",
            "set time_authority and time_roots in [project] of heso.toml",
        )
    return Anchor(anchored, await authority.stamp(anchored), authority.name)


def _wait_for_stamp(anchored: Digest, authority: TimeAuthority | None) -> Anchor:
    """In a thread of its own: the calling one may have a running loop."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # few programs ever need it

    import anyio  # noqa: PLC0415

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(anyio.run, _stamp, anchored, authority).result()


def _too_busy() -> NoTimestamp:
    why = f"the session grew {_ATTEMPTS} times while the authority was asked"
    return NoTimestamp("the time authority", why, "give anchored actions a session of their own")
