"""Skipping rules that cannot match: neighbours whose first condition asks one field the same way form a run, and one
look at the field tells which of them are worth asking.

A thousand rules about a thousand tools, or a thousand limits on one amount, then cost about as much as ten. A run only
ever leaves out rules whose first condition is false; what is doubtful is asked in full.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from heso.policy.conditions import parse_number
from heso.policy.fields import MISSING, UNREADABLE
from heso.policy.model import Candidate, Condition, Run

_ABOVE = frozenset({"gt", "gte"})
_BELOW = frozenset({"lt", "lte"})


@dataclass(frozen=True, slots=True)
class Everything:
    """Rules that have to be asked one by one."""

    field: None
    candidates: tuple[Candidate, ...]

    def pick(self, value: object) -> Sequence[Candidate]:  # noqa: ARG002  # a run of no particular field
        return self.candidates


@dataclass(frozen=True, slots=True)
class SameText:
    """`field eq "text"`, for texts that are not numbers: only an equal text can match."""

    field: str
    by_text: Mapping[str, tuple[Candidate, ...]]
    candidates: tuple[Candidate, ...]

    def pick(self, value: object) -> Sequence[Candidate]:
        if value is UNREADABLE:
            return self.candidates
        return self.by_text.get(value, ()) if isinstance(value, str) else ()


@dataclass(frozen=True, slots=True)
class SameLimit:
    """`field gt 100` and its like: where the loosest limit does not hold, none does."""

    field: str
    loosest: Condition
    candidates: tuple[Candidate, ...]

    def pick(self, value: object) -> Sequence[Candidate]:
        if value is MISSING:
            return ()
        if value is not UNREADABLE and self.loosest.holds(value) is False:
            return ()
        return self.candidates


def make_runs(candidates: Iterable[Candidate]) -> tuple[Run, ...]:
    """The candidates in their order, neighbours that can be judged together side by side."""
    return tuple(_make_run(tuple(members)) for _, members in groupby(candidates, _way_of_asking))


def _way_of_asking(candidate: Candidate) -> tuple[str, str] | None:
    if not candidate.rule.conditions:
        return None
    first = candidate.rule.conditions[0]
    if first.op == "eq" and isinstance(first.value, str) and parse_number(first.value) is None:
        return first.field, "eq"
    if first.op in _ABOVE | _BELOW:
        return first.field, first.op
    return None


def _make_run(members: tuple[Candidate, ...]) -> Run:
    way = _way_of_asking(members[0])
    if way is None:
        return Everything(None, members)
    field, op = way
    if op == "eq":
        by_text: dict[str, tuple[Candidate, ...]] = {}
        for member in members:
            text = str(member.rule.conditions[0].value)
            by_text[text] = (*by_text.get(text, ()), member)
        return SameText(field, by_text, members)
    firsts = [member.rule.conditions[0] for member in members]
    loosest = min(firsts, key=_limit) if op in _ABOVE else max(firsts, key=_limit)
    return SameLimit(field, loosest, members)


def _limit(condition: Condition) -> Decimal:
    """The rule's number. The condition's own value may be a text that is one."""
    number = parse_number(condition.value)
    if number is None:
        raise ValueError(condition.value)
    return number
