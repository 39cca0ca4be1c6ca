"""Deadlines: what they do, once, whoever looks, however long nobody looked, and whatever the clock did meanwhile."""

import asyncio
from typing import Any

import pytest

import heso
from heso.approvals.request import request_of
from tests.approvals.shop import ADA, CY, DI, MINUTE, Shop

HOUR = 60 * MINUTE


def test_nothing_happens_before_the_deadline_and_a_denial_at_it(shop: Shop) -> None:
    action_hash = shop.ask(shop.pay(), "o-1", 500)
    shop.clock.advance(HOUR - 0.001)
    before = shop.snapshot(action_hash)
    shop.sweep()
    assert shop.snapshot(action_hash) == before
    shop.clock.advance(0.001)
    shop.sweep()
    assert (shop.state(action_hash), shop.kinds(action_hash)) == (
        "expired",
        ["suspended", "expired"],
    )
    record: Any = shop.life(action_hash)[-1]["approver_decision"]
    assert (record["decision"], record["reason"]) == ("rejected", "timeout")
    with pytest.raises(heso.ExpiredError):
        shop.resume(action_hash)


# Minutes slept before each sweep; the links then, the state, the rung.
RUNGS = [
    ([59], [], "suspended", 0),
    ([60], ["escalated"], "suspended", 1),
    ([60, 59], ["escalated"], "suspended", 1),
    ([60, 60], ["escalated", "escalated"], "suspended", 2),
    ([60, 60, 60], ["escalated", "escalated", "expired"], "expired", 2),
    ([119], ["escalated"], "suspended", 1),
    ([120], ["escalated"], "suspended", 2),
    ([179], ["escalated"], "suspended", 2),
    ([180], ["expired"], "expired", 0),
    ([60 * 24 * 365 * 50], ["expired"], "expired", 0),
    ([60, 120], ["escalated", "expired"], "expired", 1),
]


@pytest.mark.parametrize(("sleeps", "links", "state", "rung"), RUNGS, ids=str)
def test_rungs_that_passed_while_nobody_looked_are_one_step(
    shop: Shop, sleeps: list[int], links: list[str], state: str, rung: int
) -> None:
    action_hash = shop.ask(shop.change(), "admin")
    for minutes in sleeps:
        shop.clock.advance(minutes * MINUTE)
        shop.sweep()
        shop.sweep()
    ticket = shop.desk.read(action_hash)
    assert (shop.kinds(action_hash), ticket.state, ticket.rung) == (
        ["suspended", *links],
        state,
        rung,
    )
    if state == "suspended" and rung:
        assert ticket.due > shop.clock.now()
    shop.sweep()
    assert shop.kinds(action_hash) == ["suspended", *links]


def test_a_new_rung_has_its_own_time_and_its_own_people(shop: Shop) -> None:
    action_hash = shop.ask(shop.change(), "admin")
    shop.clock.advance(90 * MINUTE)
    shop.sweep()
    assert request_of(shop.desk.read(action_hash)).deadline == "2026-01-01T02:30:00Z"
    shop.clock.advance(59 * MINUTE)
    with pytest.raises(heso.HesoError):
        shop.vote(action_hash, DI)
    assert shop.vote(action_hash, CY).state == "approved"


def test_a_clock_that_goes_back_undoes_nothing(shop: Shop) -> None:
    action_hash = shop.ask(shop.change(), "admin")
    shop.clock.advance(HOUR)
    shop.sweep()
    shop.clock.advance(-24 * HOUR)
    before = shop.snapshot(action_hash)
    shop.sweep()
    assert shop.snapshot(action_hash) == before
    assert shop.vote(action_hash, CY).state == "approved"
    assert shop.resume(action_hash) == "is admin"
    assert shop.ran == ["admin"]


def test_a_clock_that_jumps_into_the_future_expires_and_a_lost_claim_is_found(shop: Shop) -> None:
    from heso.async_gate.claimed import claim_inline, run_claimed_inline

    waiting, running = shop.ask(shop.pay(), "o-1", 500), shop.approved(shop.pay(), "o-2", 500)
    claimed = claim_inline(shop.gate, running)
    shop.clock.advance(365 * 24 * HOUR)
    shop.sweep()
    assert (shop.state(waiting), shop.state(running)) == ("expired", "in_doubt")
    shop.clock.advance(-365 * 24 * HOUR)
    assert run_claimed_inline(shop.gate, claimed, lambda: "paid", is_delivered=False) == "paid"
    assert (shop.state(waiting), shop.state(running)) == ("expired", "done")


def test_sweepers_at_once_make_one_event(sqlite_shop: Shop) -> None:
    shop = sqlite_shop
    names = [shop.ask(shop.change(), f"n{n}") for n in range(5)]
    names += [shop.approved(shop.pay(), f"o{n}", 500) for n in range(5)]
    shop.clock.advance(HOUR)

    async def sweep_all() -> None:
        await asyncio.gather(*(asyncio.to_thread(shop.sweep) for _ in range(4)))

    asyncio.run(sweep_all())
    assert [shop.kinds(name) for name in names] == [["suspended", "escalated"]] * 5 + [
        ["suspended", "approved", "completed"]
    ] * 5


def test_a_grant_ends_when_it_says_and_a_yes_at_the_last_instant_counts(shop: Shop) -> None:
    action_hash = shop.ask(shop.pay(), "o-1", 500)
    shop.clock.advance(HOUR - 0.001)
    assert shop.vote(action_hash, ADA).state == "approved"
    shop.clock.advance(30 * MINUTE - 0.001)
    shop.sweep()
    assert shop.resume(action_hash) == {"paid": "o-1", "cents": 500}


def test_whoever_calls_again_after_the_deadline_asks_anew(shop: Shop) -> None:
    pay = shop.pay(redact=["card"])
    first = shop.ask(pay, "o-1", 500, card="4242-4242")
    shop.clock.advance(HOUR)
    with pytest.raises(heso.ExpiredError):
        pay("o-1", 500, card="4242-4242")
    assert shop.kinds(first) == ["suspended", "expired"]
    assert shop.ask(pay, "o-1", 500, card="4242-4242") != first
    assert shop.ran == []


def test_whoever_calls_again_after_the_grant_is_told_so_and_runs_nothing(shop: Shop) -> None:
    pay = shop.pay()
    action_hash = shop.approved(pay, "o-1", 500)
    shop.clock.advance(30 * MINUTE)
    with pytest.raises(heso.ExpiredError):
        pay("o-1", 500)
    assert (shop.ran, shop.state(action_hash)) == ([], "expired")


def test_a_process_that_cannot_carry_out_a_deadline_says_what_is_true(shop: Shop) -> None:
    """An agent's process may have no key to sign the link with: it must not say that it waits still."""
    pay = shop.pay()
    waiting, granted = shop.ask(pay, "o-1", 500), shop.approved(pay, "o-2", 500)
    shop.start(look_at=None)
    shop.clock.advance(HOUR)
    for order in ("o-1", "o-2"):
        with pytest.raises(heso.ExpiredError):
            pay(order, 500)
    shop.sweep()
    assert (shop.state(waiting), shop.state(granted), shop.ran) == ("expired", "expired", [])
