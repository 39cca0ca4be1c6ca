"""Arguments as JSON values: one documented form each, the same in every process.

Rule 1: a snapshot shares nothing with the argument; changing the argument afterwards changes no receipt.
Rule 2: no form depends on an address, a hash seed or the order of a set.
Rule 3: what has no faithful form is refused or named by its type alone; nothing is ever written by its `repr`.
Rule 4: size and depth are bounded while walking, so a huge argument costs a refusal and not the memory.

| argument                                   | form                                                     |
|--------------------------------------------|----------------------------------------------------------|
| None, bool, str, int below 2^53, float     | itself; NaN and infinities are refused                   |
| larger int, Decimal                        | its digits as text                                       |
| other numbers with `__index__`             | the form of that int                                     |
| Enum                                       | the form of its value                                    |
| datetime, date, time, timedelta            | ISO 8601 text                                            |
| UUID, Path and other path-like objects     | text                                                     |
| bytes, bytearray, memoryview               | {"$bytes": base64}                                       |
| list, tuple, named tuple                   | array                                                    |
| set, frozenset                             | array in order of the elements' canonical bytes          |
| dict and other mappings                    | object; keys are text, int, UUID, date or Enum of these; |
|                                            | no two may be written alike                              |
| pydantic model, dataclass, attrs instance  | object of its fields                                     |
| function, method, class, module            | {"$callable": "module.name"}                             |
| anything else                              | {"$object": "module.Type"}                               |
"""

import dataclasses
import math
import operator
import os
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any
from uuid import UUID

import orjson

from heso.core.canonical import MAX_SAFE_INTEGER, canonical_bytes
from heso.core.forms import BYTES, CALLABLE, OBJECT

MAX_BYTES = 256 * 1024
"""How large the arguments of one action may be, counted as text plus a few bytes for each value."""
MAX_DEPTH = 64

_VALUE_COST = 4
_JSON_TYPES_ALONE = (
    orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
)


class Unfit(Exception):
    """Why an argument has no form. `path` leads to it."""

    def __init__(self, why: str) -> None:
        self.why = why
        self.path: list[str] = []


def snapshot_fields(arguments: Mapping[str, object]) -> tuple[dict[str, object], bool]:
    """The arguments as JSON values by name, and whether any of them could still be changed by somebody.

    Raises `Unfit`.
    """
    camera = _Camera()
    fields: dict[str, object] = {}
    for name, value in arguments.items():
        try:
            fields[name] = camera.take(value, MAX_DEPTH)
        except Unfit as error:
            error.path.insert(0, name)
            raise
    return fields, camera.saw_mutable


def is_unchanged(arguments: Mapping[str, object], fields: Mapping[str, object]) -> bool:
    """Whether a snapshot of these arguments, taken now, would be these fields. Anything unreadable is a change."""
    if _is_surely_unchanged(arguments, fields):
        return True
    try:
        now, _ = snapshot_fields(arguments)
        return canonical_bytes(now) == canonical_bytes(fields)
    except Exception:  # noqa: BLE001  # whatever it is, they are not what they were
        return False


def _is_surely_unchanged(arguments: Mapping[str, object], fields: Mapping[str, object]) -> bool:
    """Two snapshots for each call would be dear. Values that are equal and are written alike have one form; either alone is
    not enough (1 == True, and orjson writes NaN as null). Comparing first bounds what is written."""
    try:
        return arguments == fields and _write(arguments) == _write(fields)
    except Exception:  # noqa: BLE001  # an array, for one, cannot say whether it equals something: that is no change
        return False


def _write(value: Mapping[str, object]) -> bytes | float:
    """JSON of JSON's own types. NaN, which equals nothing, when there are others."""
    try:
        return orjson.dumps(value, option=_JSON_TYPES_ALONE)
    except TypeError:
        return math.nan


