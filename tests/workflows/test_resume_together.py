"""Several at once: clicks, resumers, claims and cancellations, in tasks, threads and processes."""

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import heso
from heso.core.errors import HesoError
from heso.core.ticket import WrongState
from heso.workflows.resume import resume, wait
from heso.workflows.worker import Worker
from tests.approvals.shop import ADA, BO, Shop

PAID = "[('cents', 500), ('paid', 'o-1')]"
ROOT = Path(__file__).parents[2]
PROGRAM = """
    import sys, pathlib
    from tests.approvals.shop import *
    folder, action_hash, what, key = sys.argv[1:]
    shop = open_shop(pathlib.Path(folder))
    shop.start(owner=__import__("heso.workflows.owners").workflows.owners.this_process)

    @heso.tool(verb="payment", name="pay")
    def pay(order: str, cents: int, card: str = "none") -> str:
        with open(pathlib.Path(folder) / "effects", "a") as file:
            file.write(heso.current_idempotency_key() + "\\n")
        return f"paid {order}"

    who = FakeSigner(int(key))
    acts = {
        "approve": lambda: shop.vote(action_hash, who).state,
        "reject": lambda: shop.vote(action_hash, who, "rejected").state,
        "cancel": lambda: shop.desk.cancel(action_hash).state,
        "resume": lambda: shop.resume(action_hash),
    }
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        print(acts[what]())
    except HesoError as error:
        print(type(error).__name__)
"""


def at_once(folder: Path, action_hash: str, *acts: tuple[str, int]) -> list[str]:
    """What each of several processes said that acted at the same moment."""
    text = "from heso.core.errors import HesoError\n" + textwrap.dedent(PROGRAM)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", text, str(folder), action_hash, what, str(key)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for what, key in acts
    ]
    try:
        assert [one.stdout.readline() for one in running] == ["ready\n"] * len(running)
        for one in running:
            one.stdin.write("go\n")
            one.stdin.flush()
        return sorted(one.communicate(timeout=30)[0].strip() for one in running)
    finally:
        for one in running:
            one.kill()
            one.wait()


def effects(shop: Shop) -> int:
    file = shop.folder / "effects"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_three_clicks_in_three_processes_are_one_decision(sqlite_shop: Shop) -> None:
    action_hash = sqlite_shop.ask(sqlite_shop.pay(), "o-1", 500)
    said = at_once(
        sqlite_shop.folder, action_hash, ("approve", 10), ("approve", 11), ("approve", 12)
    )
    assert said == ["WrongState", "WrongState", "approved"]
    assert sqlite_shop.kinds(action_hash) == ["suspended", "approved"]


def test_yes_no_and_never_mind_in_three_processes_are_one_decision(sqlite_shop: Shop) -> None:
    action_hash = sqlite_shop.ask(sqlite_shop.pay(), "o-1", 500)
    said = at_once(sqlite_shop.folder, action_hash, ("approve", 10), ("reject", 12), ("cancel", 10))
    state = sqlite_shop.state(action_hash)
    if said == ["WrongState", "approved", "cancelled"]:  # first approved, then taken back
        assert state == "cancelled"
    else:
        assert said == sorted(["WrongState", "WrongState", state])


def test_three_resumers_in_three_processes_run_it_once_and_all_get_the_result(
    sqlite_shop: Shop,
) -> None:
    action_hash = sqlite_shop.approved(sqlite_shop.pay(), "o-1", 500)
    said = at_once(sqlite_shop.folder, action_hash, *[("resume", 10)] * 3)
    assert (said, effects(sqlite_shop)) == (["paid o-1"] * 3, 1)


@pytest.mark.parametrize("count", [2, 4])
def test_resumers_at_once_run_it_once_and_all_get_the_result(shop: Shop, count: int) -> None:
    @heso.tool(verb="payment", name="slow")
    async def slow(n: int) -> int:
        shop.ran.append(n)
        await asyncio.sleep(0.02)
        return n

    action_hash = shop.approved(lambda n: asyncio.run(slow(n)), 7)

    async def all_of_them() -> list[object]:
        return await asyncio.gather(*(resume(shop.desk, action_hash) for _ in range(count)))

    assert (asyncio.run(all_of_them()), shop.ran) == ([7] * count, [7])


