"""`heso approver enroll`: a key for somebody who decides, made on their own machine."""

import argparse
import getpass
import json
import sys
from pathlib import Path

from heso.cli.output import answer, fail, say
from heso.core.hashing import fingerprint
from heso.stores.key_folder import create_key_file, read_passphrase_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="what", metavar="COMMAND", required=True)
    enroll = commands.add_parser("enroll", help="make a key and the lines for the roster")
    enroll.add_argument("person", metavar="ID", help="who it is; a name for rules and receipts")
    enroll.add_argument(
        "--role", metavar="ROLE", action="append", default=[], help="may be repeated"
    )
    enroll.add_argument(
        "--out", metavar="FILE", required=True, help="the key file; it must not exist"
    )
    protection = enroll.add_mutually_exclusive_group()
    protection.add_argument("--passphrase-file", metavar="FILE", help="what to seal the key with")
    protection.add_argument(
        "--no-passphrase", action="store_true", help="whoever has the file has the key"
    )


def run(options: argparse.Namespace) -> int:
    path = Path(options.out)
    for name in (options.person, *options.role):
        if not name.strip() or not name.isprintable():
            return fail(f"{name!r} is no name", "a name is text that can be read", code=64)
    if not path.parent.is_dir():
        return fail(f"{path.parent} is no folder", "make it first")
    passphrase = _passphrase(options)
    if passphrase is None:
        return fail(
            "a passphrase is needed, and there is no terminal to ask for one",
            "give --passphrase-file FILE, or --no-passphrase",
            code=64,
        )
    try:
        key = create_key_file(path, passphrase)
    except FileExistsError:
        return fail(f"{path} is there already", "a key is never overwritten; choose another name")
    answer("[[approver]]")
    answer(f"id = {_as_toml(options.person)}")
    answer(f"roles = {_as_toml(options.role)}")
    answer(f"keys = {_as_toml([key.public_key])}")
    say(f"heso: made {path}; it never leaves this machine")
    say(f"heso: its fingerprint is {fingerprint(key.public_key)}: compare it over another channel")
    say("heso: the lines above go into the project's heso.toml")
    return 0


def _as_toml(value: str | list[str]) -> str:
    """Text as TOML writes it, which knows no escapes of halves of characters."""
    return json.dumps(value, ensure_ascii=False)


def _passphrase(options: argparse.Namespace) -> bytes | None:
    if options.no_passphrase:
        return b""
    if options.passphrase_file is not None:
        return read_passphrase_file(Path(options.passphrase_file))
    if not sys.stdin.isatty():
        return None
    first = getpass.getpass("a passphrase for the new key: ")
    return first.encode() if first and first == getpass.getpass("once more: ") else None
