"""`heso request`: a question and its answer, carried to and from a machine that has neither project nor network."""

import argparse
import sys
from pathlib import Path

from heso.approvals.request import format_request, parse_answer, request_of
from heso.cli.arguments import add_project
from heso.cli.deciding import find_ticket, open_project, report
from heso.cli.output import answer_json, say

_LONGEST_ANSWER = 64 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="what", metavar="COMMAND", required=True)
    export = commands.add_parser("export", help="write the question to a file")
    export.add_argument("action", metavar="HASH", help="the action's hash, or its beginning")
    export.add_argument("-o", "--out", metavar="FILE", help="default: standard output")
    add_project(export)
    read = commands.add_parser("import", help="hand in an answer")
    read.add_argument("answer", metavar="FILE|TEXT|-", help="what `heso approve FILE` printed")
    add_project(read)


def run(options: argparse.Namespace) -> int:
    return _export(options) if options.what == "export" else _import(options)


def _export(options: argparse.Namespace) -> int:
    with open_project(options) as runtime:
        request = request_of(find_ticket(runtime, options.action))
    text = format_request(request).decode()
    if options.out is None:
        answer_json(text)
        return 0
    Path(options.out).write_text(text + "\n", "utf-8")
    say(f"heso: decide it anywhere: heso approve {options.out} --key FILE")
    return 0


def _import(options: argparse.Namespace) -> int:
    action_hash, vote = parse_answer(_read(options.answer))
    with open_project(options) as runtime:
        return report(runtime.desk.vote(action_hash, vote))


def _read(source: str) -> str:
    if source == "-":
        return sys.stdin.read(_LONGEST_ANSWER)
    path = Path(source)
    if len(source) < 256 and path.is_file():
        with path.open("r", encoding="utf-8", errors="replace") as file:
            return file.read(_LONGEST_ANSWER)
    return source
