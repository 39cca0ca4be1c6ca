"""Where a suspended action stands, for whoever asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from heso.approvals.changing import modified_by
from heso.approvals.request import request_of
from heso.async_gate.claimed import read_result
from heso.core.encoding import Digest
from heso.core.ticket import Ticket, TicketState


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One suspended action as it is now.

    `action_hash` is the newest action's: the one that an approver changed, or that was asked again. `deadline` is UTC,
    `YYYY-MM-DDTHH:MM:SSZ`, for whatever the state waits for. `modified` are the values an approver put in place of
    others, by argument. `result` is the stored result in its JSON form, None before there is one.
    """

    action_hash: Digest
    tool: str
    state: TicketState
    deadline: str
    said_yes: tuple[str, ...]
    threshold: int
    modified: Mapping[str, object] = field(default_factory=dict)
    result: object = field(repr=False, default=None)
    error: str | None = None


def standing_of(ticket: Ticket) -> Standing:
    request = request_of(ticket)
    return Standing(
        action_hash=ticket.action_hash,
        tool=ticket.tool_name,
        state=ticket.state,
        deadline=request.deadline,
        said_yes=request.said_yes,
        threshold=request.terms.threshold,
        modified=modified_by(ticket) or {},
        result=read_result(ticket.result_json),
        error=ticket.error,
    )
