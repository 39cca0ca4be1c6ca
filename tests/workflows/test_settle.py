"""In doubt: what a probe, a key that may be used twice, and a person's word make of it."""

import asyncio
from collections.abc import Callable

import pytest

import heso
from heso.approvals.running import Raised, Succeeded
from heso.async_gate.claimed import claim_inline, result_json
from heso.core.ticket import WrongState
from heso.workflows.resume import MOST_ATTEMPTS
from heso.workflows.worker import Worker
from tests.approvals.shop import ADA, Shop


def doubtful(shop: Shop, call: Callable[..., object], *args: object) -> str:
    """An action whose runner is gone."""
    action_hash = shop.approved(call, *args)
    assert shop.desk.lose(claim_inline(shop.gate, action_hash).ticket).state == "in_doubt"
    return action_hash


def unknown(_key: str) -> heso.Unknown:
    return heso.Unknown()


def broken(_key: str) -> object:
    raise ConnectionError("no network")


async def later(_key: str) -> heso.Done:
    await asyncio.sleep(0)
    return heso.Done("found later")


def nothing(_key: str) -> None:
    return None


def torn_type(_key: str) -> type:
    return heso.Done


STAY = [unknown, broken, nothing, torn_type, lambda _: True]


@pytest.mark.parametrize("probe", STAY, ids=lambda p: p.__name__)
def test_a_probe_that_cannot_tell_leaves_it_to_people(shop: Shop, probe) -> None:
    action_hash = doubtful(shop, shop.pay(probe=probe), "o-1", 500)
    before = shop.snapshot(action_hash)
    for _ in range(2):
        with pytest.raises(heso.InDoubtError) as doubt:
            shop.resume(action_hash)
    assert (shop.ran, shop.snapshot(action_hash)) == ([], before)
    assert "--happened, --not or --ask-again" in doubt.value.next_step


@pytest.mark.parametrize(
    ("probe", "result"),
    [
        (lambda _: heso.Done({"id": 7}), {"id": 7}),
        (lambda _: heso.Done(), None),
        (later, "found later"),
    ],
    ids=["a result", "nothing", "a coroutine"],
)
def test_a_probe_that_finds_it_makes_it_done(shop: Shop, probe, result: object) -> None:
    action_hash = doubtful(shop, shop.pay(probe=probe), "o-1", 500)
    assert shop.resume(action_hash) == shop.resume(action_hash) == result
    assert (shop.ran, shop.state(action_hash)) == ([], "done")


def test_a_probe_is_asked_with_the_key_that_the_body_had(shop: Shop) -> None:
    keys: list[object] = []

    def probe(key: str) -> heso.NotDone:
        keys.append(key)
        return heso.NotDone()

    @heso.tool(verb="payment", name="act", probe=probe)
    def act(n: int) -> str:
        keys.append(heso.current_idempotency_key())
        return "ok"

    action_hash = doubtful(shop, act, 1)
    assert shop.resume(action_hash) == "ok"
    assert keys == [action_hash, action_hash]
    assert shop.desk.read(action_hash).fence == 2


def test_an_idempotent_tool_runs_again_with_the_same_key_and_not_for_ever(shop: Shop) -> None:
    keys: list[object] = []

    @heso.tool(verb="payment", name="act", idempotent=True)
    def act(n: int) -> None:
        keys.append(heso.current_idempotency_key())
        raise KeyboardInterrupt

    action_hash = shop.approved(act, 1)
    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(KeyboardInterrupt):
            shop.resume(action_hash)
    for _ in range(2):
        with pytest.raises(heso.InDoubtError):
            shop.resume(action_hash)
    assert keys == [action_hash] * MOST_ATTEMPTS
    assert shop.desk.read(action_hash).fence == MOST_ATTEMPTS


def test_a_policy_that_denies_it_by_now_is_asked_before_it_runs_again(shop: Shop) -> None:
    action_hash = doubtful(shop, shop.pay(idempotent=True), "o-1", 500)
    shop.rule(shop.policy_text.replace("1000000", "100"))
    before = shop.snapshot(action_hash)
    with pytest.raises(heso.BlockedError):
        shop.resume(action_hash)
    assert (shop.ran, shop.snapshot(action_hash)) == ([], before)


def test_two_who_probe_at_once_run_it_once(shop: Shop) -> None:
    async def probe(_key: str) -> heso.NotDone:
        await asyncio.sleep(0.01)
        return heso.NotDone()

    action_hash = doubtful(shop, shop.pay(probe=probe), "o-1", 500)

    async def go() -> list[object]:
        from heso.workflows.resume import resume

        return await asyncio.gather(*(resume(shop.desk, action_hash) for _ in range(3)))

    assert asyncio.run(go()) == [{"paid": "o-1", "cents": 500}] * 3
    assert len(shop.ran) == 1


