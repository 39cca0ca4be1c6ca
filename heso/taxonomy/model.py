"""A taxonomy as values: classes in order of priority, each with the tests that put a call into it.

Rule 1: order is meaning. The first class with a matching row wins, and the last one matches everything, so every call
        has a class and "nothing matched" is a class of its own, `unresolved`.
Rule 2: a taxonomy is named by its hash, over a projection that leaves out everything without effect.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, assert_never

from heso.core.canonical import canonical_bytes
from heso.core.encoding import Digest
from heso.core.hashing import digest
from heso.core.receipt import Json, Verb

Effect = Literal["observe", "mutate", "destroy", "transfer_out", "spend", "grant", "effect_unknown"]
Form = Literal["current", "legacy"]

EFFECTS = ("observe", "mutate", "destroy", "transfer_out", "spend", "grant", "effect_unknown")
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
FLAGS = (
    "is_payment",
    "is_secret",
    "is_identity_change",
    "is_model_call",
    "effect_destructive",
    "is_local_compute",
    "has_file_body",
    "has_host",
    "row_count_unknown",
)
UNRESOLVED = "unresolved"
PRIMITIVES: Mapping[str, str] = {
    "payment": "move-value",
    "delete": "destroy",
    "account_change": "change-authority",
    "data_export": "disclose",
    "llm_call": "execute",
    "http_request": "execute",
    "tool_call": "execute",
}


@dataclass(frozen=True, slots=True)
class HostSet:
    """The host is one of these, or ends with one of the suffixes (".example.com" also means "example.com")."""

    hosts: tuple[str, ...]
    suffixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PathGlob:
    """The path, or the real path, matches as a whole: `*` stays within a segment, `**` does not."""

    globs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MethodSet:
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArgvToken:
    """One of the command's words is exactly one of these."""

    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RowThreshold:
    """At least this many rows are touched; an unknown number is no match."""

    threshold: int


@dataclass(frozen=True, slots=True)
class FactFlag:
    """A fact is true; `has_host` means that there is a host at all."""

    flag: str


@dataclass(frozen=True, slots=True)
class Always:
    """Everything."""


Row = HostSet | PathGlob | MethodSet | ArgvToken | RowThreshold | FactFlag | Always


@dataclass(frozen=True, slots=True)
class ResourceClass:
    """What a call may touch, the verb that this amounts to, and its effect."""

    id: str
    verb: Verb
    effect: Effect
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Extension:
    """Rows that a registered pack adds to one class."""

    id: str
    target: str
    rows: tuple[Row, ...]
    version: int = 1


@dataclass(
    frozen=True, slots=True, eq=False
)  # one object per bundle, so that looking it up costs nothing
class Taxonomy:
    """Classes in order, with their extensions' rows in place, and the hash that receipts name."""

    classes: tuple[ResourceClass, ...]
    hash: Digest


def hash_taxonomy(
    classes: tuple[ResourceClass, ...], form: Form, extensions: tuple[Extension, ...] = ()
) -> Digest:
    """The taxonomy's name. `classes` have the extensions' rows in them already."""
    described = [_describe_class(one) for one in classes]
    match form:
        case "legacy":
            projection: Json = {"version": 1, "classes": described}
        case "current":
            projection = {
                "projection_version": 1,
                "coarse_verb_map": dict(PRIMITIVES),
                "classes": described,
                "extensions": [
                    {"id": one.id, "hash": _hash_extension(one, classes)}
                    for one in sorted(extensions, key=lambda extension: extension.id)
                ],
            }
        case _:
            assert_never(form)
    return digest(canonical_bytes(projection))


def _hash_extension(extension: Extension, classes: tuple[ResourceClass, ...]) -> Digest:
    target = next(one for one in classes if one.id == extension.target)
    described = {
        "id": extension.id,
        "version": extension.version,
        "target_class": extension.target,
        "primitive": PRIMITIVES[target.verb],
        "predicates": [_describe_row(row) for row in extension.rows],
    }
    return digest(canonical_bytes(described))


def _describe_class(one: ResourceClass) -> Json:
    return {
        "id": one.id,
        "coarse_verb": str(one.verb),
        "effect": one.effect,
        "predicates": [_describe_row(row) for row in one.rows],
    }


def _describe_row(row: Row) -> Json:
    match row:
        case HostSet(hosts=hosts, suffixes=suffixes):
            told: Json = {
                "kind": "host_set",
                "hosts": list(hosts),
                "host_suffixes": list(suffixes),
            }
        case PathGlob(globs=globs):
            told = {"kind": "path_glob", "globs": list(globs)}
        case MethodSet(methods=methods):
            told = {"kind": "method_set", "methods": list(methods)}
        case ArgvToken(tokens=tokens):
            told = {"kind": "argv_token", "tokens": list(tokens)}
        case RowThreshold(threshold=threshold):
            told = {"kind": "row_threshold", "threshold": threshold}
        case FactFlag(flag=flag):
            told = {"kind": "fact_flag", "flag": flag}
        case Always():
            told = {"kind": "always"}
        case _:
            assert_never(row)
    return told
