"""Calling a tool again: one asking, one run, one answer; then it is a new call."""

import asyncio
from collections.abc import Callable

import pytest

import heso
from heso.async_gate.claimed import claim_inline
from heso.core.errors import HesoError
from tests.approvals.shop import ADA, MINUTE, Shop


def _function(shop: Shop, **options: object) -> Callable[..., object]:
    @heso.tool(verb="payment", name="act", **options)
    def act(order: str, card: str = "4242-4242") -> str:
        shop.ran.append((order, card))
        return f"did {order}"

    return act


def _coroutine(shop: Shop, **options: object) -> Callable[..., object]:
    @heso.tool(verb="payment", name="act", **options)
    async def act(order: str, card: str = "4242-4242") -> str:
        shop.ran.append((order, card))
        return f"did {order}"

    return lambda *args: asyncio.run(act(*args))


@pytest.fixture(params=[_function, _coroutine], ids=["def", "async def"])
def make(request: pytest.FixtureRequest) -> Callable[..., Callable[..., object]]:
    return request.param


def sidecars(shop: Shop) -> int:
    if shop.folder is None:
        return len(shop.reveals._sidecars)
    return len(list((shop.folder / "r").glob("*")))


def test_while_it_waits_calling_again_asks_nobody_again(shop: Shop, make) -> None:
    act = make(shop, redact=["card"])
    first = shop.ask(act, "o-1")
    before = shop.snapshot(first)
    assert [shop.ask(act, "o-1") for _ in range(3)] == [first] * 3
    assert (shop.snapshot(first), sidecars(shop)) == (before, 1)


def test_once_it_is_approved_calling_again_runs_it_once(shop: Shop, make) -> None:
    act = make(shop)
    first = shop.approved(act, "o-1")
    assert act("o-1") == "did o-1"
    second = shop.ask(act, "o-1")
    assert second != first
    assert shop.ran == [("o-1", "4242-4242")]


def test_what_somebody_else_ran_is_told_once_and_asked_anew_then(shop: Shop, make) -> None:
    from heso.workflows.resume import resume

    act = make(shop)
    first = shop.approved(act, "o-1")
    asyncio.run(resume(shop.desk, first, is_delivered=False))
    assert act("o-1") == "did o-1"
    assert shop.ask(act, "o-1") != first
    assert len(shop.ran) == 1


def test_a_result_that_was_fetched_by_its_hash_is_not_told_again(shop: Shop, make) -> None:
    act = make(shop)
    first = shop.approved(act, "o-1")
    assert shop.resume(first) == "did o-1"
    assert shop.ask(act, "o-1") != first


ENDS: dict[str, tuple[Callable[[Shop, str], object], type[Exception]]] = {
    "rejected": (lambda s, h: s.vote(h, ADA, "rejected", "no"), heso.RejectedError),
    "cancelled": (lambda s, h: s.desk.cancel(h), heso.WithdrawnError),
    "expired": (lambda s, _: s.clock.advance(60 * MINUTE), heso.ExpiredError),
    "in doubt": (
        lambda s, h: (s.vote(h, ADA), s.desk.lose(claim_inline(s.gate, h).ticket)),
        heso.InDoubtError,
    ),
    "running": (lambda s, h: (s.vote(h, ADA), claim_inline(s.gate, h)), heso.StillRunningError),
}


@pytest.mark.parametrize("end", ENDS)
def test_what_became_of_it_is_told_and_the_next_call_is_a_new_one_if_it_is_over(
    shop: Shop, make, end: str
) -> None:
    act = make(shop)
    first = shop.ask(act, "o-1")
    reach, kind = ENDS[end]
    reach(shop, first)
    with pytest.raises(kind) as told:
        act("o-1")
    assert told.value.next_step
    assert told.value.__context__ is None
    if end in ("in doubt", "running"):
        with pytest.raises(kind):
            act("o-1")
    else:
        assert shop.ask(act, "o-1") != first
    assert shop.ran == []


