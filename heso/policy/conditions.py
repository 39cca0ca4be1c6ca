"""Conditions, three-valued: true, false, unknown.

Rule 1: a missing field makes a condition false; `exists = false` is how to ask for absence.
Rule 2: a field that is there but cannot be compared as the operator asks is unknown. What unknown means is the
        evaluator's business: a stricter rule then matches, a laxer one does not.
Rule 3: numbers are compared as exact decimals. Text counts as a number only if all of it is one.
Rule 4: every test takes time linear in the field, or linear times the pattern.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from fnmatch import translate
from types import MappingProxyType

from heso.policy.model import Truth

Test = Callable[[object], Truth]

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_LARGEST_INTEGER_BITS = 100_000  # beyond it the conversion to decimal takes seconds


class BadCondition(Exception):
    """Why a rule's condition cannot be compiled; the reader adds file and rule. `key` is the one at fault."""

    def __init__(self, why: str, key: str = "value") -> None:
        super().__init__(why)
        self.key = key


def compile_test(op: str, value: object) -> Test:
    """The test of one operator against one rule value. Raises `BadCondition`."""
    compiler = _COMPILERS.get(op)
    if compiler is None:
        raise BadCondition(f"unknown operator {op!r}; known are {', '.join(_COMPILERS)}", "op")
    return compiler(value)


def parse_number(value: object) -> Decimal | None:
    """The exact decimal of a JSON number or of text that is one; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value) if value.bit_length() <= _LARGEST_INTEGER_BITS else None
    if isinstance(value, float):
        return _finite(float.__repr__(value))
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return _finite(value)
    return None


def _finite(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _is_number(value: object) -> bool:
    return type(value) in (int, float, Decimal)


def _compare(holds: Callable[[Decimal, Decimal], bool]) -> Callable[[object], Test]:
    def compile_comparison(limit: object) -> Test:
        bound = parse_number(limit)
        if bound is None:
            raise BadCondition("needs a number to compare with")

        def test(value: object) -> Truth:
            number = parse_number(value)
            return None if number is None else holds(number, bound)

        return test

    return compile_comparison


def _equal(left: object, right: object) -> bool:
    if _is_number(left) or _is_number(right):
        a, b = parse_number(left), parse_number(right)
        return a is not None and a == b
    if type(left) is not type(right):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(v, right[k]) for k, v in left.items())
    return left == right


def _compile_eq(wanted: object) -> Test:
    return lambda value: _equal(value, wanted)


def _compile_neq(wanted: object) -> Test:
    return lambda value: not _equal(value, wanted)


def _compile_in(wanted: object) -> Test:
    if not isinstance(wanted, list):
        raise BadCondition("needs a list")
    return lambda value: any(_equal(value, one) for one in wanted)


def _compile_not_in(wanted: object) -> Test:
    inside = _compile_in(wanted)
    return lambda value: not inside(value)


def _compile_exists(wanted: object) -> Test:
    if type(wanted) is not bool:
        raise BadCondition("needs true or false")
    return lambda value: (value is not None) is wanted


def _compile_contains(wanted: object) -> Test:
    def test(value: object) -> Truth:
        if isinstance(value, list):
            if any(_equal(item, wanted) for item in value):
                return True
            is_nested = any(isinstance(item, list | dict) for item in value)
            return None if is_nested and not isinstance(wanted, list | dict) else False
        if isinstance(value, str) and isinstance(wanted, str):
            return wanted in value
        return None

    return test


def _compile_matches(pattern: object) -> Test:
    if not isinstance(pattern, str):
        raise BadCondition("needs a glob pattern as text")
    matches = re.compile(
        translate(pattern)
    ).match  # each `*` is atomic: no catastrophic backtracking
    return lambda value: matches(value) is not None if isinstance(value, str) else None


def _compile_regex(pattern: object) -> Test:
    if not isinstance(pattern, str):
        raise BadCondition("needs a pattern as text")
    try:
        import re2  # noqa: PLC0415  # an extra, and slow to load: only when a rule asks for it
    except ImportError:
        raise BadCondition(
            "the regex operator needs RE2: pip install 'heso[regex]'", "op"
        ) from None
    options = re2.Options()
    options.log_errors = False
    try:
        search = re2.compile(pattern, options).search
    except re2.error as error:
        detail = error.args[0] if error.args else ""
        words = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
        raise BadCondition(f"not a pattern RE2 takes: {words}") from None

    def test(value: object) -> Truth:
        if not isinstance(value, str):
            return None
        try:
            return search(value) is not None
        except UnicodeEncodeError:  # a lone surrogate
            return None

    return test


_COMPILERS: Mapping[str, Callable[[object], Test]] = MappingProxyType(
    {
        "gt": _compare(lambda a, b: a > b),
        "gte": _compare(lambda a, b: a >= b),
        "lt": _compare(lambda a, b: a < b),
        "lte": _compare(lambda a, b: a <= b),
        "eq": _compile_eq,
        "neq": _compile_neq,
        "in": _compile_in,
        "not_in": _compile_not_in,
        "exists": _compile_exists,
        "contains": _compile_contains,
        "matches": _compile_matches,
        "regex": _compile_regex,
    }
)