class _Camera:
    def __init__(self) -> None:
        self.saw_mutable = False
        self._room = MAX_BYTES

    def take(self, value: Any, depth: int) -> object:
        kind = type(value)
        if kind is str:
            return self._text(value)
        self._spend(_VALUE_COST)
        if kind is int and -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
            return value
        if value is None or kind is bool:
            return value
        return self._take_other(value, kind, depth)

    def _take_other(self, value: Any, kind: type, depth: int) -> object:
        if kind is float:
            return _finite(value)
        if kind is int:
            return self._text(_digits(value))
        self.saw_mutable = True
        if depth == 0:
            raise Unfit(f"is nested deeper than {MAX_DEPTH}")
        if kind is dict:
            return self._object(value.items(), depth)
        if kind is list or kind is tuple:
            return self._array(value, depth)
        return self._uncommon(value, depth)

    def _uncommon(self, value: Any, depth: int) -> object:
        for base, form in _FORMS:
            if isinstance(value, base):
                return form(self, value, depth)
        return self._structure(value, depth)

    def _structure(self, value: Any, depth: int) -> object:
        kind = type(value)
        if isinstance(getattr(kind, "model_fields", None), dict):  # pydantic, without importing it
            names = [*kind.model_fields, *(getattr(value, "__pydantic_extra__", None) or ())]
            return self._attributes(value, names, depth)
        if dataclasses.is_dataclass(value):
            return self._attributes(
                value, [field.name for field in dataclasses.fields(value)], depth
            )
        if hasattr(kind, "__attrs_attrs__"):
            return self._attributes(value, [field.name for field in kind.__attrs_attrs__], depth)
        if hasattr(kind, "__index__"):
            with suppress(TypeError):  # an array has the method, and only one element can use it
                return self.take(operator.index(value), depth)
        return {OBJECT: self._text(_name_of(kind))}

    def _attributes(self, value: object, names: Iterable[str], depth: int) -> dict[str, object]:
        return self._object(((name, getattr(value, name)) for name in names), depth)

    def _object(self, items: Iterable[tuple[object, object]], depth: int) -> dict[str, object]:
        taken: dict[str, object] = {}
        for key, value in items:
            name = self._key(key)
            if name in taken:
                raise Unfit(f"has two keys that are both written {name[:40]!r}")
            try:
                taken[name] = self.take(value, depth - 1)
            except Unfit as error:
                error.path.insert(0, name[:80])
                raise
        return taken

    def _array(self, items: Iterable[object], depth: int) -> list[object]:
        taken: list[object] = []
        for index, value in enumerate(items):
            try:
                taken.append(self.take(value, depth - 1))
            except Unfit as error:
                error.path.insert(0, str(index))
                raise
        return taken

    def _set(self, items: Iterable[object], depth: int) -> list[object]:
        return sorted(self._array(items, depth), key=canonical_bytes)

    def _key(self, key: object) -> str:
        if type(key) is str:
            return self._text(key)
        if isinstance(key, Enum):
            return self._key(key.value)
        if isinstance(key, str):
            return self._text(str.__str__(key))
        if isinstance(key, bool) or not isinstance(key, int | UUID | date):
            raise Unfit(f"has a key of type {type(key).__name__}; keys must be text")
        return self._text(_digits(key) if isinstance(key, int) else str(key))

    def _bytes(self, value: bytes | bytearray | memoryview) -> dict[str, object]:
        self._spend(memoryview(value).nbytes * 4 // 3)
        return {BYTES: b64encode(value).decode("ascii")}

    def _text(self, text: str) -> str:
        self._spend(len(text) + _VALUE_COST)
        if not text.isascii():
            try:
                self._spend(len(text.encode()) - len(text))
            except UnicodeEncodeError:
                raise Unfit("is not valid Unicode (it holds a lone surrogate)") from None
        return text

    def _spend(self, cost: int) -> None:
        self._room -= cost
        if self._room < 0:
            raise Unfit(
                f"makes the arguments larger than {MAX_BYTES} bytes; pass a reference to large data"
            )

    def text_form(self, value: object, write: Callable[[Any], str]) -> str:
        return self._text(write(value))


_Form = Callable[[_Camera, Any, int], object]


def _text_by(write: Callable[[Any], str]) -> _Form:
    return lambda camera, value, _: camera.text_form(value, write)


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise Unfit("is NaN or infinite, which is not a JSON number")
    return value


def _digits(value: int) -> str:
    if value.bit_length() > 4096:
        raise Unfit("is an integer of more than 4096 bits")
    return int.__repr__(value)


def _write_decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise Unfit("is NaN or infinite, which is not a JSON number")
    return Decimal.__str__(value)


def _write_duration(value: timedelta) -> str:
    sign, value = ("-", -value) if value < timedelta(0) else ("", value)
    fraction = f".{value.microseconds:06d}" if value.microseconds else ""
    return f"{sign}P{value.days}DT{value.seconds}{fraction}S"


def _name_of(thing: Any) -> str:
    module = getattr(thing, "__module__", None) or type(thing).__module__
    name = (
        getattr(thing, "__qualname__", None)
        or getattr(thing, "__name__", "")
        or type(thing).__qualname__
    )
    return f"{module}.{name}" if not isinstance(thing, ModuleType) else str(thing.__name__)


def _callable_form(camera: _Camera, value: object, _: int) -> object:
    return {CALLABLE: camera.text_form(value, _name_of)}


# Asked in order: an IntEnum is an Enum first, a datetime is a date too.
_FORMS: tuple[tuple[type | tuple[type, ...], _Form], ...] = (
    (Enum, lambda camera, value, depth: camera.take(value.value, depth - 1)),
    (str, _text_by(str.__str__)),
    (bool, lambda _camera, value, _depth: bool(value)),
    (int, lambda camera, value, depth: camera.take(int.__int__(value), depth)),
    (float, lambda _camera, value, _depth: _finite(float.__float__(value))),
    (Decimal, _text_by(_write_decimal)),
    (datetime, _text_by(datetime.isoformat)),
    (date, _text_by(date.isoformat)),
    (time, _text_by(time.isoformat)),
    (timedelta, _text_by(_write_duration)),
    (UUID, _text_by(UUID.__str__)),
    (os.PathLike, _text_by(lambda value: os.fsdecode(os.fspath(value)))),
    ((bytes, bytearray, memoryview), lambda camera, value, _: camera._bytes(value)),  # noqa: SLF001  # its own table
    ((list, tuple), lambda camera, value, depth: camera._array(value, depth)),  # noqa: SLF001
    ((set, frozenset), lambda camera, value, depth: camera._set(value, depth)),  # noqa: SLF001
    (Mapping, lambda camera, value, depth: camera._object(value.items(), depth)),  # noqa: SLF001
    ((FunctionType, BuiltinFunctionType, MethodType, ModuleType, type), _callable_form),
)
