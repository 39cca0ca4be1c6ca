"""Session chains: each receipt names the one before it (fact sheet, sections 3.1, 3.2 and 3.4).

    link_hash = BLAKE3("heso-rcpt-chain/v1" NUL ++ LP(session_id) ++ LP(seq as u64le) ++ LP(action_hash))
    LP(x)     = length of x as u64le ++ x

An action chain holds plain action receipts only; lifecycle links have chains of their own.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from heso.core.domains import CHAIN_PREFIX
from heso.core.encoding import Digest, PublicKey
from heso.core.hashing import digest
from heso.core.hot import hot_value
from heso.core.receipt import ChainBlock, SessionId
from heso.core.verdict import ChainKind, ChainVerdict
from heso.core.verify import Examined, examine_receipt

_U64LE = struct.Struct("<Q")
_EIGHT = _U64LE.pack(8)
_SIXTY_FOUR = _U64LE.pack(64)

EachReceipt = Callable[[Callable[[bytes], Examined], Sequence[bytes]], Iterable[Examined]]


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


def verify_action_chain(
    receipts: Sequence[bytes],
    *,
    each: EachReceipt = map,
    operator: PublicKey | None = None,
) -> ChainVerdict:
    """The verdict on one session of plain action receipts, in order, each the JSON text of one receipt.

    `each` is an order-preserving map over the receipts; pass an executor's to use more than one core.
    """
    return _verify_chain(receipts, frozenset({"action"}), each, operator)


def verify_lifecycle_chain(
    receipts: Sequence[bytes],
    *,
    each: EachReceipt = map,
    operator: PublicKey | None = None,
) -> ChainVerdict:
    """The verdict on the chain of one suspended action.

    Only the opening `suspended` link is known so far; a longer chain is Unsupported, never Valid.
    """
    if len(receipts) > 1:
        detail = "a lifecycle beyond its first link cannot be judged by this version"
        return ChainVerdict(kind=ChainKind.UNSUPPORTED, detail=detail, seq=1)
    return _verify_chain(receipts, frozenset({"suspended"}), each, operator)


def _verify_chain(
    receipts: Sequence[bytes],
    kinds: frozenset[str],
    each: EachReceipt,
    operator: PublicKey | None,
) -> ChainVerdict:
    if not receipts:
        return ChainVerdict(kind=ChainKind.EMPTY)

    def examine(data: bytes) -> Examined:
        return examine_receipt(data, operator=operator)

    length = 0
    operators: dict[PublicKey, None] = {}
    genesis: str | None = None
    want: Digest | None = None
    for position, examined in enumerate(each(examine, receipts)):
        fault = _check_content(examined, position, kinds) or _check_place(
            examined, position, genesis, want
        )
        if fault is not None:
            return fault
        content = _content(examined)
        length = position + 1
        operators[examined.verdict.signers[0]] = None
        genesis = content["session_id"]
        want = link_hash(content["session_id"], content["seq"], content["action_hash"])
    if length != len(receipts):
        raise ValueError(f"`each` gave {length} results for {len(receipts)} receipts")
    return ChainVerdict(kind=ChainKind.VALID, length=length, operators=tuple(operators))


def _content(examined: Examined) -> dict[str, Any]:
    return {} if examined.envelope is None else examined.envelope["content"]


def _check_content(examined: Examined, position: int, kinds: frozenset[str]) -> ChainVerdict | None:
    if examined.envelope is None:
        return ChainVerdict(kind=ChainKind.MALFORMED, detail=examined.verdict.detail, seq=position)
    content = examined.envelope["content"]
    kind = content.get("kind", "action")
    seq = content.get("seq", 0)
    if kind not in kinds:
        return ChainVerdict(kind=ChainKind.WRONG_CHAIN_KIND, detail=kind, seq=seq)
    if not examined.verdict.is_valid:
        return ChainVerdict(
            kind=ChainKind.CONTENT_TAMPER, detail=str(examined.verdict.kind), seq=seq
        )
    return None


def _check_place(
    examined: Examined, position: int, genesis: str | None, want: Digest | None
) -> ChainVerdict | None:
    content = _content(examined)
    if "session_id" not in content or "seq" not in content:
        return _broken(position, "has no place in a chain")
    seq = content["seq"]
    prev = content.get("prev_receipt_hash")
    if want is not None and content["session_id"] != genesis:
        return _broken(seq, "belongs to another session")
    if seq != position:
        return _broken(seq, f"stands at place {position}")
    if want is None and prev not in (None, ""):
        return _broken(seq, "is the first, yet names a predecessor")
    if want is not None and prev != want:
        return _broken(seq, "does not name the receipt before it")
    return None


def _broken(seq: int, why: str) -> ChainVerdict:
    return ChainVerdict(kind=ChainKind.LINK_BROKEN, detail=f"receipt {seq} {why}", seq=seq)
