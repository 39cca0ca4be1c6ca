"""A heap of receipts, such as an export: every session in it judged as the chain it is, the rest one by one."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from typing import TypeVar

import orjson

from heso.core.chain import EachReceipt, action_chain_verdict, check_none_lost, judge_action
from heso.core.session import judge_link, session_chain_verdict
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


T = TypeVar("T")


@dataclass(slots=True)
class _Members:
    receipts: list[bytes] = field(default_factory=list)
    is_lifecycle: bool = False


def verify_collection(
    receipts: Iterable[bytes], terms: Terms = STRICT, *, each: EachReceipt = map
) -> tuple[tuple[Session, ...], tuple[Standalone, ...]]:
    """Judge JSON texts of receipts. What names no session, or cannot be read, stands alone.

    `each` is called at most three times, however many sessions there are: making a pool of processes costs something.
    """
    sessions: dict[str, _Members] = {}
    standalone: dict[int, bytes] = {}
    for place, data in enumerate(receipts):
        session_id, is_link = _belongs_to(data)
        if session_id is None:
            standalone[place] = data
            continue
        members = sessions.setdefault(session_id, _Members())
        members.receipts.append(data)
        members.is_lifecycle |= is_link
    lone = _all(each, partial(_judge_alone, terms=terms), list(standalone.values()))
    actions = iter(
        _all(each, partial(judge_action, terms=terms), _of(sessions, is_lifecycle=False))
    )
    links = iter(_all(each, partial(judge_link, terms=terms), _of(sessions, is_lifecycle=True)))
    judged: list[Session] = []
    for session_id, members in sessions.items():
        count = len(members.receipts)
        if members.is_lifecycle:
            verdict = session_chain_verdict(_take(links, count), count, terms)
        else:
            verdict = action_chain_verdict(_take(actions, count), count)
        judged.append(Session(session_id, count, members.is_lifecycle, verdict))
    return tuple(judged), tuple(map(Standalone, standalone, lone))


def _judge_alone(data: bytes, terms: Terms) -> Verdict:
    return plain_verdict(examine_receipt(data, terms).verdict)


def _of(sessions: dict[str, _Members], *, is_lifecycle: bool) -> list[bytes]:
    """The receipts of all sessions of one sort, session by session."""
    fitting = (one.receipts for one in sessions.values() if one.is_lifecycle is is_lifecycle)
    return list(chain.from_iterable(fitting))


def _all(each: EachReceipt, judge: Callable[[bytes], T], receipts: Sequence[bytes]) -> list[T]:
    found = list(each(judge, receipts)) if receipts else []
    check_none_lost(len(found), len(receipts))
    return found


def _take(judged: Iterator[T], count: int) -> list[T]:
    return list(islice(judged, count))


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