# Everything that makes a call another call.
OTHERS: dict[str, Callable[[Shop, Callable[..., object]], str]] = {
    "arguments": lambda shop, act: shop.ask(act, "o-2"),
    "hidden values": lambda shop, act: shop.ask(act, "o-1", "4343-4343"),
    "session": lambda shop, act: _in_step(shop, act, session="other"),
    "workflow": lambda shop, act: _in_step(shop, act, workflow="other"),
    "account": lambda shop, act: _in_step(shop, act, account="other"),
}


def _in_step(shop: Shop, act: Callable[..., object], **names: str) -> str:
    with heso.step(**names):
        return shop.ask(act, "o-1")


@pytest.mark.parametrize("other", OTHERS)
def test_another_call_is_another_asking(shop: Shop, make, other: str) -> None:
    act = make(shop, redact=["card"])
    first = shop.approved(act, "o-1")
    second = OTHERS[other](shop, act)
    assert second != first
    assert (shop.state(second), shop.ran) == ("suspended", [])


def test_another_version_of_the_tool_is_another_asking(shop: Shop, make) -> None:
    first = shop.approved(make(shop, version="1"), "o-1")
    assert shop.ask(make(shop, version="2"), "o-1") != first
    assert shop.ran == []


def test_many_calls_at_once_ask_once(sqlite_shop: Shop) -> None:
    @heso.tool(verb="payment", name="act")
    async def act(n: int) -> None: ...

    async def ask() -> str:
        try:
            await act(1)
        except heso.SuspendedError as held:
            return held.action_hash
        return "ran"

    async def many() -> list[str]:
        return await asyncio.gather(*(ask() for _ in range(20)))

    assert len(set(asyncio.run(many()))) == 1


def test_a_mutable_argument_that_changed_after_it_was_approved_is_another_call(shop: Shop) -> None:
    @heso.tool(verb="payment", name="act")
    def act(lines: list[int]) -> None:
        shop.ran.append(list(lines))

    lines = [1, 2]
    first = shop.approved(act, lines)
    lines.append(3)
    assert shop.ask(act, lines) != first
    assert shop.ran == []


def test_what_the_body_raises_comes_out_as_it_is(shop: Shop, make) -> None:
    class Oops(Exception):
        pass

    error = Oops("x")

    @heso.tool(verb="payment", name="act")
    def act() -> None:
        raise error

    shop.approved(act)
    with pytest.raises(Oops) as raised:
        act()
    assert raised.value is error
    assert (error.__context__, error.__cause__) == (None, None)


def test_the_body_knows_which_action_it_is(shop: Shop, make) -> None:
    seen: list[object] = []

    @heso.tool(verb="payment", name="act")
    def act() -> None:
        seen.append((heso.current_action_hash(), heso.current_idempotency_key()))

    first = shop.approved(act)
    act()
    assert seen == [(first, first)]
    assert heso.current_action_hash() is None


def test_what_the_body_calls_is_called_in_the_names_it_was_asked_in(shop: Shop) -> None:
    """Wherever it is resumed: a policy for one account is not left by waiting."""

    @heso.tool(verb="payment", name="inner")
    def inner(n: int) -> None: ...

    @heso.tool(verb="payment", name="outer")
    def outer(n: int) -> str:
        try:
            inner(n)
        except heso.SuspendedError as held:
            return held.action_hash
        raise AssertionError

    with heso.step(workflow="flow", account="acme", session="s-7"):
        shop.approved(outer, 1)
        elsewhere = shop.approved(outer, 2)
        asked = [outer(1)]
    asked.append(str(shop.resume(elsewhere)))
    tickets = [shop.desk.read(one) for one in asked]
    assert [(t.workflow, t.account, t.session_id) for t in tickets] == [("flow", "acme", "s-7")] * 2


def test_a_gate_that_goes_away_refuses(shop: Shop) -> None:
    from heso.async_gate.door import install_gate

    pay = shop.pay()
    shop.approved(pay, "o-1", 500)
    install_gate(None)
    with pytest.raises(HesoError):
        pay("o-1", 500)
    assert shop.ran == []
