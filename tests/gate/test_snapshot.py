"""The table of forms, row by row, and the same bytes in every process."""

import os
import subprocess
import sys
from collections import OrderedDict, deque, namedtuple
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from uuid import UUID

import attrs
import pydantic
import pytest

from heso.async_gate.snapshot import MAX_BYTES, MAX_DEPTH, Unfit, snapshot_fields
from heso.core.canonical import canonical_bytes


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Word(StrEnum):
    YES = "yes"


class Nested(Enum):
    PAIR = (1, 2)


@dataclass
class Order:
    amount: int
    lines: list[str] = field(default_factory=list)


@attrs.define
class Crate:
    weight: float


class Model(pydantic.BaseModel, extra="allow"):
    name: str
    when: date | None = None


class Text(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "a lie"

    __repr__ = __format__ = __str__


class Number(int):
    def __repr__(self) -> str:
        return "666"

    __str__ = __index__ = __repr__


class Plain:
    secret = "x"  # noqa: S105  # that it is never written is the test


class Index:
    def __index__(self) -> int:
        return 5


class Array:
    """As the arrays of numerical libraries: an index only when they hold one number."""

    def __index__(self) -> int:
        raise TypeError("only integer scalar arrays can be converted to a scalar index")


Point = namedtuple("Point", "x y")  # noqa: PYI024  # the untyped kind is in the table too
HOME = __name__

FORMS = [
    (None, None),
    (True, True),
    ("ü", "ü"),
    (2**53 - 1, 2**53 - 1),
    (-(2**53) + 1, -(2**53) + 1),
    (2**53, "9007199254740992"),
    (-(10**30), "-1" + "0" * 30),
    (1.5, 1.5),
    (-0.0, 0.0),
    (Decimal("1.50"), "1.50"),
    (Decimal("-0"), "-0"),
    (Colour.RED, "red"),
    (Level.LOW, 1),
    (Word.YES, "yes"),
    (Nested.PAIR, [1, 2]),
    (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00"),
    (date(2026, 1, 2), "2026-01-02"),
    (time(3, 4), "03:04:00"),
    (timedelta(days=1, seconds=2), "P1DT2S"),
    (timedelta(microseconds=-1), "-P0DT0.000001S"),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (PurePosixPath("/a/b"), "/a/b"),
    (b"\x00\xff", {"$bytes": "AP8="}),
    (bytearray(b"a"), {"$bytes": "YQ=="}),
    (memoryview(b"a"), {"$bytes": "YQ=="}),
    ([1, [2]], [1, [2]]),
    ((1, "a"), [1, "a"]),
    (Point(1, 2), [1, 2]),
    ({3, 1, 2}, [1, 2, 3]),
    (frozenset({"b", "a"}), ["a", "b"]),
    ({10, 9, "a"}, ["a", 10, 9]),
    ({"a": {"b": 1}}, {"a": {"b": 1}}),
    (OrderedDict(b=1, a=2), {"a": 2, "b": 1}),
    (MappingProxyType({"a": 1}), {"a": 1}),
    ({1: "x", Colour.RED: "y", UUID(int=0): "z"}, {"1": "x", "red": "y", str(UUID(int=0)): "z"}),
    (Order(1, ["x"]), {"amount": 1, "lines": ["x"]}),
    (Crate(1.5), {"weight": 1.5}),
    (Model(name="n", more=[1]), {"name": "n", "when": None, "more": [1]}),
    (len, {"$callable": "builtins.len"}),
    (Plain, {"$callable": f"{HOME}.Plain"}),
    (os, {"$callable": "os"}),
    (Path.exists, {"$callable": "pathlib.Path.exists"}),
    (Plain(), {"$object": f"{HOME}.Plain"}),
    (Fraction(1, 2), {"$object": "fractions.Fraction"}),
    (deque([1]), {"$object": "collections.deque"}),
    (Array(), {"$object": f"{HOME}.Array"}),
    (Index(), 5),
    (Text("real"), "real"),
    (Number(7), 7),
    (Ellipsis, {"$object": "builtins.ellipsis"}),
]


@pytest.mark.parametrize(("value", "form"), FORMS, ids=[type(value).__name__ for value, _ in FORMS])
def test_every_kind_of_argument_has_its_form(value: object, form: object) -> None:
    fields, _ = snapshot_fields({"x": value})
    assert fields == {"x": form}
    assert canonical_bytes(fields) == canonical_bytes({"x": form})


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (float("nan"), "is NaN or infinite"),
        (float("-inf"), "is NaN or infinite"),
        (Decimal("NaN"), "is NaN or infinite"),
        ("\ud800", "lone surrogate"),
        ({"\ud800": 1}, "lone surrogate"),
        ({1: "a", "1": "b"}, "has two keys that are both written '1'"),
        ({(1, 2): 3}, "has a key of type tuple"),
        ({None: 3}, "has a key of type NoneType"),
        ({True: 3}, "has a key of type bool"),
        (1 << 5000, "more than 4096 bits"),
    ],
)
def test_what_has_no_faithful_form_is_refused(value: object, why: str) -> None:
    with pytest.raises(Unfit) as refused:
        snapshot_fields({"x": {"in": [value]}})
    assert why in refused.value.why
    assert refused.value.path[:3] == ["x", "in", "0"]


