"""The promises of `Records`, tried one by one against a store."""

from heso.core.encoding import Digest
from heso.core.receipt import DecisionPath, Verb
from heso.ports import Filter
from heso.testing.expecting import Store, StoreMaker, expect
from heso.testing.seals import seal_action, seal_policy, seal_suspended


async def exercise_reading(make_store: StoreMaker) -> None:
    """Every promise of `Records`, each on a fresh store. Raises `Nonconforming`."""
    for exercise in (_exercise_empty, _exercise_filters, _exercise_pages, _exercise_find):
        with make_store() as store:
            await exercise(store)


async def _exercise_empty(store: Store) -> None:
    records = store.records
    expect(list(records.read()) == [], "nothing is read from an empty ledger")
    expect(list(records.newest(5)) == [], "and nothing is the newest")
    expect(list(records.find("")) == [], "and nothing is found")
    expect(records.count() == 0, "and nothing is counted")
    expect(records.policy_text(Digest("0" * 64)) is None, "and it knows no policy")


async def _exercise_filters(store: Store) -> None:
    await store.ledger.append(seal_policy(b"# policy"))  # 0
    await store.ledger.append(seal_action("a", tool_name="x"))  # 1
    await store.ledger.append(seal_action("b", account="ops", verb=Verb.PAYMENT))  # 2
    await store.ledger.append(seal_action("a", decision=DecisionPath.BLOCK))  # 3
    await store.ledger.append(seal_suspended("b"))  # 4, 5
    for wanted, positions in (
        (Filter(), [0, 1, 2, 3, 4, 5]),
        (Filter(session_id="a"), [1, 3]),
        (Filter(workflow="b"), [2, 4, 5]),
        (Filter(account="ops"), [2]),
        (Filter(tool_name="x"), [1]),
        (Filter(verb="payment"), [2]),
        (Filter(decision="block"), [3]),
        (Filter(decision="suspended"), [5]),
        (Filter(session_id="a", decision="block"), [3]),
        (Filter(session_id="A"), []),
        (Filter(tool_name="x' OR 1"), []),
        (Filter(tool_name=""), []),
    ):
        found = [record.position for record in store.records.read(wanted)]
        expect(found == positions, f"{wanted} finds {positions}, not {found}")
        newest = [record.position for record in store.records.newest(100, wanted)]
        expect(newest == positions, f"the newest of {wanted} are {positions}, not {newest}")


async def _exercise_pages(store: Store) -> None:
    for _ in range(3):
        await store.ledger.append(seal_action("a", times=400))
    records = store.records
    expect([r.position for r in records.read()] == list(range(1200)), "reading goes to the end")
    expect(
        [r.position for r in records.read(after=1190)] == list(range(1191, 1200)), "from a place"
    )
    expect([r.position for r in records.newest(3)] == [1197, 1198, 1199], "the newest come last")
    reading = records.read()
    next(reading)
    await store.ledger.append(seal_action("a"))  # a reader in the middle of the file stops nobody
    expect(sum(1 for _ in reading) >= 1199, "a reader loses nothing to a writer")


async def _exercise_find(store: Store) -> None:
    appended = await store.ledger.append(seal_action("a", times=300))
    for one in appended[:3]:
        action_hash = one.receipt.action_hash
        for size in (64, 20, 7):
            found = [r.position for r in store.records.find(action_hash[:size])]
            expect(found == [one.position], f"the first {size} digits of a hash find its record")
    one = appended[0]
    missing = one.receipt.action_hash[:-1] + ("0" if one.receipt.action_hash[-1] != "0" else "1")
    expect(list(store.records.find(missing)) == [], "another last digit finds nothing")
    expect(len(store.records.find("")) == 10, "at most ten are found")