def test_a_slow_probe_answers_about_the_claim_it_was_asked_about(shop: Shop) -> None:
    """While it thinks, somebody else runs it and is lost too: what it says is old, and it is asked again."""
    asked: list[int] = []

    def probe(_key: str) -> heso.NotDone | heso.Done:
        asked.append(shop.desk.read(action_hash).fence)
        if len(asked) > 1:
            return heso.Done("the second one did it")
        seen = claim_inline(shop.gate, action_hash, may_repeat=True)
        shop.desk.lose(seen.ticket)
        return heso.NotDone()

    action_hash = doubtful(shop, shop.pay(probe=probe), "o-1", 500)
    assert shop.resume(action_hash) == "the second one did it"
    assert (shop.ran, asked) == ([], [1, 2])


def test_a_person_says_it_happened(shop: Shop) -> None:
    pay = shop.pay()
    action_hash = doubtful(shop, pay, "o-1", 500)
    assert shop.desk.settle(action_hash, Succeeded(result_json(None))).state == "done"
    assert shop.resume(action_hash) is None
    assert shop.kinds(action_hash) == ["suspended", "approved", "completed"]
    assert shop.ran == []


def test_a_person_says_it_did_not(shop: Shop) -> None:
    action_hash = doubtful(shop, shop.pay(), "o-1", 500)
    outcome = Raised("NotRun", "settled: it did not happen")
    assert shop.desk.settle(action_hash, outcome).state == "failed"
    with pytest.raises(heso.ToolFailedError) as told:
        shop.resume(action_hash)
    assert told.value.said == "NotRun: settled: it did not happen"
    for again in (outcome, Succeeded(b"{}")):
        with pytest.raises(WrongState):
            shop.desk.settle(action_hash, again)


def test_a_person_has_it_asked_again_as_a_new_action(shop: Shop) -> None:
    pay = shop.pay()
    old = doubtful(shop, pay, "o-1", 500)
    new = shop.desk.ask_again(old, "asked again")
    assert (new.state, shop.state(old)) == ("suspended", "replaced")
    assert shop.life(old)[-1]["action"]["error"] == f"in doubt: asked again: {new.action_hash}"
    with pytest.raises(heso.SuspendedError) as held:
        pay("o-1", 500)
    assert held.value.action_hash == new.action_hash
    shop.vote(new.action_hash, ADA)
    assert shop.resume(old) == {"paid": "o-1", "cents": 500}
    assert len(shop.ran) == 1


def test_the_first_runner_is_not_told_that_its_late_outcome_counts(shop: Shop) -> None:
    """It comes back after a person had it asked again: what it knows has no place any more."""
    from heso.async_gate.claimed import run_claimed_inline

    action_hash = shop.approved(shop.pay(), "o-1", 500)
    claimed = claim_inline(shop.gate, action_hash)
    shop.desk.lose(claimed.ticket)
    shop.desk.ask_again(action_hash, "asked again")
    before = shop.snapshot(action_hash)
    with pytest.raises(heso.InDoubtError):
        run_claimed_inline(shop.gate, claimed, lambda: "late", is_delivered=False)
    assert shop.snapshot(action_hash) == before


def test_a_tool_that_takes_too_long_is_in_doubt(shop: Shop) -> None:
    @heso.tool(verb="payment", name="slow", timeout=0.02)
    async def slow(n: int) -> None:
        shop.ran.append(n)
        await asyncio.sleep(10)

    first, second = (shop.approved(lambda n: asyncio.run(slow(n)), n) for n in (1, 2))
    for go in (lambda: shop.resume(first), lambda: asyncio.run(slow(2))):
        with pytest.raises(heso.InDoubtError) as doubt:
            go()
        assert doubt.value.why == "it did not return within 0.02 seconds"
    assert [shop.state(one) for one in (first, second)] == ["in_doubt", "in_doubt"]


def test_a_worker_settles_what_a_tool_can_settle_and_leaves_the_rest(shop: Shop) -> None:
    told: list[tuple[str, str]] = []
    by_probe = doubtful(shop, shop.pay(probe=lambda _: heso.Done("found")), "o-1", 500)

    @heso.tool(verb="payment", name="twice", idempotent=True)
    def twice(n: int) -> int:
        shop.ran.append(n)
        return n

    @heso.tool(verb="payment", name="once")
    def once(n: int) -> None: ...

    again, stays = doubtful(shop, twice, 3), doubtful(shop, once, 4)
    worker = Worker(
        shop.desk, lambda t, e: told.append((t.tool_name, "ran" if e is None else type(e).__name__))
    )
    assert asyncio.run(worker.run_once()) == 2
    assert sorted(told) == [("pay", "ran"), ("twice", "ran")]
    assert [shop.state(one) for one in (by_probe, again, stays)] == ["done", "done", "in_doubt"]
    assert shop.ran == [3]
