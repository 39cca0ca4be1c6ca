"""Giving up on a call: the body does not start, the next call works, on asyncio and on trio."""

import asyncio

import pytest
import trio

import heso
from heso.testing import Fault, FaultyLedger

SECRET = "4111-secret-1111"  # noqa: S105  # opens nothing


@pytest.mark.parametrize("verb", ["tool_call", "llm_call", "payment"])
async def test_a_call_cancelled_at_any_await_leaves_the_gate_usable(
    project, body, verb: str
) -> None:
    @heso.tool(verb=verb)
    async def act(secret: str) -> None:
        body.run(secret)

    for pauses in range(12):
        task = asyncio.ensure_future(act("given up"))
        for _ in range(pauses):
            await asyncio.sleep(0)
        was_done = task.done()
        ran = len(body.ran)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert was_done or len(body.ran) == ran
        await heso.gate(heso.Call("next", {}))
        assert heso.current_action_hash() is None
    assert project.check().sessions["flow"] >= 12


def test_the_gate_works_on_trio(project, body) -> None:
    @heso.tool(redact=["secret"])
    async def act(secret: str) -> object:
        await trio.lowlevel.checkpoint()
        return body.run(secret)

    @heso.tool(verb="payment")
    async def pay() -> None:
        body.run("paid")

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(act, SECRET)
        with pytest.raises(heso.SuspendedError):
            await pay()

    trio.run(main)
    assert body.ran == [SECRET] * 5
    assert SECRET.encode() not in project.on_disk()
    assert project.check().sessions["flow"] == 6


def test_a_timeout_around_a_slow_ledger_is_a_timeout_and_no_run(project, body) -> None:
    class Slow(FaultyLedger):
        async def append(self, seal: object) -> object:
            await asyncio.sleep(0.2)
            return await super().append(seal)

    project.start(ledger=Slow(project.ledger, {1: Fault.NOT_WRITTEN}))

    @heso.tool
    async def act() -> None:
        body.run("x")

    async def main() -> None:
        async with asyncio.timeout(0.05):
            await act()

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert body.ran == []
    assert project.read() == []


def test_a_permit_does_not_show_what_its_receipt_hides(project) -> None:
    """Programs log what they are given."""
    permit = heso.gate_sync(heso.Call("t", {"secret": SECRET}, redact=("secret",)))
    assert SECRET not in repr(permit)
    assert SECRET not in str(permit)


def test_a_call_does_not_show_what_it_asks_to_hide() -> None:
    assert SECRET not in repr(heso.Call("t", {"secret": SECRET}, redact=("secret",)))
