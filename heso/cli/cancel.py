"""`heso cancel`: whoever asked takes it back."""

import argparse

from heso.cli.arguments import add_project
from heso.cli.deciding import find_ticket, open_project, report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", metavar="HASH", help="the action's hash, or its beginning")
    add_project(parser)


def run(options: argparse.Namespace) -> int:
    with open_project(options) as runtime:
        ticket = find_ticket(runtime, options.action)
        return report(runtime.desk.cancel(ticket.action_hash))
