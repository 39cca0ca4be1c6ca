"""Session chains: each receipt names the one before it (fact sheet, sections 3.1, 3.2 and 3.4).

    link_hash = BLAKE3("heso-rcpt-chain/v1" NUL ++ LP(session_id) ++ LP(seq as u64le) ++ LP(action_hash))
    LP(x)     = length of x as u64le ++ x

An action chain holds plain action receipts only. A session with lifecycle links in it is judged by
`heso.core.session`, which knows what may follow what.

A chain is judged in passes, and the first pass that finds a fault gives the verdict: first every receipt for
itself, then their order. So a changed receipt shows as changed, wherever the chain is also broken.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar

from heso.core.domains import CHAIN_PREFIX
from heso.core.encoding import Digest, PublicKey
from heso.core.hashing import digest
from heso.core.hot import hot_value
from heso.core.receipt import ChainBlock, SessionId
from heso.core.roles import Role, signing_rule
from heso.core.verdict import ChainKind, ChainVerdict, Kind
from heso.core.verify import STRICT, Examined, Terms, examine_receipt

_U64LE = struct.Struct("<Q")
_EIGHT = _U64LE.pack(8)
_SIXTY_FOUR = _U64LE.pack(64)

T = TypeVar("T")


class EachReceipt(Protocol):
    """A map over receipts that keeps their order. What it is given to call, and what that returns, can be pickled (as
    far as the caller's `Terms` can), so an executor's `map` will do, also one of processes."""

    def __call__(
        self, judge: Callable[[bytes], T], receipts: Sequence[bytes], /
    ) -> Iterable[T]: ...


@hot_value
class Head:
    """The last receipt of a session: its place, and the hash that the next one must name."""

    seq: int
    link: Digest


def link_hash(session_id: str, seq: int, action_hash: str) -> Digest:
    """What the successor of this receipt carries as `prev_receipt_hash`."""
    session = session_id.encode()
    return digest(
        b"".join(
            (
                CHAIN_PREFIX,
                _U64LE.pack(len(session)),
                session,
                _EIGHT,
                _U64LE.pack(seq),
                _SIXTY_FOUR if len(action_hash) == 64 else _U64LE.pack(len(action_hash)),
                action_hash.encode(),
            )
        )
    )


def next_block(session: SessionId, head: Head | None) -> ChainBlock:
    """The place after `head`; None is the session's beginning."""
    if head is None:
        return ChainBlock(session_id=session, seq=0, prev=None)
    return ChainBlock(session_id=session, seq=head.seq + 1, prev=head.link)


@hot_value
class Rotation:
    """One key hands over to another, in one role."""

    role: Role
    outgoing: PublicKey
    incoming: PublicKey


@hot_value
class Link:
    """What a chain needs to know of a receipt that holds. `spec` and `rotation` are for sessions with lifecycle links."""

    session_id: str | None
    seq: int | None
    prev: str | None
    action_hash: Digest
    kind: str
    role: Role
    signer: PublicKey
    spec: Digest | None = None
    rotation: Rotation | None = None


Judged = Link | ChainVerdict
"""A receipt that holds, or what its whole chain is because this one does not."""


class Broken(Exception):
    """A pass over a chain found a fault. It never leaves the verifier."""

    def __init__(self, verdict: ChainVerdict) -> None:
        self.verdict = verdict


def verify_action_chain(
    receipts: Sequence[bytes], terms: Terms = STRICT, *, each: EachReceipt = map
) -> ChainVerdict:
    """The verdict on one session of plain action receipts, in order, each the JSON text of one receipt.

    `each` is an order-preserving map over the receipts; pass a process pool's to use more than one core.
    """
    judged = each(partial(judge_action, terms=terms), receipts)
    return action_chain_verdict(judged, len(receipts))


def judge_action(data: bytes, terms: Terms) -> Judged:
    """The first pass over one receipt of an action chain."""
    return judge_content(examine_receipt(data, terms), only_actions=True)


def action_chain_verdict(judged: Iterable[Judged], count: int) -> ChainVerdict:
    """The verdict on a chain of `count` receipts, once each was judged for itself."""
    try:
        links = read_links(judged, count)
        check_order(links)
    except Broken as broken:
        return broken.verdict
    return valid_chain(links)


def read_links(judged: Iterable[Judged], count: int) -> list[Link]:
    """What the first pass found, unless one of the receipts does not hold. Raises `Broken`."""
    if count == 0:
        raise Broken(ChainVerdict(kind=ChainKind.EMPTY))
    links: list[Link] = []
    for position, one in enumerate(judged):
        if isinstance(one, ChainVerdict):
            is_unread = one.kind is ChainKind.MALFORMED
            raise Broken(replace(one, seq=position) if is_unread else one)
        links.append(one)
    check_none_lost(len(links), count)
    return links


def check_none_lost(judged: int, count: int) -> None:
    """A map that loses receipts must not make a chain valid."""
    if judged != count:
        raise ValueError(f"`each` gave {judged} results for {count} receipts")


def judge_content(examined: Examined, *, only_actions: bool) -> Judged:
    """What a receipt's own verdict means for its chain. One that cannot be read does not know its place."""
    verdict = examined.verdict
    if examined.envelope is None:
        return ChainVerdict(
            kind=ChainKind.MALFORMED, detail=verdict.detail, stricter=verdict.stricter
        )
    content = examined.envelope["content"]
    kind = content.get("kind", "action")
    seq = content.get("seq", 0)
    if only_actions and kind != "action":
        return ChainVerdict(
            kind=ChainKind.WRONG_CHAIN_KIND, detail=kind, seq=seq, receipt_kind=kind
        )
    if not verdict.is_valid:
        return _tampered(examined, content, kind, seq)
    return Link(
        session_id=content.get("session_id"),
        seq=content.get("seq"),
        prev=content.get("prev_receipt_hash"),
        action_hash=content["action_hash"],
        kind=kind,
        role="decision" if examined.is_decision else "producer",
        signer=verdict.signers[0],
    )


def _tampered(examined: Examined, content: dict[str, Any], kind: str, seq: int) -> ChainVerdict:
    verdict = examined.verdict
    if verdict.kind is Kind.ROLE_VIOLATION:
        return ChainVerdict(
            kind=ChainKind.ROLE_VIOLATION,
            detail=verdict.detail,
            seq=seq,
            receipt_kind=kind,
            role=signing_rule(content).role,
            stricter=verdict.stricter,
        )
    return ChainVerdict(
        kind=ChainKind.CONTENT_TAMPER, detail=verdict.kind, seq=seq, stricter=verdict.stricter
    )


def check_order(links: Sequence[Link]) -> None:
    """The second pass: each receipt stands where it says, and names the one before it. Raises `Broken`."""
    want: Digest | None = None
    for position, link in enumerate(links):
        seq = position if link.seq is None else link.seq
        why = _misplaced(link, position, links[0].session_id, want)
        if why is not None:
            detail = f"receipt {seq} {why}"
            raise Broken(ChainVerdict(kind=ChainKind.LINK_BROKEN, detail=detail, seq=seq))
        want = link_hash(link.session_id or "", seq, link.action_hash)


def _misplaced(link: Link, position: int, session: str | None, want: Digest | None) -> str | None:
    if link.session_id is None or link.seq is None:
        return "has no place in a chain"
    if link.session_id != session:
        return "belongs to another session"
    if link.seq != position:
        return f"stands at place {position}"
    if want is None:
        return None if link.prev in (None, "") else "is the first, yet names a predecessor"
    return None if link.prev == want else "does not name the receipt before it"


def valid_chain(links: Sequence[Link]) -> ChainVerdict:
    """What to say when every pass found nothing."""
    return ChainVerdict(
        kind=ChainKind.VALID,
        length=len(links),
        operators=tuple(dict.fromkeys(_signers(links, "producer"))),
        deciders=tuple(dict.fromkeys(_signers(links, "decision"))),
    )


def _signers(links: Sequence[Link], role: Role) -> Iterator[PublicKey]:
    return (link.signer for link in links if link.role == role)
