"""What waits for a person: one suspended action, with everything needed to decide it and to run it later.

The life of a ticket is a table.

Rule 1: every step is in STEPS; nothing else changes a state. A store keeps whatever it is given, so whoever writes a
        ticket got its state from `Ticket.after`.
Rule 2: `claim` is on disk before the effect, and only the claim with the newest fence may finish. So an action that ran
        is never `approved` again, whoever crashed and whenever.
Rule 3: this file does not know who asks, nor what time it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from operator import attrgetter
from types import MappingProxyType
from typing import Any

import orjson

from heso.core.canonical import canonical_bytes
from heso.core.encoding import Digest
from heso.core.errors import HesoError
from heso.core.hot import hot_value
from heso.core.instant import Instant
from heso.core.receipt import Json, SessionId


class TicketState(StrEnum):
    """Where a suspended action stands."""

    SUSPENDED = "suspended"
    """It waits for people."""
    APPROVED = "approved"
    """It may run, once, until `due`."""
    RUNNING = "running"
    """Somebody claimed it. The effect may have happened."""
    IN_DOUBT = "in_doubt"
    """Whoever claimed it is gone, and nobody knows whether the effect happened."""
    DONE = "done"
    FAILED = "failed"
    """It ran and raised, or a person settled that it did not happen."""
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REPLACED = "replaced"
    """Another action stands for it: changed by an approver, asked again, or asked under a new operator key."""


class Event(StrEnum):
    """What can happen to a ticket."""

    APPROVE = "approve"
    REJECT = "reject"
    ESCALATE = "escalate"
    EXPIRE = "expire"
    CANCEL = "cancel"
    REPLACE = "replace"
    CLAIM = "claim"
    SUCCEED = "succeed"
    FAIL = "fail"
    LOSE = "lose"


_S, _E = TicketState, Event
STEPS: Mapping[tuple[TicketState, Event], TicketState] = MappingProxyType(
    {
        (_S.SUSPENDED, _E.APPROVE): _S.APPROVED,
        (_S.SUSPENDED, _E.REJECT): _S.REJECTED,
        (_S.SUSPENDED, _E.ESCALATE): _S.SUSPENDED,
        (_S.SUSPENDED, _E.EXPIRE): _S.EXPIRED,
        (_S.SUSPENDED, _E.CANCEL): _S.CANCELLED,
        (_S.SUSPENDED, _E.REPLACE): _S.REPLACED,
        (_S.APPROVED, _E.CLAIM): _S.RUNNING,
        (_S.APPROVED, _E.EXPIRE): _S.EXPIRED,
        (_S.APPROVED, _E.CANCEL): _S.CANCELLED,
        (_S.RUNNING, _E.SUCCEED): _S.DONE,
        (_S.RUNNING, _E.FAIL): _S.FAILED,
        (_S.RUNNING, _E.LOSE): _S.IN_DOUBT,
        (_S.IN_DOUBT, _E.SUCCEED): _S.DONE,
        (_S.IN_DOUBT, _E.FAIL): _S.FAILED,
        (_S.IN_DOUBT, _E.REPLACE): _S.REPLACED,
        (
            _S.IN_DOUBT,
            _E.CLAIM,
        ): _S.RUNNING,  # only a tool that may: a probe said no, or it is idempotent
    }
)
OPEN_STATES = (_S.SUSPENDED, _S.APPROVED, _S.RUNNING, _S.IN_DOUBT)
"""States that something can still happen to."""
UNDECIDED = frozenset({_S.SUSPENDED, _S.RUNNING, _S.IN_DOUBT})
"""States in which whoever waits for an action waits on."""


@dataclass(eq=False)
class WrongState(HesoError):
    """What was asked of a ticket cannot happen to it any more, or not yet. Nothing changed."""

    action_hash: Digest
    state: TicketState
    event: Event

    @property
    def next_step(self) -> str:  # type: ignore[override]  # it names this very action
        return f"see what became of it: heso show {self.action_hash[:12]}"

    def __str__(self) -> str:
        state = str(self.state).replace("_", " ")
        return f"{self.action_hash[:12]} is {state}: it cannot {_PASSIVE[self.event]}"


_PASSIVE: Mapping[Event, str] = MappingProxyType(
    {
        _E.APPROVE: "be decided",
        _E.REJECT: "be decided",
        _E.ESCALATE: "be escalated",
        _E.EXPIRE: "expire",
        _E.CANCEL: "be cancelled",
        _E.REPLACE: "be replaced",
        _E.CLAIM: "be run",
        _E.SUCCEED: "be finished",
        _E.FAIL: "be finished",
        _E.LOSE: "be lost",
    }
)


@hot_value
class Ticket:
    """A checkpoint of an action, not of a coroutine: waiting costs this row and nothing else.

    `action_hash` is the asked receipt's and names the ticket; `asked` is that receipt, as it was signed. Redacted values
    are in the sidecar named by `reveal_root` and nowhere else. `terms_json` is what policy demanded, and `votes_json` who
    said what so far. `call_key` is the same for the same call in the same session. `due` is when somebody has to look
    again: the deadline while it waits, the end of the grant once approved, the end of the lease while it runs.
    `changes_json` are the values that an approver put in place of those that were asked for.
    """

    action_hash: Digest
    asked: bytes = field(repr=False)
    lifecycle_session: SessionId
    session_id: SessionId
    tool_name: str
    tool_version: str
    workflow: str
    account: str
    rule_id: str
    policy_hash: Digest
    terms_json: bytes
    reveal_root: Digest | None
    resume_token: str = field(repr=False)
    call_key: Digest
    suspended_at: Instant
    due: Instant
    state: TicketState = TicketState.SUSPENDED
    rung: int = 0
    votes_json: bytes = b"[]"
    fence: int = 0
    owner: str = ""
    result_json: bytes | None = field(repr=False, default=None)
    error: str | None = None
    replaced_by: Digest | None = None
    changes_json: bytes | None = None
    is_delivered: bool = False
    number: int = 0
    """Its place in the order in which tickets were opened; a store gives it."""

    @property
    def content(self) -> Json:
        """The asked receipt's content, as this project signed it."""
        content: Json = orjson.loads(self.asked)["content"]
        return content

    @property
    def fields_json(self) -> bytes:
        """The arguments as the receipt shows them, canonical."""
        action: Any = self.content["action"]
        return canonical_bytes(action["fields"])

    def after(self, event: Event, **changes: Any) -> "Ticket":
        """The ticket once `event` happened to it. Raises `WrongState`."""
        return self.having(state=advance(self, event), **changes)

    def having(self, **changes: Any) -> "Ticket":
        """The ticket with other values; three times as fast as `dataclasses.replace`, and claiming is half of that."""
        values = list(_values(self))
        for name, value in changes.items():
            values[_PLACES[name]] = value
        return Ticket(*values)


_PLACES = {column.name: place for place, column in enumerate(fields(Ticket))}
_values = attrgetter(*_PLACES)


def advance(ticket: Ticket, event: Event) -> TicketState:
    """The state after `event`. Raises `WrongState`."""
    after = STEPS.get((ticket.state, event))
    if after is None:
        raise WrongState(ticket.action_hash, ticket.state, event)
    return after
