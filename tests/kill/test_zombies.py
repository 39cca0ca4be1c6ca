"""A process that is stopped past its lease and comes back: what it does then is no second effect."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

import heso
from heso.approvals.running import Raised
from heso.core.encoding import Digest
from heso.core.ticket import TicketState
from heso.runtime import Runtime
from heso.workflows.desk import Desk
from tests.kill.stage import approve, make_project

ROOT = Path(__file__).parents[2]
LEASE_SECONDS = 1


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "p"
    make_project(root)
    policy = root / "heso.toml"
    policy.write_text(policy.read_text().replace("lease_seconds = 600", "lease_seconds = 1"))
    return root


@pytest.fixture
def runtime(project: Path) -> Iterator[Runtime]:
    with heso.init(project) as runtime:
        yield runtime


def _approved(runtime: Runtime) -> Digest:
    @heso.tool(verb="payment", name="zombie.pay")
    def pay(order: str) -> str:
        raise AssertionError("the zombie runs it")

    with pytest.raises(heso.SuspendedError) as held:
        pay("o")
    approve(runtime, held.value.action_hash)
    return held.value.action_hash


def _stopped(root: Path, name: Digest, where: str) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    zombie = subprocess.Popen(
        [sys.executable, "-m", "tests.kill.zombie", str(root), name, where],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    _, status = os.waitpid(zombie.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    return zombie


def _sweep(desk: Desk) -> None:
    time.sleep(LEASE_SECONDS * 1.2)
    anyio.run(desk.sweep)


def _wake(zombie: subprocess.Popen[str]) -> str:
    zombie.send_signal(signal.SIGCONT)
    said, _ = zombie.communicate(timeout=30)
    return said.strip()


def test_one_stopped_in_the_middle_of_its_effect_settles_the_doubt_itself(
    runtime: Runtime, project: Path
) -> None:
    name = _approved(runtime)
    zombie = _stopped(project, name, "inside")
    assert runtime.desk.read(name).state is TicketState.RUNNING
    _sweep(runtime.desk)
    assert runtime.desk.read(name).state is TicketState.IN_DOUBT
    assert _wake(zombie) == "paid"
    assert runtime.desk.read(name).state is TicketState.DONE
    assert (project / "effects").read_text() == "o\n"


def test_one_stopped_before_its_effect_does_not_have_it_any_more(
    runtime: Runtime, project: Path
) -> None:
    name = _approved(runtime)
    zombie = _stopped(project, name, "before")
    _sweep(runtime.desk)
    runtime.desk.settle(name, Raised("NotRun", "a person looked"))
    assert _wake(zombie) == "InDoubtError"
    assert runtime.desk.read(name).state is TicketState.FAILED
    assert not (project / "effects").exists()
