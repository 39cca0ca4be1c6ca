"""Yes, but with other values: a new action that policy judges anew, and that runs as it was approved."""

import asyncio
from typing import Any

import orjson
import pytest

import heso
from heso.approvals.changing import Change, ChangeRefused
from heso.approvals.errors import MayNotDecide, TooLate
from heso.approvals.request import request_of, sign_answer
from heso.async_gate.rebuilding import CannotResume
from heso.core.ticket import Ticket
from heso.workflows.standing import standing_of
from tests.approvals.shop import ADA, BO, CY, EVE, MINUTE, OPERATOR, ROSTER, RULES, Shop


def approve_with(shop: Shop, action_hash: str, who: object = ADA, **values: object) -> Ticket:
    return shop.desk.change(
        action_hash,
        Change(values),
        lambda changed: sign_answer(request_of(changed), shop.record(who), who),
        by=who.public_key,
    )


def test_what_runs_is_the_changed_value_when_it_is_resumed(shop: Shop) -> None:
    old = shop.ask(shop.pay(), "o-1", 9000, card="4242 4242")
    new = approve_with(shop, old, cents=500)
    assert (new.state, shop.state(old)) == ("approved", "replaced")
    assert shop.resume(old) == {"paid": "o-1", "cents": 500}
    assert shop.ran == [("o-1", 500, "4242 4242")]
    assert shop.kinds(old) == ["suspended", "denied"]
    assert shop.kinds(new.action_hash) == ["suspended", "approved", "completed"]


def test_what_runs_is_the_changed_value_when_the_tool_is_called_again(shop: Shop) -> None:
    pay = shop.pay(redact=["card"])
    old = shop.ask(pay, "o-1", 9000, card="4242 4242")
    approve_with(shop, old, cents=500)
    assert pay("o-1", 9000, card="4242 4242") == {"paid": "o-1", "cents": 500}
    assert shop.ran == [("o-1", 500, "4242 4242")]


def test_a_coroutine_runs_the_changed_value_as_well(shop: Shop) -> None:
    @heso.tool(verb="payment", name="pay")
    async def pay(order: str, cents: int) -> int:
        shop.ran.append(cents)
        return cents

    old = shop.ask(lambda: asyncio.run(pay("o-1", 9000)))
    approve_with(shop, old, cents=500)
    assert asyncio.run(pay("o-1", 9000)) == 500
    assert shop.ran == [500]


def test_whoever_asked_is_told_what_was_changed(shop: Shop) -> None:
    pay = shop.pay()
    old = shop.ask(pay, "o-1", 50_000)
    new = approve_with(shop, old, cents=40_000)
    assert new.state == "suspended"
    assert standing_of(shop.desk.read(new.action_hash)).modified == {"cents": 40_000}
    with pytest.raises(heso.SuspendedError) as held:
        pay("o-1", 50_000)
    assert (held.value.action_hash, held.value.modified) == (new.action_hash, {"cents": 40_000})
    again = approve_with(shop, new.action_hash, BO, order="o-2")
    assert standing_of(again).modified == {"cents": 40_000, "order": "o-2"}
    assert standing_of(again).said_yes == ("bo",)


def test_the_new_action_names_the_old_one_and_the_old_one_the_new(shop: Shop) -> None:
    old = shop.ask(shop.pay(), "o-1", 9000)
    new = approve_with(shop, old, cents=500)
    conditions: Any = new.content["policy"]
    named = {"field": "gate.changes", "op": "eq", "value": old}
    assert conditions["matched_conditions"] == [named]
    reason = shop.life(old)[-1]["approver_decision"]["reason"]
    assert reason == f"approved with changes: {new.action_hash}"
    assert shop.desk.read(old).replaced_by == new.action_hash


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"cents": 5}, "rule 'tiny' would decide it, and asks nobody"),
        ({"cents": 2_000_000}, "rule 'huge' would decide it, and asks nobody"),
        ({"cents": 9000}, "nothing would be different"),
        ({}, "nothing would be different"),
        ({"tool_name": "other"}, "it has no argument 'tool_name'"),
        ({"verb": "tool_call"}, "it has no argument 'verb'"),
        ({"action.cents": 1}, "it has no argument 'action.cents'"),
        ({"Cents": 1}, "it has no argument 'Cents'"),
        ({"card": "1"}, "the argument 'card' is hidden, or has no form of its own"),
        ({"raw": "1"}, "the argument 'raw' is hidden, or has no form of its own"),
    ],
)
def test_a_change_reaches_no_laxer_rule_no_other_tool_and_nothing_hidden(
    shop: Shop, values: dict[str, object], why: str
) -> None:
    @heso.tool(verb="payment", name="pay", redact=["card"])
    def pay(order: str, cents: int, card: str, raw: bytes) -> None: ...

    old = shop.ask(pay, "o-1", 9000, "4242 4242", b"x")
    before = shop.snapshot(old)
    with pytest.raises(ChangeRefused) as refused:
        approve_with(shop, old, **values)
    assert (str(refused.value), shop.snapshot(old)) == (
        f"it cannot be changed like that: {why}",
        before,
    )


@pytest.mark.parametrize("values", [{"cents": {"_sd": "0" * 64}}, {"cents": {"$bytes": "AA=="}}])
def test_a_change_cannot_put_in_what_stands_for_something_else(shop: Shop, values) -> None:
    old = shop.ask(shop.pay(), "o-1", 9000)
    before = shop.snapshot(old)
    with pytest.raises(ChangeRefused):
        approve_with(shop, old, **values)
    assert shop.snapshot(old) == before


