"""A heap of receipts, such as an export: every session in it judged as the chain it is, the rest one by one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from heso.core.chain import EachReceipt, verify_action_chain, verify_lifecycle_chain
from heso.core.encoding import PublicKey
from heso.core.strict_json import MAX_BYTES
from heso.core.verdict import ChainVerdict, Verdict
from heso.core.verify import verify_receipt


@dataclass(frozen=True, slots=True)
class Session:
    """The verdict on the receipts that name this session, in the order in which they came."""

    session_id: str
    receipts: int
    is_lifecycle: bool
    verdict: ChainVerdict


@dataclass(frozen=True, slots=True)
class Standalone:
    """The verdict on a receipt outside any session. `place` counts from 0."""

    place: int
    verdict: Verdict


def verify_collection(
    receipts: Iterable[bytes], *, each: EachReceipt = map, operator: PublicKey | None = None
) -> tuple[tuple[Session, ...], tuple[Standalone, ...]]:
    """Judge JSON texts of receipts. What names no session, or cannot be read, stands alone."""
    sessions: dict[str, list[bytes]] = {}
    lifecycles: set[str] = set()
    standalone: list[Standalone] = []
    for place, data in enumerate(receipts):
        session_id, is_lifecycle = _belongs_to(data)
        if session_id is None:
            standalone.append(Standalone(place, verify_receipt(data, operator=operator)))
            continue
        if is_lifecycle and session_id not in sessions:
            lifecycles.add(session_id)
        sessions.setdefault(session_id, []).append(data)
    judged = (
        _judge(session_id, members, session_id in lifecycles, each, operator)
        for session_id, members in sessions.items()
    )
    return tuple(judged), tuple(standalone)


def _judge(
    session_id: str,
    members: Sequence[bytes],
    is_lifecycle: bool,
    each: EachReceipt,
    operator: PublicKey | None,
) -> Session:
    verify = verify_lifecycle_chain if is_lifecycle else verify_action_chain
    return Session(
        session_id, len(members), is_lifecycle, verify(members, each=each, operator=operator)
    )


def _belongs_to(data: bytes) -> tuple[str | None, bool]:
    """A first, lenient look, only to sort: the strict reading comes with the verdict."""
    if len(data) > MAX_BYTES:
        return None, False
    try:
        content = orjson.loads(data)["content"]
        session_id = content.get("session_id")
        return (session_id if isinstance(session_id, str) else None), content.get(
            "kind", "action"
        ) != "action"
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, False
