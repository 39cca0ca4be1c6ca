"""The promises of `Ledger`, tried one by one against a store. A new store is done when nothing here raises.

asyncio.run(exercise_ledger(make_store))      # or trio.run(exercise_ledger, make_store)
"""

from anyio import create_task_group, to_thread

from heso.core.encoding import Digest, PublicKey
from heso.core.hashing import digest
from heso.core.journal import RunId
from heso.core.receipt import SessionId
from heso.ports import Appended, Batch, Heads, Ledger, NotWritten, Seal
from heso.testing.evidence import Evidence, check_ledger
from heso.testing.expecting import Store, StoreMaker, expect
from heso.testing.seals import seal_action, seal_policy, seal_suspended

_CALLERS = 20
_EACH = 5


async def exercise_ledger(make_store: StoreMaker) -> None:
    """Every promise of `Ledger`, each on a fresh store. Raises `Nonconforming` or `LedgerBroken`."""
    for exercise in (
        _exercise_order,
        _exercise_batches,
        _exercise_failing_seal,
        _exercise_misfit,
        _exercise_policy,
        _exercise_tasks,
        _exercise_threads,
        _exercise_mixture,
        _exercise_close,
    ):
        with make_store() as store:
            await exercise(store)


class _Refused(Exception):
    pass


async def _exercise_order(store: Store) -> None:
    (first,) = await store.ledger.append(seal_action("a"))
    (second,) = store.ledger.append_inline(seal_action("a"))
    (other,) = await store.ledger.append(seal_action("b"))
    expect([first.position, second.position, other.position] == [0, 1, 2], "positions count from 0")
    places = [one.receipt.content["seq"] for one in (first, second, other)]
    expect(places == [0, 1, 0], "each session counts for itself")
    records = list(store.records.read())
    bodies = [one.receipt.body for one in (first, second, other)]
    expect([record.receipt for record in records] == bodies, "the signed bytes are kept exactly")
    expect(len({one.entry_hash for one in (first, second, other)}) == 3, "entries have own hashes")
    check_ledger(store.records)


async def _exercise_batches(store: Store) -> None:
    appended = await store.ledger.append(seal_action("a", times=3))
    expect([one.position for one in appended] == [0, 1, 2], "a batch keeps its order")
    asked, link = await store.ledger.append(seal_suspended("a"))
    expect(link.receipt.content.get("kind") == "suspended", "a suspension is two receipts")
    empty = await store.ledger.append(lambda _: Batch(()))
    expect(empty == (), "an empty batch writes nothing")
    check_ledger(store.records, acknowledged=_hashes(*appended, asked, link))


async def _exercise_failing_seal(store: Store) -> None:
    def fail(heads: Heads) -> Batch:
        heads.head(SessionId("a"))
        raise _Refused

    for is_inline in (True, False):
        try:
            if is_inline:
                store.ledger.append_inline(fail)
            else:
                await store.ledger.append(fail)
        except _Refused:
            continue
        expect(False, "what a seal raises reaches the caller of append")
    expect(store.records.count() == 0, "and nothing is written")
    await store.ledger.append(seal_action("a"))
    check_ledger(store.records)


async def _exercise_misfit(store: Store) -> None:
    """A receipt sealed for another place than the chain's end must not get in."""
    await store.ledger.append(seal_action("a"))
    stale = seal_action("a")(_NoHeads())

    def misfit(_: Heads) -> Batch:
        return Batch(stale.entries)

    try:
        await store.ledger.append(misfit)
    except Exception:  # noqa: BLE001  # which one is the store's own affair
        check = check_ledger(store.records)
        expect(check.receipts == 1, "a receipt that does not fit is not written")
        return
    expect(False, "a receipt that does not fit is refused")


class _NoHeads:
    """The ends of an empty ledger."""

    policy_hash: Digest | None = None
    retired_keys: frozenset[PublicKey] = frozenset()

    def head(self, session: SessionId) -> None:
        """No session has one."""

    def ticket(self, action_hash: Digest) -> None:
        """Nobody waits."""

    def undelivered(self, call_key: Digest) -> None:
        """Nobody waits."""

    def run(self, run: RunId) -> None:
        """Nothing runs."""

    def signal(self, run: RunId, name: str) -> None:
        """Nobody was told anything."""


async def _exercise_policy(store: Store) -> None:
    seen: list[str | None] = []

    def look(heads: Heads) -> Batch:
        seen.append(heads.policy_hash)
        return Batch(())

    await store.ledger.append(look)
    for text in (b"# one", b"# two", b"# one"):
        await store.ledger.append(seal_policy(text))
        await store.ledger.append(look)
    one, two = digest(b"# one"), digest(b"# two")
    expect(seen == [None, one, two, one], "the policy in force is the last one entered")
    expect(store.records.policy_text(two) == b"# two", "the text of a policy is kept exactly")
    check_ledger(store.records)


async def _exercise_tasks(store: Store) -> None:
    done: list[Appended] = []
    async with create_task_group() as tasks:
        for _ in range(_CALLERS):
            tasks.start_soon(_append_some, store.ledger, done)
    _check_all(store, done)


async def _exercise_threads(store: Store) -> None:
    done: list[Appended] = []
    async with create_task_group() as tasks:
        for _ in range(_CALLERS):
            tasks.start_soon(to_thread.run_sync, _append_some_inline, store.ledger, done)
    _check_all(store, done)


async def _exercise_mixture(store: Store) -> None:
    done: list[Appended] = []
    async with create_task_group() as tasks:
        for _ in range(_CALLERS // 2):
            tasks.start_soon(to_thread.run_sync, _append_some_inline, store.ledger, done)
            tasks.start_soon(_append_some, store.ledger, done)
    _check_all(store, done)


async def _exercise_close(store: Store) -> None:
    await store.ledger.append(seal_action("a"))
    store.ledger.close()
    store.ledger.close()
    refused = 0
    try:
        store.ledger.append_inline(seal_action("a"))
    except NotWritten:
        refused += 1
    try:
        await store.ledger.append(seal_action("a"))
    except NotWritten:
        refused += 1
    expect(refused == 2, "a closed ledger refuses with NotWritten")
    expect(check_ledger(store.records).receipts == 1, "and keeps what it has")


async def _append_some(ledger: Ledger, done: list[Appended]) -> None:
    for _ in range(_EACH):
        done.extend(await ledger.append(_one()))


def _append_some_inline(ledger: Ledger, done: list[Appended]) -> None:
    for _ in range(_EACH):
        done.extend(ledger.append_inline(_one()))


def _one() -> Seal:
    return seal_action("everybody")


def _check_all(store: Store, done: list[Appended]) -> Evidence:
    evidence = check_ledger(store.records, acknowledged=_hashes(*done))
    expect(evidence.sessions == {"everybody": _CALLERS * _EACH}, "all callers make one chain")
    expect({one.position for one in done} == set(range(len(done))), "every caller has its place")
    return evidence


def _hashes(*appended: Appended) -> list[Digest]:
    return [one.receipt.action_hash for one in appended]