@pytest.mark.parametrize("key", [1.5, Decimal("1.5")])
def test_a_number_that_is_no_integer_is_no_key(key: object) -> None:
    with pytest.raises(Unfit, match="has a key of type"):
        snapshot_fields({"x": {key: 1}})


def _nest(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def test_depth_is_bounded() -> None:
    snapshot_fields({"x": _nest(MAX_DEPTH)})
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(Unfit) as refused:
            snapshot_fields({"x": _nest(depth)})
        assert refused.value.why == "is nested deeper than 64"


@pytest.mark.parametrize(
    "value",
    [
        "x" * MAX_BYTES,
        "ü" * (MAX_BYTES // 2),
        b"x" * MAX_BYTES,
        [0] * MAX_BYTES,
        {str(number): None for number in range(MAX_BYTES // 8)},
        ["x" * 1000] * 300,
        range(3).__class__(MAX_BYTES) and list(range(MAX_BYTES)),
        memoryview(bytes(8 * MAX_BYTES)).cast("Q")[: MAX_BYTES // 2],
        memoryview(bytes(MAX_BYTES)).cast("B", (1, MAX_BYTES)),
    ],
    ids=["text", "wide", "bytes", "list", "dict", "texts", "numbers", "wide view", "flat view"],
)
def test_size_is_bounded(value: object) -> None:
    with pytest.raises(Unfit) as refused:
        snapshot_fields({"x": value})
    assert "larger than 262144 bytes" in refused.value.why


def test_a_snapshot_shares_nothing_with_its_argument() -> None:
    inner = [1]
    value = {"a": inner, "b": (inner,)}
    fields, _ = snapshot_fields({"x": value})
    inner.append(2)
    value["c"] = 3
    assert fields == {"x": {"a": [1], "b": [[1]]}}


@pytest.mark.parametrize(
    ("value", "can_change"), [(1, False), ("a", False), (None, False), ([], True), (Plain(), True)]
)
def test_it_tells_whether_anything_can_still_change(value: object, can_change: bool) -> None:
    assert snapshot_fields({"x": value})[1] is can_change


_PROGRAM = """
import sys
from uuid import UUID
from heso.async_gate.snapshot import snapshot_fields
from heso.core.canonical import canonical_bytes
class Thing: pass
words = {f"word {n}" for n in range(50)}
sys.stdout.buffer.write(canonical_bytes(snapshot_fields({
    "set": words, "nested": {frozenset({w, w + "!"}) for w in words}, "mixed": {1, "1", b"1", 2.5, None, UUID(int=3)},
    "object": Thing(), "function": lambda: 0, "dict": {w: 1 for w in words},
})[0]))
"""


def test_two_processes_write_the_same_bytes() -> None:
    texts = {
        subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "12345")
    }
    assert len(texts) == 1
    assert b"0x" not in texts.pop()
