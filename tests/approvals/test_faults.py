"""A ledger that fails in every one of its writes, in both ways, over the whole life of an action: never a second effect."""

import asyncio
from collections.abc import Callable

import pytest

import heso
from heso.approvals.running import Succeeded
from heso.core.errors import HesoError
from heso.ports import Appended, Batch, Heads, Ledger, Seal
from heso.testing import Fault, FaultyLedger
from heso.testing.faults import doubt, refuse
from tests.approvals.shop import ADA, BO, MINUTE, Shop

FAULTS = list(Fault)


def _make(shop: Shop, kind: str, ends: str) -> Callable[..., object]:
    def run(n: int) -> int:
        shop.ran.append(n)
        if ends == "raises":
            raise ValueError("no")
        if ends == "torn":
            raise KeyboardInterrupt
        return n

    if kind == "def":

        @heso.tool(verb="payment", name="act", redact=["card"])
        def act(n: int, card: str) -> int:
            return run(n)

        return act

    @heso.tool(verb="payment", name="act", redact=["card"])
    async def act(n: int, card: str) -> int:
        await asyncio.sleep(0)
        return run(n)

    return lambda *args: asyncio.run(act(*args))


def try_to(act: Callable[[], object]) -> object:
    """The result, or the error, whatever it is; what is not ours may only be the body's own."""
    try:
        return act()
    except (HesoError, ValueError, KeyboardInterrupt) as error:
        return error


def live(shop: Shop, act: Callable[..., object], way: str) -> None:
    """Ask, say yes, run; whoever meets an error goes on with the next step."""
    held = try_to(lambda: act(7, "4242-4242"))
    action_hash = getattr(held, "action_hash", None)
    if action_hash is None:
        return
    try_to(lambda: shop.vote(action_hash, ADA))
    try_to(lambda: shop.resume(action_hash) if way == "resume" else act(7, "4242-4242"))


def count_appends(shop: Shop, kind: str, ends: str, way: str) -> int:
    counting = FaultyLedger(shop.ledger)
    shop.start(ledger=counting)
    live(shop, _make(shop, kind, ends), way)
    return counting.calls


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("way", ["resume", "call again"])
@pytest.mark.parametrize("ends", ["returns", "raises", "torn"])
def test_a_fault_in_any_write_of_a_life_is_never_a_second_effect(
    shop: Shop, kind: str, way: str, ends: str
) -> None:
    inner = shop.ledger
    appends = count_appends(shop, kind, ends, way)
    assert appends >= 5
    for at in range(appends):
        for fault in FAULTS:
            shop.ran.clear()
            order = f"{at} {fault}"
            with heso.step(session=order):
                shop.start(ledger=FaultyLedger(inner, {at: fault}))
                act = _make(shop, kind, ends)
                live(shop, act, way)
                shop.start(ledger=inner)  # the next process
                first = len(shop.ran)
                for _ in range(2):
                    held = try_to(lambda act=act: act(7, "4242-4242"))
                    if len(shop.ran) > first:
                        break
                    if isinstance(held, heso.SuspendedError):
                        assert first == 0 or _is_new(shop, held.action_hash), order
            assert len(shop.ran) <= 1, order
            shop.check()


def _is_new(shop: Shop, action_hash: str) -> bool:
    """An asking that nobody has answered: nothing runs by it."""
    return shop.state(action_hash) == "suspended"


DECISIONS: dict[str, Callable[[Shop, str], object]] = {
    "yes": lambda shop, h: shop.vote(h, ADA),
    "first of two": lambda shop, h: shop.vote(h, BO),
    "no": lambda shop, h: shop.vote(h, ADA, "rejected"),
    "never mind": lambda shop, h: shop.desk.cancel(h),
    "too late": lambda shop, h: (shop.clock.advance(60 * MINUTE), shop.desk.look_at(h)),
    "asked again": lambda shop, h: shop.desk.ask_again(h, "x"),
}


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("decision", DECISIONS)
def test_a_decision_that_was_not_written_changed_nothing_and_one_that_was_is_whole(
    shop: Shop, fault: Fault, decision: str
) -> None:
    inner = shop.ledger
    action_hash = shop.ask(shop.pay(), "o-1", 50_000 if decision == "first of two" else 500)
    before = shop.snapshot(action_hash)

    shop.start(ledger=_FailsToWrite(inner, fault))
    with pytest.raises(HesoError):
        DECISIONS[decision](shop, action_hash)
    shop.start(ledger=inner)
    if fault is Fault.NOT_WRITTEN:
        assert shop.snapshot(action_hash) == before
    else:
        assert shop.snapshot(action_hash) != before
    shop.check()


class _FailsToWrite:
    """A `Ledger` that can be read, and whose writes meet a fault."""

    def __init__(self, inner: Ledger, fault: Fault) -> None:
        self._inner, self._fault = inner, fault

    def append_inline(self, seal: Seal) -> tuple[Appended, ...]:
        made: list[Batch] = []

        def watched(heads: Heads) -> Batch:
            made.append(seal(heads))
            return Batch(()) if self._fault is Fault.NOT_WRITTEN else made[-1]

        appended = self._inner.append_inline(watched)
        if made[-1].entries or made[-1].tickets:
            raise refuse() if self._fault is Fault.NOT_WRITTEN else doubt()
        return appended


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_settling_that_was_not_confirmed_can_be_tried_again(shop: Shop, fault: Fault) -> None:
    from heso.async_gate.claimed import claim_inline

    inner = shop.ledger
    action_hash = shop.approved(shop.pay(), "o-1", 500)
    shop.desk.lose(claim_inline(shop.gate, action_hash).ticket)
    shop.start(ledger=FaultyLedger(inner, {0: fault}))
    with pytest.raises(HesoError):
        shop.desk.settle(action_hash, Succeeded(b"{}"))
    shop.start(ledger=inner)
    wanted = "in_doubt" if fault is Fault.NOT_WRITTEN else "done"
    assert shop.state(action_hash) == wanted
