"""An approval is used once: who claims, who finishes, what is left when somebody is torn away in between."""

import asyncio
from collections.abc import Callable

import pytest

import heso
from heso.approvals.errors import StaleClaim, TooLate
from heso.approvals.running import Raised, Succeeded, seal_outcome
from heso.async_gate.claimed import claim_inline, run_claimed_inline
from heso.core.ticket import WrongState
from heso.testing import Fault, FaultyLedger
from tests.approvals.shop import ADA, BO, MINUTE, Shop

APPROVED_ENDS = ["suspended", "approved", "completed"]


def test_an_approval_is_used_once(shop: Shop) -> None:
    pay = shop.pay()
    action_hash = shop.approved(pay, "o-1", 500)
    assert shop.resume(action_hash) == shop.resume(action_hash) == {"paid": "o-1", "cents": 500}
    assert shop.ran == [("o-1", 500, "none")]
    assert shop.kinds(action_hash) == APPROVED_ENDS


def test_an_approval_that_was_not_used_in_time_is_of_no_use(shop: Shop) -> None:
    action_hash = shop.approved(shop.pay(), "o-1", 500)
    shop.clock.advance(30 * MINUTE)
    with pytest.raises(TooLate):
        claim_inline(shop.gate, action_hash)
    with pytest.raises(heso.ExpiredError):
        shop.resume(action_hash)
    shop.clock.advance(-29 * MINUTE)  # a clock that goes back brings nothing back
    with pytest.raises(heso.ExpiredError):
        shop.resume(action_hash)
    assert (shop.ran, shop.kinds(action_hash)) == ([], APPROVED_ENDS)
    assert shop.life(action_hash)[-1]["action"]["error"] == (
        "not run: the approval was not used in time"
    )


def test_of_two_claims_one_wins_and_fences_only_grow(shop: Shop) -> None:
    action_hash = shop.approved(shop.pay(), "o-1", 500)
    claimed = claim_inline(shop.gate, action_hash)
    assert (claimed.ticket.fence, claimed.ticket.state) == (1, "running")
    for may_repeat in (False, True):
        with pytest.raises(WrongState):
            claim_inline(shop.gate, action_hash, may_repeat=may_repeat)
    shop.desk.lose(claimed.ticket)
    with pytest.raises(WrongState):
        claim_inline(shop.gate, action_hash)
    again = claim_inline(shop.gate, action_hash, may_repeat=True)
    assert again.ticket.fence == 2
    before = shop.snapshot(action_hash)
    with pytest.raises(StaleClaim) as stale:
        shop.ledger.append_inline(
            lambda heads: seal_outcome(
                heads, action_hash, Succeeded(b"{}"), shop.gate.signer, shop.clock.now(), fence=1
            )
        )
    assert (stale.value.fence, stale.value.newest) == (1, 2)
    assert stale.value.next_step
    assert shop.snapshot(action_hash) == before


def test_who_saw_it_in_doubt_before_somebody_else_ran_it_does_not_run_it_again(shop: Shop) -> None:
    """A probe's answer is about the claim it was asked about, not about one that was made since."""
    action_hash = shop.approved(shop.pay(), "o-1", 500)
    seen = shop.desk.lose(claim_inline(shop.gate, action_hash).ticket)
    second = claim_inline(shop.gate, action_hash, may_repeat=True, fence=seen.fence)
    shop.desk.lose(second.ticket)
    before = shop.snapshot(action_hash)
    with pytest.raises(StaleClaim):
        claim_inline(shop.gate, action_hash, may_repeat=True, fence=seen.fence)
    assert shop.snapshot(action_hash) == before


def test_an_outcome_that_comes_late_resolves_the_doubt(shop: Shop) -> None:
    action_hash = shop.approved(shop.pay(), "o-1", 500)
    claimed = claim_inline(shop.gate, action_hash)
    shop.desk.lose(claimed.ticket)
    assert shop.state(action_hash) == "in_doubt"
    assert run_claimed_inline(shop.gate, claimed, lambda: 7, is_delivered=False) == 7
    assert (shop.state(action_hash), shop.resume(action_hash)) == ("done", 7)


def test_a_claim_is_lost_once_and_not_when_it_finished(shop: Shop) -> None:
    action_hash = shop.approved(shop.pay(), "o-1", 500)
    claimed = claim_inline(shop.gate, action_hash)
    run_claimed_inline(shop.gate, claimed, lambda: 7, is_delivered=False)
    before = shop.snapshot(action_hash)
    shop.desk.lose(claimed.ticket)
    assert shop.snapshot(action_hash) == before


def test_a_process_that_slept_past_its_claim_does_not_run_it(shop: Shop) -> None:
    action_hash = shop.approved(shop.pay(), "o-1", 500)
    shop.start(lease_seconds=0.0)
    claimed = claim_inline(shop.gate, action_hash)
    with pytest.raises(heso.InDoubtError):
        run_claimed_inline(shop.gate, claimed, lambda: shop.ran.append(1), is_delivered=False)
    assert shop.ran == []


def _function(run: Callable[[], object]) -> Callable[[], object]:
    @heso.tool(verb="payment", name="act")
    def act() -> object:
        return run()

    return act


def _coroutine(run: Callable[[], object]) -> Callable[[], object]:
    @heso.tool(verb="payment", name="act")
    async def act() -> object:
        await asyncio.sleep(0)
        return run()

    return lambda: asyncio.run(act())


@pytest.fixture(params=[_function, _coroutine], ids=["def", "async def"])
def make(request: pytest.FixtureRequest) -> Callable[..., Callable[[], object]]:
    return request.param


