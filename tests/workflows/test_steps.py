"""Gated tools as steps: allowed, redacted, blocked, failed, retried, observed; one meaning the first time and on replay."""

import asyncio
import math
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import BaseModel

import heso
from heso.core.journal import StepState
from tests.workflows.runstage import Stage, twice

CARD = "4242 4242 4242 4242"


class Money(BaseModel):
    cents: int


RESULTS = {
    "none": (None, None, None),
    "text": ("zoë", str, "zoë"),
    "a model": (Money(cents=5), Money, Money(cents=5)),
    "no annotation": (Money(cents=5), None, {"cents": 5}),
    "a tuple": ((1, 2), tuple[int, int], (1, 2)),
    "a set": ({3, 1}, set[int], {1, 3}),
    "decimal": (Decimal("1.10"), Decimal, Decimal("1.10")),
    "a time": (datetime(2026, 1, 1, tzinfo=UTC), datetime, datetime(2026, 1, 1, tzinfo=UTC)),
    "another than it says": ("text", int, "text"),
    "a large int": (2**80, int, 2**80),
    "nan": (math.nan, float, None),
    "a function": (print, None, {"$callable": "builtins.print"}),
    "huge": ("x" * 300_000, str, None),
    "a type nobody can read": ("x", "Nowhere", "x"),
}


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("case", RESULTS)
def test_a_result_is_its_json_form_the_first_time_and_ever_after(
    stage: Stage, case: str, kind: str
) -> None:
    value, hint, wanted = RESULTS[case]

    def sync() -> object:
        return value

    async def coroutine() -> object:
        return value

    function = sync if kind == "def" else coroutine
    if hint is not None:
        function.__annotations__["return"] = hint
    else:
        function.__annotations__.clear()
    act = heso.tool(name=f"steps.{kind}.{case}")(function)

    async def call() -> object:
        found = act()
        return await found if asyncio.iscoroutine(found) else found

    assert twice(stage, call, name="steps.results") == wanted


class Boom(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no"), "ValueError: no"),
        (ValueError("\udcff"), "ValueError: \\udcff"),
        (Boom(), "Boom"),
        (StopAsyncIteration(), "StopAsyncIteration: "),
        (heso.SuspendedError("t", "0" * 64, "r", "z"), None),
    ],
    ids=["plain", "no unicode", "no words", "an iterator's", "one of heso's own"],
)
def test_a_tool_that_raises_has_failed_both_times(
    stage: Stage, error: Exception, said: str | None, kind: str
) -> None:
    @heso.tool(name="steps.raising")
    def sync() -> None:
        stage.ran.append(heso.current_idempotency_key() or "")
        raise error

    @heso.tool(name="steps.raising_later")
    async def coroutine() -> None:
        stage.ran.append(heso.current_idempotency_key() or "")
        raise error

    async def act() -> object:
        return sync() if kind == "def" else await coroutine()

    kind_of, _, values = twice(stage, act, name="steps.raise")
    assert kind_of is heso.ToolFailedError
    assert values["said"] == (said or f"SuspendedError: {error}")
    assert len(stage.ran) == 1


def test_what_failed_first_says_what_it_comes_from(stage: Stage) -> None:
    causes: list[object] = []

    @heso.tool(name="steps.causing")
    async def causing() -> None:
        raise ValueError("x")

    @heso.workflow(name="steps.cause")
    async def flow() -> None:
        try:
            await causing()
        except heso.ToolFailedError as error:
            causes.append(type(error.__cause__))

    stage.start(flow)
    assert causes == [ValueError]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_blocked_step_is_blocked_both_times_and_never_runs(stage: Stage, kind: str) -> None:
    sync = stage.tool(name="steps.mail", verb="http_request", target_host="mail.example")
    later = stage.async_tool(name="steps.mail_later", verb="http_request", target_host="a.example")

    async def act() -> object:
        return sync("m") if kind == "def" else await later("m")

    kind_of, words, values = twice(stage, act, name="steps.block")
    assert (kind_of, values["rule_id"], stage.ran) == (heso.BlockedError, "no-mail", [])
    assert "is blocked by rule 'no-mail'" in words
    name = "steps.mail" if kind == "def" else "steps.mail_later"
    assert stage.steps()[f"{name} #0"] == (StepState.FAILED, "BlockedError")


def _echo(secret: str, *, fails: bool) -> dict[str, object]:
    if fails:
        raise ValueError("x" * 190 + secret)
    return {"echo": [f"<{secret}>"], secret: secret}


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("secret", [CARD, 'a"b\\c\nd', "said", "error", "ToolFailedError", "zoë ☂"])
def test_a_hidden_value_is_in_no_row_no_result_and_no_error(
    stage: Stage, kind: str, secret: str
) -> None:
    @heso.tool(name="steps.hiding", verb="llm_call")
    def sync(secret: str, fails: bool) -> dict[str, object]:
        return _echo(secret, fails=fails)

    @heso.tool(name="steps.hiding_later", redact=["secret"])
    async def later(secret: str, fails: bool) -> dict[str, object]:
        return _echo(secret, fails=fails)

    async def act() -> object:
        told: list[object] = []
        for fails in (False, True):
            try:
                found = sync(secret, fails) if kind == "def" else await later(secret, fails)
                told.append(found)
            except heso.ToolFailedError as error:
                told.append(error.said)
        return told

    found = twice(stage, act, name="steps.hide")
    assert found == [
        {"echo": ["<[redacted]>"], "[redacted]": "[redacted]"},
        "ValueError: " + "x" * 190 + "[redacted]",
    ]
    values = [value for (value,) in stage.sql("SELECT value_json FROM step")]
    assert secret != CARD or b"4242" not in b"".join(values)
