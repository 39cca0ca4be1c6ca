"""`heso worker`: run approved actions as they come, watch deadlines, find the dead. Any number beside each other."""

import argparse

import anyio

from heso.cli.arguments import add_project
from heso.cli.deciding import open_project
from heso.cli.output import say
from heso.cli.tools import add_module, load_modules
from heso.core.ticket import Ticket
from heso.core.visible import visible
from heso.workflows.worker import Worker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--once", action="store_true", help="do what can be done now, and end")
    add_module(parser)
    add_project(parser)


def run(options: argparse.Namespace) -> int:
    load_modules(options)
    with open_project(options) as runtime:
        crier = runtime.make_crier(lambda error: say(f"heso: {visible(str(error))}"))
        worker = Worker(runtime.desk, _report, runtime.driver, crier)
        if options.once:
            moved = anyio.run(worker.run_once)
            say(f"heso: {moved} moved")
        else:
            say("heso: working; Ctrl-C ends it")
            anyio.run(worker.run)
    return 0


def _report(ticket: Ticket, error: Exception | None) -> None:
    became = "ran" if error is None else f"{type(error).__name__}: {error}"
    say(f"heso: {ticket.action_hash[:12]} {visible(ticket.tool_name)}: {visible(became)}")
