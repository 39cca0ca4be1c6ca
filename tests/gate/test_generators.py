"""Generators pass the gate once; then everything goes through to the body, and only the body is inside the action."""

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Generator

import pytest

import heso


def _record(events: list[object], what: object) -> None:
    events.append((what, heso.current_action_hash() is not None))


def _make_sync(events: list[object]):
    @heso.tool
    def act(start: int) -> Generator[int, str, str]:
        value = start
        try:
            while True:
                try:
                    got = yield value
                except LookupError as error:
                    got = repr(error)
                _record(events, got)
                if got == "stop":
                    return "returned"
                value += 1
        finally:
            _record(events, "closed")

    return act


def _make_async(events: list[object]):
    @heso.tool
    async def act(start: int) -> AsyncGenerator[int, str]:
        value = start
        try:
            while True:
                try:
                    got = yield value
                except LookupError as error:
                    got = repr(error)
                await asyncio.sleep(0)
                _record(events, got)
                if got == "stop":
                    return
                value += 1
        finally:
            _record(events, "closed")

    return act


def test_nothing_happens_before_the_first_item(project) -> None:
    items = _make_sync([])(7)
    assert project.read() == []
    assert next(items) == 7
    assert project.decisions() == ["allow"]
    assert (next(items), next(items)) == (8, 9)
    assert project.decisions() == ["allow"]
    items.close()


def test_what_is_sent_thrown_and_returned_goes_through(project) -> None:
    events: list[object] = []
    items = _make_sync(events)(0)
    next(items)
    assert heso.current_action_hash() is None
    assert items.send("a") == 1
    assert items.throw(LookupError("b")) == 2
    assert heso.current_action_hash() is None
    with pytest.raises(StopIteration) as end:
        items.send("stop")
    assert end.value.value == "returned"
    assert events == [("a", True), ("LookupError('b')", True), ("stop", True), ("closed", True)]


def test_closing_a_generator_closes_the_body_inside_its_action(project) -> None:
    events: list[object] = []
    items = _make_sync(events)(0)
    next(items)
    items.close()
    assert events == [("closed", True)]
    with pytest.raises(StopIteration):
        next(items)


def test_an_error_thrown_in_that_the_body_does_not_know_comes_out_again(project) -> None:
    events: list[object] = []
    items = _make_sync(events)(0)
    next(items)
    error = ZeroDivisionError("x")
    with pytest.raises(ZeroDivisionError) as raised:
        items.throw(error)
    assert raised.value is error
    assert events == [("closed", True)]


def test_a_blocked_generator_is_refused_at_its_first_item(project) -> None:
    @heso.tool(verb="http_request")
    def act() -> Generator[int]:
        yield 1

    items = act()
    with pytest.raises(heso.BlockedError):
        next(items)
    assert list(items) == []


async def test_what_is_sent_and_thrown_goes_through_asynchronously(project) -> None:
    events: list[object] = []
    items = _make_async(events)(0)
    assert await anext(items) == 0
    assert heso.current_action_hash() is None
    assert await items.asend("a") == 1
    assert await items.athrow(LookupError("b")) == 2
    assert heso.current_action_hash() is None
    with pytest.raises(StopAsyncIteration):
        await items.asend("stop")
    assert events == [("a", True), ("LookupError('b')", True), ("stop", True), ("closed", True)]
    assert project.decisions() == ["allow"]


async def test_closing_an_async_generator_closes_the_body_inside_its_action(project) -> None:
    events: list[object] = []
    items = _make_async(events)(0)
    await anext(items)
    await items.aclose()
    assert events == [("closed", True)]


async def test_an_error_thrown_into_an_async_generator_comes_out_again(project) -> None:
    events: list[object] = []
    items = _make_async(events)(0)
    await anext(items)
    error = ZeroDivisionError("x")
    with pytest.raises(ZeroDivisionError) as raised:
        await items.athrow(error)
    assert raised.value is error
    assert events == [("closed", True)]


async def test_an_async_generator_may_be_consumed_by_several_tasks(project) -> None:
    items = _make_async([])(0)
    assert [await asyncio.create_task(anext(items)) for _ in range(3)] == [0, 1, 2]
    await asyncio.create_task(items.aclose())


def test_a_generator_may_be_consumed_in_several_contexts(project) -> None:
    items = _make_sync([])(0)
    assert [contextvars.Context().run(next, items) for _ in range(3)] == [0, 1, 2]
    items.close()


def test_a_coroutine_that_is_closed_from_another_context_closes_cleanly(project) -> None:
    """As a loop does that is gone before its tasks are."""
    closed = []

    class Pause:
        def __await__(self):
            yield

    @heso.tool
    async def act() -> None:
        try:
            await Pause()
        finally:
            closed.append(True)

    class Inline:
        async def append(self, seal):
            return project.ledger.append_inline(seal)

    project.start(ledger=Inline())
    task = act()
    contextvars.copy_context().run(task.send, None)
    task.close()
    assert closed == [True]


async def test_a_body_cancelled_midway_is_out_of_its_action(project) -> None:
    started = asyncio.Event()

    @heso.tool
    async def act() -> None:
        started.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(act())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert heso.current_action_hash() is None
    assert project.decisions() == ["allow"]
