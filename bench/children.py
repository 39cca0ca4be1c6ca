"""Processes under the line protocol, and the empty folder they live in.

Rule 1: a child that ends instead of answering is an error that carries what it said last.
Rule 2: every child is killed when its scratch folder is left, whatever happened.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from json import loads
from pathlib import Path
from typing import IO, Self, cast

from bench.child import Answer
from bench.floor import Floor
from bench.projects import STORE, our_environment, wheel_environment, wheel_program
from bench.workload import next_arguments, refund


class SubjectFailed(Exception):
    """A child ended before it answered; the message is what it said last."""


class Child:
    """One process that speaks the line protocol of `bench.child`."""

    def __init__(
        self, arguments: Sequence[str], *, environment: Mapping[str, str], log: Path
    ) -> None:
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                arguments,
                env=environment,
                cwd=STORE,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._commands = cast("IO[str]", self._process.stdin)
        self._lines = cast("IO[str]", self._process.stdout)
        self.answer()

    def ask(self, command: str) -> Answer:
        """Send a command and wait for its answer."""
        self.tell(command)
        return self.answer()

    def tell(self, command: str) -> None:
        """Send a command."""
        self._commands.write(command + "\n")
        self._commands.flush()

    def answer(self) -> Answer:
        """Wait for the answer to the command that was sent last."""
        answer: Answer = loads(self.line())
        return answer

    def line(self) -> str:
        """Read one line; SubjectFailed if the child has ended instead."""
        line = self._lines.readline()
        if not line:
            raise SubjectFailed(self._log.read_text()[-2000:])
        return line

    def kill(self) -> list[str]:
        """End the process with SIGKILL, whatever it is doing; return the lines nobody has read yet."""
        self._process.kill()
        self._process.wait()
        return self._lines.readlines()


class Scratch:
    """A folder that is empty at the start, and the children that live in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children = ExitStack()
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._children.close()

    def new_path(self) -> Path:
        """Return a path that nobody has used."""
        self._count += 1
        return self._folder / str(self._count)

    def floor(self, *warm_up: str) -> Child:
        """Start a floor."""
        folder = self.new_path()
        folder.mkdir()
        return self._start("floor", folder, warm_up)

    def shared_floor(self, folder: Path, session: str, *warm_up: str) -> Child:
        """Start a floor on a ledger that others use too, in a session of its own."""
        folder.mkdir(exist_ok=True)
        return self._start("shared_floor", folder, warm_up, session=session)

    def ours(self, project: Path, *warm_up: str, session: str = "") -> Child:
        """Start heso on a project."""
        return self._start("ours", project, warm_up, session=session)

    def model_calls(self, project: Path, session: str, *warm_up: str) -> Child:
        """Start clients of a model; of heso's project when the session is `wrapped`."""
        return self._start("model_calls", project, warm_up, session=session)

    def wheel(self, project: Path, *warm_up: str) -> Child:
        """Start the peer on a project."""
        return self._start("wheel", project, warm_up)

    def receipts(self, number: int) -> Path:
        """Write a chain of the floor's receipts to a JSONL file."""
        folder = self.new_path()
        folder.mkdir()
        floor = Floor(folder)
        gate = floor.gated(refund)
        for _ in range(number):
            gate(**next_arguments())
        file = folder / "receipts.jsonl"
        file.write_bytes(b"\n".join(floor.receipts()) + b"\n")
        return file

    def _start(
        self, module: str, folder: Path, warm_up: Sequence[str], *, session: str = ""
    ) -> Child:
        is_peer = module == "wheel"
        python = wheel_program("python") if is_peer else sys.executable
        # -P: the folder we are in is no package root; only the environment says what `heso` is.
        child = Child(
            [python, "-P", "-m", "bench.child", module, str(folder), session],
            environment=wheel_environment() if is_peer else our_environment(),
            log=self.new_path(),
        )
        self._children.callback(child.kill)
        for command in warm_up:
            child.ask(command)
        return child
