"""The tools of this process by name: how an approved action finds its body again, in any process.

A payload names a tool; it never names code. A module that was not imported has registered nothing, and an action whose
tool or version is not here stays as it is.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from heso.core.errors import HesoError


@dataclass(frozen=True, slots=True)
class Done:
    """A probe's answer: the effect happened; `result` is what the tool would have returned."""

    result: Any = None


@dataclass(frozen=True, slots=True)
class NotDone:
    """A probe's answer: the effect did not happen, and cannot happen any more by the old call."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A probe's answer: it cannot tell. A person has to."""


Probe = Callable[[str], Any]
"""Asked with the idempotency key (the action hash) whether the effect happened: `Done`, `NotDone` or `Unknown`. It may be
a coroutine function."""

TargetHost = str | Callable[[Mapping[str, Any]], str | None]
"""Where the action goes: a host, or a function of the arguments by name."""

Kind = Literal["function", "coroutine", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredTool:
    """A gated function that can be run from a checkpoint. `kind` other: a generator or a method, which cannot."""

    name: str
    version: str
    function: Callable[..., Any]
    kind: Kind
    signature: inspect.Signature
    probe: Probe | None = None
    is_idempotent: bool = False
    timeout_seconds: float | None = None
    retries: int = 0
    target_host: TargetHost | None = None


@dataclass(eq=False)
class NoSuchTool(HesoError):
    """The tool of a checkpoint is not in this process. The checkpoint is as it was."""

    tool: str
    version: str
    known: tuple[str, ...] = ()

    @property
    def next_step(self) -> str:  # type: ignore[override]  # it depends on what is known
        if self.known:
            return (
                f"this process has version {', '.join(self.known)}; run it where {self.version} is"
            )
        return "import the module that defines it first: heso worker --module NAME"

    def __str__(self) -> str:
        return f"no tool {self.tool!r} of version {self.version!r} is registered here"


_tools: dict[tuple[str, str], RegisteredTool] = {}


def register_tool(tool: RegisteredTool) -> None:
    """The newest of a name and version counts."""
    _tools[tool.name, tool.version] = tool


def find_tool(name: str, version: str) -> RegisteredTool:
    """Raises `NoSuchTool`."""
    found = _tools.get((name, version))
    if found is None:
        known = tuple(v for n, v in _tools if n == name)
        raise NoSuchTool(name, version, known)
    return found


def registered_tools() -> Mapping[tuple[str, str], RegisteredTool]:
    return dict(_tools)
