"""What the commands that decide share: the project or a request file, the approver's key, the card, the question."""

import argparse
import getpass
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import anyio

from heso.approvals.card import draw_card
from heso.approvals.request import Request, format_answer, parse_request, request_of, sign_answer
from heso.cli.arguments import add_project
from heso.cli.output import answer, fail, paint, say
from heso.core.approval import ApproverRecord, Said, Vote
from heso.core.errors import WrongPassphrase
from heso.core.instant import format_instant
from heso.core.keys import SigningKey
from heso.core.ticket import Ticket
from heso.core.visible import visible
from heso.runtime import Runtime, SystemClock, init
from heso.stores.key_folder import KeyUnusable, open_key_file, read_passphrase_file

_CARD_WIDTH = 11


def add_decision(parser: argparse.ArgumentParser) -> None:
    """The options of every command by which somebody decides."""
    parser.add_argument(
        "action",
        metavar="HASH|FILE",
        help="the action's hash, or its beginning; or a file made by `heso request export`",
    )
    parser.add_argument("--key", metavar="FILE", required=True, help="your own key file")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why; it is signed as well")
    parser.add_argument("--yes", action="store_true", help="do not ask once more")
    parser.add_argument("--passphrase-file", metavar="FILE", help="the passphrase of your key")
    add_project(parser)


def decide(options: argparse.Namespace, said: Said) -> int:
    """Show the card, ask, sign, and hand in: to the project, or as an answer on standard output."""
    path = Path(options.action)
    if path.is_file() and not _is_hash(options.action):
        request = parse_request(path.read_bytes())
        vote = _sign(request, options, said)
        if vote is None:
            return 1
        answer(format_answer(request.action_hash, vote))
        say("heso: hand this line in where the project is: heso request import")
        return 0
    with open_project(options) as runtime:
        ticket = find_ticket(runtime, options.action)
        request = request_of(ticket)
        vote = _sign(request, options, said)
        if vote is None:
            return 1
        return report(runtime.desk.vote(request.action_hash, vote))


def report(ticket: Ticket) -> int:
    """What became of it, in a line."""
    answer(f"{visible(ticket.tool_name)} is {ticket.state}  {ticket.action_hash}")
    request = request_of(ticket)
    missing = request.terms.threshold - len(request.said_yes)
    if ticket.state == "suspended" and request.said_yes:
        say(f"heso: {missing} more {'approval is' if missing == 1 else 'approvals are'} needed")
    if ticket.state == "approved":
        until = format_instant(ticket.due)
        say(
            f"heso: it may run once, until {until}: heso resume {ticket.action_hash[:12]} --module NAME"
        )
    return 0


def show_card(request: Request) -> None:
    for label, value in draw_card(request):
        say(f"{paint(f'{visible(label):<{_CARD_WIDTH}}', 'dim')} {visible(value)}")


@contextmanager
def open_project(options: argparse.Namespace) -> Iterator[Runtime]:
    """The project, started for this one command."""
    runtime = init(options.project)
    try:
        yield runtime
    finally:
        runtime.close()


def find_ticket(runtime: Runtime, prefix: str) -> Ticket:
    """Raises `NoSuchTicket`."""
    return anyio.run(runtime.desk.find, prefix)


def open_approver_key(path: Path, options: argparse.Namespace) -> SigningKey:
    """The key of whoever sits here. Raises `KeyUnusable`, `WrongPassphrase`, `Malformed`."""
    given = _given_passphrase(os.environ, options.passphrase_file)
    if given is not None:
        return open_key_file(path, given)
    try:
        return open_key_file(path, b"")  # made with --no-passphrase
    except WrongPassphrase:
        if not sys.stdin.isatty():
            raise KeyUnusable(
                f"{path} needs its passphrase",
                "give --passphrase-file FILE, or set HESO_APPROVER_PASSPHRASE",
            ) from None
    try:
        return open_key_file(path, getpass.getpass(f"passphrase of {path}: ").encode())
    except EOFError:
        raise KeyUnusable(f"{path} needs its passphrase", "give --passphrase-file FILE") from None


def _given_passphrase(environment: Mapping[str, str], file: str | None) -> bytes | None:
    if file is not None:
        return read_passphrase_file(Path(file))
    text = environment.get("HESO_APPROVER_PASSPHRASE")
    return text.encode() if text else None


def _sign(request: Request, options: argparse.Namespace, said: Said) -> Vote | None:
    """The signed vote; None when they thought better of it."""
    show_card(request)
    if not options.yes and not _is_sure(said):
        fail("nothing was decided", "run it again, or with --yes to be asked nothing")
        return None
    key = open_approver_key(Path(options.key), options)
    return sign_answer(request, record_of(key, said, options.reason), key)


def record_of(key: SigningKey, said: Said, reason: str) -> ApproverRecord:
    """What is said, by the clock of this machine."""
    return ApproverRecord(
        approver_identity=key.public_key,
        decision=said,
        reason=reason,
        decided_at=format_instant(SystemClock().now()),
    )


def _is_hash(text: str) -> bool:
    """Whether this is how an action is named, also where a file is named so."""
    return re.fullmatch("[0-9a-fA-F]{4,64}", text) is not None


def _is_sure(said: Said) -> bool:
    verb = {"approved": "approve", "rejected": "reject", "escalated": "escalate"}[said]
    if not sys.stdin.isatty():
        return False
    say(f"{verb} exactly this? type {verb} to do it")
    return sys.stdin.readline().strip() == verb
