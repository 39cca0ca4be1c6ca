"""What a caller of a gated function may meet, besides what the function itself raises."""

from dataclasses import dataclass

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

    `action_hash` names the request. `expires_at` is UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    """

    tool: str
    action_hash: Digest
    rule_id: str
    expires_at: str

    @property
    def next_step(self) -> str:  # type: ignore[override]  # it names this very action
        return f"see it with heso show {self.action_hash[:12]}"

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
