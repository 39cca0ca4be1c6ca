"""Several processes that want the same run at the same moment, and one that is killed in the middle of it."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import anyio
import pytest

import heso
from heso.core.journal import RunState
from tests.kill.stage import make_project

PROGRAM = """
import os, sys, time
import anyio, heso

root, role = sys.argv[1:]

@heso.tool(name="processes.act")
def act(number: int) -> int:
    with open(os.path.join(root, "effects"), "a") as file:
        file.write(heso.current_idempotency_key() + "\\n")
    if role == "slow" and number == 3:
        print("here", flush=True)
        time.sleep(60)
    return number

@heso.workflow(name="processes.flow")
async def flow() -> list[int]:
    found = []
    for number in range(6):
        found.append(act(number))
        await anyio.sleep(0.01)
    return found

async def main() -> None:
    await heso.start(flow, id="r")
    print(await heso.result("r", timeout=20))

with heso.init(root):
    anyio.run(main)
"""


def _start(root: Path, role: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(root), role]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_project(tmp_path / "p")
    return tmp_path / "p"


def _effects(root: Path) -> Counter[str]:
    return Counter((root / "effects").read_text().split())


def test_processes_that_start_one_run_at_once_do_each_step_once(root: Path) -> None:
    told = [child.communicate() for child in [_start(root, "quick") for _ in range(3)]]
    assert told == [("[0, 1, 2, 3, 4, 5]\n", "")] * 3
    assert _effects(root) == {f"r/processes.act/{number}": 1 for number in range(6)}


def test_a_run_whose_driver_was_killed_in_a_body_is_parked_by_the_next_that_comes(
    root: Path,
) -> None:
    with _start(root, "slow") as slow:
        assert slow.stdout is not None
        assert slow.stdout.readline() == "here\n"
        slow.kill()
    out, err = _start(root, "quick").communicate()
    assert (out, "in_doubt: step processes.act #3" in err) == ("", True)
    assert _effects(root) == {f"r/processes.act/{number}": 1 for number in range(4)}
    with heso.init(root) as runtime:
        assert heso.status("r").state is RunState.PARKED
        left = anyio.run(lambda: runtime.driver.settle("r", happened=True))
        assert left.state is RunState.PARKED  # this process has not its code
    assert _start(root, "quick").communicate() == ("[0, 1, 2, None, 4, 5]\n", "")
    assert set(_effects(root).values()) == {1}
