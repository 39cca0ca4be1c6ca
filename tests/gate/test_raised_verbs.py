"""A call that its host makes something stricter: both what was declared and what it amounts to are judged."""

from pathlib import Path

import anyio
import pytest

import heso
from tests.kill.stage import approve, make_project

PAYMENTS = """
[[rule]]
id = "small"
order = 20
verb = "payment"
conditions = [{ field = "amount", op = "lte", value = 100 }]
decision = "allow"
"""


@pytest.mark.parametrize(
    ("declared", "scope", "host", "blocked"),
    [
        ("tool_call", "*.stripe.com", "api.stripe.com", True),
        ("data_export", "*", "api.stripe.com", True),
        ("tool_call", "*.example.com", "api.stripe.com", False),
    ],
)
def test_a_rule_that_blocks_what_was_declared_is_not_got_round_by_a_host(
    tmp_path: Path, declared: str, scope: str, host: str, blocked: bool
) -> None:
    make_project(tmp_path / "p")
    block = f'[[rule]]\nid = "no"\norder = 10\nverb = "{declared}"\nscope = "{scope}"\ndecision = "block"\n'
    (tmp_path / "p" / "heso.toml").write_text(block + PAYMENTS)
    ran: list[int] = []

    @heso.tool(verb=declared, name="raised", target_host=lambda fields: fields["host"])
    def act(amount: int, host: str) -> None:
        ran.append(amount)

    call = heso.Call("raised", {"amount": 5, "host": host}, verb=declared, target_host=host)
    with heso.init(tmp_path / "p"):
        said = type(heso.peek(call).decision).__name__
        if blocked:
            with pytest.raises(heso.BlockedError) as refused:
                act(5, host)
            assert refused.value.rule_id == "no"
        else:
            act(5, host)
    assert (ran, said) == (([], "Block") if blocked else ([5], "Allow"))


def test_a_policy_that_comes_to_block_the_declared_verb_stops_what_was_approved(
    tmp_path: Path,
) -> None:
    make_project(tmp_path / "p")
    policy = tmp_path / "p" / "heso.toml"
    ask = PAYMENTS.replace('decision = "allow"', 'decision = "require_approval"')
    people = policy.read_text()[policy.read_text().index("[[approver]]") :]
    policy.write_text(ask + people)
    ran: list[int] = []

    @heso.tool(name="raised", target_host="api.stripe.com")
    def act(amount: int) -> None:
        ran.append(amount)

    with heso.init(tmp_path / "p") as runtime:
        with pytest.raises(heso.SuspendedError) as held:
            act(5)
        approve(runtime, held.value.action_hash)
    block = '[[rule]]\nid = "no"\norder = 1\nverb = "tool_call"\ndecision = "block"\n'
    policy.write_text(block + ask + people)
    with heso.init(tmp_path / "p"), pytest.raises(heso.BlockedError):
        anyio.run(heso.resume, held.value.action_hash)
    assert ran == []


def test_what_a_rule_about_the_declared_verb_hides_is_hidden(tmp_path: Path) -> None:
    make_project(tmp_path / "p")
    hide = '[[rule]]\nid = "hide"\norder = 10\nverb = "tool_call"\ndecision = "redact"\nredact = ["card"]\n'
    (tmp_path / "p" / "heso.toml").write_text(hide + PAYMENTS)
    with heso.init(tmp_path / "p") as runtime:
        call = heso.Call("raised", {"amount": 5, "card": "4242"}, target_host="api.stripe.com")
        permit = heso.gate_sync(call)
        assert runtime.settings.is_blocking
    assert b"4242" not in permit.receipt.body
