"""The rows of the table: what is divided by what, and which side of which bar that has to be on.

Rule 1: a row is data. Rows that divide the same two answers share them.
Rule 2: the bars are the project's promises about speed; a row without a bar is shown and never judged.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.statistics import Bar, at_least, at_most

SYNC = "seq 400"
AWAIT = "aseq 300"
ALONE = "conc 1 300"
TASKS = {16: "conc 16 60", 256: "conc 256 8", 4096: "conc 4096 1"}
BOTH, SINGLE = "together 3000", "alone 3000"
GROWTH = "conc 16 25"
TICKER = "ticker 0.4"
THREADS = "threads 8 100"
BESIDE = "beside 15"
PROVE, PROOFS = "prove 20000", "proofs 20000"
MODEL_CALLS, MODEL_CALLS_LATER = "seq 100", "aseq 100"
SUSPEND, CLAIM = "suspend 10000", "claim 10000"
# The peer's log grows while it is measured, so the short-log questions are short.
WHEEL_DEFAULT, WHEEL_RAW, WHEEL_LONG = "seq 5", "seq 10", "seq 6"


@dataclass(frozen=True, slots=True)
class Reading:
    """One number out of one answer."""

    subject: str
    command: str
    value: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: `over` divided by `under`, held against a bar if there is one."""

    name: str
    title: str
    over: Reading
    under: Reading
    bar: Bar | None = None

    @property
    def is_noise(self) -> bool:
        """Tell whether this row compares a program with itself."""
        return self.name.startswith("noise")

    @property
    def needs_browser(self) -> bool:
        """Tell whether Chromium has to be there."""
        return self.over.subject == "page"

    @property
    def needs_peer(self) -> bool:
        """Tell whether the peer has to be installed."""
        return any("wheel" in f"{side.subject} {side.command}" for side in (self.over, self.under))


def all_rows(receipts: Path, chain: Path, *, slow_disk: bool) -> list[Row]:
    """Return every row; the files hold the receipts that the verifiers are given.

    On a slow disk every fsync costs milliseconds and the peer makes more of them than we do, so the rows
    against it compare CPU time instead of wall time.
    """
    time_of_gate = "cpu_us" if slow_disk else "median_us"
    return [
        *_noise(),
        *_one_gate(),
        *_against_the_peer(time_of_gate),
        *_many_gates(),
        *_policy(),
        *_verifying(receipts, chain),
        *_proving(),
        *_page(receipts),
        *_waiting(),
        *_model_calls(),
        *_starting(),
        *_shown(),
    ]


def _noise() -> Iterable[Row]:
    for name, title, command, value in (
        ("noise-sync", "sync gate", SYNC, "median_us"),
        ("noise-await", "await gate", AWAIT, "median_us"),
        ("noise-cpu", "CPU of a sync gate", SYNC, "cpu_us"),
        ("noise-256", "256 concurrent gates", TASKS[256], "per_second"),
    ):
        yield _row(name, f"floor / floor: {title}", ("floor again", "floor"), (command, value))


def _one_gate() -> Iterable[Row]:
    sides = ("ours", "floor")
    for kind, gates in (("sync", SYNC), ("await", AWAIT)):
        cpu, p99 = (gates, "cpu_us"), (gates, "p99_us")
        yield _row(kind, f"{kind} gate / floor", sides, (gates, "median_us"), at_most(1.5, 1.25))
        yield _row(f"{kind}-cpu", f"CPU of {kind} gate / floor", sides, cpu, at_most(2, 1.5))
        yield _row(f"{kind}-p99", f"p99 of {kind} gate / floor", sides, p99, at_most(2, 1.5))
    sides, title = ("ours large", "ours small"), "our gate with 100,000 receipts / few"
    yield _row("long-log", title, sides, (SYNC, "median_us"), at_most(1.15, 1.05))