@pytest.fixture(params=["resume", "call again"])
def go(request: pytest.FixtureRequest, shop: Shop) -> Callable[..., object]:
    """Both ways in which an approved action is run."""
    return lambda h, call: shop.resume(h) if request.param == "resume" else call()


@pytest.mark.parametrize("torn", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_a_body_that_is_torn_out_is_in_doubt(shop: Shop, make, go, torn) -> None:
    def run() -> None:
        shop.ran.append(1)
        raise torn

    call = make(run)
    action_hash = shop.approved(call)
    with pytest.raises(torn):
        go(action_hash, call)
    assert shop.state(action_hash) == "in_doubt"
    for again in (lambda: shop.resume(action_hash), call):
        with pytest.raises(heso.InDoubtError):
            again()
    assert shop.ran == [1]


def test_a_body_that_is_torn_out_stays_so_when_the_ledger_is_gone_too(shop: Shop, make, go) -> None:
    faulty = _Switch(shop.ledger)
    shop.start(ledger=faulty)

    def run() -> None:
        shop.ran.append(1)
        faulty.is_off = True
        raise KeyboardInterrupt

    call = make(run)
    action_hash = shop.approved(call)
    with pytest.raises(KeyboardInterrupt):
        go(action_hash, call)
    faulty.is_off = False
    assert (shop.ran, shop.state(action_hash)) == ([1], "running")


class _Switch:
    """A `Ledger` that writes nothing while it is off."""

    def __init__(self, ledger) -> None:
        self._ledger = ledger
        self.is_off = False

    async def append(self, seal):
        return self.append_inline(seal)

    def append_inline(self, seal):
        return FaultyLedger(
            self._ledger, {0: Fault.NOT_WRITTEN} if self.is_off else {}
        ).append_inline(seal)


class Refused(Exception):
    pass


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


ERRORS = [
    (Refused("card declined"), "Refused: card declined"),
    (Refused(), "Refused"),
    (Refused("x" * 9000), "Refused: " + "x" * 500),
    (Refused("\ud800 lone"), "Refused: \\ud800 lone"),
    (Mute(), "Mute"),
    (StopAsyncIteration("it"), "StopAsyncIteration: it"),
    (heso.GateError("inner", "why"), "GateError: inner did not run: why"),
    (ExceptionGroup("two", [ValueError("a")]), "ExceptionGroup: two (1 sub-exception)"),
]


@pytest.mark.parametrize(("error", "said"), ERRORS, ids=lambda v: type(v).__name__)
def test_a_body_that_raises_has_failed(shop: Shop, make, go, error, said: str) -> None:
    def run() -> None:
        shop.ran.append(1)
        raise error

    call = make(run)
    action_hash = shop.approved(call)
    with pytest.raises(type(error)) as raised:
        go(action_hash, call)
    if not isinstance(error, StopAsyncIteration):
        assert raised.value is error
    assert (shop.ran, shop.state(action_hash)) == ([1], "failed")
    assert shop.desk.read(action_hash).error == said
    assert shop.life(action_hash)[-1]["action"]["error"] == type(error).__name__
    with pytest.raises(heso.ToolFailedError) as told:
        shop.resume(action_hash)
    assert told.value.said == said


def test_approving_does_not_bring_back_what_was_cancelled(shop: Shop) -> None:
    action_hash = shop.ask(shop.pay(), "o-1", 500)
    vote = shop.sign(action_hash, ADA)
    shop.desk.cancel(action_hash)
    with pytest.raises(WrongState):
        shop.desk.vote(action_hash, vote)
    with pytest.raises(heso.WithdrawnError):
        shop.resume(action_hash)
    assert shop.kinds(action_hash) == ["suspended", "denied"]


def test_what_was_approved_can_be_cancelled_until_it_runs(shop: Shop) -> None:
    first, second = (shop.approved(shop.pay(), order, 500) for order in ("o-1", "o-2"))
    assert shop.desk.cancel(first).state == "cancelled"
    with pytest.raises(heso.WithdrawnError):
        shop.resume(first)
    claim_inline(shop.gate, second)
    before = shop.snapshot(second)
    with pytest.raises(WrongState):
        shop.desk.cancel(second)
    assert shop.snapshot(second) == before
    assert shop.ran == []
    assert shop.kinds(first) == APPROVED_ENDS


def test_a_person_settles_only_what_is_in_doubt(shop: Shop) -> None:
    action_hash = shop.approved(shop.pay(), "o-1", 500)
    for outcome in (Succeeded(b"{}"), Raised("NotRun")):
        with pytest.raises(WrongState):
            shop.desk.settle(action_hash, outcome)
    claimed = claim_inline(shop.gate, action_hash)
    for outcome in (Succeeded(b"{}"), Raised("NotRun")):
        before = shop.snapshot(action_hash)
        with pytest.raises(WrongState):  # it runs at this moment
            shop.desk.settle(action_hash, outcome)
        assert shop.snapshot(action_hash) == before
    shop.desk.lose(claimed.ticket)
    assert shop.desk.settle(action_hash, Raised("NotRun", "it did not")).state == "failed"


def test_a_rejection_is_told_once_with_who_and_why(shop: Shop) -> None:
    pay = shop.pay()
    action_hash = shop.ask(pay, "o-1", 500)
    shop.vote(action_hash, BO, "rejected", "not this month")
    for again in (lambda: pay("o-1", 500), lambda: shop.resume(action_hash)):
        with pytest.raises(heso.RejectedError) as no:
            again()
        assert str(no.value) == "pay was rejected by bo: not this month"
    assert shop.ask(pay, "o-1", 500) != action_hash
