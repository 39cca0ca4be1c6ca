"""Every form of argument comes back from a checkpoint as what it was, of its own type."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

import heso
from heso.async_gate.rebuilding import CannotResume
from heso.core.encoding import Digest
from tests.approvals.shop import Shop


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


@dataclass(frozen=True)
class Line:
    order: str
    price: Decimal
    due: date | None = None


class Model(BaseModel):
    lines: list[Line]
    tags: set[str] = Field(default_factory=set)


class Point(NamedTuple):
    x: int
    y: float


class Parts(TypedDict):
    at: datetime
    raw: bytes


ZONED = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=timezone(timedelta(hours=5, minutes=30)))
FORMS: list[tuple[Any, object]] = [
    (int, 3),
    (int, 2**53 + 1),
    (int, -(2**80)),
    (float, 2.5),
    (float, 2.0),
    (bool, True),
    (str, "3"),
    (str, "naïve \U0001f600 \u202e"),
    (type(None), None),
    (int | None, None),
    (int | str, "7"),
    (Literal["a", "b"], "a"),
    (bytes, b"\x00\xff"),
    (Decimal, Decimal("1.10")),
    (Decimal, Decimal("-0E-7")),
    (uuid.UUID, uuid.UUID(int=7)),
    (datetime, ZONED),
    (datetime, datetime(2026, 1, 1, tzinfo=UTC)),
    (datetime, datetime(2026, 1, 1, 12)),  # noqa: DTZ001  # without a zone, as some write them
    (date, date(2026, 1, 2)),
    (time, time(1, 2, 3, 4)),
    (timedelta, timedelta(days=3, seconds=4, microseconds=5)),
    (timedelta, timedelta(days=-1, seconds=5)),
    (Path, Path("/a/b")),
    (Colour, Colour.RED),
    (Level, Level.HIGH),
    (tuple[int, str], (1, "a")),
    (tuple[int, ...], (1, 2, 3)),
    (list[Decimal], [Decimal("1.0"), Decimal(2)]),
    (set[int], {3, 1, 2}),
    (frozenset[str], frozenset("ab")),
    (dict[str, list[bytes]], {"k": [b"x"]}),
    (dict[int, str], {1: "a"}),
    (dict[uuid.UUID, date], {uuid.UUID(int=1): date(2026, 1, 1)}),
    (Line, Line("o", Decimal("9.90"), date(2026, 1, 1))),
    (list[Line | None], [Line("o", Decimal(1)), None]),
    (Model, Model(lines=[Line("o", Decimal("1.5"))], tags={"a", "b"})),
    (Point, Point(1, 2.5)),
    (Parts, {"at": ZONED, "raw": b"\x01"}),
    (Annotated[int, Field(ge=0)], 4),
    (Sequence[int], [1, 2]),
    (Any, {"a": [1, None, "x"]}),
]


def remember(shop: Shop, hint: Any, **options: object) -> Callable[..., None]:
    def keep(value: object) -> None:
        shop.ran.append(value)

    keep.__annotations__["value"] = hint
    return heso.tool(verb="payment", name="keep", **options)(keep)


@pytest.mark.parametrize(("hint", "value"), FORMS, ids=[repr(hint)[:40] for hint, _ in FORMS])
@pytest.mark.parametrize("redact", [(), ("value",)], ids=["shown", "hidden"])
def test_an_argument_comes_back_as_it_was(shop: Shop, hint, value, redact) -> None:
    shop.resume(shop.approved(remember(shop, hint, redact=redact), value))
    assert shop.ran == [value]
    assert type(shop.ran[0]) is type(value)


def test_every_kind_of_parameter_gets_its_own(shop: Shop) -> None:
    @heso.tool(verb="payment", name="keep")
    def keep(
        first: int,
        /,
        second: Decimal,
        *rest: date,
        only: bytes,
        early: timedelta = timedelta(1),  # a default like any other
        **more: uuid.UUID,
    ) -> None:
        shop.ran.append((first, second, rest, only, early, more))

    given = (1, Decimal("2.0"), date(2026, 1, 1), date(2026, 1, 2))
    named = {"only": b"x", "extra": uuid.UUID(int=3)}
    shop.resume(shop.approved(keep, *given, **named))
    more = {"extra": uuid.UUID(int=3)}
    assert shop.ran == [(1, given[1], given[2:], b"x", timedelta(1), more)]


def test_a_default_that_changed_meanwhile_does_not_count(shop: Shop) -> None:
    @heso.tool(verb="payment", name="keep")
    def keep(a: int, b: int = 1) -> None:
        shop.ran.append((a, b))

    action_hash = shop.approved(keep, 5)

    @heso.tool(verb="payment", name="keep")
    def keep(a: int, b: int = 2) -> None:
        shop.ran.append((a, b))

    shop.resume(action_hash)
    assert shop.ran == [(5, 1)]


class Plain:
    """Nothing of it can be written down."""


class Picky(BaseModel):
    n: int

    def __init__(self, **data: Any) -> None:
        if data.pop("is_first", False):
            super().__init__(**data)
            return
        raise RuntimeError("not twice")


@dataclass
class Raising:
    n: int

    def __post_init__(self) -> None:
        if self.n == 2:
            raise KeyError("no two")


def _raising() -> Raising:
    made = Raising(1)
    made.n = 2
    return made


class Child(Model):
    more: int = 0


UNFIT: list[tuple[Any, object]] = [
    (Plain, Plain()),
    (Any, Plain()),
    (Any, len),
    (Picky, Picky(n=1, is_first=True)),
    (Raising, _raising()),
    (Model, Child(lines=[], more=3)),
    (int, "three"),
    (int, True),
    (Decimal, "1.50x"),
    (list[int], [1, "x"]),
    ("NotImported", "2026-01-01"),
    ("Line | NotThere", 3),
]


@pytest.mark.parametrize(("hint", "value"), UNFIT, ids=[repr(hint)[:30] for hint, _ in UNFIT])
def test_what_does_not_come_back_as_it_was_runs_nothing(shop: Shop, hint, value) -> None:
    action_hash = shop.approved(remember(shop, hint), value)
    before = shop.snapshot(action_hash)
    with pytest.raises(CannotResume) as refused:
        shop.resume(action_hash)
    assert (shop.ran, shop.snapshot(action_hash)) == ([], before)
    assert (refused.value.tool, refused.value.action_hash) == ("keep", Digest(action_hash))
    assert refused.value.next_step


def test_the_caller_itself_runs_it_with_its_own_objects_all_the_same(shop: Shop) -> None:
    keep, thing = remember(shop, Plain), Plain()
    shop.approved(keep, thing)
    keep(thing)
    assert shop.ran == [thing]
