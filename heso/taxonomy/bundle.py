"""Loading a taxonomy: one of the two published bundles, or a text of one's own (fact sheet, 7.1 and 7.4).

A text is TOML: `[[class]]` with `id`, `coarse_verb`, `effect` and rows of `[[class.predicate]]`. What is unknown in it
is refused: a row that is passed over is a hole in the classification.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from heso.core.errors import HesoError, Malformed
from heso.core.receipt import Verb
from heso.taxonomy.data import make_current, make_legacy
from heso.taxonomy.model import (
    EFFECTS,
    FLAGS,
    METHODS,
    UNRESOLVED,
    Always,
    ArgvToken,
    FactFlag,
    Form,
    HostSet,
    MethodSet,
    PathGlob,
    ResourceClass,
    Row,
    RowThreshold,
    Taxonomy,
    hash_taxonomy,
)

Name = Literal["current", "legacy"]


@dataclass(eq=False)
class BadTaxonomy(HesoError):
    """A text that is no taxonomy. `where` is the class and the key."""

    why: str
    where: str = ""

    next_step = "mend the taxonomy's text; every key in it counts"

    def __str__(self) -> str:
        return f"the taxonomy is not sound{f' at {self.where}' if self.where else ''}: {self.why}"


@lru_cache(maxsize=2)
def load_taxonomy(name: Name = "current") -> Taxonomy:
    """A published bundle: `current` of the open specification, or `legacy` of the format's reference."""
    return make_current() if name == "current" else make_legacy()


def parse_taxonomy(text: bytes, *, form: Form = "current") -> Taxonomy:
    """A bundle of one's own, named by its hash. Raises `BadTaxonomy`."""
    try:
        document = tomllib.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadTaxonomy(f"not TOML ({type(error).__name__})") from None
    rows = document.pop("class", None)
    if document or not isinstance(rows, list) or not rows:
        raise BadTaxonomy("it is a list of [[class]] and nothing else")
    classes = tuple(_parse_class(row) for row in rows)
    _check_order(classes)
    try:
        return Taxonomy(classes, hash_taxonomy(classes, form))
    except Malformed as error:
        raise BadTaxonomy(f"it has no hash: {error.why}") from None


def _check_order(classes: Sequence[ResourceClass]) -> None:
    ids = [one.id for one in classes]
    if len(set(ids)) != len(ids):
        raise BadTaxonomy("two classes have one id")
    last = classes[-1]
    if last.id != UNRESOLVED or last.rows != (Always(),):
        raise BadTaxonomy(f"the last class must be {UNRESOLVED!r}, with nothing but an always row")
    if sum(isinstance(row, Always) for one in classes for row in one.rows) > 1:
        raise BadTaxonomy("only the last class may match everything")


def _parse_class(value: object) -> ResourceClass:
    row = _table(value, "class")
    where = str(row.get("id", "class"))[:80]
    unknown = row.keys() - {"id", "coarse_verb", "effect", "predicate"}
    if unknown:
        raise BadTaxonomy(f"unknown key {min(unknown)[:80]!r}", where)
    if not isinstance(row.get("id"), str) or row.get("effect") not in EFFECTS:
        raise BadTaxonomy("a class has an id and an effect that is known", where)
    try:
        verb = Verb(str(row.get("coarse_verb")))
    except ValueError:
        raise BadTaxonomy("its coarse_verb is not a verb", where) from None
    predicates = row.get("predicate")
    if not isinstance(predicates, list) or not predicates:
        raise BadTaxonomy("a class without a predicate matches nothing", where)
    rows = tuple(_parse_row(_table(one, where), where) for one in predicates)
    return ResourceClass(row["id"], verb, row["effect"], rows)


def _table(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadTaxonomy("must be a table", where)
    return value


def _parse_row(row: dict[str, Any], where: str) -> Row:
    kind = row.get("kind")
    known = _ROWS.get(kind) if isinstance(kind, str) else None
    if known is None:
        raise BadTaxonomy(f"unknown kind {str(kind)[:80]!r}", where)
    keys, make = known
    unknown = row.keys() - {"kind", *keys}
    if unknown:
        raise BadTaxonomy(f"unknown key {min(unknown)[:80]!r}", where)
    return make(row, where)


def _texts(row: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    found = row.get(key, [])
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise BadTaxonomy("must be a list of texts", f"{where}.{key}")
    return tuple(found)


def _make_hosts(row: Mapping[str, Any], where: str) -> Row:
    hosts = tuple(text.strip().lower() for text in _texts(row, "hosts", where))
    suffixes = tuple(text.strip().lower() for text in _texts(row, "host_suffixes", where))
    _refuse_empty((*hosts, *suffixes), where)
    return HostSet(hosts=hosts, suffixes=suffixes)


def _make_methods(row: Mapping[str, Any], where: str) -> Row:
    methods = tuple(text.upper() for text in _texts(row, "methods", where))
    _refuse_empty(methods, where)
    if not set(methods) <= set(METHODS):
        raise BadTaxonomy("it names a method that is not known", where)
    return MethodSet(methods)


def _make_globs(row: Mapping[str, Any], where: str) -> Row:
    globs = _texts(row, "path_globs", where)
    _refuse_empty(globs, where)
    return PathGlob(globs)


def _make_tokens(row: Mapping[str, Any], where: str) -> Row:
    tokens = tuple(text.lower() for text in _texts(row, "tokens", where))
    _refuse_empty(tokens, where)
    return ArgvToken(tokens)


def _refuse_empty(found: Sequence[str], where: str) -> None:
    """A row that nothing can match says something else than it seems to."""
    if not found:
        raise BadTaxonomy("it names nothing", where)


def _make_threshold(row: Mapping[str, Any], where: str) -> Row:
    threshold = row.get("threshold")
    if type(threshold) is not int or threshold < 1:
        raise BadTaxonomy("its threshold is not a number above 0", where)
    return RowThreshold(threshold)


def _make_flag(row: Mapping[str, Any], where: str) -> Row:
    if row.get("flag") not in FLAGS:
        raise BadTaxonomy("it names a fact that is not known", where)
    return FactFlag(row["flag"])


_ROWS: Mapping[str, tuple[tuple[str, ...], Callable[[Mapping[str, Any], str], Row]]] = {
    "host_set": (("hosts", "host_suffixes"), _make_hosts),
    "path_glob": (("path_globs",), _make_globs),
    "method_set": (("methods",), _make_methods),
    "argv_token": (
        ("tokens",),
        _make_tokens,
    ),
    "row_threshold": (("threshold",), _make_threshold),
    "fact_flag": (("flag",), _make_flag),
    "always": ((), lambda _row, _where: Always()),
}
