"""What reaches a person's terminal, and what reaches a pipe.

The prepared project's entry 6 has a hostile name for everything an agent may name.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

RAW = ("\x1b[2J", "\x1b]0", "\x07", "\u202e", "\u009b", "\u200b", "\u2028", "\x7f")

READERS = [("log",), ("log", "-n", "3"), ("verify", "--chain"), ("verify", "--audit"), ("doctor",)]


def _hostile_hash(heso: Callable) -> str:
    return heso("log", "--account", "guest").out.rstrip("\n").rpartition("\t")[2]


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_hostile_names_reach_a_terminal_as_text(
    command: tuple[str, ...], project: Path, on_terminal: Callable
) -> None:
    shown = on_terminal(*command)
    assert not [raw for raw in RAW if raw in shown]
    if command[0] == "log":
        flat = "".join(shown.split())
        assert "[red]" in flat  # rich would have taken it as markup


def test_a_hostile_receipt_is_shown_as_text(
    heso: Callable, project: Path, on_terminal: Callable
) -> None:
    shown = on_terminal("show", _hostile_hash(heso))
    assert not [raw for raw in RAW if raw in shown]
    assert r"\u001b[2J" in shown
    assert r"\u202e" in shown
    assert r"\u009b31md[red]e\nf\rg\u200bh\u2028i\u007fj" in shown


@pytest.mark.parametrize(
    "command",
    [("log",), ("verify", "--chain"), ("doctor",), ("policy", "check"), ("verify", "--audit")],
    ids=" ".join,
)
def test_a_pipe_gets_plain_lines(command: tuple[str, ...], project: Path, heso: Callable) -> None:
    done = heso(*command)
    assert done.code == 0
    assert done.out
    assert "\x1b" not in done.out + done.err


def test_a_pipe_gets_no_hostile_characters_either(project: Path, heso: Callable) -> None:
    told = [heso("log"), heso("show", _hostile_hash(heso)), heso("verify", "--chain")]
    assert not [raw for raw in RAW for done in told if raw in done.out]
    assert all(len(line.split("\t")) == 7 for line in told[0].out.splitlines())


def test_a_terminal_gets_colours(project: Path, on_terminal: Callable) -> None:
    assert "\x1b[32mValid\x1b[0m" in on_terminal("verify", "--chain")
    assert "\x1b[33mwarn\x1b[0m" in on_terminal("doctor")
    assert "\x1b[1m" in on_terminal("log")


def test_hostile_policies_and_actions_are_shown_as_text(
    here: Path, heso: Callable, on_terminal: Callable
) -> None:
    (here / "heso.toml").write_text(
        '[[rule]]\nid = "r\\u001b[2J\\u202e"\norder = 1\nverb = "tool_call"\n'
        'conditions = [{ field = "f\\u009b", op = "eq", value = "\\u0007\\u200b" }]\ndecision = "block"\n',
        "utf-8",
    )
    (here / "actions.jsonl").write_text(
        json.dumps(
            {"verb": "tool_call", "tool_name": "t\x1b[2J", "fields": {"f\u009b": "\x07\u200b"}}
        )
    )
    for command in (
        ("policy", "check"),
        ("policy", "explain", "actions.jsonl"),
        ("policy", "eval", "--actions", "actions.jsonl"),
    ):
        shown = on_terminal(*command)
        assert "r\\u001b[2J\\u202e" in shown.replace("\\\\", "\\")
        assert not [raw for raw in RAW if raw in shown], command


def test_hostile_file_names_and_receipts_are_shown_as_text(
    here: Path, on_terminal: Callable
) -> None:
    (here / "x.json").write_text(
        '{"alg":"\\u001b[2J\\u202e","content":{},"signatures":[]}', "utf-8"
    )
    (here / "y.json").write_text('{"\\u001b[2J\\u202e":1}', "utf-8")
    for command in (
        ("verify", "x.json"),
        ("verify", "y.json"),
        ("verify", "--each", "y.json"),
        ("verify", "no\x1b[2J\u202e"),
        ("policy", "check", "no\x1b[2J\u202e"),
    ):
        shown = on_terminal(*command)
        assert shown
        assert not [raw for raw in RAW if raw in shown], command
