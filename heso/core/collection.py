"""A heap of receipts, such as an export: every session in it judged as the chain it is, the rest one by one."""

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from heso.core.chain import EachReceipt, verify_action_chain
from heso.core.session import verify_session_chain
from heso.core.strict_json import MAX_BYTES
from heso.core.verdict import ChainVerdict, Verdict
from heso.core.verify import STRICT, Terms, examine_receipt, plain_verdict


@dataclass(frozen=True, slots=True)
class Session:
    """The verdict on the receipts that name this session, in the order in which they came.

    `is_lifecycle`: there are lifecycle links among them, so what may follow what was checked as well.
    """

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
    receipts: Iterable[bytes], terms: Terms = STRICT, *, each: EachReceipt = map
) -> tuple[tuple[Session, ...], tuple[Standalone, ...]]:
    """Judge JSON texts of receipts. What names no session, or cannot be read, stands alone."""
    sessions: dict[str, list[bytes]] = {}
    lifecycles: set[str] = set()
    standalone: list[Standalone] = []
    for place, data in enumerate(receipts):
        session_id, is_lifecycle = _belongs_to(data)
        if session_id is None:
            verdict = plain_verdict(examine_receipt(data, terms).verdict)
            standalone.append(Standalone(place, verdict))
            continue
        if is_lifecycle:
            lifecycles.add(session_id)
        sessions.setdefault(session_id, []).append(data)
    judged: list[Session] = []
    for session_id, members in sessions.items():
        is_lifecycle = session_id in lifecycles
        verify = verify_session_chain if is_lifecycle else verify_action_chain
        chain = verify(members, terms, each=each)
        judged.append(Session(session_id, len(members), is_lifecycle, chain))
    return tuple(judged), tuple(standalone)


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
