"""The promises of `Journal`, and of what a seal is shown of runs, tried one by one against a store."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from anyio import create_task_group

from heso.core.encoding import Digest
from heso.core.hashing import digest
from heso.core.instant import Instant
from heso.core.journal import JournalStep, Run, RunId, RunState, Signal, StepState
from heso.core.ticket import Event, TicketState
from heso.ports import Batch, Heads, Seal
from heso.testing.expecting import Store, StoreMaker, expect
from heso.testing.fakes import NEW_YEAR
from heso.testing.seals import seal_action, seal_suspended

_NEVER = Instant(2**63 - 1)
_CALLERS = 20
_A, _B = RunId("a"), RunId("b")


async def exercise_journal(make_store: StoreMaker) -> None:
    """Every promise of `Journal`, each on a fresh store. Raises `Nonconforming`."""
    for exercise in (
        _exercise_empty,
        _exercise_runs,
        _exercise_steps,
        _exercise_signals,
        _exercise_due,
        _exercise_decisions,
        _exercise_told,
        _exercise_children,
        _exercise_pages,
        _exercise_together,
        _exercise_one_winner,
    ):
        with make_store() as store:
            await exercise(store)


async def _exercise_empty(store: Store) -> None:
    await store.ledger.append(seal_action())
    journal = store.journal
    expect(await journal.find(_A) is None, "a run nobody started is None")
    expect(list(await journal.steps(_A)) == [], "it has done nothing")
    for runs in (journal.newest(5), journal.running(5), journal.movable(_NEVER, 5)):
        expect(list(await runs) == [], "there are no runs")
    expect(await _seen(store, _A) == (None, None), "a seal sees none either")


async def _exercise_runs(store: Store) -> None:
    first = _run(_A, arguments_json='{"to":"zoë"}'.encode())
    await _put(store, runs=(first,))
    expect(await store.journal.find(_A) == first, "a run is found, value for value")
    expect((await _seen(store, _A))[0] == first, "and shown to a seal")
    second = _run(RunId("' OR 1=1 --"), created=Instant(NEW_YEAR + 1))
    await _put(store, runs=(second,))
    changed = replace(
        first,
        version=2,
        state=RunState.FAILED,
        due=_NEVER,
        fence=7,
        owner="me",
        result_json=b'{"result":1}',
        error="why",
    )
    await _put(store, runs=(changed,))
    expect(await store.journal.find(_A) == changed, "whatever can change of it is written over")
    expect(await store.journal.find(second.id) == second, "and no other run is")
    expect(list(await store.journal.newest(9)) == [second, changed], "the newest come first")
    expect(list(await store.journal.newest(1)) == [second], "as many as were asked for")


async def _exercise_steps(store: Store) -> None:
    steps = [
        _step(_A, "z", 0, at=1),
        _step(_A, "a", 1, at=2, state=StepState.ASKED, ticket=digest(b"t")),
        _step(_A, "a", 0, at=3, state=StepState.FAILED, value_json=b'{"error":1}'),
    ]
    await _put(store, steps=(*steps, _step(_B, "a", 0, at=0)))
    expect(list(await store.journal.steps(_A)) == steps, "steps come in the order of their writing")
    done = replace(steps[0], state=StepState.DONE, value_json=b"{}", at=Instant(NEW_YEAR + 9))
    await _put(store, steps=(done,))
    expect(list(await store.journal.steps(_A)) == [*steps[1:], done], "the same key is one step")
    expect(len(await store.journal.steps(_B)) == 1, "each run has its own")

    def start_over(_: Heads) -> Batch:
        return Batch((), steps=(done,), replaces_steps_of=_A)

    await store.ledger.append(start_over)
    expect(list(await store.journal.steps(_A)) == [done], "a journal may be written anew")
    expect(len(await store.journal.steps(_B)) == 1, "and no other one is")


async def _exercise_signals(store: Store) -> None:
    for run, name, value in ((_A, "x", b"1"), (_A, "x", b"2"), (_B, "x", b"3"), (_A, "y", b"4")):
        await _put(store, signals=(Signal(run=run, name=name, value_json=value),))
    for wanted in (b"1", b"2"):
        oldest = (await _seen(store, _A, "x"))[1]
        if oldest is None:
            expect(False, "a signal that was sent is there")
            return
        expect(oldest.value_json == wanted, "the oldest of its name comes first")
        await _put(store, signals=(oldest.taken(),))
    expect((await _seen(store, _A, "x"))[1] is None, "what was taken is gone")
    others = [(await _seen(store, run, name))[1] for run, name in ((_B, "x"), (_A, "y"))]
    values = [None if one is None else one.value_json for one in others]
    expect(values == [b"3", b"4"], "other runs' and other names' are not")


async def _exercise_due(store: Store) -> None:
    soon, later = Instant(NEW_YEAR + 5), Instant(NEW_YEAR + 6)
    await _put(store, runs=tuple(_run(RunId(state), state=state, due=soon) for state in RunState))
    early = _ids(await store.journal.movable(Instant(soon - 1), 99))
    expect(early == {"ready"}, "before its time only a new run may move")
    expect(_ids(await store.journal.movable(soon, 99)) == {"ready", "waiting"}, "then it may")
    expect(_ids(await store.journal.running(99)) == {"running"}, "whoever is driven is running")
    await _put(store, runs=(_run(RunId("waiting"), state=RunState.WAITING, due=later),))
    expect(_ids(await store.journal.movable(soon, 99)) == {"ready"}, "another time is another time")


async def _exercise_decisions(store: Store) -> None:
    asked, _ = await store.ledger.append(seal_suspended())
    name = asked.receipt.action_hash
    waits = _waiting(_A, name)
    no_ticket = _waiting(RunId("c"), digest(b"nobody's"))
    cancelled = replace(_waiting(_B, name), state=RunState.CANCELLED)
    await _put(store, runs=(waits, no_ticket, cancelled))
    expect(await store.journal.find(_A) == waits, "what it waits for is kept")
    expect(await store.journal.find(_B) == cancelled, "also of one that has ended")
    for event, moves in (
        (None, set()),
        (Event.APPROVE, {"a"}),
        (Event.CLAIM, set()),
        (Event.LOSE, set()),
        (Event.SUCCEED, {"a"}),
    ):
        if event is not None:
            await store.ledger.append(_advance(name, event))
        moved = _ids(await store.journal.movable(NEW_YEAR, 99))
        expect(moved == moves, f"a run that waits for an action moves when it may: {event}")
    await _put(store, runs=(replace(waits, waiting_for="", state=RunState.RUNNING),))
    expect(await _movable(store) == set(), "who is driven waits for nothing")


async def _exercise_told(store: Store) -> None:
    waits = _waiting(_A, "signal:x", "signal:y z")
    await _put(store, runs=(waits, _waiting(_B, "signal:x")))
    await _put(store, signals=(Signal(run=_A, name="z", value_json=b"1"),))
    expect(await _movable(store) == set(), "another signal is another signal")
    for name in ("x", "y z"):
        await _put(store, signals=(Signal(run=_A, name=name, value_json=b"1"),))
        expect(
            await _movable(store) == {"a"}, "any line of what it waits for wakes it, and it alone"
        )
        signal = (await _seen(store, _A, name))[1]
        await _put(store, signals=() if signal is None else (signal.taken(),))
        expect(await _movable(store) == set(), "what was taken wakes nobody")


async def _exercise_children(store: Store) -> None:
    child = RunId("a/x' OR 1/0")
    waits = _waiting(_A, f"run:{child}")
    await _put(store, runs=(waits, _waiting(RunId("c"), "run:nobody"), _waiting(child)))
    for state in RunState:
        await _put(store, runs=(_run(child, state=state, due=_NEVER),))
        is_over = state in (RunState.DONE, RunState.FAILED, RunState.CANCELLED)
        moved = await _movable(store) - {child}
        expect(
            moved == ({"a"} if is_over else set()),
            f"a child that is {state} wakes its parent or not",
        )


async def _exercise_pages(store: Store) -> None:
    names = [RunId(f"r{number}") for number in range(12)]
    await _put(store, runs=tuple(_run(name) for name in names))
    await _put(store, runs=tuple(_run(RunId(f"x{n}"), state=RunState.RUNNING) for n in range(3)))
    expect(len(await store.journal.movable(NEW_YEAR, 5)) == 5, "as many as were asked for")
    everybody = [run.id for run in await store.journal.movable(NEW_YEAR, 99)]
    expect(sorted(everybody) == sorted(names), "each once")
    expect(len(await store.journal.running(2)) == 2, "so with those that run")


async def _exercise_together(store: Store) -> None:
    """What a batch says of runs is written with its receipts, or not at all."""
    act = seal_action()

    def fail_late(heads: Heads) -> Batch:
        batch = replace(act(heads), runs=(_run(_A),), steps=(_step(_A, "a", 0, at=1),))
        raise ZeroDivisionError(batch)

    try:
        await store.ledger.append(fail_late)
    except ZeroDivisionError:
        expect(await store.journal.find(_A) is None, "no receipts, no run")
        expect(list(await store.journal.steps(_A)) == [], "and no step")
        return
    expect(False, "what a seal raises reaches the caller of append")


async def _exercise_one_winner(store: Store) -> None:
    """Callers whose writes share a transaction still see each other's: one of them has the fence, one the signal."""
    await _put(store, runs=(_run(_A),), signals=(Signal(run=_A, name="x", value_json=b"1"),))
    claimed: list[int] = []
    took: list[int] = []

    async def race(number: int) -> None:
        def seal(heads: Heads) -> Batch:
            run, signal = heads.run(_A), heads.signal(_A, "x")
            is_free = run is not None and run.state is RunState.READY
            won[:] = [is_free, signal is not None]
            driven = (
                (replace(run, state=RunState.RUNNING, fence=number),) if is_free and run else ()
            )
            return Batch((), runs=driven, signals=() if signal is None else (signal.taken(),))

        won: list[bool] = []
        await store.ledger.append(seal)
        claimed.extend([number] if won[0] else [])
        took.extend([number] if won[1] else [])

    async with create_task_group() as tasks:
        for number in range(_CALLERS):
            tasks.start_soon(race, number)
    expect((len(claimed), len(took)) == (1, 1), "of many at once, one wins")
    found = await store.journal.find(_A)
    expect(found is not None and found.fence == claimed[0], "the one that was told so")


