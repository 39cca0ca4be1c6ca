"""heso gates, co-signs and proves every action an AI agent takes.

Start with `init`, put `tool` on the functions an agent may call, and read `BlockedError` and `SuspendedError` when it
may not. Verifying needs none of that: `verify_receipt` is pure.

Names are loaded when they are first used: a program that only verifies never loads SQLite or an event loop.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heso.async_gate.context import current_action_hash, current_idempotency_key, step
    from heso.async_gate.errors import (
        BlockedError,
        CaptureError,
        ExpiredError,
        GateError,
        InDoubtError,
        NotAStep,
        RejectedError,
        StillRunningError,
        SuspendedError,
        ToolFailedError,
        WithdrawnError,
    )
    from heso.async_gate.pipeline import Permit
    from heso.async_gate.registry import Done, NotDone, Unknown
    from heso.async_gate.stages import Call
    from heso.async_gate.tool import destructive, tool
    from heso.core.errors import HesoError
    from heso.core.receipt import Verb
    from heso.core.verdict import Kind, Verdict
    from heso.core.verify import verify_receipt
    from heso.integrations.clients import NotWrapped, instrument, uninstrument, wrap
    from heso.integrations.egress.gating import gate_http, ungate_http
    from heso.integrations.reissuing import register_client
    from heso.integrations.self_check import self_check
    from heso.policy.errors import FloorBypass, PolicyError
    from heso.policy.model import Outcome
    from heso.runtime import Runtime, gate, gate_sync, init, peek
    from heso.settings import SettingsError
    from heso.waiting import cancel, result, resume, signal, standing, start, status, wait
    from heso.workflows.defining import migrate, workflow
    from heso.workflows.fencing import NoSuchRun
    from heso.workflows.outcomes import RunCancelled, RunConflict, RunFailed, RunWaiting
    from heso.workflows.steps import gather, receive, remember, sleep, sleep_until

__version__ = "0.1.0"

_HOMES = {
    "heso.async_gate.context": ("current_action_hash", "current_idempotency_key", "step"),
    "heso.async_gate.errors": (
        "BlockedError",
        "CaptureError",
        "ExpiredError",
        "GateError",
        "InDoubtError",
        "NotAStep",
        "RejectedError",
        "StillRunningError",
        "SuspendedError",
        "ToolFailedError",
        "WithdrawnError",
    ),
    "heso.async_gate.pipeline": ("Permit",),
    "heso.async_gate.registry": ("Done", "NotDone", "Unknown"),
    "heso.async_gate.stages": ("Call",),
    "heso.async_gate.tool": ("destructive", "tool"),
    "heso.core.errors": ("HesoError",),
    "heso.core.receipt": ("Verb",),
    "heso.core.verdict": ("Kind", "Verdict"),
    "heso.core.verify": ("verify_receipt",),
    "heso.integrations.clients": ("NotWrapped", "instrument", "uninstrument", "wrap"),
    "heso.integrations.egress.gating": ("gate_http", "ungate_http"),
    "heso.integrations.reissuing": ("register_client",),
    "heso.integrations.self_check": ("self_check",),
    "heso.policy.errors": ("FloorBypass", "PolicyError"),
    "heso.policy.model": ("Outcome",),
    "heso.runtime": ("Runtime", "gate", "gate_sync", "init", "peek"),
    "heso.settings": ("SettingsError",),
    "heso.waiting": ("cancel", "result", "resume", "signal", "standing", "start", "status", "wait"),
    "heso.workflows.defining": ("migrate", "workflow"),
    "heso.workflows.fencing": ("NoSuchRun",),
    "heso.workflows.outcomes": ("RunCancelled", "RunConflict", "RunFailed", "RunWaiting"),
    "heso.workflows.steps": ("gather", "receive", "remember", "sleep", "sleep_until"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "BlockedError",
    "Call",
    "CaptureError",
    "Done",
    "ExpiredError",
    "FloorBypass",
    "GateError",
    "HesoError",
    "InDoubtError",
    "Kind",
    "NoSuchRun",
    "NotAStep",
    "NotDone",
    "NotWrapped",
    "Outcome",
    "Permit",
    "PolicyError",
    "RejectedError",
    "RunCancelled",
    "RunConflict",
    "RunFailed",
    "RunWaiting",
    "Runtime",
    "SettingsError",
    "StillRunningError",
    "SuspendedError",
    "ToolFailedError",
    "Unknown",
    "Verb",
    "Verdict",
    "WithdrawnError",
    "cancel",
    "current_action_hash",
    "current_idempotency_key",
    "destructive",
    "gate",
    "gate_http",
    "gate_sync",
    "gather",
    "init",
    "instrument",
    "migrate",
    "peek",
    "receive",
    "register_client",
    "remember",
    "result",
    "resume",
    "self_check",
    "signal",
    "sleep",
    "sleep_until",
    "standing",
    "start",
    "status",
    "step",
    "tool",
    "ungate_http",
    "uninstrument",
    "verify_receipt",
    "wait",
    "workflow",
    "wrap",
]


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'heso' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
