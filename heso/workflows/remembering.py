"""What a journal keeps of a step's end, and what comes out of it again: the same the first time and ever after."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, get_type_hints

import orjson
from pydantic import TypeAdapter

from heso.async_gate.errors import (
    BlockedError,
    ExpiredError,
    RejectedError,
    ToolFailedError,
    WithdrawnError,
)
from heso.async_gate.registry import RegisteredTool
from heso.async_gate.scrubbing import scrub_text
from heso.core.canonical import canonical_bytes
from heso.core.encoding import Digest
from heso.core.journal import JournalStep, StepState

_LONGEST_SAYING = 500
_ERRORS = {
    error.__name__: error
    for error in (BlockedError, RejectedError, ExpiredError, WithdrawnError, ToolFailedError)
}


def words_of(error: BaseException, hidden: tuple[str, ...] = ()) -> str:
    """An error in words that can be kept, whatever it is. Hidden values are taken out before it is cut."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001  # an error that cannot be written is an error all the same
        text = type(error).__name__
    storable = text.encode("utf-8", "backslashreplace").decode()
    return scrub_text(storable, hidden)[:_LONGEST_SAYING]


def failure_of(
    tool: str, name: Digest, error: Exception, hidden: tuple[str, ...] = ()
) -> ToolFailedError:
    return ToolFailedError(tool, name, words_of(error, hidden))


def error_json(error: Exception) -> bytes:
    """An error as a journal keeps it: its name and its values."""
    name = type(error).__name__
    values = {key: value for key, value in vars(error).items() if not key.startswith("_")}
    return canonical_bytes({"error": name, "values": values})


def is_remembered(error: Exception) -> bool:
    """Whether an error is kept as what it is."""
    return type(error) in _ERRORS.values()


def remembered(
    tool: RegisteredTool | None, step: JournalStep, cause: Exception | None = None
) -> Any:
    """The value of a step that is done; raises the error of one that failed, from what was raised if that was now."""
    kept: Any = orjson.loads(step.value_json or b"{}")
    if step.state is StepState.FAILED:
        raise _ERRORS[kept["error"]](**kept["values"]) from cause
    value = kept.get("result")
    adapter = None if tool is None else _adapter_of(tool.function)
    if adapter is None:
        return value
    try:
        return adapter.validate_python(value)
    except Exception:  # noqa: BLE001  # the annotation is only a hint, and its validators are not ours
        return value


@lru_cache(maxsize=1024)  # building one takes longer than a whole step does
def _adapter_of(function: Callable[..., Any]) -> TypeAdapter[Any] | None:
    """Reads a value as the function's return annotation says; None when that says nothing."""
    try:
        hint = get_type_hints(function).get("return", Any)
        return None if hint is Any else TypeAdapter(hint)
    except Exception:  # noqa: BLE001  # annotations that do not evaluate say nothing
        return None
