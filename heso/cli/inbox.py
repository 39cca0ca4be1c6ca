"""`heso inbox`: what waits for people, most urgent first; what is in doubt, and what was approved and has not run."""

import argparse
from collections.abc import Sequence

import anyio
import orjson

from heso.approvals.request import request_of
from heso.cli.arguments import add_project
from heso.cli.deciding import open_project
from heso.cli.output import answer_json, say, table
from heso.core.instant import format_instant
from heso.core.ticket import OPEN_STATES, Ticket
from heso.runtime import Runtime


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-n", "--limit", metavar="N", type=int, default=50, help="default 50 of each"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    add_project(parser)


def run(options: argparse.Namespace) -> int:
    with open_project(options) as runtime:
        tickets = anyio.run(_read, runtime, max(1, min(options.limit, 10_000)))
    if options.json:
        for ticket in tickets:
            answer_json(_as_json(ticket))
        return 0
    table(
        ("hash", "state", "until", "tool", "rule", "who", "approvals"),
        [_row(ticket) for ticket in tickets],
        styles=["red" if t.state == "in_doubt" else "" for t in tickets],
        narrow=("hash", "until"),
    )
    if not tickets:
        say("heso: nothing waits")
    return 0


async def _read(runtime: Runtime, limit: int) -> Sequence[Ticket]:
    await runtime.desk.sweep()
    found: list[Ticket] = []
    for state in OPEN_STATES:
        found += await runtime.desk.tickets.in_state(state, limit=limit)
    return found


def _row(ticket: Ticket) -> tuple[str, ...]:
    request = request_of(ticket)
    return (
        ticket.action_hash[:12],
        ticket.state,
        request.deadline,
        ticket.tool_name,
        ticket.rule_id,
        " ".join(request.terms.names_at(ticket.rung)) or "anybody",
        f"{len(request.said_yes)}/{request.terms.threshold}",
    )


def _as_json(ticket: Ticket) -> str:
    request = request_of(ticket)
    return orjson.dumps(
        {
            "action_hash": ticket.action_hash,
            "state": ticket.state,
            "tool_name": ticket.tool_name,
            "workflow": ticket.workflow,
            "account": ticket.account,
            "session_id": ticket.session_id,
            "rule_id": ticket.rule_id,
            "fields": orjson.Fragment(ticket.fields_json),
            "asked_at": format_instant(ticket.suspended_at),
            "deadline": request.deadline,
            "approvers": request.terms.names_at(ticket.rung),
            "threshold": request.terms.threshold,
            "said_yes": request.said_yes,
        }
    ).decode()
