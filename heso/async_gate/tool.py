"""The decorators. A gated function keeps its name, signature, docstring, types and kind.

Works on functions, coroutine functions, methods, static and class methods, generators and async generators; the
last two pass the gate once, before their first item.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast, overload

from heso.async_gate.binding import Binder
from heso.async_gate.registry import (
    Kind,
    Probe,
    RegisteredTool,
    TargetHost,
    register_tool,
)
from heso.async_gate.wrapping import Gated, dress, wrap
from heso.core.receipt import Verb
from heso.core.redaction import check_path

P = ParamSpec("P")
R = TypeVar("R")


@overload
def tool(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def tool(
    *,
    verb: Verb | str = ...,
    redact: list[str] | tuple[str, ...] = ...,
    target_host: TargetHost | None = ...,
    name: str | None = ...,
    version: str = ...,
    probe: Probe | None = ...,
    idempotent: bool = ...,
    timeout: float | None = ...,
    retries: int = ...,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def tool(
    function: Callable[P, R] | None = None,
    /,
    *,
    verb: Verb | str = Verb.TOOL_CALL,
    redact: list[str] | tuple[str, ...] = (),
    target_host: TargetHost | None = None,
    name: str | None = None,
    version: str = "1",
    probe: Probe | None = None,
    idempotent: bool = False,
    timeout: float | None = None,
    retries: int = 0,
) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
    """Gate every call of a function.

    `verb` is what the call does, coarsely; policy and floors go by it. `redact` lists arguments (dotted paths reach
    into objects) whose values no receipt shows. `target_host` is where it goes. `name` is the tool's name on
    receipts; it defaults to the qualified name.

    An action that waited for approval is run by name and `version`, in any process that has them. When whoever ran it is
    gone, `probe` is asked with the idempotency key whether it happened; `idempotent=True` says that it may be run again
    with the same key; without either a person settles it. `timeout` bounds such a run of a coroutine function, in
    seconds; what is cut off is in doubt. `retries` is how often an idempotent tool that raised is tried again when it is
    a step of a workflow.

    A call raises `BlockedError`, `SuspendedError` or `GateError` before the body runs, else whatever the body does.
    Raises `ValueError` or `TypeError` while decorating when an option is wrong.
    """
    options = _Options(
        Verb(verb),
        _paths(redact),
        target_host,
        name,
        _checked(version),
        probe,
        idempotent,
        timeout,
        _checked_retries(retries, idempotent),
    )
    if function is not None:
        return _decorate(function, options)
    return lambda wanted: _decorate(wanted, options)


@overload
def destructive(function: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def destructive(
    *,
    redact: list[str] | tuple[str, ...] = ...,
    target_host: TargetHost | None = ...,
    name: str | None = ...,
    version: str = ...,
    probe: Probe | None = ...,
    idempotent: bool = ...,
    timeout: float | None = ...,
    retries: int = ...,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def destructive(
    function: Callable[P, R] | None = None,
    /,
    *,
    redact: list[str] | tuple[str, ...] = (),
    target_host: TargetHost | None = None,
    name: str | None = None,
    version: str = "1",
    probe: Probe | None = None,
    idempotent: bool = False,
    timeout: float | None = None,
    retries: int = 0,
) -> Callable[P, R] | Callable[[Callable[P, R]], Callable[P, R]]:
    """`tool(verb="delete")`: something that cannot be undone. No policy lets it pass without a person."""
    options = _Options(
        Verb.DELETE,
        _paths(redact),
        target_host,
        name,
        _checked(version),
        probe,
        idempotent,
        timeout,
        _checked_retries(retries, idempotent),
    )
    if function is not None:
        return _decorate(function, options)
    return lambda wanted: _decorate(wanted, options)


@dataclass(frozen=True, slots=True)
class _Options:
    """What a decorator was told."""

    verb: Verb
    redact: tuple[str, ...]
    target_host: TargetHost | None
    name: str | None
    version: str
    probe: Probe | None
    is_idempotent: bool
    timeout_seconds: float | None
    retries: int


def _checked_retries(retries: int, idempotent: bool) -> int:
    if retries and not idempotent:
        raise ValueError("only an idempotent tool is retried: say idempotent=True")
    return retries


def _checked(version: str) -> str:
    if not version or not version.isprintable():
        raise ValueError(f"a tool's version is a short text, not {version!r}")
    return version


def _paths(redact: Sequence[str]) -> tuple[str, ...]:
    if isinstance(redact, str):  # which would be read as its letters, and hide nothing
        raise TypeError(f"redact takes a list of paths: redact=[{redact!r}]")
    return tuple(redact)


def _decorate(
    function: Callable[P, R], options: _Options, *, is_static: bool = False
) -> Callable[P, R]:
    if isinstance(function, staticmethod | classmethod):
        is_static = isinstance(function, staticmethod)
        inner = _decorate(function.__func__, options, is_static=is_static)
        return cast("Callable[P, R]", type(function)(inner))
    if not inspect.isroutine(function):
        raise TypeError(f"heso.tool gates functions and methods, not {type(function).__name__}")
    binder = Binder(function, is_static=is_static)
    name = options.name or function.__qualname__.rpartition("<locals>.")[2]
    registered = _registered(function, name, binder, options)
    gated = Gated(
        name=name,
        verb=options.verb,
        redact=options.redact,
        target_host=options.target_host,
        binder=binder,
        version="" if registered is None else options.version,
        registered=registered,
    )
    _refuse_unknown_paths(gated)
    if registered is not None:
        register_tool(registered)
    return dress(wrap(function, gated), function)


def _kind_of(function: Callable[..., Any], binder: Binder) -> Kind:
    """How a checkpoint runs it. A generator has no one result, and a method no object to be called on: another one with
    the same arguments may be another account."""
    inner = inspect.unwrap(function)
    if binder.receiver or inspect.isasyncgenfunction(inner) or inspect.isgeneratorfunction(inner):
        return "other"
    return "coroutine" if inspect.iscoroutinefunction(inner) else "function"


def _registered(
    function: Callable[..., Any], name: str, binder: Binder, options: _Options
) -> RegisteredTool | None:
    kind = _kind_of(function, binder)
    if kind == "other":
        return None
    return RegisteredTool(
        name=name,
        version=options.version,
        function=function,
        kind=kind,
        signature=binder.signature,
        probe=options.probe,
        is_idempotent=options.is_idempotent,
        timeout_seconds=options.timeout_seconds,
        retries=options.retries,
        target_host=options.target_host,
    )


def _refuse_unknown_paths(gated: Gated) -> None:
    """A misspelt redact path would hide nothing, silently."""
    for path in gated.redact:
        check_path(path)
        first = path.partition(".")[0]
        if first == gated.binder.keywords:
            raise ValueError(
                f"name the arguments in **{first}, not {path!r}: they are hidden by their names"
            )
        if not gated.binder.keywords and first not in gated.binder.names:
            raise ValueError(f"{gated.name} has no parameter for the redact path {path!r}")
