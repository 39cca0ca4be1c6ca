"""`heso checkpoint`: the signed size and root of this project's log, as a note to publish or to keep."""

import argparse
import sys

from heso.cli.arguments import add_project
from heso.cli.ledger import open_records
from heso.cli.log_tree import load_operator, origin_of, sign_current
from heso.cli.output import answer, is_terminal, say
from heso.core.note import NoteKey, format_note_key
from heso.core.visible import visible


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--origin", help="the log's name (default: the operator's fingerprint)")
    add_project(parser)


def run(options: argparse.Namespace) -> int:
    signer = load_operator(options.project)
    origin = origin_of(signer, options.origin)
    with open_records(options.project) as records:
        _, note = sign_current(records, signer, origin)
    if is_terminal():
        answer("\n".join(visible(line) for line in note.decode().splitlines()))
    else:  # a note is bytes: another encoding or other line ends, and its signature is over something else
        sys.stdout.buffer.write(note)
        sys.stdout.buffer.flush()
    say(f"heso: the log's key: {visible(format_note_key(NoteKey(origin, signer.public_key)))}")
    return 0
