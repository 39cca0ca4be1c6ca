"""Every leaf of an SDK's client, found by walking the client itself, and a way to call one that nobody has told us about.

A leaf of a release to come is found and called like any other; one that cannot be called fails the tests, by name.
"""

import collections.abc
import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

MOST_ITEMS = 5


@dataclass(frozen=True)
class Leaf:
    """A method of a resource. `path` leads to the resource from the client."""

    path: tuple[str, ...]
    name: str
    takes_stream: bool = False
    takes_tools: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return ".".join((*self.path, self.name))


def walk(client: Any) -> list[Leaf]:
    """Every public method of every resource."""
    package = type(client).__module__.partition(".")[0]
    return sorted(_walk(client, (), package), key=str)


def _walk(owner: Any, path: tuple[str, ...], package: str) -> Iterator[Leaf]:
    for name in dir(type(owner)):
        if name.startswith(("_", "with_")):
            continue
        found = inspect.getattr_static(type(owner), name)
        if path and inspect.isfunction(found):
            parameters = inspect.signature(found).parameters
            yield Leaf(path, name, "stream" in parameters)
        elif isinstance(found, property | functools.cached_property):
            value = getattr(owner, name)
            if type(value).__module__.startswith(f"{package}.resources") and len(path) < 6:
                yield from _walk(value, (*path, name), package)


def resource(client: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        client = getattr(client, name)
    return client


def call(owner: Any, name: str, **given: Any) -> Any:
    """Call a method with made-up arguments for whatever it demands."""
    method = getattr(owner, name)
    signature = inspect.signature(method)
    arguments = {
        parameter.name: made_up(parameter, method)
        for parameter in signature.parameters.values()
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        and (
            parameter.default is parameter.empty
            or _is_demanded(parameter)
            or parameter.name in IMPATIENT
        )
    }
    arguments |= {key: value for key, value in given.items() if key in signature.parameters}
    positional = [
        arguments.pop(p.name)
        for p in signature.parameters.values()
        if p.kind is p.POSITIONAL_ONLY and p.name in arguments
    ]
    try:
        return method(*positional, **arguments)
    except TypeError as error:
        if "Missing required arguments" not in str(error):
            raise
    for (
        parameter
    ) in signature.parameters.values():  # which of them is not in the signature: all of them
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name not in UNUSUAL:
            arguments.setdefault(parameter.name, made_up(parameter, method))
    return method(*positional, **arguments)


UNUSUAL = ("stream", "extra_headers", "extra_query", "extra_body", "timeout")
DEMANDED_ANYWAY = (
    "model",
    "messages",
    "input",
    "max_tokens",
    "prompt",
    "response_format",
    "text_format",
)
"""Optional in a signature with overloads, and not in any overload."""


def _is_demanded(parameter: inspect.Parameter) -> bool:
    default = type(parameter.default).__name__
    return parameter.name in DEMANDED_ANYWAY and default in ("NotGiven", "Omit", "type")


def made_up(parameter: inspect.Parameter, method: Any) -> Any:
    """A value that a client takes for this parameter; what it means is the server's affair."""
    if parameter.name in IMPATIENT:
        return IMPATIENT[parameter.name]
    known = KNOWN.get(parameter.name)
    if known is not None:
        return known()
    text = str(parameter.annotation)
    for sign, value in _BY_ANNOTATION:
        if sign in text:
            return value()
    return "x"


class _Nothing:
    pass


IMPATIENT: dict[str, Any] = {"max_wait_seconds": 0.3, "poll_interval": 0.01, "poll_interval_ms": 10}
"""What a leaf that waits for something is told, so that it does not wait long."""
KNOWN: dict[str, Callable[[], Any]] = {
    "messages": lambda: [{"role": "user", "content": "THE-SECRET"}],
    "input": lambda: "THE-SECRET",
    "model": lambda: "test-model",
    "max_tokens": lambda: 8,
    "tools": list,
    "response_format": lambda: {"type": "text"},
    "text_format": lambda: _Nothing,
    "file": lambda: b"bytes of a file",
    "files": lambda: [b"bytes of a file"],
    "image": lambda: b"bytes of an image",
    "path": lambda: "/v1/x",
    "chunks": list,
    "params": dict,
}
_BY_ANNOTATION: tuple[tuple[str, Callable[[], Any]], ...] = (
    ("FileTypes", lambda: b"bytes of a file"),
    ("Iterable[FileTypes]", lambda: [b"bytes of a file"]),
    ("Iterable", list),
    ("List", list),
    ("list[", list),
    ("Sequence", list),
    ("SequenceNotStr", list),
    ("Dict", dict),
    ("Mapping", dict),
    ("Param", dict),
    ("datetime", lambda: "2026-01-01T00:00:00Z"),
    ("bool", lambda: True),
    ("int", lambda: 1),
    ("float", lambda: 1.0),
)


def exhaust(result: Any) -> Any:
    """Follow what a call gave until its requests have been made: enter it, iterate it, read it."""
    if hasattr(result, "__enter__") and not hasattr(result, "status_code"):
        with result as entered:
            return exhaust(entered) if entered is not result else entered
    if hasattr(result, "until_done"):
        result.until_done()
        return result
    if isinstance(result, collections.abc.Iterator) or hasattr(result, "_iterator"):
        for _, _item in zip(range(MOST_ITEMS), result, strict=False):
            pass
        if hasattr(result, "close"):
            result.close()
    elif hasattr(result, "read") and hasattr(result, "iter_bytes"):
        result.read()
    return result


async def exhaust_async(result: Any) -> Any:
    """`exhaust` for an asynchronous client."""
    if inspect.isawaitable(result):
        result = await result
    if hasattr(result, "__aenter__") and not hasattr(result, "status_code"):
        async with result as entered:
            return await exhaust_async(entered) if entered is not result else entered
    if hasattr(result, "until_done"):
        await result.until_done()
        return result
    if isinstance(result, collections.abc.AsyncIterator) or hasattr(result, "_iterator"):
        await _take_some(result)
    elif hasattr(result, "aread") or hasattr(result, "iter_bytes"):
        read = getattr(result, "aread", None) or result.read
        told = read()
        if inspect.isawaitable(told):
            await told
    return result


async def _take_some(items: Any) -> None:
    left = MOST_ITEMS
    async for _item in items:
        left -= 1
        if not left:
            break
    if hasattr(items, "aclose"):
        await items.aclose()
