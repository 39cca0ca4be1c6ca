"""The kill suite: `python -m tests.kill.suite [--kills N] [--seed S]`; `make kill` is the long form.

    every sync       killed before and after the k-th fsync, for every k; then again while it recovers
    faulty disks     EIO at every sync, a full disk from every write on
    power loss       images of the disk from a log of every write
    chaos            four processes on one project, killed at random

After each: a worker moves what may move, then every invariant is judged from what is on disk. Prints kills tried,
doubles, lost, in doubt. A violation ends it with the seed that found it.
"""

import argparse
import ctypes
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.kill.images import images, parse_trace
from tests.kill.stage import judge, live, make_project, recover

KILL_BEFORE_SYNC, KILL_AFTER_SYNC, EIO_AT_SYNC, ENOSPC_AT_WRITE = 1, 2, 3, 4
_SHIM = Path(__file__).parent / "shim.c"
_FAILED = 70


def build_shim(folder: Path) -> Path | None:
    """The shim, compiled; None where there is no gcc."""
    if shutil.which("gcc") is None:
        return None
    library = folder / "shim.so"
    command = ["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(_SHIM), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return library


class Suite:
    """Counts kills and what came of the actions."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.kills = 0
        self.faults = 0
        self.losses = 0
        self.ends: Counter[str] = Counter()
        self.dice = random.Random(seed)
        self._folder = folder
        self._number = 0
        self._template = folder / "template"
        self._shim = ctypes.CDLL(None)
        make_project(self._template)

    def every_sync(self, mode: int) -> None:
        """Kill at each sync of a life, until one life comes to its end."""
        for k in range(1, 10_000):
            root = self._project()
            if not self._killed(lambda root=root: live(root, "a"), mode, k):
                break
            self._settle(root)

    def twice(self) -> None:
        """Kill somewhere in a life, and again while it recovers."""
        root = self._project()
        mode = self.dice.choice((KILL_BEFORE_SYNC, KILL_AFTER_SYNC))
        self._killed(lambda: live(root, "a"), mode, self.dice.randint(1, 45))
        self._killed(lambda: recover(root), mode, self.dice.randint(1, 6))
        self._settle(root)

    def every_fault(self, mode: int, step: int) -> None:
        """A disk that fails at each sync, or is full from each write on."""
        for k in range(1, 10_000, step):
            root = self._project()
            seen = self._run(lambda root=root: live(root, "a"), mode, k, says_count=True)
            self._settle(root)
            if seen < k:
                break
            self.faults += 1

    def power_loss(self, number: int) -> None:
        """Judge images of the disk of one whole life."""
        root = self._project()
        log = root / "trace"
        with log.open("wb") as file:

            def traced() -> None:
                self._shim.heso_trace(file.fileno())
                live(root, "a")

            self._run(traced, 0, 0)
        for image in images(parse_trace(log.read_bytes()), self.dice, number):
            held = self._project()
            for path, data in image.items():
                (held / Path(path).relative_to(root)).write_bytes(data)
            self._settle(held)
            self.losses += 1

    def chaos(self, kills: int) -> None:
        """Four processes live on one project; one after the other is killed, and another takes its place."""
        root = self._project()
        born = iter(range(10_000))

        def spawn() -> int:
            name = f"p{next(born)}"
            return self._fork(lambda: _live_on(root, name))

        children = [spawn() for _ in range(4)]
        for _ in range(kills):
            time.sleep(self.dice.uniform(0.02, 0.12))
            victim = self.dice.randrange(len(children))
            os.kill(children[victim], signal.SIGKILL)
            _, status = os.waitpid(children[victim], 0)
            self.kills += os.WIFSIGNALED(status)
            children[victim] = spawn()
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            self.kills += 1
        self._settle(root)

    def report(self) -> str:
        """What was tried and found, in a line."""
        ends = ", ".join(f"{state} {count}" for state, count in sorted(self.ends.items()))
        return (
            f"kills tried {self.kills}, disk faults {self.faults}, power losses {self.losses}: "
            f"doubles 0, lost 0, in doubt {self.ends['in_doubt']} ({ends})"
        )

    def _project(self) -> Path:
        self._number += 1
        root = self._folder / f"p{self._number}"
        shutil.copytree(self._template, root)
        return root

    def _killed(self, work: Callable[[], None], mode: int, k: int) -> bool:
        child = self._fork(work, mode, k)
        _, status = os.waitpid(child, 0)
        is_killed = os.WIFSIGNALED(status)
        self.kills += is_killed
        if not is_killed and os.WEXITSTATUS(status) == _FAILED:
            raise AssertionError("a life that nobody disturbed came to grief")
        return is_killed

    def _run(self, work: Callable[[], None], mode: int, k: int, *, says_count: bool = False) -> int:
        """Run in a child of its own, which may fail; how many syncs or writes it saw."""
        reading, writing = os.pipe()

        def counted() -> None:
            try:
                work()
            finally:
                os.write(writing, str(self._shim.heso_count()).encode())

        child = self._fork(counted, mode, k)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            text = pipe.read()
        os.waitpid(child, 0)
        return int(text or 0) if says_count else 0

    def _settle(self, root: Path) -> None:
        """Recover and judge, in a child; its projects are gone afterwards unless a promise did not hold."""
        report = root / "judged"

        def work() -> None:
            recover(root)
            report.write_text(json.dumps(judge(root)), "utf-8")

        _, status = os.waitpid(self._fork(work, loud=True), 0)
        if status != 0:
            raise AssertionError(f"a promise did not hold; the project is {root}")
        self.ends.update(json.loads(report.read_text("utf-8")))
        shutil.rmtree(root)

    def _fork(
        self, work: Callable[[], None], mode: int = 0, k: int = 0, *, loud: bool = False
    ) -> int:
        child = os.fork()
        if child:
            return child
        code = _FAILED
        try:
            if not loud:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            self._shim.heso_arm(mode, ctypes.c_long(k))
            work()
            code = 0
        except BaseException:
            if loud:
                import traceback

                traceback.print_exc()
        finally:
            os._exit(code)


def _live_on(root: Path, name: str) -> None:
    for number in range(10_000):
        live(root, f"{name}-{number}")


def run(kills: int, seed: int, *, disks: int, out: Callable[[str], None]) -> None:
    """Everything, until at least `kills` kills were tried."""
    with tempfile.TemporaryDirectory(prefix="heso-kill-") as folder:
        suite = Suite(Path(folder), seed)
        out(f"seed {seed}")
        for mode in (KILL_BEFORE_SYNC, KILL_AFTER_SYNC):
            suite.every_sync(mode)
        out(f"every sync: {suite.report()}")
        suite.every_fault(EIO_AT_SYNC, step=1 if disks > 100 else 5)
        suite.every_fault(ENOSPC_AT_WRITE, step=1 if disks > 100 else 25)
        out(f"faulty disks: {suite.report()}")
        suite.power_loss(disks)
        out(f"power loss: {suite.report()}")
        suite.chaos(max(8, kills // 20))
        out(f"chaos: {suite.report()}")
        while suite.kills < kills:
            suite.twice()
        out(suite.report())


def main() -> int:
    """Compile the shim, start again with it, and run."""
    parser = argparse.ArgumentParser(description="kill heso at every step")
    parser.add_argument("--kills", type=int, default=2000)
    parser.add_argument("--disks", type=int, default=600, help="power-loss images")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    if "LD_PRELOAD" not in os.environ:
        with tempfile.TemporaryDirectory(prefix="heso-shim-") as folder:
            library = build_shim(Path(folder))
            if library is None:
                print("NO GCC: the kill suite needs it (apt-get install gcc)", file=sys.stderr)
                return 1
            again = [sys.executable, "-m", "tests.kill.suite", *sys.argv[1:]]
            environment = {**os.environ, "LD_PRELOAD": str(library)}
            return subprocess.run(again, env=environment, check=False).returncode
    run(options.kills, options.seed, disks=options.disks, out=print)
    return 0


if __name__ == "__main__":
    sys.exit(main())
