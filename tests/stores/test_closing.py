"""Closing and ending: what was accepted is finished, what comes later is refused, nobody waits forever."""

import asyncio
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from heso.ports import NotWritten
from heso.stores.sqlite.ledger import SqliteLedger
from heso.testing import Evidence, seal_action

Check = Callable[..., Evidence]


class _TooLate(deque):
    """A queue on which somebody else closes the ledger just before the caller stands in line."""

    def __init__(self, close: Callable[[], None]) -> None:
        super().__init__()
        self._close = close

    def append(self, job: object) -> None:
        self._close()
        super().append(job)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("is_async", [False, True])
def test_a_caller_overtaken_by_close_is_refused(ledger: SqliteLedger, is_async: bool) -> None:
    async def append() -> None:
        async with asyncio.timeout(2):
            await ledger.append(seal_action())

    ledger.append_inline(seal_action())
    ledger._jobs = _TooLate(ledger.close)
    try:
        with pytest.raises(NotWritten):
            asyncio.run(append()) if is_async else ledger.append_inline(seal_action())
    finally:
        if ledger._thread is not None:
            ledger._thread.join(1)


def test_closing_twice_is_closing_once_and_then_nothing_is_written(
    ledger: SqliteLedger, check: Check
) -> None:
    ledger.append_inline(seal_action())
    ledger.close()
    ledger.close()
    with pytest.raises(NotWritten) as refused:
        ledger.append_inline(seal_action())
    assert str(refused.value) == "nothing was written: the ledger is closed"
    assert refused.value.next_step
    assert check().receipts == 1


def test_closing_finishes_what_was_accepted(ledger: SqliteLedger, check: Check) -> None:
    async def append_and_close() -> list[object]:
        tasks = [asyncio.ensure_future(ledger.append(seal_action())) for _ in range(30)]
        await asyncio.sleep(0)
        await asyncio.to_thread(ledger.close)
        return await asyncio.gather(*tasks, return_exceptions=True)

    outcomes = asyncio.run(append_and_close())
    assert not [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert check().receipts == 30


def test_appending_while_another_thread_closes_is_refused_or_done(database: Path) -> None:
    for _ in range(15):
        ledger = SqliteLedger(database)
        strange: list[BaseException] = []
        started = threading.Barrier(4)

        def append(ledger: SqliteLedger = ledger) -> None:
            started.wait()  # noqa: B023  # the threads of this round
            try:
                while True:
                    ledger.append_inline(seal_action())
            except NotWritten:
                return
            except BaseException as error:  # noqa: BLE001  # that is what the test is about
                strange.append(error)  # noqa: B023

        threads = [threading.Thread(target=append) for _ in range(3)]
        for thread in threads:
            thread.start()
        started.wait()
        ledger.close()
        for thread in threads:
            thread.join(10)
        assert strange == []


@pytest.mark.parametrize(
    "end",
    ["pass", "sys.exit(3)", "asyncio.run(ledger.append(seal_action()))", "asyncio.run(many())"],
)
def test_a_program_may_end_with_an_open_ledger(database: Path, end: str) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path\n"
        "from heso.stores.sqlite.ledger import SqliteLedger\n"
        "from heso.testing import seal_action\n"
        "ledger = SqliteLedger(Path(sys.argv[1]))\n"
        "ledger.append_inline(seal_action())\n"
        "async def many():\n"
        "    tasks = [asyncio.ensure_future(ledger.append(seal_action())) for _ in range(50)]\n"
        "    await asyncio.sleep(0)\n"
        f"{end}\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(database)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (run.returncode, run.stderr) == (3 if "exit" in end else 0, "")
