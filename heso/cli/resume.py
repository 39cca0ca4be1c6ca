"""`heso resume`: run what was approved, here, once."""

import argparse

import anyio

from heso.async_gate.recall import read_ticket
from heso.cli.arguments import add_project
from heso.cli.deciding import find_ticket, open_project
from heso.cli.output import answer, answer_json, fail, say
from heso.cli.tools import add_module, load_modules
from heso.core.errors import HesoError
from heso.core.ticket import Ticket
from heso.core.visible import visible
from heso.runtime import Runtime
from heso.workflows.resume import resume
from heso.workflows.worker import Worker


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", nargs="?", metavar="HASH", help="the action's hash, or its beginning"
    )
    parser.add_argument("--all", action="store_true", help="everything that was approved")
    add_module(parser)
    add_project(parser)


def run(options: argparse.Namespace) -> int:
    if (options.action is None) is not options.all:
        return fail("one action, or --all", "heso resume HASH, or heso resume --all", code=64)
    load_modules(options)
    with open_project(options) as runtime:
        if options.all:
            return _resume_all(runtime)
        ticket = find_ticket(runtime, options.action)
        try:
            anyio.run(resume, runtime.desk, ticket.action_hash)
            kept = read_ticket(runtime.gate, ticket.action_hash).result_json or b"{}"
        except HesoError:
            raise
        except Exception as error:  # noqa: BLE001  # the tool's own; it is recorded
            return fail(
                f"{ticket.tool_name} raised {type(error).__name__}: {error}", "it ran, and failed"
            )
    answer_json(kept.decode())
    return 0


def _resume_all(runtime: Runtime) -> int:
    failed: list[str] = []

    def report(ticket: Ticket, error: Exception | None) -> None:
        answer(
            f"{ticket.action_hash[:12]}  {visible(ticket.tool_name)}  {'ran' if error is None else 'did not'}"
        )
        if error is not None:
            failed.append(ticket.action_hash)
            say(f"heso: {ticket.action_hash[:12]}: {visible(str(error))}")

    anyio.run(Worker(runtime.desk, report).run_once)
    return 1 if failed else 0
