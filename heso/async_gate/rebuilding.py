"""From a checkpoint back to a call: the very arguments that were approved, or nothing.

Rule 1: hidden values come out of the sidecar, and each has to open its commitment in the signed receipt.
Rule 2: what the tool will be called with is frozen again, as at the first call, and must come out as the same bytes.
Rule 3: values become what the tool's annotations say through pydantic. A payload never names a class or a module.
"""

import inspect
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast, get_type_hints

import orjson
from pydantic import ConfigDict, PydanticUserError, TypeAdapter

from heso.async_gate.binding import Binder
from heso.async_gate.registry import RegisteredTool
from heso.async_gate.snapshot import Unfit, snapshot_fields
from heso.core.canonical import canonical_bytes
from heso.core.encoding import Digest
from heso.core.errors import HesoError, Malformed
from heso.core.forms import BYTES, CALLABLE, OBJECT
from heso.core.hashing import digest
from heso.core.receipt import Json, canonical_content
from heso.core.redaction import Reveal, check_reveals, parse_sidecar
from heso.core.ticket import Ticket
from heso.ports import Reveals

_UNKNOWN = object()
_LENIENT = ConfigDict(arbitrary_types_allowed=True)


@dataclass(eq=False)
class CannotResume(HesoError):
    """The arguments of a checkpoint cannot be given to the tool as it is now. The checkpoint is as it was."""

    tool: str
    action_hash: Digest
    why: str

    next_step = (
        "run it with the code that asked for it, or cancel it and ask again: heso cancel HASH"
    )

    def __str__(self) -> str:
        return f"{self.tool} ({self.action_hash[:12]}) cannot be resumed: {self.why}"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A call ready to be made, and its arguments as policy sees them."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    fields: dict[str, object]


def rebuild_call(tool: RegisteredTool, ticket: Ticket, reveals: Reveals) -> Rebuilt:
    """Raises `CannotResume`."""
    try:
        fields = _real_fields(ticket, reveals)
        args, kwargs = _arguments(tool.name, tool.function, fields)
        bound = Binder(tool.function).bind(args, dict(kwargs))
        again, _ = snapshot_fields(bound)
        if canonical_bytes(again) != canonical_bytes(fields):
            raise _Cannot("its arguments would not be the ones that were approved")
        _refuse_other_host(tool, ticket, bound)
    except _Cannot as error:
        raise CannotResume(tool.name, ticket.action_hash, str(error)) from error.__cause__
    except (Unfit, TypeError, Malformed) as error:
        why = f"its arguments do not fit the tool ({type(error).__name__})"
        raise CannotResume(tool.name, ticket.action_hash, why) from error
    return Rebuilt(args, kwargs, fields)


def _refuse_other_host(
    tool: RegisteredTool, ticket: Ticket, arguments: Mapping[str, object]
) -> None:
    """Policy judged where the action was going when it was asked. A changed value, or changed code, may lead elsewhere."""
    find, action = tool.target_host, cast("dict[str, object]", ticket.content["action"])
    try:
        host = find(arguments) if callable(find) else find
    except Exception as error:
        why = f"its target_host function failed ({type(error).__name__})"
        raise _Cannot(why) from error
    if host != action.get("target_host"):
        raise _Cannot("it would go to another host than the one that was approved")