def _against_the_peer(value: str) -> Iterable[Row]:
    ours, ours_large = (Reading(name, SYNC, value) for name in ("ours", "ours large"))
    wheel = Reading("wheel, default key", WHEEL_DEFAULT, value)
    yield Row("wheel-default", "wheel, default key / ours", wheel, ours, at_least(50, 80))
    wheel = Reading("wheel", WHEEL_RAW, value)
    yield Row("wheel-raw", "wheel, raw key / ours", wheel, ours, at_least(6, 8))
    # Shown without a bar: what would be there for us if our gate cost no more than the floor.
    yield Row("wheel-floor", "wheel, raw key / floor", wheel, Reading("floor", SYNC, value))
    wheel = Reading("wheel 1000", WHEEL_LONG, value)
    yield Row("wheel-1000", "wheel after 1,000 receipts / ours", wheel, ours, at_least(20, 40))
    wheel, title = Reading("wheel 5000", WHEEL_LONG, value), "wheel after 5,000 receipts / ours"
    yield Row("wheel-5000", title, wheel, ours_large, at_least(80, 150))


def _many_gates() -> Iterable[Row]:
    sides = ("ours", "floor")
    for tasks, gates in TASKS.items():
        title = f"{tasks} concurrent gates / floor, throughput"
        yield _row(f"tasks-{tasks}", title, sides, (gates, "per_second"), at_least(0.5, 0.7))
    over, under = (Reading("ours", gates, "per_second") for gates in (TASKS[256], ALONE))
    yield Row("group", "256 tasks / one task, throughput", over, under, at_least(3, 5))
    for sessions in ("one session", "two sessions"):
        name, title = f"processes-{sessions[:3]}", f"two processes / one, {sessions}, throughput"
        both, alone = (Reading(f"pair, {sessions}", how, "per_second") for how in (BOTH, SINGLE))
        yield Row(name, title, both, alone, at_least(1, 1.15))
    # Shown without a bar: what taking turns at one SQLite file leaves of two processes.
    both, alone = (Reading("pair of floors", how, "per_second") for how in (BOTH, SINGLE))
    yield Row("processes-floor", "the same, by two floors in two sessions", both, alone)
    late = (TICKER, "late_p99_us")
    yield _row("lateness", "event-loop lateness p99 / floor", sides, late, at_most(2, 1.5))


def _policy() -> Iterable[Row]:
    for verbs in ("other", "same"):
        sides = (f"1000 rules, {verbs} verb", f"10 rules, {verbs} verb")
        title = f"gate with 1,000 rules of {verbs} verb / 10"
        yield _row(f"rules-{verbs}", title, sides, (SYNC, "median_us"), at_most(1.25, 1.05))


def _verifying(receipts: Path, chain: Path) -> Iterable[Row]:
    cpu = (f"verify {receipts}", "cpu_us")
    yield _row("verify", "verify, CPU / floor", ("ours", "floor"), cpu, at_most(1.25, 1.1))
    yield _row("verify-wheel", "verify, CPU / wheel", ("ours", "wheel"), cpu, at_most(1, 0.85))
    whole = (f"chain {chain} 1", "seconds")
    yield _row(
        "chain", "10,000-receipt chain / floor", ("ours", "floor"), whole, at_most(1.25, 1.1)
    )
    one, two = (Reading("ours", f"chain {chain} {cores}", "seconds") for cores in (1, 2))
    yield Row("cores", "10,000-receipt chain on 1 core / on 2", one, two, at_least(1.6, 1.8))
    # Shown without a bar: whether the second core was free at all.
    one, two = (Reading("floor", f"chain {chain} {cores}", "seconds") for cores in (1, 2))
    yield Row("cores-floor", "the same, by the floor's verifier", one, two)


def _proving() -> Iterable[Row]:
    sides = ("ours", "floor")
    yield _row("prove", "a proof among 20,000 leaves / floor", sides, (PROVE, "seconds"))
    yield _row("proofs", "checking a proof / floor", sides, (PROOFS, "seconds"))


