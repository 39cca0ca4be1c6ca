"""What waits for a person: one suspended action, with everything needed to decide it and to run it later."""

from dataclasses import dataclass, field
from typing import Literal

from heso.core.encoding import Digest
from heso.core.instant import Instant
from heso.core.receipt import SessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A checkpoint of an action, not of a coroutine: waiting costs this row and nothing else.

    `action_hash` is the asked receipt's and names the ticket. `fields_json` are the arguments as the receipt shows
    them, canonical; redacted values are in the reveal sidecar named by `reveal_root` and nowhere else.
    `terms_json` is what policy demanded (approvers, threshold, deadline, escalation).
    """

    action_hash: Digest
    lifecycle_session: SessionId
    session_id: SessionId
    tool_name: str
    workflow: str
    account: str
    rule_id: str
    policy_hash: Digest
    fields_json: bytes = field(repr=False)
    terms_json: bytes
    reveal_root: Digest | None
    resume_token: str = field(repr=False)
    suspended_at: Instant
    expires_at: Instant
    state: Literal["suspended"] = "suspended"
