"""Binding a call by hand gives what Python itself would bind, or the same refusal."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from heso.async_gate.binding import Binder

SIGNATURES = [
    "",
    "a",
    "a, b",
    "a, b=1",
    "a=1, b=2",
    "a, /",
    "a, /, b",
    "a, b=1, /, c=2",
    "a, /, *, b",
    "*, a",
    "*, a=1, b",
    "a, *, b=1",
    "*args",
    "a, *args",
    "a, *args, b=1",
    "**more",
    "a, **more",
    "a=1, /, **more",
    "a, *args, b, **more",
    "args, more",
    "self, a",
    "cls",
]


def _make(parameters: str) -> Callable[..., object]:
    space: dict[str, Any] = {}
    exec(f"def f({parameters}): return locals()", space)  # noqa: S102  # from the table above
    return space["f"]


FUNCTIONS = {parameters: _make(parameters) for parameters in SIGNATURES}
NAMES = st.sampled_from(["a", "b", "c", "self", "cls", "x", "args", "more"])


def _expected(function: Callable[..., object], args: tuple, kwargs: dict) -> dict[str, object]:
    call = inspect.signature(function).bind(*args, **kwargs)
    call.apply_defaults()
    flat: dict[str, object] = {}
    for name, value in call.arguments.items():
        if inspect.signature(function).parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            if not flat.keys().isdisjoint(value):
                raise TypeError("given twice")
            flat.update(value)
        else:
            flat[name] = value
    return flat


@given(
    st.sampled_from(SIGNATURES),
    st.lists(st.integers(10, 99), max_size=4),
    st.dictionaries(NAMES, st.integers(100, 999), max_size=4),
)
@example("a, /", [], {"a": 1})
@example("a=1, /, **more", [], {"a": 2})
@example("a, b", [1], {"a": 2})
@example("a, b", [1, 2, 3], {})
def test_binding_is_pythons_own(parameters: str, args: list[int], kwargs: dict[str, int]) -> None:
    function = FUNCTIONS[parameters]
    try:
        want = _expected(function, tuple(args), kwargs)
    except TypeError:
        with pytest.raises(TypeError):
            Binder(function).bind(tuple(args), kwargs)
        return
    assert Binder(function).bind(tuple(args), kwargs) == want


class Agent:
    def method(self, amount: int, to: str = "me") -> None: ...

    @classmethod
    def build(cls, amount: int) -> None: ...

    def posonly(self, amount: int, /, **more: int) -> None: ...


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "bound"),
    [
        (Agent.method, (None, 1), {}, {"amount": 1, "to": "me"}),
        (Agent.method, (None,), {"amount": 1}, {"amount": 1, "to": "me"}),
        (Agent.build.__func__, (Agent, 1), {}, {"amount": 1}),
        (Agent().method, (1,), {}, {"amount": 1, "to": "me"}),
        (Agent.posonly, (None, 1), {"x": 2}, {"amount": 1, "x": 2}),
    ],
)
def test_the_receiver_is_no_argument(
    function: Callable[..., object], args: tuple, kwargs: dict, bound: dict[str, object]
) -> None:
    assert Binder(function).bind(args, kwargs) == bound


def test_a_plain_function_may_call_its_argument_self() -> None:
    def act(self: int) -> None: ...

    assert Binder(act).bind((1,), {}) == {"self": 1}


def test_a_static_method_may_call_its_argument_self() -> None:
    """It has no receiver: leaving it out would hide it from policy."""
    import heso
    from heso.async_gate.door import install_gate

    class Bank:
        @heso.tool
        @staticmethod
        def pay(self: int, amount: int) -> None: ...  # noqa: PLW0211  # odd, and legal

    install_gate(None)
    assert list(inspect.signature(Bank.pay).parameters) == ["self", "amount"]
    seen: list[dict[str, object]] = []

    class Spy:
        def admit_inline(self, call: heso.Call) -> None:
            seen.append(dict(call.fields))
            raise LookupError

    install_gate(Spy())
    try:
        with pytest.raises(LookupError):
            Bank.pay(5, 7)
    finally:
        install_gate(None)
    assert seen == [{"self": 5, "amount": 7}]
