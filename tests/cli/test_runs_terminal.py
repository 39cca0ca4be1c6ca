"""`heso runs` on a terminal: whatever ids, names, values and errors hold, it is text there."""

import json
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

import heso as library
from tests.cli.conftest import HOSTILE, RAW

ODD = "[red]../../etc/passwd[/red] ☂"


@pytest.fixture
def runs(project: Path) -> Path:
    @library.tool(name=HOSTILE)
    def act(text: str) -> str:
        return text

    @library.tool(name=f"{HOSTILE}2")
    def fail() -> None:
        raise ValueError(HOSTILE)

    @library.workflow(name=f"[bold]{ODD}")
    async def flow(text: str) -> object:
        act(text)
        await library.remember(ODD, lambda: HOSTILE)
        if text == ODD:
            await library.receive(ODD)
        return fail()

    async def begin() -> None:
        await library.start(flow, ODD, id=ODD)
        await library.start(flow, HOSTILE, id="x" * 200)

    with library.init(project):
        anyio.run(begin)
    return project


@pytest.mark.parametrize(
    "command", [("list",), ("list", "--json"), ("show",), ("show", "--values"), ("show", "--json")]
)
@pytest.mark.parametrize("run", [ODD, "x" * 200], ids=["odd", "long"])
def test_hostile_runs_reach_a_terminal_as_text(
    command: tuple[str, ...], run: str, runs: Path, on_terminal: Callable
) -> None:
    what, *options = command
    shown = on_terminal("runs", what, *([run] if what == "show" else []), *options)
    assert not [raw for raw in RAW if raw in shown]
    assert run in "".join(shown.split("\r\n")) or run in shown.replace("\r\n", "")


def test_a_program_gets_the_exact_values(runs: Path, heso: Callable) -> None:
    lines = heso("runs", "show", "x" * 200, "--json").out.rstrip("\n").split("\n")
    run, *steps = map(json.loads, lines)
    assert run["arguments"] == {"text": HOSTILE}
    assert {step["step"]: step["value"] for step in steps if step["state"] == "done"} == {
        HOSTILE: {"result": HOSTILE},
        f"remember:{ODD}": {"result": HOSTILE},
    }


def test_a_pipe_gets_five_columns_and_no_hostile_characters(runs: Path, heso: Callable) -> None:
    told = [
        heso("runs", "list"),
        *(heso("runs", "show", run, "--values") for run in (ODD, "x" * 200)),
    ]
    assert not [raw for raw in RAW for done in told if raw in done.out]
    assert [len(line.split("\t")) for line in told[0].out.splitlines()] == [5, 5]
