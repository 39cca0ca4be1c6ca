"""Workflows by name and version, and how a journal gets from one version to the next."""

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol, TypeVar

from heso.async_gate.binding import Binder
from heso.async_gate.recording import current_recorder
from heso.core.errors import HesoError
from heso.core.journal import JournalStep, check_name

P = ParamSpec("P")
R = TypeVar("R")
Migration = Callable[[Sequence[JournalStep]], Sequence[JournalStep]]
"""From the steps of an older version to those of the next one."""


@dataclass(eq=False)
class NoSuchWorkflow(HesoError):
    """No workflow of this name, or of this version, is defined in this process."""

    name: str
    version: int
    next_step = "import the module that defines it: heso worker --module NAME"

    def __str__(self) -> str:
        return f"no workflow {self.name!r} of version {self.version} is defined here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """A coroutine function whose gated calls are remembered steps."""

    name: str
    version: int
    function: Callable[..., Awaitable[Any]]
    binder: Binder
    signature: inspect.Signature

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Inside a run: a child run, whose result this is. Elsewhere a `TypeError`: start it with `heso.start`."""
        parent = _parent.get()
        if parent is None or current_recorder() is None:  # as inside a tool's body
            raise TypeError(f"start it with heso.start({self.name}, ..., id=...)")
        return await parent.run_child(self, args, kwargs)


class Parent(Protocol):
    """A run that can have others for steps."""

    async def run_child(
        self, workflow: Workflow, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any: ...


_parent: ContextVar[Parent | None] = ContextVar("heso_parent", default=None)


@contextmanager
def parenting(parent: Parent) -> Iterator[None]:
    """Workflows called inside are children of this run."""
    token = _parent.set(parent)
    try:
        yield
    finally:
        _parent.reset(token)


_workflows: dict[tuple[str, int], Workflow] = {}
_migrations: dict[tuple[str, int, int], Migration] = {}


def workflow(
    *, version: int = 1, name: str | None = None
) -> Callable[[Callable[P, Awaitable[R]]], Workflow]:
    """Make a coroutine function durable. Raise `version` when its steps change so that old journals do not fit.

    Everything in it that is not a gated tool, `heso.remember`, `heso.sleep`, `heso.receive` or another workflow runs
    again whenever the run goes on, and has to come out the same.
    """

    def define(function: Callable[P, Awaitable[R]]) -> Workflow:
        if not inspect.iscoroutinefunction(function):
            raise TypeError("a workflow is a coroutine function: async def")
        binder = Binder(function)
        own = function.__qualname__.rpartition("<locals>.")[2]
        defined = Workflow(
            name=check_name(name or own, "a workflow's name"),
            version=version,
            function=function,
            binder=binder,
            signature=binder.signature,
        )
        _workflows[defined.name, version] = defined
        return defined

    return define


def migrate(name: str, before: int, after: int) -> Callable[[Migration], Migration]:
    """Register how the journal of a run of `name` gets from version `before` to version `after`."""

    def define(migration: Migration) -> Migration:
        _migrations[name, before, after] = migration
        return migration

    return define


def find_workflow(name: str, version: int) -> Workflow:
    """Raises `NoSuchWorkflow`."""
    found = _workflows.get((name, version))
    if found is None:
        raise NoSuchWorkflow(name, version)
    return found


def is_defined(name: str) -> bool:
    """Whether this process has any version of the workflow."""
    return any(known == name for known, _ in _workflows)


def find_path(name: str, version: int) -> tuple[Workflow, Sequence[Migration]]:
    """The workflow that a run of `version` goes on with, and the migrations on the way. Raises `NoSuchWorkflow`."""
    tried: list[tuple[int, tuple[Migration, ...]]] = [(version, ())]
    for now, way in tried:  # grows while it is gone through: the fewest hops come first
        if (name, now) in _workflows:
            return _workflows[name, now], way
        tried += [
            (after, (*way, migration))
            for (of, before, after), migration in _migrations.items()
            if (of, before) == (name, now) and after > now
        ]
    raise NoSuchWorkflow(name, version)


def defined_workflows() -> Mapping[tuple[str, int], Workflow]:
    return dict(_workflows)
