"""The life of one suspended action as its links tell it, as a table (fact sheet, sections 3.5 and 3.6).

Rule 1: every step is in TRANSITIONS; nothing else moves an action on. Whoever appends a link walks the same table as
        whoever verifies a chain, so what was written can be verified.
Rule 2: links belong together by their action spec: the hash of what the action is, without what became of it.
Rule 3: this file does not know who signed, nor what time it is.

An action that was completed without having been asked about, or gated, is a `bare` completion. The format's
reference lets it pass; here it is illegal unless the reader asks for the reference's answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from heso.core.canonical import canonical_bytes
from heso.core.domains import CHAIN_PREFIX
from heso.core.encoding import Digest
from heso.core.errors import HesoError
from heso.core.hashing import digest
from heso.core.projection import as_doubles
from heso.core.receipt import SessionId

LIFECYCLE_PREFIX = "lifecycle:"
KEYS_SESSION = SessionId("lifecycle:keys")
"""A project's own chain of keys: a rotation for each key that went."""
TOKEN_PREFIX = "rt_"  # noqa: S105  # a prefix of secrets, not one
TOKEN_BYTES = 16


class State(StrEnum):
    """Where an action stands."""

    UNKNOWN = "unknown"
    SUSPENDED = "suspended"
    ESCALATED = "escalated"
    APPROVED = "approved"
    GATED = "gated"
    """Let through at once, by a plain action receipt."""
    ENDED = "ended"


_WAITING = (State.SUSPENDED, State.ESCALATED)

TRANSITIONS: Mapping[tuple[State, str], State] = MappingProxyType(
    {
        (State.UNKNOWN, "suspended"): State.SUSPENDED,
        (State.UNKNOWN, "action"): State.GATED,
        **{(state, "approved"): State.APPROVED for state in _WAITING},
        **{(state, "escalated"): State.ESCALATED for state in _WAITING},
        **{(state, "denied"): State.ENDED for state in _WAITING},
        **{(state, "expired"): State.ENDED for state in _WAITING},
        (State.APPROVED, "completed"): State.ENDED,
        (State.GATED, "completed"): State.ENDED,
    }
)
BARE_COMPLETION: Mapping[tuple[State, str], State] = MappingProxyType(
    {(State.UNKNOWN, "completed"): State.ENDED}
)
"""What the reference allows beyond the table."""

ENDINGS = frozenset({"denied", "expired", "completed"})
_SPEC_KEYS = (
    "account",
    "action",
    "domain",
    "fields",
    "target_host",
    "tool_name",
    "verb",
    "workflow",
)


@dataclass(eq=False)
class WrongTransition(HesoError):
    """A link that cannot follow what came before it. `is_double_end`: the action had ended already."""

    state: State
    kind: str

    next_step = "read the action's links with `heso log`: somebody else may have decided first"

    @property
    def is_double_end(self) -> bool:
        return self.state is State.ENDED and self.kind in ENDINGS

    def __str__(self) -> str:
        return f"an action that is {self.state} cannot become {self.kind}"


@dataclass(eq=False)
class MisplacedLink(HesoError):
    """A lifecycle link outside its own session, or a plain action inside one: no verifier would take the chain."""

    session_id: str
    kind: str

    next_step = (
        f"lifecycle links, and nothing else, go to sessions that begin with {LIFECYCLE_PREFIX!r}"
    )

    def __str__(self) -> str:
        return f"a receipt of kind {self.kind} does not belong into the session {self.session_id!r}"


class Course:
    """How far each action of a session has come."""

    __slots__ = ("_states",)

    def __init__(self, states: Mapping[Digest, State] = MappingProxyType({})) -> None:
        self._states = dict(states)

    def copy(self) -> "Course":
        return Course(self._states)

    def follow(self, kind: str, spec: Digest, *, compat: bool = False) -> None:
        """Take one more link. Raises `WrongTransition`, and then nothing has moved."""
        if kind == "key_rotation":
            return
        state = self._states.get(spec, State.UNKNOWN)
        self._states[spec] = advance(state, kind, compat=compat)

    def take(self, content: Mapping[str, Any]) -> None:
        """`follow` for a receipt about to be appended, by its content."""
        self.follow(content.get("kind", "action"), action_spec(content["action"]))


def advance(state: State, kind: str, *, compat: bool = False) -> State:
    """The state after a link of this kind. Raises `WrongTransition`."""
    step = (state, kind)
    after = TRANSITIONS.get(step) or (BARE_COMPLETION.get(step) if compat else None)
    if after is None:
        raise WrongTransition(state, kind)
    return after


def is_bare_completion(wrong: WrongTransition) -> bool:
    """Whether the reference would have let this pass."""
    return (wrong.state, wrong.kind) in BARE_COMPLETION


def action_spec(action: Mapping[str, Any], *, compat: bool = False) -> Digest:
    """What groups an action's links: the hash of what it is, whatever its classification, mandate or result."""
    descriptor: object = {key: action.get(key) for key in _SPEC_KEYS}
    return digest(CHAIN_PREFIX + canonical_bytes(as_doubles(descriptor) if compat else descriptor))


def hash_resume_token(token: str) -> Digest:
    """What a suspended link shows of the secret that resuming will have to present."""
    return digest(token.encode())


def check_session_kind(session_id: str, kind: str) -> bool:
    """Whether this is a lifecycle session. Raises `MisplacedLink` when a receipt of this kind has no place in it."""
    is_lifecycle = session_id.startswith(LIFECYCLE_PREFIX)
    if is_lifecycle == (kind == "action"):
        raise MisplacedLink(session_id, kind)
    return is_lifecycle
