"""What a caller of a gated function may meet, besides what the function itself raises."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from heso.core.encoding import Digest
from heso.core.errors import HesoError


@dataclass(eq=False)
class BlockedError(HesoError):
    """Policy refused the action. It did not run; the refusal is signed and on the ledger."""

    tool: str
    rule_id: str
    reason: str
    action_hash: Digest

    @property
    def next_step(self) -> str:  # type: ignore[override]  # it names this very action
        return f"see heso show {self.action_hash[:12]}, or change the policy"

    def __str__(self) -> str:
        return f"{self.tool} is blocked by rule {self.rule_id!r}: {self.reason}"


@dataclass(eq=False)
class SuspendedError(HesoError):
    """The action waits for people. It did not run; what was asked, and until when, is on disk.

    `action_hash` names the request. `expires_at` is UTC, `YYYY-MM-DDTHH:MM:SSZ`. `modified` are the values that an approver
    put in place of the ones that were asked for, by argument. `can_run_later` is False for a method, a generator and
    `heso.gate`: an approval is of no use to them.
    """

    tool: str
    action_hash: Digest
    rule_id: str
    expires_at: str
    modified: Mapping[str, object] = field(default_factory=dict)
    can_run_later: bool = True

    @property
    def next_step(self) -> str:  # type: ignore[override]  # it names this very action
        if not self.can_run_later:
            return (
                "it cannot be run later: put @heso.tool on a function that does it, and call that"
            )
        return f"somebody decides with heso approve {self.action_hash[:12]} --key FILE; then heso.resume"

    def __str__(self) -> str:
        return (
            f"{self.tool} waits for approval (rule {self.rule_id!r}) until {self.expires_at}; "
            f"{self.next_step}"
        )


@dataclass(eq=False)
class GateError(HesoError):
    """A fault of ours or of the machine: the action was not admitted and did not run. `__cause__` has the details."""

    tool: str
    why: str
    next_step: str = ""

    def __str__(self) -> str:
        cure = f"; {self.next_step}" if self.next_step else ""
        return f"{self.tool} did not run: {self.why}{cure}"


@dataclass(eq=False)
class CaptureError(GateError):
    """The arguments cannot be written down exactly, so nobody could say what was approved."""


@dataclass(eq=False)
class NotAStep(GateError):
    """A call inside a workflow that no other process could remember. The run is parked until its code is another."""


@dataclass(eq=False)
class RejectedError(HesoError):
    """A person said no. It did not run and never will."""

    tool: str
    action_hash: Digest
    by: str
    reason: str

    next_step = "do without it, or ask for something else"

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"{self.tool} was rejected by {self.by}{why}"


@dataclass(eq=False)
class ExpiredError(HesoError):
    """Nobody decided in time, or an approval was not used in time. It did not run."""

    tool: str
    action_hash: Digest

    next_step = "call it again to ask again"

    def __str__(self) -> str:
        return f"{self.tool} did not run: its time is over ({self.action_hash[:12]})"


@dataclass(eq=False)
class WithdrawnError(HesoError):
    """Whoever asked for it took it back. It did not run."""

    tool: str
    action_hash: Digest

    next_step = "call it again to ask again"

    def __str__(self) -> str:
        return f"{self.tool} was cancelled ({self.action_hash[:12]})"


@dataclass(eq=False)
class StillRunningError(HesoError):
    """Somebody else is running it at this moment."""

    tool: str
    action_hash: Digest

    @property
    def next_step(self) -> str:  # type: ignore[override]  # it names this very action
        return f"wait for it: await heso.wait({self.action_hash!r})"

    def __str__(self) -> str:
        return f"{self.tool} is running elsewhere ({self.action_hash[:12]})"


@dataclass(eq=False)
class InDoubtError(HesoError):
    """It was started and never reported back: it may have happened, once. It is not run again by itself."""

    tool: str
    action_hash: Digest
    why: str = "whoever ran it is gone"

    @property
    def next_step(self) -> str:  # type: ignore[override]  # it names this very action
        return (
            f"find out whether it happened, then heso settle {self.action_hash[:12]} "
            "--happened, --not or --ask-again"
        )

    def __str__(self) -> str:
        return f"{self.tool} may or may not have happened: {self.why}; {self.next_step}"


@dataclass(eq=False)
class ToolFailedError(HesoError):
    """It ran elsewhere, or before, and raised; `said` is what is known of it."""

    tool: str
    action_hash: Digest
    said: str

    next_step = "the effect may have happened in part; call it again to ask again"

    def __str__(self) -> str:
        return f"{self.tool} ran and failed: {self.said}"
