"""A worker moves what may move, one action's trouble is not the next one's, and what it cannot run it leaves."""

import asyncio
import os
import subprocess
import sys

import pytest

import heso
from heso.async_gate.claimed import claim_inline
from heso.async_gate.registry import _tools
from heso.workflows.owners import is_gone, this_process
from heso.workflows.worker import Worker
from tests.approvals.shop import MINUTE, ROSTER, RULES, Shop


def work(shop: Shop, worker: Worker | None = None) -> tuple[int, list[tuple[str, str]]]:
    """What one round moved, and what it told of."""
    told: list[tuple[str, str]] = []
    made = worker or Worker(
        shop.desk, lambda t, e: told.append((t.tool_name, "ran" if e is None else type(e).__name__))
    )
    return asyncio.run(made.run_once()), told


def test_it_runs_what_was_approved_and_nothing_that_waits(shop: Shop) -> None:
    shop.ask(shop.pay(), "waits", 500)
    done = shop.approved(shop.pay(), "o-1", 500)
    assert work(shop) == (1, [("pay", "ran")])
    assert work(shop) == (0, [])
    assert (shop.ran, shop.state(done)) == ([("o-1", 500, "none")], "done")


def test_it_goes_through_all_of_them_however_many_there_are(shop: Shop) -> None:
    names = [shop.approved(shop.pay(), f"o-{n}", 500) for n in range(120)]
    moved, told = work(shop)
    assert (moved, len(told), len(shop.ran)) == (120, 120, 120)
    assert {shop.state(name) for name in names} == {"done"}


def test_one_that_fails_or_is_refused_does_not_stop_the_next(shop: Shop) -> None:
    @heso.tool(verb="payment", name="fails")
    def fails(n: int) -> None:
        raise ValueError("no")

    first, blocked = shop.approved(fails, 1), shop.approved(shop.pay(), "o-1", 5000)
    last = shop.approved(shop.pay(), "o-2", 500)
    shop.rule(RULES.replace("1000000", "1000") + ROSTER)
    _, told = work(shop)
    assert sorted(told) == [("fails", "ValueError"), ("pay", "BlockedError"), ("pay", "ran")]
    assert [shop.state(one) for one in (first, blocked, last)] == ["failed", "approved", "done"]


def test_it_leaves_what_is_not_here(shop: Shop) -> None:
    action_hash = shop.approved(shop.pay(), "o-1", 500)
    kept = dict(_tools)
    _tools.clear()
    try:
        before = shop.snapshot(action_hash)
        assert work(shop) == (0, [])
        assert shop.snapshot(action_hash) == before
    finally:
        _tools.update(kept)


def test_what_it_ran_is_told_to_whoever_calls_next(shop: Shop) -> None:
    pay = shop.pay()
    first = shop.approved(pay, "o-1", 500)
    work(shop)
    assert pay("o-1", 500) == {"paid": "o-1", "cents": 500}
    assert shop.ask(pay, "o-1", 500) != first


def test_it_carries_out_deadlines_and_finds_claims_whose_time_is_over(shop: Shop) -> None:
    waits, lost = shop.ask(shop.pay(), "o-1", 500), shop.approved(shop.pay(), "o-2", 500)
    claim_inline(shop.gate, lost)
    assert work(shop) == (0, [])
    shop.clock.advance(60 * MINUTE)
    assert work(shop) == (2, [])
    assert [shop.state(one) for one in (waits, lost)] == ["expired", "in_doubt"]


def test_a_claim_of_a_process_that_is_gone_is_found_at_once(shop: Shop) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import heso.workflows.owners as o; print(o.this_process())"],
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        gone = child.communicate()[0].strip()
    here, there = shop.approved(shop.pay(), "here", 500), shop.approved(shop.pay(), "there", 500)
    shop.start(owner=this_process)
    claim_inline(shop.gate, here)
    shop.start(owner=lambda: gone)
    claim_inline(shop.gate, there)
    assert work(shop) == (1, [])
    assert [shop.state(one) for one in (here, there)] == ["running", "in_doubt"]


@pytest.mark.skipif(not this_process().split("/")[1], reason="NO /proc: leases have to do")
def test_who_is_gone() -> None:
    host, boot, pid, start = this_process().split("/")
    assert not is_gone(f"{host}/{boot}/{pid}/{start}")
    assert is_gone(f"{host}/{boot}/{pid}/1{start}")  # the number was given to another
    assert is_gone(f"{host}/other/{pid}/{start}")  # the machine was started anew
    assert not is_gone(f"elsewhere/{boot}/{pid}/1")
    assert not is_gone(f"{host}//{pid}/1")
    for odd in ("", "x", "a/b/c/d", f"{host}/{boot}/x/1", f"{host}/{boot}/{os.getpid()}"):
        assert not is_gone(odd)


def test_it_ends_when_it_is_cancelled_and_leaves_nothing_half(shop: Shop) -> None:
    @heso.tool(verb="payment", name="slow")
    async def slow(n: int) -> int:
        await asyncio.sleep(0.05)
        shop.ran.append(n)
        return n

    action_hash = shop.approved(lambda n: asyncio.run(slow(n)), 1)

    async def go() -> None:
        task = asyncio.ensure_future(Worker(shop.desk, lambda *_: None).run())
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0.1)  # a reader's thread that was torn away answers this loop still

    asyncio.run(go())
    assert shop.ran.count(1) == (shop.state(action_hash) == "done")
    assert shop.resume(action_hash) == 1
    assert shop.ran == [1]
