"""The commands and their arguments."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import NoReturn

from heso import __version__
from heso.core.visible import visible

Command = Callable[[], int]

COMMANDS = {
    "init": "make a project: key, policy, .gitignore",
    "demo": "see the gate at work on real effects",
    "verify": "check a receipt, a chain or an audit chain",
    "verify-page": "the page that verifies offline, in any browser",
    "show": "one receipt, readable",
    "log": "the newest receipts",
    "export": "receipts as JSON lines, in audit order",
    "evidence": "receipts with all that checking them takes, for somebody else",
    "checkpoint": "the signed size and root of this project's log",
    "log-proof": "proof that a receipt is in this project's log",
    "inbox": "what waits for people, and what is in doubt",
    "approve": "say yes to a waiting action, with your own key",
    "reject": "say no to a waiting action, with your own key",
    "escalate": "hand a waiting action on, with your own key",
    "cancel": "take back what was asked",
    "request": "carry a question and its answer to and from another machine",
    "approver": "make a key for somebody who decides",
    "resume": "run what was approved",
    "worker": "run what is approved as it comes, and watch deadlines",
    "runs": "durable runs, and what each has done",
    "settle": "say what became of an action in doubt",
    "keys": "a new key for this project, signed in by the old one",
    "policy": "check, explain, test, evaluate and compare policies",
    "doctor": "what is wrong with this project or machine",
}


class _Formatter(argparse.HelpFormatter):
    """argparse makes a formatter for every argument it is told of, and without a width it asks a slow module for one."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_width())


@lru_cache(maxsize=1)
def _width() -> int:
    try:
        return max(40, os.get_terminal_size(sys.stdout.fileno()).columns - 2)
    except (OSError, ValueError, AttributeError):
        return 98


class _Parser(argparse.ArgumentParser):
    """argparse with the exit code of sysexits.h for wrong usage, and errors in this program's form."""

    def error(self, message: str) -> NoReturn:
        self.exit(64, f"heso: error: {visible(message)}\nheso: hint: {self.prog} --help\n")


def parse_arguments(arguments: Sequence[str]) -> Command:
    """The command that `arguments` ask for, ready to run. Exits with 64 when they ask for none."""
    top = _Parser(
        formatter_class=_Formatter,
        prog="heso",
        description="Gate, sign and prove every action an AI agent takes.",
        epilog="heso COMMAND --help tells more about each.",
    )
    top.add_argument("--version", action="version", version=f"heso {__version__}")
    # With a name given, argparse need not lay out a help text to find it, which would cost every start 3 ms.
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, prog="heso")
    wanted = next((word for word in arguments if not word.startswith("-")), "")
    for name, summary in COMMANDS.items():
        parser = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            formatter_class=_Formatter,
        )
        if name == wanted:
            _module(name).add_arguments(parser)
    if not arguments:
        top.print_help(sys.stderr)
        sys.exit(64)
    options = top.parse_args(arguments)
    module = _module(options.command)
    return lambda: int(module.run(options))


def _module(command: str) -> ModuleType:
    return import_module(f"heso.cli.{command.replace('-', '_')}")


def add_project(parser: argparse.ArgumentParser) -> None:
    """The option of every command that works on a project."""
    parser.add_argument(
        "--project",
        metavar="DIR",
        help="the project's folder (default: upward to the nearest heso.toml)",
    )
