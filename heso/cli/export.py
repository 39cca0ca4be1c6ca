"""`heso export`: receipts as JSON lines in audit order, as DSSE envelopes, or the audit chain itself."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import orjson

from heso.cli.arguments import add_project
from heso.cli.ledger import open_records
from heso.cli.output import answer_json, fail, is_terminal, say
from heso.core.dsse import seal_statement, state_receipt
from heso.ports import Filter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--session", help="only the receipts of this session")
    parser.add_argument(
        "--audit", action="store_true", help="the audit chain's entries instead of the receipts"
    )
    parser.add_argument(
        "--dsse",
        action="store_true",
        help="each receipt in an in-toto statement, in a DSSE envelope signed by this project's key",
    )
    parser.add_argument(
        "-o", "--out", metavar="FILE", help="write there instead of to standard output"
    )
    add_project(parser)


def run(options: argparse.Namespace) -> int:
    if options.audit and options.session:
        return fail("--audit is one chain over all sessions", "leave out --session", code=64)
    if options.audit and options.dsse:
        return fail("audit entries are not receipts", "leave out --audit or --dsse", code=64)
    seal = _dsse_sealer(options.project) if options.dsse else None
    count = 0
    with open_records(options.project) as records, _out(options.out) as out:
        for record in records.read(Filter(session_id=options.session)):
            line = record.audit_entry if options.audit else record.receipt
            if seal is not None:
                line = seal(line)
            if options.out is None and is_terminal():
                answer_json(line.decode())
            else:
                out.write(line + b"\n")
            count += 1
    say(f"heso: {count} {'audit entries' if options.audit else 'receipts'}")
    return 0


def _dsse_sealer(project: str | None) -> Callable[[bytes], bytes]:
    from heso.cli.log_tree import load_operator  # noqa: PLC0415  # a plain export needs no key

    signer = load_operator(project)
    return lambda receipt: seal_statement(state_receipt(orjson.loads(receipt)), signer)


@contextmanager
def _out(path: str | None) -> Iterator[BinaryIO]:
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with Path(path).open("wb") as file:
        yield file