def _page(receipts: Path) -> Iterable[Row]:
    """Its compressed size has a bar of 12 KB, which it does not meet: the row is shown, so that nobody has to ask."""
    verify = Reading("page", f"verify {receipts}", "seconds")
    half = Reading("constant 0.5", "seconds", "seconds")
    title = "the offline page over 1,000 receipts / 0.5 s"
    yield Row("page", title, verify, half, at_most(1, 0.6))
    size, most = (Reading(subject, "size", "bytes") for subject in ("page", "constant 12 KB"))
    yield Row("page-size", "the offline page, compressed / 12 KB", size, most)


def _waiting() -> Iterable[Row]:
    for name, command, title in (
        ("suspend", SUSPEND, "10,000 calls suspended at once"),
        ("claim", CLAIM, "10,000 approved actions claimed at once"),
    ):
        whole, answer = f"{title} / floor, throughput", (command, "per_second")
        yield _row(name, whole, ("ours fresh", "floor fresh"), answer, at_least(0.5, 0.7))
        # Shown without a bar: the same on a ledger to which every round adds ten thousand.
        yield _row(
            f"{name}-more", "the same, with ever more in the file", ("ours", "floor"), answer
        )
    sides = ("ours waiting", "ours idle")
    start, memory = ("restart", "seconds"), ("restart", "kilobytes")
    yield _row(
        "waiting-start", "starting with 100,000 waiting / none", sides, start, at_most(1.25, 1.05)
    )
    yield _row(
        "waiting-memory", "memory with 100,000 waiting / none", sides, memory, at_most(1.3, 1.1)
    )
    one = Reading("constant 5", "inbox", "ms")
    page = Reading("ours waiting", "inbox", "ms")
    yield Row(
        "inbox", "a page of the inbox with 100,000 waiting / 5 ms", page, one, at_most(1, 0.5)
    )


def _model_calls() -> Iterable[Row]:
    """Shown without a bar: the client's own work is most of either side, and how fast a provider answers is its affair."""
    sides = ("wrapped client", "bare client")
    for kind, calls in (("sync", MODEL_CALLS), ("await", MODEL_CALLS_LATER)):
        time, cpu = (calls, "median_us"), (calls, "cpu_us")
        yield _row(f"model-{kind}", f"{kind} model call, wrapped / unwrapped", sides, time)
        yield _row(f"model-{kind}-cpu", f"CPU of {kind} model call, the same", sides, cpu)


def _starting() -> Iterable[Row]:
    ours, floor = (Reading("cold", f"import {whose}", "seconds") for whose in ("ours", "floor"))
    yield Row("import", "import heso / floor's imports", ours, floor, at_most(1.25, 0.9))
    # Shown without a bar: the facade loads its names when they are used, and a program that gates uses these.
    gate = Reading("cold", "import gate", "seconds")
    yield Row("import-gate", "import heso and use its gate / floor's imports", gate, floor)
    ours, other = (Reading("cold", f"verify {whose}", "seconds") for whose in ("ours", "wheel"))
    yield Row("cold-verify", "heso verify, cold / wheel", ours, other, at_most(0.75, 0.6))
    ours, other = (Reading("cold", f"pages {whose}", "pages") for whose in ("gate", "floor"))
    yield Row("memory", "memory after import / floor", ours, other, at_most(1.3, 1.15))
    after, before = (Reading("growing", GROWTH, when) for when in ("after", "before"))
    yield Row("growth", "memory after 10,000 gates / before", after, before, at_most(1.1, 1.03))


def _shown() -> Iterable[Row]:
    sides, throughput = ("ours", "floor"), (THREADS, "per_second")
    yield _row("threads", "8 threads of sync gates / floor, throughput", sides, throughput)
    yield _row("beside", "sync gate beside a busy thread / floor", sides, (BESIDE, "median_us"))


def _row(
    name: str, title: str, sides: tuple[str, str], what: tuple[str, str], bar: Bar | None = None
) -> Row:
    over, under = (Reading(side, *what) for side in sides)
    return Row(name, title, over, under, bar)
