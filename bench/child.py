"""A subject in a process of its own: one command per line on stdin, one JSON object per line on stdout.

    seq N | aseq N        N gates one after the other        median_us p99_us cpu_us
    conc TASKS PER        TASKS coroutines, PER gates each   per_second
    threads T PER         T threads, PER sync gates each     per_second
    beside N              sync gates next to a busy thread   median_us p99_us
    ticker SECONDS        8 gating coroutines and a 1 ms ticker   late_p99_us per_second
    verify FILE           every receipt of a JSONL file      cpu_us
    chain FILE CORES      the file as one chain              seconds
    prove N               a proof for one of N leaves        seconds
    proofs N              check a proof of N leaves N times  seconds
    suspend N             N calls at once that need a person per_second
    claim N               N approved actions claimed at once per_second
    inbox                 a page of 50 of what waits         ms
    restart               stop, and start again              seconds kilobytes
    fill N                let N actions wait                 kilobytes
    rss                   resident memory now                kilobytes
    acknowledge sync|async   gates until killed, one acknowledged order per line
    quit

Rule 1: arguments are built before a clock starts; clocks are the monotonic one and the CPU time of the process.
Rule 2: an error ends the child; a subject that fails has no numbers.
Rule 3: only the standard library here, so that the peer's environment can run it. Linux only (`/proc`).
"""

import asyncio
import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from bench.workload import AsyncBody, Body, Items, next_arguments, refund, refund_later

BUSY_GATES = 8
TICK_SECONDS = 0.001
ACKNOWLEDGING_TASKS = 16

Answer = dict[str, float]
Opened = Callable[[Path, str], AbstractContextManager["Subject"]]


class Subject(Protocol):
    """What is measured."""

    def gated(self, body: Body) -> Body: ...

    def async_gated(self, body: AsyncBody) -> AsyncBody: ...

    def verify(self, receipt: bytes) -> None:
        """Raise unless the receipt is valid."""

    def verify_chain(self, receipts: Sequence[bytes], cores: int) -> None:
        """Raise unless the receipts are one valid action chain. Starting what uses the cores counts."""

    def prove(self, leaves: Sequence[bytes], index: int) -> Sequence[bytes]:
        """The RFC 6962 inclusion proof of a leaf."""

    def check_proof(self, leaves: int, index: int, leaf: bytes, proof: Sequence[bytes]) -> None:
        """Raise unless the proof leads to the root of `prove`."""

    async def suspend(self, call: dict[str, Any]) -> None:
        """Ask a person; return once the request is on disk."""

    def approve_all(self, number: int) -> Sequence[str]:
        """Make this many approved actions, and name them."""

    async def claim(self, name: str) -> None:
        """Take one of them to run it; return once that is on disk."""

    async def inbox(self) -> int:
        """Read a page of what waits."""

    def restart(self) -> None:
        """Stop and start again."""

    def fill(self, number: int) -> None:
        """Let this many actions wait."""


