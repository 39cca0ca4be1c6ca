"""What the policy judged is what the body gets: arguments that change in between stop the call."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

import heso


@dataclass
class Order:
    amount: int


class Meddler:
    """A ledger that lets somebody in just before the receipt is on disk."""

    def __init__(self, ledger: object, meddle: Callable[[], None]) -> None:
        self._ledger = ledger
        self._meddle = meddle

    def append_inline(self, seal: object) -> object:
        self._meddle()
        return self._ledger.append_inline(seal)

    async def append(self, seal: object) -> object:
        return self.append_inline(seal)


def _change_list(value: list) -> None:
    value.append(9)


def _change_dict(value: dict) -> None:
    value["a"]["b"] = 2


def _change_order(value: Order) -> None:
    value.amount = 2


def _change_set(value: set) -> None:
    value.add(2)


def _change_bytes(value: bytearray) -> None:
    value[0] = 7


def _make_true(value: list) -> None:
    value[0] = True


def _make_unfit(value: list) -> None:
    value[0] = float("nan")


CHANGES = [
    ([1], _change_list),
    ({"a": {"b": 1}}, _change_dict),
    (Order(1), _change_order),
    ({1}, _change_set),
    (bytearray(b"x"), _change_bytes),
    ([1], _make_true),
    ([1], _make_unfit),
    (([1],), lambda value: _change_list(value[0])),
]
IDS = ["list", "dict", "dataclass", "set", "bytearray", "one becomes true", "nan", "inner list"]


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("case", CHANGES, ids=IDS)
def test_an_argument_that_changes_at_the_gate_stops_the_call(
    project, body, case: tuple[object, Callable[[object], None]], is_async: bool
) -> None:
    import copy

    value, change = copy.deepcopy(case[0]), case[1]
    project.start(ledger=Meddler(project.ledger, lambda: change(value)))

    @heso.tool
    def act(value: object) -> None:
        body.run(value)

    @heso.tool
    async def act_later(value: object) -> None:
        body.run(value)

    with pytest.raises(heso.GateError) as refused:
        asyncio.run(act_later(value)) if is_async else act(value)
    assert body.ran == []
    assert "its arguments changed while it passed the gate" in str(refused.value)
    assert project.decisions() == ["allow"]


def test_an_argument_that_stays_is_handed_over_as_it_is(project, body) -> None:
    value = {"deep": [Order(1), {2}]}

    @heso.tool
    def act(value: object) -> object:
        return value

    assert act(value) is value


class Array:
    """As arrays are: comparing gives no yes or no, and asking for one is an error."""

    def __eq__(self, other: object) -> object:  # type: ignore[override]
        return Array()

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")

    __hash__ = None  # type: ignore[assignment]


class Touchy(Array):
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not to be compared")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    "value",
    [Array(), [Array()], {"a": [Touchy(), 1]}, Touchy()],
    ids=["alone", "in a list", "deep", "raising"],
)
def test_an_argument_that_cannot_be_compared_has_not_changed(project, body, value: object) -> None:
    @heso.tool
    def act(value: object) -> object:
        return value

    assert act(value) is value


def test_an_argument_that_cannot_be_read_again_stops_the_call_with_our_error(project, body) -> None:
    @dataclass
    class Moody:
        reads = 0

        amount: int = 1

        def __getattribute__(self, name: str) -> object:
            if name == "amount":
                type(self).reads += 1
                if type(self).reads > 1:
                    raise OSError("not again")
            return object.__getattribute__(self, name)

    @heso.tool
    def act(value: object) -> None:
        body.run(value)

    value = Moody()
    Moody.reads = 0
    with pytest.raises(heso.GateError):
        act(value)
    assert body.ran == []


def test_a_change_inside_the_body_is_the_bodys_own_affair(project) -> None:
    @heso.tool
    def act(value: list[int]) -> list[int]:
        value.append(2)
        return value

    assert act([1]) == [1, 2]
    assert project.read()[0]["action"]["fields"] == {"value": [1]}
