"""`heso settle`: a person's word on an action that was started and never reported back."""

import argparse

from heso.approvals.running import Raised, Succeeded
from heso.async_gate.claimed import result_json
from heso.cli.arguments import add_project
from heso.cli.deciding import find_ticket, open_project, report
from heso.core.ticket import Event, Ticket, TicketState, WrongState


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", metavar="HASH", help="the action's hash, or its beginning")
    word = parser.add_mutually_exclusive_group(required=True)
    word.add_argument("--happened", action="store_true", help="the effect is there, once")
    word.add_argument(
        "--not",
        dest="did_not",
        action="store_true",
        help="it did not happen, and will not any more",
    )
    word.add_argument("--ask-again", action="store_true", help="ask people anew, as a new action")
    add_project(parser)


def run(options: argparse.Namespace) -> int:
    with open_project(options) as runtime:
        name = find_ticket(runtime, options.action).action_hash
        desk = runtime.desk
        desk.lose_if_gone(name)
        if options.ask_again:
            _check_in_doubt(desk.read(name))
            return report(desk.ask_again(name, "asked again"))
        if options.happened:
            return report(desk.settle(name, Succeeded(result_json(None))))
        return report(desk.settle(name, Raised("NotRun", "settled: it did not happen")))


def _check_in_doubt(ticket: Ticket) -> None:
    """What waits for people is asked already. Raises `WrongState`."""
    if ticket.state is not TicketState.IN_DOUBT:
        raise WrongState(ticket.action_hash, ticket.state, Event.REPLACE)
