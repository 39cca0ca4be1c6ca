"""heso gates, co-signs and proves every action an AI agent takes.

Start with `init`, put `tool` on the functions an agent may call, and read `BlockedError` and `SuspendedError` when it
may not. Verifying needs none of that: `verify_receipt` is pure.
"""

from heso.async_gate.context import current_action_hash, step
from heso.async_gate.errors import BlockedError, CaptureError, GateError, SuspendedError
from heso.async_gate.pipeline import Permit
from heso.async_gate.stages import Call
from heso.async_gate.tool import destructive, tool
from heso.core.errors import HesoError
from heso.core.receipt import Verb
from heso.core.verdict import Kind, Verdict
from heso.core.verify import verify_receipt
from heso.policy.errors import FloorBypass, PolicyError
from heso.policy.model import Outcome
from heso.runtime import Runtime, gate, gate_sync, init, peek

__version__ = "0.1.0"

__all__ = [
    "BlockedError",
    "Call",
    "CaptureError",
    "FloorBypass",
    "GateError",
    "HesoError",
    "Kind",
    "Outcome",
    "Permit",
    "PolicyError",
    "Runtime",
    "SuspendedError",
    "Verb",
    "Verdict",
    "current_action_hash",
    "destructive",
    "gate",
    "gate_sync",
    "init",
    "peek",
    "step",
    "tool",
    "verify_receipt",
]
