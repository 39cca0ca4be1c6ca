"""The benchmark: integrity first, then ratios, measured pair by pair and shuffled round by round.

    python -m bench.run [--rounds N] [--quick] [--only ROW ...] [--no-peer]

Exit code 0: no hard bar fails. 1: a promise broke or a hard bar fails. 2: the same program against itself differs by
more than 15 %, so nothing counts.
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.child import Answer
from bench.children import Scratch, SubjectFailed
from bench.integrity import PromiseBroken, check_integrity
from bench.machine import durable_append_us, machine_facts
from bench.projects import STORE, CommandFailed
from bench.report import Result, format_table, write_results
from bench.rows import Reading, Row, all_rows
from bench.statistics import Verdict, estimate
from bench.subjects import Askable, make_subject

ROUNDS = 15
QUICK_ROUNDS = 5
SLOW_DISK_US = 300

Turn = tuple[str, str]
Ask = Callable[[Turn], Answer]


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark and return the exit code."""
    options = _parse(arguments)
    STORE.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=STORE, prefix="scratch-") as folder,
        Scratch(Path(folder)) as scratch,
    ):
        try:
            return _run(options, scratch)
        except (PromiseBroken, SubjectFailed, CommandFailed) as error:
            _say(f"{type(error).__name__}: {error}")
            return 1


def _run(options: argparse.Namespace, scratch: Scratch) -> int:
    append_before_us = durable_append_us(scratch.new_path())
    promises: list[str] = []
    for promise in check_integrity(scratch):
        _say(promise)
        promises.append(promise)
    receipts, chain = scratch.receipts(1000), scratch.receipts(10_000)
    rows = all_rows(receipts, chain, slow_disk=append_before_us > SLOW_DISK_US)
    results = _measured(_wanted(rows, options), options.rounds, _asking(scratch))
    _say(format_table(results))
    append_us = (append_before_us, durable_append_us(scratch.new_path()))
    if not options.only:
        facts = [*machine_facts(append_us), f"{options.rounds} rounds"]
        write_results(results, facts, promises)
    return _exit_code(results)


def _measured(rows: Sequence[Row], rounds: int, ask: Ask) -> list[Result]:
    """Measure; what the noise leaves open is measured once more, with twice the rounds."""
    results = [Result(row, estimate(ratios)) for row, ratios in _ratios(rows, rounds, ask)]
    retried = [result.row for result in results if result.verdict is Verdict.RETRY]
    if not retried:
        return results
    _say(f"again, with {2 * rounds} rounds: {', '.join(row.name for row in retried)}")
    again = {
        row: Result(row, estimate(ratios)) for row, ratios in _ratios(retried, 2 * rounds, ask)
    }
    return [again.get(result.row, result) for result in results]


def _ratios(rows: Sequence[Row], rounds: int, ask: Ask) -> list[tuple[Row, list[float]]]:
    """Ask the two sides of every ratio back to back, in random order, so that both meet the same machine."""
    sharing: dict[tuple[Turn, Turn], list[Row]] = defaultdict(list)
    for row in rows:
        sharing[_turn(row.over), _turn(row.under)].append(row)
    for turn in sorted({turn for pair in sharing for turn in pair}):
        ask(turn)  # starts and warms up everybody before anybody is measured
    ratios: dict[Row, list[float]] = {row: [] for row in rows}
    for number in range(rounds):
        _say(f"round {number + 1} of {rounds}")
        for pair in random.sample(list(sharing), k=len(sharing)):
            sides = sorted(set(pair), key=lambda _: random.random())
            answers = {turn: ask(turn) for turn in sides}
            for row in sharing[pair]:
                ratios[row].append(_value(row.over, answers) / _value(row.under, answers))
    return list(ratios.items())


def _turn(reading: Reading) -> Turn:
    return reading.subject, reading.command


def _value(reading: Reading, answers: Mapping[Turn, Answer]) -> float:
    return answers[_turn(reading)][reading.value]


def _asking(scratch: Scratch) -> Ask:
    subjects: dict[str, Askable] = {}

    def ask(turn: Turn) -> Answer:
        name, command = turn
        if name not in subjects:
            subjects[name] = make_subject(name, scratch)
        return subjects[name].ask(command)

    return ask


def _wanted(rows: Sequence[Row], options: argparse.Namespace) -> list[Row]:
    has_browser = bool(shutil.which("chromium") or shutil.which("chromium-browser"))
    if not has_browser:
        _say("left out, because there is no Chromium: the offline page")
    return [
        row
        for row in rows
        if (not options.only or row.name in options.only)
        and not (options.no_peer and row.needs_peer)
        and not (row.needs_browser and not has_browser)
    ]


def _exit_code(results: Sequence[Result]) -> int:
    if any(result.is_void for result in results):
        _say(
            "void: the floor against itself is off by more than 15 %; run again on a quieter machine"
        )
        return 2
    return int(any(result.verdict is Verdict.FAIL for result in results))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.run", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--quick", dest="rounds", action="store_const", const=QUICK_ROUNDS, help="few rounds"
    )
    names = [row.name for row in all_rows(Path(), Path(), slow_disk=False)]
    parser.add_argument("--only", nargs="+", metavar="ROW", choices=names, help=", ".join(names))
    parser.add_argument("--no-peer", action="store_true", help="leave the reference wheel out")
    return parser.parse_args(arguments)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
