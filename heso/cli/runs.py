"""`heso runs`: durable runs, and what each has done so far."""

import argparse
from functools import partial
from typing import TYPE_CHECKING

import anyio
import orjson

from heso.cli.arguments import add_project
from heso.cli.deciding import open_project
from heso.cli.output import answer, answer_json, paint, say, table
from heso.cli.tools import add_module, load_modules
from heso.core.instant import format_instant
from heso.core.journal import JournalStep, Run, RunId
from heso.core.visible import visible
from heso.runtime import Runtime
from heso.workflows.unwinding import NEVER

if TYPE_CHECKING:
    from collections.abc import Sequence

_COLOURS = {"done": "green", "failed": "red", "parked": "red", "cancelled": "yellow"}
_LONGEST_VALUE = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="what", metavar="COMMAND", required=True)
    newest = commands.add_parser("list", help="the newest runs")
    newest.add_argument("-n", "--limit", metavar="N", type=int, default=30, help="default 30")
    newest.add_argument("--json", action="store_true", help="one JSON object a line")
    add_project(newest)
    show = commands.add_parser("show", help="one run, step by step")
    show.add_argument("run", metavar="ID", help="the run's id")
    show.add_argument("--values", action="store_true", help="show arguments and results as well")
    show.add_argument("--json", action="store_true", help="one JSON object a line, the run first")
    add_project(show)
    settle = commands.add_parser("settle", help="say what became of its steps in doubt")
    settle.add_argument("run", metavar="ID", help="the run's id")
    word = settle.add_mutually_exclusive_group(required=True)
    word.add_argument("--happened", action="store_true", help="they happened, once")
    word.add_argument(
        "--not", dest="did_not", action="store_true", help="they did not; they are done again"
    )
    add_module(settle)
    add_project(settle)
    cancel = commands.add_parser("cancel", help="no step of it happens any more")
    cancel.add_argument("run", metavar="ID", help="the run's id")
    add_project(cancel)


def run(options: argparse.Namespace) -> int:
    if options.what == "settle":
        load_modules(options)
    with open_project(options) as runtime:
        if options.what == "list":
            return _list(runtime, options)
        if options.what == "show":
            return _show(runtime, options)
        if options.what == "settle":
            settle = partial(runtime.driver.settle, happened=options.happened)
            settled = anyio.run(settle, RunId(options.run))
            answer(f"{visible(settled.id)} is {settled.state}")
            return 0
        cancelled = runtime.driver.cancel(RunId(options.run))
    answer(f"{visible(cancelled.id)} is {cancelled.state}")
    return 0


def _list(runtime: Runtime, options: argparse.Namespace) -> int:
    runs: Sequence[Run] = anyio.run(
        runtime.driver.journal.newest, max(1, min(options.limit, 10_000))
    )
    if options.json:
        for one in runs:
            answer_json(_run_json(one))
        return 0
    table(
        ("run", "workflow", "state", "since", "waits for"),
        [
            (r.id, f"{r.name} v{r.version}", r.state, format_instant(r.created), _waits(r))
            for r in runs
        ],
        styles=[_COLOURS.get(one.state, "") for one in runs],
    )
    if not runs:
        say("heso: no runs yet")
    return 0


def _show(runtime: Runtime, options: argparse.Namespace) -> int:
    one = runtime.driver.read(RunId(options.run))
    steps: Sequence[JournalStep] = anyio.run(runtime.driver.journal.steps, one.id)
    if options.json:
        answer_json(_run_json(one))
        for step in steps:
            answer_json(_step_json(step))
        return 0
    answer(
        f"{visible(one.id)}: {visible(one.name)} v{one.version} is {paint(one.state, _COLOURS.get(one.state, 'bold'))}"
    )
    answer(f"  {format_instant(one.created)}  started{_shown(one.arguments_json, options)}")
    for step in steps:
        what = f" as {step.ticket[:12]}" if step.ticket else ""
        value = _shown(step.value_json, options)
        number = f" #{step.occurrence}" if step.occurrence else ""
        answer(
            f"  {format_instant(step.at)}  {visible(step.name)}{number}: {step.state}{what}{value}"
        )
    for waits in (_waits(one), one.error or ""):
        if waits:
            answer(f"  now: {visible(waits)}")
    return 0


def _waits(one: Run) -> str:
    named = [what[:12] if len(what) == 64 else what for what in one.waiting_for.split("\n") if what]
    if one.state == "waiting" and one.due < NEVER:
        named.append(f"until {format_instant(one.due)}")
    return ", ".join(named)


def _shown(value: bytes | None, options: argparse.Namespace) -> str:
    """Arguments and results may be secret, so they are shown to who asks for them."""
    return f"  {_short(value)}" if value and options.values else ""


def _short(value: bytes) -> str:
    text = visible(value.decode("utf-8", "replace"))
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."


def _run_json(one: Run) -> str:
    return orjson.dumps(
        {
            "id": one.id,
            "workflow": one.name,
            "version": one.version,
            "state": one.state,
            "arguments": orjson.Fragment(one.arguments_json),
            "created": format_instant(one.created),
            "due": None if one.due >= NEVER else format_instant(one.due),
            "waiting_for": one.waiting_for.splitlines(),
            "error": one.error,
            "result": None if one.result_json is None else orjson.Fragment(one.result_json),
        }
    ).decode()


def _step_json(step: JournalStep) -> str:
    return orjson.dumps(
        {
            "step": step.name,
            "occurrence": step.occurrence,
            "state": step.state,
            "at": format_instant(step.at),
            "ticket": step.ticket,
            "value": None if step.value_json is None else orjson.Fragment(step.value_json),
        }
    ).decode()
