"""Whether a call was asked before, when several of its askings and endings meet in one transaction."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from heso.core.encoding import Digest
from heso.core.instant import Instant
from heso.core.receipt import SessionId
from heso.core.ticket import Ticket
from heso.ports import Batch, Heads, Ledger, Seal
from heso.stores.memory import MemoryLedger
from heso.stores.sqlite.ledger import SqliteLedger

KEY = Digest("c" * 64)


class AskedBefore(Exception):
    """The call waits, or its end was told to nobody."""


def ticket(number: int) -> Ticket:
    name = Digest(f"{number:064x}")
    return Ticket(
        action_hash=name,
        asked=b"{}",
        lifecycle_session=SessionId(f"lifecycle:{name}"),
        session_id=SessionId("s"),
        tool_name="t",
        tool_version="1",
        workflow="w",
        account="a",
        rule_id="r",
        policy_hash=name,
        terms_json=b"{}",
        reveal_root=None,
        resume_token="",
        call_key=KEY,
        suspended_at=Instant(0),
        due=Instant(1),
    )


def ask(number: int) -> Seal:
    def seal(heads: Heads) -> Batch:
        if heads.undelivered(KEY) is not None:
            raise AskedBefore
        return Batch((), (ticket(number),))

    return seal


def deliver(number: int) -> Seal:
    def seal(heads: Heads) -> Batch:
        found = heads.ticket(ticket(number).action_hash)
        assert found is not None
        return Batch((), (replace(found, is_delivered=True),))

    return seal


def newest(found: list[int]) -> Seal:
    def seal(heads: Heads) -> Batch:
        one = heads.undelivered(KEY)
        found.append(-1 if one is None else int(one.action_hash, 16))
        return Batch(())

    return seal


async def together(ledger: Ledger, *seals: Seal) -> list[bool]:
    """Whether each was taken; of a SQLite ledger all in one transaction."""
    if isinstance(ledger, SqliteLedger):
        await ledger.append(lambda _: Batch(()))  # so that the thread is there
        ledger._turn.acquire()
    tasks = [asyncio.ensure_future(ledger.append(seal)) for seal in seals]
    await asyncio.sleep(0.05)
    if isinstance(ledger, SqliteLedger):
        ledger._turn.release()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(one, tuple | AskedBefore) for one in done)
    return [isinstance(one, tuple) for one in done]


@pytest.fixture(params=["sqlite", "memory"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    ledger = SqliteLedger(tmp_path / "heso.db")
    yield ledger
    ledger.close()


async def test_a_call_is_asked_once_however_often_an_older_one_is_told(ledger: Ledger) -> None:
    await ledger.append(ask(1))
    found: list[int] = []
    taken = await together(ledger, deliver(1), ask(2), deliver(1), newest(found), ask(3))
    assert taken == [True, True, True, True, False]
    assert found == [2]


async def test_the_newest_is_the_one_that_was_asked_last_whatever_was_touched_last(
    ledger: Ledger,
) -> None:
    await ledger.append(lambda _: Batch((), (ticket(1), ticket(2))))
    found: list[int] = []
    seals = (
        deliver(2),
        newest(found),
        lambda _: Batch((), (ticket(3),)),
        deliver(1),
        newest(found),
    )
    await together(ledger, *seals, deliver(3), newest(found))
    assert found == [1, 3, -1]
