"""`heso init`."""

import argparse
import os
from pathlib import Path

from heso.cli.output import answer, fail, say
from heso.core.visible import visible
from heso.project import create_project
from heso.settings import STATE_FOLDER, read_passphrase, requires_passphrase


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", default=".", metavar="DIR", help="default: here")
    parser.add_argument(
        "--require-passphrase",
        action="store_true",
        help="make no development passphrase; refuse instead",
    )


def run(options: argparse.Namespace) -> int:
    passphrase = read_passphrase(os.environ)
    root = Path(options.folder).resolve()
    has_key = (root / STATE_FOLDER / "operator.key").exists()
    if (
        passphrase is None
        and not has_key
        and (options.require_passphrase or requires_passphrase(os.environ))
    ):
        return fail(
            "a passphrase is required here, and none is set",
            "set HESO_KEY_PASSPHRASE or HESO_KEY_PASSPHRASE_FILE and run it again",
        )
    if not has_key and (root / STATE_FOLDER / "heso.db").exists():
        return fail(
            "this project has a ledger and no key; a new key would make another operator of it",
            f"restore {STATE_FOLDER}/operator.key from a backup, or move {STATE_FOLDER} away",
        )
    made = create_project(root, passphrase)
    answer(visible(str(made.root)))
    for name in made.created:
        say(f"heso: made {name}")
    if not made.created:
        say("heso: everything was there already; nothing was changed")
    if made.key is not None:
        say(f"heso: the operator's key is {made.key}")
        if made.has_development_passphrase:
            say("heso: its passphrase is a development one, lying beside it; production refuses it")
    say(
        "heso: next: import heso_bootstrap in your program, put @heso.tool on what agents call, see `heso log`"
    )
    return 0
