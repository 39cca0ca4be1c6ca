"""Callers that go away, fail or are interrupted harm nobody but themselves."""

import asyncio
import threading
from collections.abc import Callable

import pytest
import trio

from heso.ports import Batch, Heads, StoreError
from heso.stores.sqlite.ledger import SqliteLedger
from heso.testing import Evidence, seal_action

Check = Callable[..., Evidence]


async def test_a_cancelled_caller_leaves_no_open_transaction(
    ledger: SqliteLedger, check: Check
) -> None:
    for pauses in range(6):
        task = asyncio.ensure_future(ledger.append(seal_action("cancelled")))
        for _ in range(pauses):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await ledger.append(seal_action("alive"))
        assert not ledger._connection.in_transaction
    assert check().sessions["alive"] == 6


async def test_a_crowd_that_is_cancelled_leaves_the_ledger_usable(
    ledger: SqliteLedger, check: Check
) -> None:
    tasks = [asyncio.ensure_future(ledger.append(seal_action("crowd"))) for _ in range(50)]
    for number, task in enumerate(tasks):
        if number % 3:
            task.cancel()
        await asyncio.sleep(0)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    told = [o[0].receipt.action_hash for o in outcomes if not isinstance(o, BaseException)]
    assert len(told) >= 17
    ledger.append_inline(seal_action("crowd"))
    check(acknowledged=told)


def test_a_loop_that_ends_while_tasks_wait_leaves_the_ledger_usable(
    ledger: SqliteLedger, check: Check
) -> None:
    async def leave_at_once() -> None:
        tasks = [asyncio.ensure_future(ledger.append(seal_action())) for _ in range(20)]
        await asyncio.sleep(0)
        assert not all(task.done() for task in tasks)

    for _ in range(3):
        asyncio.run(leave_at_once())
    asyncio.run(ledger.append(seal_action("after")))
    assert check().sessions["after"] == 1


def test_trio_tasks_append_too(ledger: SqliteLedger, check: Check) -> None:
    async def crowd() -> None:
        with trio.move_on_after(0):
            await ledger.append(seal_action())
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(ledger.append, seal_action("trio"))

    trio.run(crowd)
    assert check().sessions["trio"] == 10


def _fail(_: Heads) -> Batch:
    raise ZeroDivisionError


async def test_a_failing_seal_fails_only_its_caller(ledger: SqliteLedger, check: Check) -> None:
    with ledger._turn:  # so that all of them wait for one batch
        ledger._is_ringing = True
        tasks = [
            asyncio.ensure_future(ledger.append(_fail if number == 3 else seal_action()))
            for number in range(7)
        ]
        await asyncio.sleep(0)
        assert len(ledger._jobs) == 7
    ledger._is_ringing = False
    await ledger.append(seal_action())
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(ZeroDivisionError) == 1
    assert check().sessions == {"session": 7}


def _panic(_: Heads) -> Batch:
    raise SystemExit("as a native signer that panics would: no Exception, only a BaseException")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_seal_that_panics_does_not_stop_the_tasks_behind_it(ledger: SqliteLedger) -> None:
    with pytest.raises((SystemExit, StoreError)):
        await ledger.append(_panic)
    async with asyncio.timeout(2):
        await ledger.append(seal_action())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_value_that_sqlite_cannot_hold_does_not_stop_the_tasks_behind_it(
    ledger: SqliteLedger,
) -> None:
    far_away = 2**63  # nanoseconds: a clock that says 2262
    with pytest.raises((ValueError, OverflowError, StoreError)):
        await ledger.append(seal_action(at=far_away))
    async with asyncio.timeout(2):
        await ledger.append(seal_action())


class _InterruptedTwice:
    """A connection on which Ctrl-C is pressed during COMMIT, and again while that is cleaned up."""

    def __init__(self, connection: object) -> None:
        self._connection = connection
        self._is_armed = True

    def execute(self, statement: str, *parameters: object) -> object:
        if self._is_armed and statement in ("COMMIT", "ROLLBACK"):
            self._is_armed = statement != "ROLLBACK"
            raise KeyboardInterrupt
        return self._connection.execute(statement, *parameters)

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


def test_a_second_interrupt_acknowledges_nothing_that_is_not_there(
    ledger: SqliteLedger, check: Check
) -> None:
    told: list[str] = []
    refused: list[BaseException] = []

    def neighbour() -> None:
        try:
            told.extend(o.receipt.action_hash for o in ledger.append_inline(seal_action("n")))
        except StoreError as error:
            refused.append(error)

    ledger.append_inline(seal_action())
    ledger._connection = _InterruptedTwice(ledger._connection)
    thread = threading.Thread(target=neighbour)
    ledger._turn.acquire()
    thread.start()
    while not ledger._jobs:
        pass
    try:
        ledger._commit_waiting()
    except KeyboardInterrupt:
        pass
    finally:
        ledger._turn.release()
    thread.join(10)
    assert not thread.is_alive()
    assert (told, len(refused)) == ([], 1)
    if ledger._connection.in_transaction:
        ledger._connection.execute("ROLLBACK")
    check(acknowledged=told)


async def test_a_thread_that_could_not_be_started_once_silences_nobody_later(
    ledger: SqliteLedger, check: Check
) -> None:
    before = threading.stack_size(2**46)  # more than any machine has: no thread can start
    try:
        await ledger.append(seal_action("alone"))
    finally:
        threading.stack_size(before)
    async with asyncio.timeout(2):
        await ledger.append(seal_action("alive"))
    assert check().sessions["alive"] == 1
