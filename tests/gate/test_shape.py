"""A gated function is, to everybody who looks at it, the function it was."""

import asyncio
import inspect
import typing
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

import heso

Make = Callable[..., Callable[[str], object]]


def plain(amount: int, /, to: str = "me", *rest: float, loud: bool = False, **more: str) -> str:
    """Says things."""
    return f"{amount} {to} {rest} {loud} {more}"


async def coroutine(amount: int) -> str:
    """Says things later."""
    return str(amount)


def generator(count: int) -> Iterator[int]:
    """Counts."""
    yield from range(count)


async def async_generator(count: int) -> AsyncIterator[int]:
    """Counts later."""
    for number in range(count):
        yield number


FUNCTIONS = [plain, coroutine, generator, async_generator]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_gated_function_looks_like_itself(function: Callable[..., object]) -> None:
    gated = heso.tool(function)
    assert inspect.signature(gated) == inspect.signature(function)
    assert (gated.__doc__, gated.__name__, gated.__qualname__, gated.__module__) == (
        function.__doc__,
        function.__name__,
        function.__qualname__,
        function.__module__,
    )
    assert typing.get_type_hints(gated) == typing.get_type_hints(function)
    assert not hasattr(gated, "__wrapped__")


@pytest.mark.filterwarnings("ignore:.*iscoroutinefunction:DeprecationWarning")
@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    "question",
    [
        inspect.isfunction,
        inspect.iscoroutinefunction,
        asyncio.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
    ],
)
def test_a_gated_function_is_of_the_same_kind(
    function: Callable[..., object], question: Callable[[object], bool]
) -> None:
    assert question(heso.tool(function)) == question(function)


def test_a_gated_function_keeps_what_hangs_on_it() -> None:
    def act() -> None: ...

    act.label = "here"
    assert heso.tool(act).label == "here"


def test_a_call_passes_every_kind_of_argument(project) -> None:
    gated = heso.tool(plain)
    assert gated(1, "you", 2.5, loud=True, x="y") == plain(1, "you", 2.5, loud=True, x="y")
    assert project.read()[0]["action"]["fields"] == {
        "amount": 1,
        "to": "you",
        "rest": [2.5],
        "loud": True,
        "x": "y",
    }


class Oops(Exception):
    pass


@pytest.mark.parametrize(
    "error",
    [Oops("x"), KeyboardInterrupt(), SystemExit(3), heso.GateError("t", "w"), LookupError()],
)
def test_what_a_body_raises_comes_out_unchanged(
    project, body, make_tool: Make, error: BaseException
) -> None:
    def fail() -> None:
        raise error

    body.on_run = fail
    with pytest.raises(type(error)) as raised:
        make_tool(body)("x")
    assert raised.value is error
    assert (error.__cause__, error.__context__) == (None, None)
    assert raised.traceback[-1].name == "fail"
    assert heso.current_action_hash() is None


def test_a_wrong_call_is_a_type_error_and_reaches_no_ledger(project) -> None:
    gated = heso.tool(plain)
    with pytest.raises(TypeError, match="amount"):
        gated()
    assert project.read() == []


def test_options_that_are_wrong_are_refused_while_decorating() -> None:
    with pytest.raises(ValueError, match="not a valid Verb"):
        heso.tool(verb="buy")(plain)
    with pytest.raises(TypeError, match="gates functions and methods, not int"):
        heso.tool(3)
    with pytest.raises(TypeError, match="not type"):
        heso.tool(Oops)


@pytest.mark.parametrize("path", ["amuont", "amuont.cents", "self", ""])
def test_a_misspelt_redact_path_is_refused_while_decorating(path: str) -> None:
    class Agent:
        def act(self, amount: int) -> None: ...

    with pytest.raises(ValueError, match="redact path"):
        heso.tool(redact=[path])(Agent.act)


def test_a_redact_path_as_one_text_is_not_taken_for_a_list_of_letters() -> None:
    """It would hide nothing, silently: with `**kwargs` any path may be there."""

    def act(**fields: str) -> None: ...

    with pytest.raises((TypeError, ValueError)):
        heso.tool(redact="card")(act)


def test_the_name_and_the_host_are_on_the_receipt(project) -> None:
    @heso.tool(name="mail", target_host=lambda fields: fields["url"].split("/")[2])
    def send(url: str) -> None: ...

    send("https://example.com/x")
    action = project.read()[0]["action"]
    assert (action["tool_name"], action["target_host"]) == ("mail", "example.com")


@pytest.mark.parametrize("host", [lambda _: 3, lambda fields: fields["x"], "not a host"])
def test_a_host_that_cannot_be_told_admits_nothing(project, host: object) -> None:
    ran = []

    @heso.tool(target_host=host)
    def act(url: str) -> None:
        ran.append(url)

    with pytest.raises(heso.GateError):
        act("u")
    assert (ran, project.read()) == ([], [])


def test_destructive_is_a_delete(project) -> None:
    @heso.destructive
    def wipe() -> None:
        raise AssertionError

    with pytest.raises(heso.SuspendedError):
        wipe()
    assert project.read()[0]["action"]["verb"] == "delete"