class Commands:
    """The commands over one subject; every command is a method of its name."""

    def __init__(self, subject: Subject, runner: asyncio.Runner) -> None:
        self._subject = subject
        self._gate = subject.gated(refund)
        self._async_gate = subject.async_gated(refund_later)
        self._runner = runner

    def seq(self, number: str) -> Answer:
        """Gate one call after the other."""
        calls, took = _arguments(int(number)), list[int]()
        gate, clock = self._gate, time.perf_counter_ns
        cpu = time.process_time_ns()
        for call in calls:
            start = clock()
            gate(**call)
            took.append(clock() - start)
        return _latencies(took, time.process_time_ns() - cpu)

    def aseq(self, number: str) -> Answer:
        """Await one gate after the other."""
        calls, took = _arguments(int(number)), list[int]()

        async def one_by_one() -> int:
            gate, clock = self._async_gate, time.perf_counter_ns
            cpu = time.process_time_ns()
            for call in calls:
                start = clock()
                await gate(**call)
                took.append(clock() - start)
            return time.process_time_ns() - cpu

        return _latencies(took, self._runner.run(one_by_one()))

    def conc(self, tasks: str, per: str) -> Answer:
        """Let many coroutines wait for their gates at once."""
        work = [_arguments(int(per)) for _ in range(int(tasks))]

        async def one(calls: list[dict[str, Any]]) -> None:
            for call in calls:
                await self._async_gate(**call)

        async def together() -> float:
            start = time.perf_counter()
            await asyncio.gather(*map(one, work))
            return time.perf_counter() - start

        return {"per_second": int(tasks) * int(per) / self._runner.run(together())}

    def threads(self, number: str, per: str) -> Answer:
        """Gate from many threads at once."""
        work = [_arguments(int(per)) for _ in range(int(number))]

        def one(calls: list[dict[str, Any]]) -> None:
            for call in calls:
                self._gate(**call)

        running = [threading.Thread(target=one, args=(calls,)) for calls in work]
        start = time.perf_counter()
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        return {"per_second": int(number) * int(per) / (time.perf_counter() - start)}

    def beside(self, number: str) -> Answer:
        """Gate next to a thread that never waits: whoever releases the GIL queues to get it back."""
        stop = threading.Event()

        def spin() -> None:
            while not stop.is_set():
                sum(range(1000))

        busy = threading.Thread(target=spin)
        busy.start()
        answer = self.seq(number)
        stop.set()
        busy.join()
        return answer

    def ticker(self, seconds: str) -> Answer:
        """Measure how late the event loop is while gates keep it busy."""
        late, gates = list[int](), 0
        until = time.perf_counter() + float(seconds)

        async def gating() -> None:
            nonlocal gates
            while time.perf_counter() < until:
                await self._async_gate(**next_arguments())
                gates += 1

        async def ticking() -> None:
            while time.perf_counter() < until:
                due = time.perf_counter_ns() + int(TICK_SECONDS * 1e9)
                await asyncio.sleep(TICK_SECONDS)
                late.append(time.perf_counter_ns() - due)

        async def together() -> None:
            await asyncio.gather(ticking(), *(gating() for _ in range(BUSY_GATES)))

        self._runner.run(together())
        return {"late_p99_us": _percentile(late, 99), "per_second": gates / float(seconds)}

    def verify(self, file: str) -> Answer:
        """Verify each receipt on its own."""
        receipts = Path(file).read_bytes().splitlines()
        cpu = time.process_time_ns()
        for receipt in receipts:
            self._subject.verify(receipt)
        return {"cpu_us": (time.process_time_ns() - cpu) / len(receipts) / 1000}

    def chain(self, file: str, cores: str) -> Answer:
        """Verify the receipts as one chain."""
        receipts = Path(file).read_bytes().splitlines()
        start = time.perf_counter()
        self._subject.verify_chain(receipts, int(cores))
        return {"seconds": time.perf_counter() - start}

    def prove(self, number: str) -> Answer:
        """Make the proof of a leaf in the middle."""
        leaves = _leaves(int(number))
        start = time.perf_counter()
        self._subject.prove(leaves, len(leaves) // 3)
        return {"seconds": time.perf_counter() - start}

    def proofs(self, number: str) -> Answer:
        """Check that proof as often as there are leaves."""
        leaves = _leaves(int(number))
        index = len(leaves) // 3
        proof = self._subject.prove(leaves, index)
        check, leaf, size = self._subject.check_proof, leaves[index], len(leaves)
        start = time.perf_counter()
        for _ in range(size):
            check(size, index, leaf, proof)
        return {"seconds": time.perf_counter() - start}

    def suspend(self, number: str) -> Answer:
        """Suspend many calls at once."""
        calls = _arguments(int(number))
        return self._at_once([partial(self._subject.suspend, call) for call in calls])

    def claim(self, number: str) -> Answer:
        """Claim many approved actions at once."""
        names = self._subject.approve_all(int(number))
        return self._at_once([partial(self._subject.claim, name) for name in names])

    def _at_once(self, work: Sequence[Callable[[], Coroutine[Any, Any, None]]]) -> Answer:
        async def together() -> float:
            start = time.perf_counter()
            await asyncio.gather(*(one() for one in work))
            return time.perf_counter() - start

        return {"per_second": len(work) / self._runner.run(together())}

    def inbox(self) -> Answer:
        """Read a page of what waits, a few times."""
        took = list[float]()
        for _ in range(15):
            start = time.perf_counter()
            self._runner.run(self._subject.inbox())
            took.append(time.perf_counter() - start)
        return {"ms": sorted(took)[len(took) // 2] * 1000}

    def fill(self, number: str) -> Answer:
        """Let many actions wait."""
        self._subject.fill(int(number))
        return {"kilobytes": resident_kilobytes()}

    def restart(self) -> Answer:
        """Stop and start again."""
        start = time.perf_counter()
        self._subject.restart()
        return {"seconds": time.perf_counter() - start, "kilobytes": resident_kilobytes()}

    def rss(self) -> Answer:
        """Return resident memory."""
        return {"kilobytes": resident_kilobytes()}

    def acknowledge(self, how: str) -> Answer:
        """Gate until killed; the body, which may only start when its receipt is durable, prints the order."""
        if how == "sync":
            gate = self._subject.gated(_announce)
            while True:
                gate(**next_arguments())
        gate_later = self._subject.async_gated(_announce_later)

        async def endless() -> None:
            while True:
                await gate_later(**next_arguments())

        async def together() -> None:
            await asyncio.gather(*(endless() for _ in range(ACKNOWLEDGING_TASKS)))

        self._runner.run(together())
        return {}


def serve(subject: Subject) -> None:
    """Answer commands until told to quit or until stdin ends."""
    with asyncio.Runner() as runner:
        commands = Commands(subject, runner)
        _answer({"ready": 1})
        for line in sys.stdin:
            name, *arguments = line.split()
            if name == "quit":
                return
            command: Callable[..., Answer] = getattr(commands, name)
            _answer(command(*arguments))


def resident_kilobytes() -> int:
    """Read the resident set of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def _answer(answer: Answer) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _announce(order: str, cents: int, currency: str, note: str, items: Items) -> int:
    del cents, currency, note, items
    # One write per line, so that a kill cannot leave half an acknowledgement.
    return os.write(sys.stdout.fileno(), f"{order}\n".encode())


async def _announce_later(order: str, cents: int, currency: str, note: str, items: Items) -> int:
    return _announce(order, cents, currency, note, items)


def _arguments(number: int) -> list[dict[str, Any]]:
    return [next_arguments() for _ in range(number)]


def _leaves(number: int) -> list[bytes]:
    return [number.to_bytes(32, "big") for number in range(number)]


def _latencies(took: list[int], cpu: int) -> Answer:
    return {
        "median_us": _percentile(took, 50),
        "p99_us": _percentile(took, 99),
        "cpu_us": cpu / len(took) / 1000,
    }


def _percentile(took: list[int], percent: int) -> float:
    return sorted(took)[len(took) * percent // 100] / 1000


def main(name: str, folder: str, session: str = "") -> None:
    """Serve the subject of one module of this package, which has to have `opened(folder, session)`."""
    opened: Opened = importlib.import_module(f"bench.{name}").opened
    with opened(Path(folder), session) as subject:
        serve(subject)


if __name__ == "__main__":
    main(*sys.argv[1:])
