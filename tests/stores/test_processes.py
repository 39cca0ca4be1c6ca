"""Several processes on one project: one chain per session, and nothing that was acknowledged is lost."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from heso.ports import Batch, Heads, NotWritten
from heso.stores.sqlite.ledger import SqliteLedger
from heso.testing import Evidence, seal_action

# Newer Pythons warn of forking beside threads; that it works all the same is what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

Start = Callable[..., subprocess.Popen[str]]
Check = Callable[..., Evidence]


def _go(children: list[subprocess.Popen[str]]) -> list[str]:
    """Let them all start at once; what they were told is on disk."""
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
    return [line for child in children for line in child.communicate()[0].split()]


@pytest.mark.parametrize(("processes", "count"), [(2, 60), (4, 30)])
@pytest.mark.parametrize("how", ["inline", "tasks"])
def test_processes_in_one_session_make_one_chain(
    start_appender: Start, check: Check, processes: int, count: int, how: str
) -> None:
    children = [start_appender("shared", count, how=how) for _ in range(processes)]
    acknowledged = _go(children)
    assert [child.returncode for child in children] == [0] * processes
    evidence = check(acknowledged=acknowledged)
    assert set(evidence.action_hashes) == set(acknowledged)
    assert evidence.sessions["shared"] == processes * count


def test_processes_in_sessions_of_their_own_make_a_chain_each(
    start_appender: Start, check: Check
) -> None:
    children = [start_appender(f"session {number}", 30, how="tasks") for number in range(4)]
    acknowledged = _go(children)
    evidence = check(acknowledged=acknowledged)
    assert evidence.sessions == {f"session {number}": 30 for number in range(4)}


def test_processes_may_create_the_file_at_the_same_moment(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from heso.stores.sqlite.ledger import SqliteLedger\n"
        "from heso.testing import seal_action\n"
        "for line in sys.stdin:\n"
        "    ledger = SqliteLedger(Path(line.strip()), busy_seconds=10)\n"
        "    ledger.append_inline(seal_action())\n"
        "    ledger.close()\n"
        "    print('ok', flush=True)\n"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    files = "".join(f"{tmp_path / str(number)}.db\n" for number in range(25))
    for child in children:
        assert child.stdin is not None
        child.stdin.write(files)
        child.stdin.close()
        child.stdin = None
    outcomes = [child.communicate() for child in children]
    assert [error for _, error in outcomes] == [""] * 3
    assert [said.count("ok") for said, _ in outcomes] == [25] * 3


@pytest.mark.parametrize("how", ["inline", "tasks"])
def test_a_killed_process_loses_nothing_it_was_told(
    start_appender: Start, check: Check, how: str
) -> None:
    acknowledged: list[str] = []
    for attempt in range(8):
        child = start_appender("shared", how=how)
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write("\n")
        child.stdin.flush()
        told = [child.stdout.readline() for _ in range(1 + 7 * attempt)]
        child.send_signal(signal.SIGKILL)
        told += child.stdout.readlines()  # not communicate(): it would pass over what is buffered
        assert child.wait() == -signal.SIGKILL
        acknowledged += [line.strip() for line in told if line.endswith("\n")]
        check(acknowledged=acknowledged)
    assert len(acknowledged) > 100


def _fork(work: Callable[[], None]) -> int:
    """The status of a child that did the work and left without cleaning up."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_parent_and_forked_child_both_append(ledger: SqliteLedger, check: Check) -> None:
    ledger.append_inline(seal_action())
    assert _fork(lambda: [ledger.append_inline(seal_action()) for _ in range(3)] and None) == 0
    ledger.append_inline(seal_action())
    assert check().sessions == {"session": 5}


def test_parent_and_forked_child_both_append_from_tasks(ledger: SqliteLedger, check: Check) -> None:
    def append() -> None:
        asyncio.run(ledger.append(seal_action()))

    append()  # the parent's thread runs
    assert _fork(append) == 0
    append()
    assert check().sessions == {"session": 3}


def test_a_forked_child_may_close_its_ledger(ledger: SqliteLedger, check: Check) -> None:
    ledger.append_inline(seal_action())
    assert _fork(ledger.close) == 0
    ledger.append_inline(seal_action())
    assert check().sessions == {"session": 2}


_LEAVE = """
import os, sys
from pathlib import Path
from heso.stores.sqlite.ledger import SqliteLedger
from heso.testing import seal_action
ledger = SqliteLedger(Path(sys.argv[1]))
ledger.append_inline(seal_action())
ready, gone = os.pipe(), os.pipe()
if os.fork() == 0:
    os.close(gone[1])
    ledger.append_inline(seal_action())
    os.write(ready[1], b".")
    os.read(gone[0], 1)  # until the parent is gone
    for _ in range(5):
        seal = seal_action(fields={"by": "child"})
        print(ledger.append_inline(seal)[0].receipt.action_hash, flush=True)
    os._exit(0)
os.read(ready[0], 1)
"""


@pytest.mark.parametrize(
    "end", ["sys.exit()", "os._exit(0)", "ledger.close(); os.close(gone[1]); os.wait()"]
)
def test_a_forked_child_keeps_what_it_was_told_when_its_parent_leaves_first(
    database: Path, check: Check, end: str
) -> None:
    """As daemons do: the parent opens the project, forks, and goes away."""
    run = subprocess.run(
        [sys.executable, "-c", _LEAVE + end, str(database)],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    acknowledged = run.stdout.split()
    assert len(acknowledged) == 5
    check(acknowledged=acknowledged)


def test_a_forked_child_and_a_newcomer_never_fork_the_ledger(database: Path, check: Check) -> None:
    """The parent has left; somebody else opens the project while the child goes on."""
    newcomer = "[sys.executable, '-c', sys.argv[2], *sys.argv[1:]]"
    program = _LEAVE.replace(
        "    for _ in range(5):\n",
        f"    import subprocess; subprocess.run({newcomer}, check=True)\n    for _ in range(5):\n",
    )
    append = (
        "import sys; from pathlib import Path; from heso.testing import seal_action\n"
        "from heso.stores.sqlite.ledger import SqliteLedger\n"
        "ledger = SqliteLedger(Path(sys.argv[1]))\n"
        "for _ in range(5):\n"
        "    print(ledger.append_inline(seal_action())[0].receipt.action_hash, flush=True)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program + "sys.exit()", str(database), append],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    acknowledged = run.stdout.split()
    assert len(acknowledged) == 10
    check(acknowledged=acknowledged)


def test_a_fork_in_the_middle_of_a_write_stops_the_child_and_not_the_parent(
    database: Path, check: Check
) -> None:
    """The turn is another thread's: the fork must not release it, and the child cannot know what was written."""
    ledger = SqliteLedger(database, busy_seconds=0.2)
    ledger.append_inline(seal_action())
    inside, leave = threading.Event(), threading.Event()

    def slow(heads: Heads) -> Batch:
        inside.set()
        leave.wait(5)
        return seal_action()(heads)

    writer = threading.Thread(target=ledger.append_inline, args=(slow,))
    writer.start()
    inside.wait(5)

    def refused() -> None:
        with pytest.raises(NotWritten, match="forked in the middle"):
            ledger.append_inline(seal_action())

    assert _fork(refused) == 0
    leave.set()
    writer.join()
    ledger.append_inline(seal_action())
    ledger.close()
    assert check().sessions == {"session": 3}
