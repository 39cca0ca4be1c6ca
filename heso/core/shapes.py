"""Shapes of JSON values, as data: `heso.core.schema` writes the wire format down in them.

A shape has two readings. The strict one is here: nothing unknown, no null, no default written out. The lenient one,
which answers like the format's reference, is `heso.core.projection`.

Rule: `compile_check` turns a shape into a function once; a receipt is then checked at the speed of plain calls.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from heso.core.strictness import StricterRule

Check = Callable[[object], None]

SAFE = 2**53 - 1  # what a double, which is what gets hashed, holds exactly


@dataclass(frozen=True, slots=True)
class Text:
    """Any text."""


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false."""


@dataclass(frozen=True, slots=True)
class Free:
    """Any JSON; with `is_object`, any JSON object."""

    is_object: bool = False


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number from 0 to `largest`; strict readers stop where doubles stop being exact."""

    largest: int


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few texts, or, where the format has one beside them, an object."""

    names: tuple[str, ...]
    record: "Record | None" = None


@dataclass(frozen=True, slots=True)
class ListOf:
    """An array of one shape."""

    item: "Shape"


@dataclass(frozen=True, slots=True)
class Record:
    """An object with named keys.

    `is_sealed`: the reference, too, refuses keys it does not know; elsewhere it drops them.
    `drops`: optional keys that the reference leaves out of the hash when they hold false or an empty array.
    `never_null`: optional keys that the reference, too, refuses when they hold null.
    """

    required: Mapping[str, "Shape"]
    optional: Mapping[str, "Shape"] = field(default_factory=dict)
    is_sealed: bool = False
    drops: frozenset[str] = frozenset()
    never_null: frozenset[str] = frozenset()


Shape = Text | Flag | Free | Integer | OneOf | ListOf | Record


class Mismatch(Exception):
    """A value that does not fit. The path is collected on the way out.

    `rule` names the rule when the reference would have taken the value."""

    def __init__(self, why: str, rule: StricterRule | None = None) -> None:
        self.why = why
        self.rule = rule
        self.path: list[str] = []

    def inside(self, step: str) -> "Mismatch":
        self.path.insert(0, step)
        return self


def compile_check(shape: Shape) -> Check:
    """A function that returns nothing, or raises `Mismatch` at the first thing that is not as the shape says."""
    match shape:
        case Text():
            check: Check = _check_text
        case Flag():
            check = _check_flag
        case Free(is_object=is_object):
            check = _check_object if is_object else _check_nothing
        case Integer(largest=largest):
            check = _integer_check(largest)
        case OneOf(names=names, record=record):
            check = _name_check(names, None if record is None else compile_check(record))
        case ListOf(item=item):
            check = _list_check(compile_check(item))
        case Record():
            check = _record_check(shape)
        case _:
            assert_never(shape)
    return check


def _check_text(value: object) -> None:
    if type(value) is not str:
        raise Mismatch("must be text")


def _check_flag(value: object) -> None:
    if type(value) is not bool:
        raise Mismatch("must be true or false")


def _check_nothing(value: object) -> None:
    """Any JSON."""


def _check_object(value: object) -> None:
    if type(value) is not dict:
        raise Mismatch("must be an object")


def _integer_check(largest: int) -> Check:
    exact = min(largest, SAFE)

    def check(value: object) -> None:
        if type(value) is not int or not 0 <= value <= largest:
            raise Mismatch(f"must be an integer from 0 to {exact}")
        if value > exact:
            raise Mismatch(f"must be an integer from 0 to {exact}", StricterRule.EXACT_NUMBERS)

    return check


def _name_check(names: tuple[str, ...], record_check: Check | None) -> Check:
    allowed = frozenset(names)

    def check(value: object) -> None:
        if type(value) is str and value in allowed:
            return
        if record_check is None or type(value) is str:
            raise Mismatch(f"must be one of {', '.join(names)}")
        record_check(value)

    return check


def _list_check(item_check: Check) -> Check:
    def check(value: object) -> None:
        if type(value) is not list:
            raise Mismatch("must be an array")
        for index, item in enumerate(value):
            try:
                item_check(item)
            except Mismatch as error:
                raise error.inside(str(index)) from None

    return check


def _record_check(shape: Record) -> Check:
    rules = _compile_keys(shape)
    texts = frozenset(
        key for key, of in {**shape.required, **shape.optional}.items() if isinstance(of, Text)
    )
    needed = shape.required.keys()

    def check(value: object) -> None:
        if type(value) is not dict:
            raise Mismatch("must be an object")
        for key, item in value.items():
            if type(item) is str and key in texts:
                continue  # two thirds of a receipt: not worth a call each
            if key not in rules:
                raise _unknown_key(shape, key)
            try:
                rules[key](item)
            except Mismatch as error:
                raise error.inside(key) from None
        if not needed <= value.keys():
            raise Mismatch("missing").inside(min(needed - value.keys()))

    return check


def _compile_keys(shape: Record) -> dict[str, Check]:
    rules = {key: compile_check(of) for key, of in shape.required.items()}
    for key, of in shape.optional.items():
        rules[key] = _optional_check(compile_check(of), may_be_default=key not in shape.drops)
    return rules


def _unknown_key(shape: Record, key: str) -> Mismatch:
    rule = None if shape.is_sealed else StricterRule.UNKNOWN_KEYS
    return Mismatch("unknown key", rule).inside(key[:80])


def _optional_check(present_check: Check, *, may_be_default: bool) -> Check:
    def check(value: object) -> None:
        if value is None:
            raise Mismatch("must not be null; leave it out", StricterRule.NULLS)
        if not may_be_default and (value is False or value == []):
            raise Mismatch("is the default; leave it out", StricterRule.DEFAULTS)
        present_check(value)

    return check
