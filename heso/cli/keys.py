"""`heso keys rotate`: a new key for this project, signed in by the old one."""

import argparse
from functools import partial

import anyio

from heso.cli.arguments import add_project
from heso.cli.deciding import open_project
from heso.cli.output import answer, say
from heso.core.hashing import fingerprint
from heso.core.roles import Role
from heso.runtime import Runtime
from heso.stores.key_folder import (
    DECISION_KEY_FILE,
    KEY_FILE,
    load_decision_key,
    load_key,
    passphrase_for,
)
from heso.workflows.rotating import Rotation, ask_all_again, hand_over


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="what", metavar="COMMAND", required=True)
    rotate = commands.add_parser("rotate", help="a new key, signed in by the old one")
    rotate.add_argument(
        "--decision", action="store_true", help="the key that signs decisions, not the operator's"
    )
    add_project(rotate)


def run(options: argparse.Namespace) -> int:
    role: Role = "decision" if options.decision else "producer"
    with open_project(options) as runtime:
        coming = anyio.run(partial(hand_over, runtime.desk, _rotation(runtime, role)))
    answer(f"{coming}  {fingerprint(coming)}")
    say("heso: processes that still have the old key fail closed: restart them")
    if role == "producer":
        with open_project(options) as runtime:
            asked = anyio.run(ask_all_again, runtime.desk)
        if asked:
            say(
                f"heso: {asked} waiting {'action was' if asked == 1 else 'actions were'} asked again"
            )
    return 0


def _rotation(runtime: Runtime, role: Role) -> Rotation:
    settings = runtime.settings
    may_be_development = not settings.requires_passphrase
    load = load_key if role == "producer" else load_decision_key
    current = load(settings.state, settings.passphrase, allow_development=may_be_development)
    passphrase = passphrase_for(
        settings.state, settings.passphrase, allow_development=may_be_development
    )
    name = KEY_FILE if role == "producer" else DECISION_KEY_FILE
    return Rotation(role, settings.state / name, passphrase, current)