def test_a_change_may_ask_more_people_and_never_fewer(shop: Shop) -> None:
    bigger = approve_with(shop, shop.ask(shop.pay(), "o-1", 9000), cents=50_000)
    assert (bigger.state, request_of(bigger).terms.threshold) == ("suspended", 2)
    before = shop.snapshot(bigger.action_hash)
    with pytest.raises(ChangeRefused) as refused:
        approve_with(shop, bigger.action_hash, cents=9000)
    assert str(refused.value).endswith("rule 'pays' would decide it, and asks other people")
    assert shop.snapshot(bigger.action_hash) == before


@pytest.mark.parametrize("who", [EVE, CY, OPERATOR], ids=["stranger", "other role", "operator"])
def test_whoever_may_not_decide_it_changes_nothing_either(shop: Shop, who: object) -> None:
    old = shop.ask(shop.pay(), "o-1", 9000)
    before = shop.snapshot(old)
    with pytest.raises(MayNotDecide):
        approve_with(shop, old, who, cents=500)
    assert shop.snapshot(old) == before


def test_a_change_does_not_wake_what_is_over(shop: Shop) -> None:
    old = shop.ask(shop.pay(), "o-1", 9000)
    shop.clock.advance(60 * MINUTE)
    before = shop.snapshot(old)
    with pytest.raises(TooLate):
        approve_with(shop, old, cents=500)
    assert shop.snapshot(old) == before


@pytest.mark.parametrize("end", ["approve", "cancel"])
def test_what_is_decided_is_not_changed_any_more(shop: Shop, end: str) -> None:
    old = shop.ask(shop.pay(), "o-1", 9000)
    shop.vote(old, BO) if end == "approve" else shop.desk.cancel(old)
    before = shop.snapshot(old)
    with pytest.raises(ChangeRefused):
        approve_with(shop, old, cents=500)
    assert shop.snapshot(old) == before


def test_a_yes_to_the_old_values_is_no_yes_to_the_new_ones(shop: Shop) -> None:
    old = shop.ask(shop.pay(), "o-1", 50_000)
    shop.vote(old, BO)
    new = approve_with(shop, old, cents=40_000)
    assert (new.state, request_of(new).said_yes) == ("suspended", ("ada",))
    replayed = shop.sign(new.action_hash, BO)
    assert shop.desk.vote(new.action_hash, replayed).state == "approved"


def test_a_changed_value_that_the_tool_does_not_take_runs_nothing(shop: Shop) -> None:
    old = shop.ask(shop.pay(), "o-1", 9000)
    new = approve_with(shop, old, order=7)
    before = shop.snapshot(new.action_hash)
    with pytest.raises(CannotResume):
        shop.resume(new.action_hash)
    assert (shop.ran, shop.snapshot(new.action_hash)) == ([], before)


def test_a_changed_value_does_not_lead_to_a_host_that_nobody_judged(shop: Shop) -> None:
    rules = RULES.replace('id = "huge"', 'id = "huge"\nscope = "*.evil.example"', 1)
    shop.rule(
        rules.replace('conditions = [{ field = "cents", op = "gt", value = 1000000 }]\n', "", 1)
        + ROSTER
    )

    @heso.tool(verb="payment", name="send", target_host=lambda fields: str(fields["to"]))
    def send(to: str, note: str) -> str:
        shop.ran.append(to)
        return to

    with pytest.raises(heso.BlockedError):
        send("www.evil.example", "x")
    fine = approve_with(shop, shop.ask(send, "good.example", "x"), note="y")
    assert shop.resume(fine.action_hash) == "good.example"
    new = approve_with(shop, shop.ask(send, "good.example", "z"), to="www.evil.example")
    before = shop.snapshot(new.action_hash)
    for go in (lambda: shop.resume(new.action_hash), lambda: send("good.example", "z")):
        with pytest.raises(CannotResume) as refused:
            go()
        assert str(refused.value).endswith("another host than the one that was approved")
    assert (shop.ran, shop.snapshot(new.action_hash)) == (["good.example"], before)


def test_the_changed_values_are_in_the_receipt_and_the_hidden_ones_are_not(shop: Shop) -> None:
    old = shop.ask(shop.pay(redact=["card"]), "o-1", 9000, card="4242-secret")
    new = approve_with(shop, old, cents=500)
    assert orjson.loads(new.fields_json)["cents"] == 500
    assert all(b"4242-secret" not in receipt for receipt in shop.everything())


def test_whoever_decides_it_because_it_climbed_changes_it_as_well(shop: Shop) -> None:
    old = shop.ask(shop.change(), "admin")
    shop.vote(old, ADA, "escalated", "not mine")
    new = approve_with(shop, old, CY, name="guest")
    assert (new.state, new.rung) == ("approved", 1)
    assert shop.resume(old) == "is guest"


def test_a_change_that_leads_where_its_author_does_not_decide_is_no_change(shop: Shop) -> None:
    """Another rule asks the same people first, and has another ladder."""
    other = (
        '[[rule]]\nid = "other"\norder = 0\nverb = "account_change"\ndecision = "require_approval"\n'
        'conditions = [{ field = "name", op = "eq", value = "guest" }]\napprovers = ["finance"]\n'
        'sla_minutes = 5\non_timeout = "escalate"\nescalate_to = ["board"]\n'
    )
    shop.rule(other + RULES + ROSTER)
    old = shop.ask(shop.change(), "admin")
    shop.vote(old, ADA, "escalated", "not mine")
    before = shop.snapshot(old)
    with pytest.raises(MayNotDecide):
        approve_with(shop, old, CY, name="guest")
    assert shop.snapshot(old) == before
