"""What a call touches, from facts about it alone: never from a tool's name or its own word (fact sheet, 7.2).

`classify` is total and pure: every set of facts has exactly one class, the first in order with a matching row.

Rule 1: hosts are compared as they are. Whoever observes them writes them in lower case.
Rule 2: matching takes time linear in the path for each glob, whatever the path is.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal, assert_never

from heso.core.hot import hot_value
from heso.core.receipt import Verb
from heso.taxonomy.model import (
    Always,
    ArgvToken,
    Effect,
    FactFlag,
    HostSet,
    MethodSet,
    PathGlob,
    ResourceClass,
    Row,
    RowThreshold,
    Taxonomy,
)

Egress = Literal["local", "crosses_trust_boundary", "crosses_unknown"]
Facts = Mapping[str, Any]
Test = Callable[[Facts], bool]

_REACHING = frozenset({"spend", "transfer_out", "grant", "effect_unknown"})

# From the strictest to the laxest, as the floors of policy have it: a deletion and a changed account always need a
# person, and a payment that a rule bounds does not. The other way round a call could buy itself a lower floor.
_LADDER = (
    Verb.DELETE,
    Verb.ACCOUNT_CHANGE,
    Verb.PAYMENT,
    Verb.DATA_EXPORT,
    Verb.LLM_CALL,
    Verb.HTTP_REQUEST,
    Verb.TOOL_CALL,
)
_RANK = {verb: rank for rank, verb in enumerate(_LADDER)}


@hot_value
class Classified:
    """Where a call belongs, the verb that this amounts to, and whether it leaves this machine."""

    resource_class: str
    verb: Verb
    effect: Effect
    egress: Egress


def classify(facts: Facts, taxonomy: Taxonomy) -> Classified:
    """The class of a call with these facts."""
    for one, tests in _compile(taxonomy):
        for holds in tests:
            if holds(facts):
                egress = _egress(facts, one.effect)
                return Classified(one.id, one.verb, one.effect, egress)
    raise ValueError("a taxonomy without an end")  # the loader saw to it


def stricter_verb(declared: Verb, classified: Verb) -> Verb:
    """The one of two verbs that policy is harder on."""
    return min(declared, classified, key=_RANK.__getitem__)


def _egress(facts: Facts, effect: Effect) -> Egress:
    if "host" in facts:
        return "crosses_trust_boundary"
    if "method" in facts or effect in _REACHING:
        return "crosses_unknown"
    return "local"


@lru_cache(maxsize=16)
def _compile(taxonomy: Taxonomy) -> tuple[tuple[ResourceClass, tuple[Test, ...]], ...]:
    return tuple((one, tuple(map(_compile_row, one.rows))) for one in taxonomy.classes)


def _compile_row(row: Row) -> Test:
    match row:
        case HostSet():
            test = _host_test(row)
        case PathGlob(globs=globs):
            test = _path_test(globs)
        case MethodSet(methods=methods):
            test = _member_test("method", frozenset(methods))
        case ArgvToken(tokens=tokens):
            test = _token_test(frozenset(tokens))
        case RowThreshold(threshold=threshold):
            test = _row_test(threshold)
        case FactFlag(flag=flag):
            test = _flag_test(flag)
        case Always():
            test = _always
        case _:
            assert_never(row)
    return test


def _host_test(row: HostSet) -> Test:
    exact = frozenset((*row.hosts, *(suffix.removeprefix(".") for suffix in row.suffixes)))
    suffixes = row.suffixes

    def holds(facts: Facts) -> bool:
        host = facts.get("host")
        return host is not None and (host in exact or host.endswith(suffixes))

    return holds


def _path_test(globs: tuple[str, ...]) -> Test:
    def holds(facts: Facts) -> bool:
        paths = [facts[key] for key in ("path", "realpath") if key in facts]
        return any(glob_matches(glob, path) for path in paths for glob in globs)

    return holds


def _member_test(key: str, members: frozenset[str]) -> Test:
    return lambda facts: facts.get(key) in members


def _token_test(tokens: frozenset[str]) -> Test:
    return lambda facts: not tokens.isdisjoint(facts.get("argv_tokens", ()))


def _row_test(threshold: int) -> Test:
    def holds(facts: Facts) -> bool:
        rows = facts.get("row_count_estimate")
        return rows is not None and rows >= threshold

    return holds


def _flag_test(flag: str) -> Test:
    if flag == "has_host":
        return lambda facts: "host" in facts
    return lambda facts: facts.get(flag) is True


def _always(_: Facts) -> bool:
    return True


def glob_matches(glob: str, path: str) -> bool:
    """Whether the whole path matches: `*` is any run without a slash, `**` any run at all, the rest is literal.

    It follows all places at once where one may be in the path, and opens each segment once for a star: no path takes
    longer than its length times the number of stars.
    """
    parts = _split_glob(glob)
    reachable = {0}
    for part in parts:
        reachable = _advance(part, path, reachable)
        if not reachable:
            return False
    return len(path) in reachable


def _advance(part: str, path: str, reachable: set[int]) -> set[int]:
    """Where in the path one can be after this part, from where one could be before it."""
    if part == "**":
        return set(range(min(reachable), len(path) + 1))
    if part == "*":
        after: set[int] = set()
        for start in sorted(
            reachable
        ):  # forward, or a segment is opened again for each of its places
            if start in after:
                continue
            end = path.find("/", start)
            after.update(range(start, (len(path) if end < 0 else end) + 1))
        return after
    return {at + len(part) for at in reachable if path.startswith(part, at)}


@lru_cache(maxsize=256)
def _split_glob(glob: str) -> tuple[str, ...]:
    parts: list[str] = []
    rest = glob
    while rest:
        star = rest.find("*")
        if star:
            cut = len(rest) if star < 0 else star
            parts.append(rest[:cut])
        else:
            cut = 2 if rest.startswith("**") else 1
            parts.append(rest[:cut])
        rest = rest[cut:]
    return tuple(parts)
