"""What becomes of a run, as whoever asks for it is told."""

from dataclasses import dataclass
from typing import Any

from heso.async_gate.claimed import read_result
from heso.core.errors import HesoError
from heso.core.journal import Run, RunState


@dataclass(eq=False)
class RunFailed(HesoError):
    """The workflow function raised; `said` is what."""

    run: str
    said: str
    next_step = "see its steps with `heso runs show ID`; start it under another id to run it again"

    def __str__(self) -> str:
        return f"the run {self.run!r} failed: {self.said}"


@dataclass(eq=False)
class RunCancelled(HesoError):
    """Somebody cancelled the run."""

    run: str
    next_step = "start it under another id to run it again"

    def __str__(self) -> str:
        return f"the run {self.run!r} was cancelled"


@dataclass(eq=False)
class RunWaiting(HesoError):
    """The run has no result yet."""

    run: str
    state: str
    waiting_for: str
    next_step = "it goes on with `heso worker`, or when its result is asked for again"

    def __str__(self) -> str:
        what = f" for {self.waiting_for}" if self.waiting_for else ""
        return f"the run {self.run!r} is {self.state}{what}"


@dataclass(eq=False)
class NothingInDoubt(HesoError):
    """No step of the run waits for somebody to say what became of it."""

    run: str
    next_step = "see its steps with `heso runs show ID`"

    def __str__(self) -> str:
        return f"no step of the run {self.run!r} is in doubt"


@dataclass(eq=False)
class RunConflict(HesoError):
    """There is a run of this id already, of another workflow or with other arguments."""

    run: str
    next_step = "an id names one run for good; choose another"

    def __str__(self) -> str:
        return f"the run {self.run!r} was started with something else"


def outcome_of(run: Run) -> Any:
    """The result of a run that has ended. Raises `RunFailed`, `RunCancelled`."""
    if run.state is RunState.FAILED:
        raise RunFailed(run.id, run.error or "")
    if run.state is RunState.CANCELLED:
        raise RunCancelled(run.id)
    return read_result(run.result_json)
