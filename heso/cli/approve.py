"""`heso approve`: yes, to exactly this action, signed with a key that only the approver holds.

With `--set` the yes is to the same action with other values. That is a new action: policy judges it, and it is signed and
run in the old one's place.
"""

import argparse
from pathlib import Path

from heso.approvals.changing import Change
from heso.approvals.request import request_of, sign_answer
from heso.cli.deciding import (
    add_decision,
    decide,
    find_ticket,
    open_approver_key,
    open_project,
    record_of,
    report,
    show_card,
)
from heso.cli.output import fail, say
from heso.core.approval import Vote
from heso.core.errors import Malformed
from heso.core.strict_json import parse_json
from heso.core.ticket import Ticket


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_decision(parser)
    parser.add_argument(
        "--set",
        metavar="NAME=JSON",
        action="append",
        default=[],
        help="approve with this value instead (amount=90, or note='\"shorter\"'); may be repeated",
    )


def run(options: argparse.Namespace) -> int:
    if not options.set:
        return decide(options, "approved")
    if not options.yes:
        return fail(
            "--set needs --yes", "see the action with `heso inbox`, then say --yes", code=64
        )
    values: dict[str, object] = {}
    for text in options.set:
        name, equals, value = text.partition("=")
        try:
            values[name] = parse_json(value.encode(), what="value")
        except Malformed as error:
            return fail(f"--set {name}: {error}", "write it as JSON: amount=90", code=64)
        if not equals or not name:
            return fail(f"--set {text}", "write NAME=JSON", code=64)
    key = open_approver_key(Path(options.key), options)

    def vote(changed: Ticket) -> Vote:
        request = request_of(changed)
        show_card(request)
        return sign_answer(request, record_of(key, "approved", options.reason), key)

    with open_project(options) as runtime:
        old = find_ticket(runtime, options.action)
        changed = runtime.desk.change(old.action_hash, Change(values), vote, by=key.public_key)
    say(f"heso: {changed.action_hash[:12]} takes the place of {old.action_hash[:12]}")
    return report(changed)
