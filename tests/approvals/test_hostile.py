"""What an agent, a tool or an approver writes reaches a terminal as what it is: no escape, nothing backwards, nothing
that cannot be seen."""

import asyncio
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import heso
from heso.approvals.card import draw_card
from heso.approvals.request import format_request, parse_request, request_of
from heso.cli.deciding import show_card
from heso.core.key_file import NONCE_BYTES, SALT_BYTES, seal_key
from heso.core.ticket import TicketState
from heso.project import create_project
from tests.approvals.shop import ADA, ROSTER, RULES, Shop
from tests.cli.conftest import HOSTILE, RAW, on_terminal, program

__all__ = ["on_terminal", "program"]

PROJECT = """
import heso, sys
from contextlib import suppress
HOSTILE = {hostile!r}

@heso.tool(verb="payment", name=HOSTILE)
def act(**arguments):
    raise ValueError(HOSTILE + str(arguments))

@heso.tool(verb="payment", name="echo")
def echo(text):
    return {{HOSTILE: text}}

def ask():
    with heso.init("."), heso.step(account=HOSTILE, workflow=HOSTILE):
        with suppress(heso.SuspendedError):
            act(**{{HOSTILE: HOSTILE}})
        with suppress(heso.SuspendedError):
            echo(HOSTILE)
"""


def clean(text: str) -> None:
    """Nothing raw in what a terminal got; colours of our own are no harm."""
    assert [raw for raw in RAW if raw in text] == []


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in which everything that waits was named by somebody hostile."""
    for name in [name for name in os.environ if name.startswith("HESO_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "heso.toml").write_text(RULES + ROSTER, "utf-8")
    create_project(tmp_path, None)
    key = seal_key(bytes([10]) * 32, b"", salt=bytes(SALT_BYTES), nonce=bytes(NONCE_BYTES))
    (tmp_path / "ada.key").write_bytes(key)
    (tmp_path / "ada.key").chmod(0o600)
    (tmp_path / "hostile_tools.py").write_text(PROJECT.format(hostile=HOSTILE), "utf-8")
    names: dict[str, Callable[[], None]] = {}
    exec((tmp_path / "hostile_tools.py").read_text("utf-8"), names)  # noqa: S102  # our own text
    names["ask"]()
    return tmp_path


def test_everything_about_a_hostile_action_is_shown_as_what_it_is(
    here: Path, on_terminal: Callable[..., str]
) -> None:
    inbox = on_terminal("inbox")
    clean(inbox)
    assert "\\u202e" in inbox
    clean(on_terminal("inbox", "--json"))
    with heso.init(here) as runtime:
        pending = runtime.desk.tickets.in_state(TicketState.SUSPENDED)
        waits = [ticket.action_hash for ticket in asyncio.run(pending)]
    assert len(waits) == 2
    for action_hash in waits:
        exported = on_terminal("request", "export", action_hash)
        clean(exported)
        card = on_terminal("approve", action_hash, "--key", "ada.key", "--yes", "--reason", HOSTILE)
        clean(card)
        assert "is approved" in card
        assert "\\u202e" in card
        clean(on_terminal("reject", action_hash, "--key", "ada.key", "--yes"))
        clean(on_terminal("resume", action_hash, "--module", "hostile_tools"))
        clean(on_terminal("resume", action_hash))
        clean(on_terminal("cancel", action_hash))
    clean(on_terminal("worker", "--once", "--module", "hostile_tools"))
    clean(on_terminal("resume", "--all", "--module", "hostile_tools"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("approve", HOSTILE.replace("\x00", ""), "--key", "ada.key", "--yes"),
        ("cancel", HOSTILE),
        ("resume", HOSTILE),
        ("request", "import", HOSTILE),
        ("request", "import", "heso-answer-1." + HOSTILE),
        ("approver", "enroll", HOSTILE, "--out", "x.key", "--no-passphrase"),
        ("approver", "enroll", "x", "--role", HOSTILE, "--out", "x.key", "--no-passphrase"),
        ("resume", "abcd", "--module", HOSTILE),
        ("approve", "abcd", "--key", HOSTILE, "--yes"),
    ],
    ids=lambda words: " ".join(words[:2])[:20],
)
def test_a_hostile_command_line_is_told_back_as_what_it_is(
    here: Path, on_terminal: Callable[..., str], arguments: tuple[str, ...]
) -> None:
    told = on_terminal(*arguments)
    clean(told)
    assert "heso: error: " in told


def test_a_hostile_question_is_shown_as_what_it_is(shop: Shop, capsys) -> None:
    @heso.tool(verb="payment", name=HOSTILE)
    def act(**arguments: object) -> None: ...

    with heso.step(account=HOSTILE, workflow=HOSTILE):
        action_hash = shop.ask(act, **{HOSTILE: {HOSTILE: [HOSTILE]}})
    request = request_of(shop.desk.read(action_hash))
    lying = dataclasses.replace(
        request,
        deadline=HOSTILE,
        state=HOSTILE,
        said_yes=(HOSTILE,),
        terms=dataclasses.replace(request.terms, approvers=(HOSTILE,)),
    )
    for one in (request, lying, parse_request(format_request(lying))):
        show_card(one)
        clean(capsys.readouterr().err)
        labels = [label for label, _ in draw_card(one)]
        assert labels[0] == "action"
        assert labels[-1] == "hash"


def test_an_argument_cannot_draw_a_line_of_its_own_on_the_card(shop: Shop, capsys) -> None:
    @heso.tool(verb="payment", name="pay\nwho         anybody")
    def act(**arguments: object) -> None: ...

    action_hash = shop.ask(act, **{"a\nhash": "x\nstate       approved"})
    show_card(request_of(shop.desk.read(action_hash)))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines].count("state") == 1
    assert [line.split()[0] for line in lines].count("who") == 1


def test_what_an_approver_writes_is_in_no_error_raw(shop: Shop, capsys) -> None:
    from heso.cli.output import fail

    action_hash = shop.ask(shop.pay(), "o-1", 500)
    shop.vote(action_hash, ADA, "rejected", HOSTILE)
    with pytest.raises(heso.RejectedError) as no:
        shop.resume(action_hash)
    fail(str(no.value), no.value.next_step)
    clean(capsys.readouterr().err)


def test_hidden_values_are_on_no_card_and_in_no_question(shop: Shop, capsys) -> None:
    action_hash = shop.ask(shop.pay(redact=["card"]), "o-1", 500, card="4242-secret")
    request = request_of(shop.desk.read(action_hash))
    show_card(request)
    told = capsys.readouterr().err
    assert "4242-secret" not in told
    assert ("  hidden", "card") in draw_card(request)
    assert b"4242-secret" not in format_request(request)