def test_calls_and_resumers_in_threads_run_it_once(sqlite_shop: Shop) -> None:
    shop, pay = sqlite_shop, sqlite_shop.pay()
    action_hash = shop.approved(pay, "o-1", 500)
    got: list[object] = []
    barrier = threading.Barrier(6)

    def go(act: Callable[[], object]) -> None:
        barrier.wait()
        try:
            got.append(str(sorted(act().items())))
        except HesoError as error:
            got.append(type(error).__name__)

    acts = [lambda: shop.resume(action_hash), lambda: pay("o-1", 500)] * 3
    threads = [threading.Thread(target=go, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shop.ran == [("o-1", 500, "none")]
    told = Counter(got)
    assert told[PAID] >= 3
    # a call either gets the result, or is told that it runs elsewhere, or, once it was told, asks anew
    assert told.keys() <= {
        PAID,
        "StillRunningError",
        "SuspendedError",
    }


def test_two_workers_and_a_resumer_run_it_once(shop: Shop) -> None:
    names = [shop.approved(shop.pay(), f"o-{n}", 500) for n in range(4)]
    told: list[object] = []

    async def go() -> None:
        workers = [Worker(shop.desk, lambda *what: told.append(what)) for _ in range(2)]
        await asyncio.gather(
            *(worker.run_once() for worker in workers), *(resume(shop.desk, n) for n in names)
        )

    asyncio.run(go())
    assert sorted(shop.ran) == [(f"o-{n}", 500, "none") for n in range(4)]


def test_waiting_ends_with_the_result_when_somebody_says_yes(shop: Shop) -> None:
    action_hash = shop.ask(shop.pay(), "o-1", 500)

    async def go() -> tuple[object, object]:
        async def say_yes() -> None:
            await asyncio.sleep(0.03)
            shop.vote(action_hash, ADA)

        waiting = wait(shop.desk, action_hash, timeout_seconds=10)
        return await asyncio.gather(waiting, say_yes())

    assert asyncio.run(go())[0] == {"paid": "o-1", "cents": 500}


def test_waiting_ends_when_the_time_is_over_and_the_action_waits_on(shop: Shop) -> None:
    action_hash = shop.ask(shop.pay(), "o-1", 500)
    before = shop.snapshot(action_hash)
    with pytest.raises(heso.SuspendedError):
        asyncio.run(wait(shop.desk, action_hash, timeout_seconds=0.05))
    assert shop.snapshot(action_hash) == before


@pytest.mark.parametrize("which", ["resume", "call again", "wait"])
def test_cancelling_at_any_await_loses_nothing_and_runs_nothing_twice(
    sqlite_shop: Shop, which: str
) -> None:
    """A task that is cancelled after its n-th step, for every n: it ran whole or not at all."""
    shop = sqlite_shop

    @heso.tool(verb="payment", name="steps")
    async def steps(n: int) -> int:
        await asyncio.sleep(0)
        shop.ran.append(n)
        await asyncio.sleep(0)
        return n

    async def cut(action_hash: str, n: int) -> None:
        go = {"resume": resume, "wait": wait}
        work = steps(n) if which == "call again" else go[which](shop.desk, action_hash)
        task = asyncio.ensure_future(work)
        for _ in range(n):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if which == "wait":
            await asyncio.sleep(0.1)  # a reader's thread that was torn away answers this loop still

    for n in range(14):
        action_hash = shop.approved(lambda n: asyncio.run(steps(n)), n)
        asyncio.run(cut(action_hash, n))
        assert shop.state(action_hash) in ("approved", "done")
        assert shop.ran.count(n) == (shop.state(action_hash) == "done")
        assert asyncio.run(steps(n)) == n  # whoever was cancelled and tries again gets it
        assert shop.resume(action_hash) == n
        assert shop.ran.count(n) == 1


def test_approving_while_another_cancels_is_one_of_the_two(sqlite_shop: Shop) -> None:
    shop = sqlite_shop
    for n in range(10):
        action_hash = shop.ask(shop.pay(), f"o-{n}", 500)
        vote = shop.sign(action_hash, BO if n % 2 else ADA)
        barrier, wrong = threading.Barrier(2), []

        def go(act: Callable[[], object], barrier=barrier, wrong=wrong) -> None:
            barrier.wait()
            try:
                act()
            except WrongState as error:
                wrong.append(error)

        acts = [
            lambda h=action_hash, v=vote: shop.desk.vote(h, v),
            lambda h=action_hash: shop.desk.cancel(h),
        ]
        threads = [threading.Thread(target=go, args=(act,)) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert shop.state(action_hash) == "cancelled"
        assert shop.kinds(action_hash) in (
            ["suspended", "denied"],
            ["suspended", "approved", "completed"],
        )
        assert len(wrong) == (len(shop.kinds(action_hash)) == 2)
    assert shop.ran == []
