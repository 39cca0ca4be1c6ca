"""Durable runs: what a workflow has done so far, kept so that it can go on in any process.

A run is its arguments and its steps. A step is keyed by its name and how many of that name came before it, not by its
place: code that gains a step in the middle does not break a run that waits.

The life of a run is a table.

Rule 1: every step is in RUN_STEPS; nothing else changes a state.
Rule 2: whoever drives a run holds its newest fence, and writes under no other.
Rule 3: `parked` is not an end: nothing is executed and nothing is lost until somebody has looked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NewType

from heso.core.encoding import Digest
from heso.core.errors import HesoError
from heso.core.instant import Instant

RunId = NewType("RunId", str)
LONGEST_ID = 200
"""How many characters a run's id, or a name in it, may have."""


def check_name(name: str, what: str) -> str:
    """The name. Raises `ValueError` for one that is empty, long, or has what does not print."""
    if not name or len(name) > LONGEST_ID or not name.isprintable():
        raise ValueError(f"{what} is a text of at most {LONGEST_ID} printable characters")
    return name


class RunState(StrEnum):
    """Where a run stands."""

    READY = "ready"
    RUNNING = "running"
    WAITING = "waiting"
    """For a time, an action's decision, a signal or another run."""
    PARKED = "parked"
    """It cannot go on by itself, and `error` says why."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RunEvent(StrEnum):
    """What can happen to a run."""

    CLAIM = "claim"
    WAIT = "wait"
    PARK = "park"
    FINISH = "finish"
    FAIL = "fail"
    CANCEL = "cancel"


_S, _E = RunState, RunEvent
RUN_STEPS: Mapping[tuple[RunState, RunEvent], RunState] = MappingProxyType(
    {
        **{
            (state, _E.CLAIM): _S.RUNNING for state in (_S.READY, _S.RUNNING, _S.WAITING, _S.PARKED)
        },
        (_S.RUNNING, _E.WAIT): _S.WAITING,
        (_S.RUNNING, _E.PARK): _S.PARKED,
        (_S.RUNNING, _E.FINISH): _S.DONE,
        (_S.RUNNING, _E.FAIL): _S.FAILED,
        **{
            (state, _E.CANCEL): _S.CANCELLED
            for state in (_S.READY, _S.RUNNING, _S.WAITING, _S.PARKED)
        },
    }
)
ENDED_RUNS = frozenset({_S.DONE, _S.FAILED, _S.CANCELLED})


@dataclass(eq=False)
class WrongRunState(HesoError):
    """What was asked of a run cannot happen to it any more."""

    run: str
    state: RunState
    event: RunEvent

    next_step = "see it with `heso runs show ID`"

    def __str__(self) -> str:
        word = {RunEvent.CLAIM: "go on", RunEvent.CANCEL: "be cancelled"}.get(self.event, "change")
        return f"the run {self.run!r} is {self.state}: it cannot {word}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a workflow. `arguments_json` are its arguments by name; `due` is when it may go on by itself, and each line
    of `waiting_for` names something else that lets it: an action hash, `signal:NAME` or `run:ID`. `error` says why it failed or is parked."""

    id: RunId
    name: str
    version: int
    arguments_json: bytes = field(repr=False)
    created: Instant
    state: RunState = RunState.READY
    due: Instant
    waiting_for: str = ""
    fence: int = 0
    owner: str = ""
    result_json: bytes | None = field(repr=False, default=None)
    error: str | None = None

    def after(self, event: RunEvent, **changes: Any) -> "Run":
        """The run once `event` happened to it. Raises `WrongRunState`."""
        state = RUN_STEPS.get((self.state, event))
        if state is None:
            raise WrongRunState(self.id, self.state, event)
        return replace(self, state=state, **changes)


def awaited_by(run: Run) -> tuple[str, ...]:
    """What lets a run go on besides its time. One that does not wait is woken by nothing."""
    return tuple(run.waiting_for.splitlines()) if run.state is RunState.WAITING else ()


class StepState(StrEnum):
    """How far a step has come."""

    STARTED = "started"
    """Its receipt is on disk and its body may have run."""
    ASKED = "asked"
    """It is a ticket now; that knows."""
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalStep:
    """One remembered step. `inputs` is the hash of what it was called with; `value_json` what it gave, or its error."""

    run: RunId
    name: str
    occurrence: int
    inputs: Digest
    state: StepState
    ticket: Digest | None = None
    value_json: bytes | None = field(repr=False, default=None)
    at: Instant

    @property
    def key(self) -> tuple[str, int]:
        return self.name, self.occurrence


def is_doubtful(step: JournalStep) -> bool:
    """Whether it is a tool's step that began and never reported back. Sleeping and receiving begin as well."""
    is_wait = step.name in ("sleep", "sleep_until") or step.name.startswith("receive:")
    return step.state is StepState.STARTED and not is_wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """Something a run was told. `taken` once a step of the run has it; `number` is its place, which a store gives."""

    run: RunId
    name: str
    value_json: bytes = field(repr=False)
    is_taken: bool = False
    number: int = 0

    def taken(self) -> "Signal":
        return replace(self, is_taken=True)
