"""Judging on every core: the same answers as on one, whatever happens to the processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from heso.cli.cores import MANY, over_cores

DATA = [b"%d" % number for number in range(MANY + 250)]


def double(data: bytes) -> int:
    return 2 * int(data)


DOUBLED = [2 * number for number in range(MANY + 250)]


@pytest.mark.parametrize("number", [1, 2, 5])
def test_the_order_is_kept_on_any_number_of_cores(number: int) -> None:
    assert list(over_cores(double, DATA, cores=number)) == DOUBLED


def test_many_are_judged_in_other_processes_and_few_in_this_one() -> None:
    here = os.getpid()
    assert here not in over_cores(lambda _: os.getpid(), DATA, cores=2)
    assert set(over_cores(lambda _: os.getpid(), DATA[:20], cores=2)) == {here}


def test_what_a_killed_process_owed_is_judged_here() -> None:
    here = os.getpid()

    def dies_elsewhere(data: bytes) -> int:
        if data == b"700" and os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return double(data)

    assert list(over_cores(dies_elsewhere, DATA, cores=2)) == DOUBLED


def test_a_machine_without_a_process_to_give_judges_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", no_fork)
    assert list(over_cores(double, DATA, cores=2)) == DOUBLED


def test_what_judging_raises_is_raised_once_and_leaves_no_process() -> None:
    def stumbles(data: bytes) -> int:
        if data == b"1100":
            raise LookupError(data)
        return double(data)

    found: list[int] = []
    with pytest.raises(LookupError):
        found.extend(over_cores(stumbles, DATA, cores=2))
    assert children() == []


def test_who_stops_listening_stops_the_processes() -> None:
    judged = iter(over_cores(double, DATA, cores=2))
    assert next(judged) == 0
    del judged
    assert children() == []


def test_an_interrupt_ends_the_others_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    def interrupted(data: bytes) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        return double(data)

    assert list(over_cores(interrupted, DATA, cores=2)) == DOUBLED
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_whoever_judges_for_a_process_that_was_killed_ends_with_it(how: signal.Signals) -> None:
    program = (
        "import os, time\n"
        "from heso.cli.cores import over_cores\n"
        "def slow(data):\n"
        "    if data == b'0': print(os.getpid(), flush=True)\n"
        "    time.sleep(0.01)\n"
        "list(over_cores(slow, [b'%d' % n for n in range(100_000)], cores=2))\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.send_signal(how)
        parent.wait(10)
        for _ in range(100):
            if not Path(f"/proc/{worker}").exists():
                return
            time.sleep(0.1)
    raise AssertionError("it works on")


def children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