def _run(run: RunId, **values: Any) -> Run:
    plain = Run(
        id=run, name="flow", version=1, arguments_json=b"{}", created=NEW_YEAR, due=NEW_YEAR
    )
    return replace(plain, **values)


def _waiting(run: RunId, *what: str) -> Run:
    return _run(run, state=RunState.WAITING, due=_NEVER, waiting_for="\n".join(what))


def _step(run: RunId, name: str, occurrence: int, *, at: int, **values: Any) -> JournalStep:
    plain = JournalStep(
        run=run,
        name=name,
        occurrence=occurrence,
        inputs=digest(b"inputs"),
        state=StepState.STARTED,
        at=Instant(NEW_YEAR + at),
    )
    return replace(plain, **values)


def _advance(name: Digest, event: Event) -> Seal:
    def seal(heads: Heads) -> Batch:
        ticket = heads.ticket(name)
        if ticket is None or ticket.state is TicketState.DONE:
            raise ZeroDivisionError
        return Batch((), (ticket.after(event),))

    return seal


async def _put(
    store: Store,
    *,
    runs: tuple[Run, ...] = (),
    steps: tuple[JournalStep, ...] = (),
    signals: tuple[Signal, ...] = (),
) -> None:
    await store.ledger.append(lambda _: Batch((), runs=runs, steps=steps, signals=signals))


async def _movable(store: Store) -> set[str]:
    return _ids(await store.journal.movable(NEW_YEAR, 99))


def _ids(runs: Sequence[Run]) -> set[str]:
    return {run.id for run in runs}


async def _seen(store: Store, run: RunId, name: str = "x") -> tuple[Run | None, Signal | None]:
    """What a seal is shown of a run, and of its signals."""
    seen: list[tuple[Run | None, Signal | None]] = []

    def look(heads: Heads) -> Batch:
        seen[:] = [(heads.run(run), heads.signal(run, name))]
        return Batch(())

    await store.ledger.append(look)
    return seen[0]