def rebuild_arguments(
    name: str, function: Callable[..., Any], fields: Mapping[str, object]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments by name, as a function takes them now. Raises `CannotResume`."""
    try:
        return _arguments(name, function, fields)
    except _Cannot as error:
        raise CannotResume(name, Digest(""), str(error)) from error.__cause__


class _Cannot(Exception):
    """Why not."""


def approved_fields(ticket: Ticket, reveals: Reveals) -> dict[str, object]:
    """The arguments of a checkpoint, hidden values and all. Raises `CannotResume`."""
    try:
        return _real_fields(ticket, reveals)
    except _Cannot as error:
        raise CannotResume(ticket.tool_name, ticket.action_hash, str(error)) from error.__cause__


def _real_fields(ticket: Ticket, reveals: Reveals) -> dict[str, object]:
    content = ticket.content
    _refuse_edited(content, ticket.action_hash)
    action: Any = content["action"]
    if "redaction" not in content:
        shown: dict[str, object] = action["fields"]
        return shown
    sidecar = None if ticket.reveal_root is None else reveals.find(ticket.reveal_root)
    if sidecar is None:
        raise _Cannot("its hidden values are gone: there is no sidecar for them")
    opened = _opened(content, sidecar)
    fields: dict[str, object] = orjson.loads(orjson.dumps(action["fields"]))
    for reveal in opened:
        _put(fields, reveal.field_path, orjson.loads(reveal.value_json))
    return fields


def _refuse_edited(content: Json, action_hash: Digest) -> None:
    """What is run from are the very bytes that were signed, asked about and approved under this hash."""
    unhashed = {key: value for key, value in content.items() if key != "action_hash"}
    if digest(canonical_content(unhashed)) != action_hash:
        raise _Cannot("it was changed after it was asked about")


def _opened(content: Json, sidecar: bytes) -> tuple[Reveal, ...]:
    redaction: Any = content["redaction"]
    try:
        opened = check_reveals(content, parse_sidecar(sidecar))
    except Malformed as error:
        raise _Cannot("its hidden values are not those that were approved") from error
    if {one.field_path for one in opened} != {m["field_path"] for m in redaction["markers"]}:
        raise _Cannot("some of its hidden values are gone")
    return opened


def _put(fields: dict[str, Any], path: str, value: object) -> None:
    if path in fields:
        fields[path] = value
        return
    *parents, last = path.split(".")
    for segment in parents:
        fields = fields[segment]
    fields[last] = value


def _arguments(
    tool: str, function: Callable[..., Any], fields: Mapping[str, object]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    hints = _hints(function)
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    rest = dict(fields)
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            kwargs.update({key: _value(tool, key, rest[key], hints.get(name)) for key in rest})
            rest.clear()
            continue
        if name not in rest:
            raise _Cannot(f"the tool has a parameter {name!r} now, which was not approved")
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            items: Any = rest.pop(name)
            args.extend(_value(tool, name, item, hints.get(name)) for item in items)
            continue
        value = _value(tool, name, rest.pop(name), hints.get(name))
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            kwargs[name] = value
        else:
            args.append(value)
    if rest:
        raise _Cannot(f"the tool has no parameter {min(rest)!r} any more")
    return tuple(args), kwargs


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Annotations by parameter, each evaluated for itself when not all of them can be."""
    try:
        return get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001  # a name that is only imported for type checkers
        return {name: _hint(function, name) for name in getattr(function, "__annotations__", {})}


def _hint(function: Callable[..., Any], name: str) -> Any:
    alone = SimpleNamespace(__annotations__={name: function.__annotations__[name]})
    names = getattr(function, "__globals__", {})
    try:
        return get_type_hints(alone, globalns=names, include_extras=True)[name]
    except Exception:  # noqa: BLE001
        return _UNKNOWN


def _value(tool: str, name: str, value: object, hint: Any) -> Any:
    plain = _decoded(name, value)
    if hint is None or hint is Any or hint is inspect.Parameter.empty:
        return plain
    if hint is _UNKNOWN:
        why = f"the annotation of {name!r} does not evaluate here: import its type at run time"
        raise _Cannot(why)
    try:
        return _adapter(hint).validate_python(plain)
    except PydanticUserError as error:
        why = f"the argument {name!r} is of a type that no checkpoint can hold"
        raise _Cannot(why) from error
    except Exception as error:  # a validator of the type's own may raise whatever it likes
        why = f"the argument {name!r} is not what {tool} takes now"
        raise _Cannot(why) from error


def _adapter(hint: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(hint, config=_LENIENT)
    except PydanticUserError:  # a model, which brings a configuration of its own
        return TypeAdapter(hint)


def _decoded(name: str, value: object) -> object:
    """The value behind a form that JSON has no word for."""
    if isinstance(value, list):
        return [_decoded(name, item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {BYTES}:
        return b64decode(str(value[BYTES]))
    if value.keys() in ({OBJECT}, {CALLABLE}):
        raise _Cannot(
            f"the argument {name!r} was a {', '.join(map(str, value.values()))}, which no checkpoint holds"
        )
    return {key: _decoded(name, item) for key, item in value.items()}
