"""Who is measured, by name: long-lived subjects that are asked one command at a time.

Rule 1: only one subject works at a time, so nobody pays for another's CPU or fsync.
Rule 2: the floor and our own gates are warmed up until SQLite reuses its WAL: a first commit says little.
Rule 3: the peer's log is put back to its length before each of its turns; ours only grows, which is to our cost.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from shutil import copytree
from statistics import median
from typing import Protocol

from bench.child import Answer
from bench.children import Child, Scratch
from bench.projects import (
    ALLOW,
    ALLOW_MODELS,
    STORE,
    WHEEL_ENVIRONMENT,
    our_environment,
    our_project,
    restore,
    rules,
    wheel_environment,
    wheel_program,
    wheel_project,
)

WARM_UP = "seq 3000"
SHORT_WARM_UP = "seq 300"
LARGE_LOG = "conc 512 200"
COLD_STARTS = 3
GROWTH_TURNS = 25

# Ours are named one by one because the package loads them lazily: a gate that is not loaded is not measured.
IMPORTS = {
    "floor": "import orjson, blake3, nacl.bindings, sqlite3, asyncio",
    "ours": "import heso",
    "gate": "import heso; heso.init, heso.tool, heso.step",
}
PRINT_PAGES = "print(open('/proc/self/statm').read().split()[1])"


class Askable(Protocol):
    """Whoever answers commands: one child, two at once, or programs that start and end."""

    def ask(self, command: str) -> Answer: ...


class Pair:
    """Two processes on one ledger: one of them alone, or both at once."""

    def __init__(self, first: Child, second: Child) -> None:
        self._children = (first, second)

    def ask(self, command: str) -> Answer:
        """Answer `alone N` and `together N` (N gates each) with gates per second."""
        how, number = command.split()
        working = self._children[:1] if how == "alone" else self._children
        start = time.perf_counter()
        for child in working:
            child.tell(f"seq {number}")
        for child in working:
            child.answer()
        return {"per_second": len(working) * int(number) / (time.perf_counter() - start)}


class Restored:
    """The peer, its log put back to what it was before every question."""

    def __init__(self, child: Child, project: Path, pristine: Path) -> None:
        self._child, self._project, self._pristine = child, project, pristine

    def ask(self, command: str) -> Answer:
        """Restore, then ask."""
        restore(self._project, self._pristine)
        return self._child.ask(command)


class Growing:
    """A new project and a new process for each question: how much memory do many gates leave behind?"""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch

    def ask(self, command: str) -> Answer:
        """Answer with resident kilobytes before and after asking the command 25 times.

        In turns, because a command holds the arguments of all its calls while it runs.
        """
        child = self._scratch.ours(our_project(self._scratch.new_path()), SHORT_WARM_UP, command)
        before = child.ask("rss")["kilobytes"]
        for _ in range(GROWTH_TURNS):
            child.ask(command)
        after = child.ask("rss")["kilobytes"]
        child.kill()
        return {"before": before, "after": after}


class Fresh:
    """A new ledger and a new process for each question."""

    def __init__(self, make: Callable[[Scratch], Child], scratch: Scratch) -> None:
        self._make, self._scratch = make, scratch

    def ask(self, command: str) -> Answer:
        """Start, warm up, ask, end."""
        child = self._make(self._scratch)
        answer = child.ask(command)
        child.kill()
        return answer


class ColdStarts:
    """Programs that start, do one thing and end."""

    def __init__(self, scratch: Scratch) -> None:
        self._receipt = str(scratch.receipts(1))

    def ask(self, command: str) -> Answer:
        """Run a program a few times; answer with the wall time, and the number it printed if it prints one."""
        environment = wheel_environment() if command.endswith("wheel") else our_environment()
        program = self._program(command)
        took: list[float] = []
        printed = b""
        for _ in range(COLD_STARTS):
            start = time.perf_counter()
            printed = subprocess.run(
                program,
                env=environment,
                cwd=STORE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                check=True,
            ).stdout
            took.append(time.perf_counter() - start)
        pages = int(printed) if command.startswith("pages") else 0
        return {"seconds": median(took), "pages": pages}

    def _program(self, command: str) -> Sequence[str]:
        python = [sys.executable, "-P"]
        match command.split():
            case ["import", whose]:
                return [*python, "-c", IMPORTS[whose]]
            case ["pages", whose]:
                return [*python, "-c", f"{IMPORTS[whose]}; {PRINT_PAGES}"]
            case ["verify", "ours"]:
                return [*python, "-m", "heso.cli", "verify", self._receipt]
            case _:
                return [wheel_program("heso"), "verify", self._receipt]


class Constant:
    """A number that a promise names."""

    def __init__(self, number: float, _scratch: Scratch) -> None:
        self._number = number

    def ask(self, command: str) -> Answer:
        """Answer with the number, whatever it is a number of."""
        del command
        return {"ms": self._number, "seconds": self._number, "bytes": self._number}


def make_subject(name: str, scratch: Scratch) -> Askable:
    """Start the subject of this name; a KeyError is a name that no table knows."""
    return MAKERS[name](scratch)


def _floor(scratch: Scratch) -> Child:
    return scratch.floor(WARM_UP)


def _floor_small(scratch: Scratch) -> Child:
    return scratch.floor(SHORT_WARM_UP)


def _ours(warm_up: Sequence[str], policy: str, scratch: Scratch) -> Child:
    return scratch.ours(our_project(scratch.new_path(), policy), *warm_up)


def _ours_waiting(number: int, scratch: Scratch) -> Askable:
    """A project in which much waits, in a process that did not make it."""
    project = our_project(scratch.new_path())
    scratch.ours(project, f"fill {number}").kill()
    # Reading loads what gating does not, and one of the two is asked for a page: neither pays for that alone.
    return scratch.ours(project, SHORT_WARM_UP, "inbox")


def _pair(sessions: tuple[str, str], scratch: Scratch) -> Askable:
    project = our_project(scratch.new_path())
    first, second = (scratch.ours(project, SHORT_WARM_UP, session=name) for name in sessions)
    return Pair(first, second)


def _floor_pair(scratch: Scratch) -> Askable:
    folder = scratch.new_path()
    first, second = (
        scratch.shared_floor(folder, name, SHORT_WARM_UP) for name in ("left", "right")
    )
    return Pair(first, second)


def _model_calls(session: str, scratch: Scratch) -> Askable:
    project = our_project(scratch.new_path(), ALLOW_MODELS)
    return scratch.model_calls(project, session, "seq 100", "aseq 100")


def _page(scratch: Scratch) -> Askable:
    from bench.page import Page  # noqa: PLC0415  # only a machine with a browser has what it imports

    return Page(scratch.new_path())


def _wheel(raw_key: bool, receipts: int, scratch: Scratch) -> Askable:
    pristine = _grown_wheel(receipts, scratch) if receipts else scratch.new_path()
    if not receipts:
        wheel_project(pristine, raw_key=raw_key)
    project = scratch.new_path()
    copytree(pristine, project)
    return Restored(scratch.wheel(project), project, pristine)


def _grown_wheel(receipts: int, scratch: Scratch) -> Path:
    """Return a peer project with this many receipts. Growing one takes minutes, so it is kept between runs."""
    kept = STORE / f"{WHEEL_ENVIRONMENT.name}-{receipts}-receipts"
    if not kept.exists():
        project = wheel_project(scratch.new_path(), raw_key=True)
        scratch.wheel(project, f"seq {receipts}").kill()
        project.rename(kept)
    return kept


def _rules(number: int, *, same_verb: bool) -> Callable[[Scratch], Askable]:
    return partial(_ours, (SHORT_WARM_UP,), rules(number, same_verb=same_verb))


MAKERS: Mapping[str, Callable[[Scratch], Askable]] = {
    "floor": _floor,
    "floor again": _floor,
    "ours": partial(_ours, (WARM_UP,), ALLOW),
    "ours small": partial(_ours, (SHORT_WARM_UP,), ALLOW),
    "ours large": partial(_ours, (LARGE_LOG, SHORT_WARM_UP), ALLOW),
    "pair, one session": partial(_pair, ("bench", "bench")),
    "pair, two sessions": partial(_pair, ("left", "right")),
    "pair of floors": _floor_pair,
    "10 rules, other verb": _rules(10, same_verb=False),
    "1000 rules, other verb": _rules(1000, same_verb=False),
    "10 rules, same verb": _rules(10, same_verb=True),
    "1000 rules, same verb": _rules(1000, same_verb=True),
    "wheel, default key": partial(_wheel, False, 0),
    "wheel": partial(_wheel, True, 0),
    "wheel 1000": partial(_wheel, True, 1000),
    "wheel 5000": partial(_wheel, True, 5000),
    "ours waiting": partial(_ours_waiting, 100_000),
    "ours idle": partial(_ours_waiting, 0),
    "ours fresh": partial(Fresh, partial(_ours, (SHORT_WARM_UP,), ALLOW)),
    "floor fresh": partial(Fresh, _floor_small),
    "wrapped client": partial(_model_calls, "wrapped"),
    "bare client": partial(_model_calls, "bare"),
    "constant 5": partial(Constant, 5.0),
    "constant 0.5": partial(Constant, 0.5),
    "constant 12 KB": partial(Constant, 12 * 1024.0),
    "page": _page,
    "growing": Growing,
    "cold": ColdStarts,
}
