"""Who acts and on which chain: steps nest, tasks inherit them, threads start fresh."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import heso


@heso.tool(name="act")
def act() -> str | None:
    return heso.current_action_hash()


@heso.tool(name="act_later")
async def act_later() -> str | None:
    await asyncio.sleep(0)
    return heso.current_action_hash()


def _places(project) -> list[tuple[str, str, str]]:
    return [
        (r["action"]["workflow"], r["action"]["account"], r["session_id"]) for r in project.read()
    ]


def test_names_come_from_the_step_and_else_from_the_project(project) -> None:
    act()
    with heso.step(workflow="w"):
        act()
        with heso.step(account="a"):
            act()
            with heso.step(session="s"):
                act()
                with heso.step(workflow="v"):
                    act()
            act()
    act()
    assert _places(project) == [
        ("flow", "account", "flow"),
        ("w", "account", "w"),
        ("w", "a", "w"),
        ("w", "a", "s"),
        ("v", "a", "v"),
        ("w", "a", "w"),
        ("flow", "account", "flow"),
    ]
    project.check()


def test_a_step_ends_when_its_block_fails(project) -> None:
    with pytest.raises(ZeroDivisionError), heso.step(workflow="w"):
        raise ZeroDivisionError
    act()
    assert _places(project) == [("flow", "account", "flow")]


@pytest.mark.parametrize("name", ["workflow", "account", "session"])
def test_a_step_needs_names(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must not be empty"):
        heso.step(**{name: ""})


@pytest.mark.parametrize("name", [3, b"x", ["x"]])
def test_nothing_runs_in_a_step_whose_name_is_no_text(project, name: object) -> None:
    def enter_and_act() -> None:
        with heso.step(workflow=name):
            act()

    with pytest.raises((ValueError, TypeError, heso.GateError)):
        enter_and_act()
    assert project.read() == []


@pytest.mark.parametrize("session", ["heso.policy", "lifecycle:x"])
def test_a_session_of_hesos_own_is_refused(project, session: str) -> None:
    with pytest.raises(heso.CaptureError), heso.step(session=session):
        act()
    assert project.read() == []


async def test_tasks_inherit_the_step_they_were_started_in(project) -> None:
    async def work(name: str) -> None:
        async with heso.step(session=name):
            for _ in range(3):
                await act_later()
                act()

    async with heso.step(workflow="w"), asyncio.TaskGroup() as tasks:
        for number in range(5):
            tasks.create_task(work(f"s{number}"))
    places = _places(project)
    assert sorted(set(places)) == [("w", "account", f"s{number}") for number in range(5)]
    assert project.check().sessions == {"heso.policy": 1} | {f"s{n}": 6 for n in range(5)}


async def test_one_step_may_be_entered_by_several_tasks_at_once(project) -> None:
    shared = heso.step(workflow="shared")
    inside = asyncio.Barrier(2)

    async def work(pause: float) -> None:
        async with shared:
            await inside.wait()
            await asyncio.sleep(pause)
            await act_later()

    await asyncio.gather(work(0), work(0.05))
    assert _places(project) == [("shared", "account", "shared")] * 2


def test_a_thread_starts_outside_every_step_and_to_thread_inside(project) -> None:
    async def main() -> None:
        with heso.step(workflow="w"):
            await asyncio.to_thread(act)
            thread = threading.Thread(target=act)
            thread.start()
            thread.join()

    asyncio.run(main())
    assert [place[0] for place in _places(project)] == ["w", "flow"]


def test_threads_share_the_chain_and_not_the_action(project) -> None:
    with ThreadPoolExecutor(8) as threads:
        hashes = [f.result() for f in [threads.submit(act) for _ in range(40)]]
    assert len(set(hashes)) == 40
    assert project.check(acknowledged=hashes).sessions == {"heso.policy": 1, "flow": 40}


def test_a_gated_call_inside_another_is_an_action_of_its_own(project) -> None:
    @heso.tool
    def outer() -> list[str | None]:
        before = heso.current_action_hash()
        inner = act()
        return [before, inner, heso.current_action_hash()]

    before, inner, after = outer()
    assert before == after != inner
    assert [r["action_hash"] for r in project.read()] == [before, inner]
    assert heso.current_action_hash() is None


async def test_a_sync_function_is_gated_inside_a_running_loop(project) -> None:
    assert act() is not None
    assert await act_later() is not None
    assert project.decisions() == ["allow", "allow"]


async def test_tasks_see_their_own_action_only(project) -> None:
    hashes = await asyncio.gather(*(act_later() for _ in range(20)))
    assert len(set(hashes)) == 20
    assert heso.current_action_hash() is None
    project.check(acknowledged=hashes)


async def test_the_gate_without_a_decorator_gives_a_permit_or_raises(project) -> None:
    permit = await heso.gate(heso.Call("t", {"n": 1}, session="own"))
    assert project.read()[0]["action_hash"] == permit.action_hash
    assert heso.gate_sync(heso.Call("t", {}, workflow="w")).action_hash != permit.action_hash
    with pytest.raises(heso.BlockedError):
        await heso.gate(heso.Call("t", {}, verb="http_request"))
    with pytest.raises(heso.CaptureError, match="is not a verb"):
        heso.gate_sync(heso.Call("t", {}, verb="fly"))
    assert [place[2] for place in _places(project)] == ["own", "w", "flow"]
