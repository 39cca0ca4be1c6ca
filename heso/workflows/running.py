"""Driving runs: claim one, go through its workflow function from the top, and leave it where it waits.

Starting is resuming: a new run, one whose decision came, and one whose driver died take the same way. What was done
before comes out of the journal; only what is new happens.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from anyio import current_time, sleep

from heso.async_gate.claimed import result_json
from heso.async_gate.context import step
from heso.async_gate.errors import CaptureError, GateError, NotAStep
from heso.async_gate.rebuilding import CannotResume, rebuild_arguments
from heso.core.canonical import canonical_bytes
from heso.core.encoding import Digest, is_digest
from heso.core.instant import Instant
from heso.core.journal import (
    ENDED_RUNS,
    JournalStep,
    Run,
    RunEvent,
    RunId,
    RunState,
    Signal,
    StepState,
    WrongRunState,
    awaited_by,
    check_name,
    is_doubtful,
)
from heso.core.ticket import TicketState, WrongState
from heso.ports import Batch, Heads, Journal, StoreError
from heso.workflows.awaiting import trouble_of
from heso.workflows.defining import Migration, NoSuchWorkflow, Workflow, find_path, is_defined
from heso.workflows.desk import Desk
from heso.workflows.fencing import FenceLost, append_if_ours, check_fence, find_run
from heso.workflows.outcomes import NothingInDoubt, RunConflict, RunWaiting, outcome_of
from heso.workflows.owners import is_gone, this_process
from heso.workflows.recorder import Journaled, entering, frozen
from heso.workflows.remembering import words_of
from heso.workflows.unwinding import NEVER, NotOurs, Parks, Waits, branching

_SHORTEST_NAP, _LONGEST_NAP = 0.02, 1.0
_PAGE = 50
_MANY = 10_000


_held_here: set[tuple[str, int]] = set()
"""What this process drives at this moment: a run and its fence."""


@dataclass(frozen=True, slots=True)
class Driver:
    """Drives the runs of one project."""

    desk: Desk
    journal: Journal
    _retried: set[str] = field(default_factory=set, repr=False)

    async def start(self, workflow: Workflow, fields: Mapping[str, object], run_id: RunId) -> Run:
        """The run of this id: recorded, and driven as far as it goes now. Raises `RunConflict`."""
        self._record(workflow, fields, run_id)
        return await self.drive(run_id)

    async def drive(self, run_id: RunId) -> Run:
        """Go on with a run as far as it goes now, unless somebody else does; the run as it is then."""
        if not is_defined(self.read(run_id).name):
            return self.read(run_id)  # another process has its code; it is as it was
        claimed = self._claim(run_id)
        if claimed is None:
            return self.read(run_id)
        held = (str(run_id), claimed.fence)
        _held_here.add(held)
        try:
            try:
                workflow, claimed = await self._prepare(claimed)
                result = await self._go_on(workflow, claimed)
                finished = {"result_json": result_json(result)}
            except NotOurs:
                return await self._lost(run_id)
            except (Waits, Parks, Exception) as left:  # noqa: BLE001  # whatever a workflow raises is how it ended
                return self._leave(claimed, *self._why(_unwrapped(left)))
            except BaseException:  # cancelled, or Ctrl-C: no outcome, and nobody drives it any more
                self._leave(claimed, RunEvent.WAIT, {"due": self._now()})
                raise
            return self._leave(claimed, RunEvent.FINISH, finished)
        finally:
            _held_here.discard(held)

    def _why(self, left: BaseException) -> tuple[RunEvent, dict[str, Any]]:
        """What it means for a run that its function was left like this."""
        match left:
            case Waits(waiting_for=what, due=due, why=why):
                return RunEvent.WAIT, {"waiting_for": what, "due": due, "error": why}
            case Parks(why=why):
                return RunEvent.PARK, {"error": why}
            case NoSuchWorkflow() | CannotResume() | NotAStep():
                lead = "" if isinstance(left, NotAStep) else "version_missing: "
                return RunEvent.PARK, {"error": f"{lead}{left}"}
            case CaptureError():  # the workflow's own mistake
                return RunEvent.FAIL, {"error": words_of(left)}
            case GateError() | StoreError():  # our own trouble is no end of anything
                trouble = trouble_of(self.desk.gate.clock, left)
                return RunEvent.WAIT, {"error": trouble.why, "due": trouble.due}
            case _:
                return RunEvent.FAIL, {"error": words_of(left)}

    async def result(self, run_id: RunId, *, timeout_seconds: float | None = None) -> Any:
        """The run's result in its JSON form, driving it when it may go on. Raises what else became of it."""
        nap, started = _SHORTEST_NAP, current_time()
        while True:
            run = self.read(run_id)
            if run.state in ENDED_RUNS:
                return outcome_of(run)
            if not _is_held(run):
                run = await self._drive_if_movable(run)
                if run.state in ENDED_RUNS:
                    return outcome_of(run)
            if run.state is RunState.PARKED:
                raise RunWaiting(run.id, run.state, run.error or "")
            if timeout_seconds is not None and current_time() - started >= timeout_seconds:
                raise RunWaiting(run.id, run.state, run.waiting_for or run.error or "")
            await sleep(nap)
            nap = min(nap * 1.5, _LONGEST_NAP)

    def cancel(self, run_id: RunId) -> Run:
        """No step of it happens any more: what it asked people is taken back, and its children are cancelled.

        Raises `NoSuchRun`, `WrongRunState`.
        """
        before = self.read(run_id)
        cancelled = self._change(
            run_id, lambda run: run.after(RunEvent.CANCEL, owner="", waiting_for="")
        )
        self._take_back(before.waiting_for)
        return cancelled

    def _take_back(self, waiting_for: str) -> None:
        for what in waiting_for.splitlines():
            with contextlib.suppress(WrongState, WrongRunState):  # it came to its end meanwhile
                if what.startswith("run:"):
                    self.cancel(RunId(what.removeprefix("run:")))
                elif is_digest(what):
                    self.desk.cancel(Digest(what))

    async def settle(self, run_id: RunId, *, happened: bool) -> Run:
        """A person's word on the steps that began and never reported back: done, or to be done again. Goes on then.

        Raises `NoSuchRun`, or `NothingInDoubt` when there is no such step.
        """
        run = self.read(run_id)
        steps = await self.journal.steps(run_id)
        doubtful = [one for one in steps if is_doubtful(one)]
        if run.state is not RunState.PARKED or not doubtful:
            raise NothingInDoubt(run_id)
        kept = [one for one in steps if one not in doubtful]
        if happened:
            value = result_json(None)
            kept += [replace(one, state=StepState.DONE, value_json=value) for one in doubtful]

        def seal(heads: Heads) -> Batch:
            now = find_run(heads, run_id)
            if (now.state, now.fence) != (run.state, run.fence):
                raise NothingInDoubt(run_id)
            return Batch((), steps=tuple(kept), replaces_steps_of=run_id)

        self.desk.gate.ledger.append_inline(seal)
        return await self.drive(run_id)

    def signal(self, run_id: RunId, name: str, value: object) -> None:
        """Tell a run something; it is kept until the run asks for it. Raises `NoSuchRun`, `CaptureError`."""
        check_name(name, "a signal's name")
        kept = canonical_bytes(frozen(f"signal:{name}", {"result": value}))

        def seal(heads: Heads) -> Batch:
            find_run(heads, run_id)
            return Batch((), signals=(Signal(run=run_id, name=name, value_json=kept),))

        self.desk.gate.ledger.append_inline(seal)

    def read(self, run_id: RunId) -> Run:
        """Raises `NoSuchRun`."""
        return self._change(run_id, lambda _: None)

    async def run_once(self) -> int:
        """Go on with every run that may; how many moved."""
        moved = 0
        for run in await self.journal.running(_MANY):
            if not _is_held(run):
                moved += await self._moved(run)
        while movable := await self.journal.movable(self._now(), _PAGE):
            moving = [run for run in movable if await self._moved(run)]
            moved += len(moving)
            if not moving:
                break
        return moved + await self._retry_parked()

    async def _retry_parked(self) -> int:
        """With new code a parked run may fit again: each is tried once by each process, and the first look goes far back."""
        moved = 0
        for run in await self.journal.newest(_PAGE if self._retried else _MANY):
            if run.state is RunState.PARKED and run.id not in self._retried:
                moved += await self._moved(run)
                self._retried.add(run.id)
        self._retried.add("")
        return moved

    async def _moved(self, run: Run) -> int:
        after = await self.drive(run.id)
        return int((after.state, after.fence) != (run.state, run.fence))

    async def _drive_if_movable(self, run: Run) -> Run:
        if (
            run.state is RunState.WAITING
            and run.due > self._now()
            and not await self._has_come(run)
        ):
            return run
        return await self.drive(run.id)

    async def _has_come(self, run: Run) -> bool:
        for what in awaited_by(run):
            ticket = await self.desk.tickets.find(Digest(what)) if is_digest(what) else None
            if ticket is not None and ticket.state is TicketState.RUNNING and is_gone(ticket.owner):
                return True  # no worker needs to be there to notice
        return any(one.id == run.id for one in await self.journal.movable(self._now(), _MANY))

    def _record(self, workflow: Workflow, fields: Mapping[str, object], run_id: RunId) -> None:
        check_name(run_id, "a run's id")
        if is_digest(run_id):
            raise ValueError("64 hexadecimal digits name an action; a run's id is any other text")
        arguments, now = canonical_bytes(dict(fields)), self._now()

        def seal(heads: Heads) -> Batch:
            known = heads.run(run_id)
            if known is None:
                run = Run(
                    id=run_id,
                    name=workflow.name,
                    version=workflow.version,
                    arguments_json=arguments,
                    created=now,
                    due=now,
                )
                return Batch((), runs=(run,))
            if (known.name, known.arguments_json) != (workflow.name, arguments):
                raise RunConflict(run_id)
            return Batch(())

        self.desk.gate.ledger.append_inline(seal)

    def _claim(self, run_id: RunId) -> Run | None:
        """The run, ours to drive; None when it has ended, or somebody who lives drives it."""
        claimed: list[Run] = []

        def seal(heads: Heads) -> Batch:
            claimed.clear()
            run = find_run(heads, run_id)
            if run.state in ENDED_RUNS:
                return Batch(())
            if _is_held(run):
                return Batch(())
            claimed.append(
                run.after(
                    RunEvent.CLAIM,
                    fence=run.fence + 1,
                    owner=this_process(),
                    waiting_for="",
                    error=None,
                    due=NEVER,
                )
            )
            return Batch((), runs=tuple(claimed))

        self.desk.gate.ledger.append_inline(seal)
        return claimed[0] if claimed else None

    async def _prepare(self, run: Run) -> tuple[Workflow, Run]:
        """The workflow of the run's version, else of the version its journal can be brought to."""
        workflow, way = find_path(run.name, run.version)
        if not way:
            return workflow, run
        steps = _migrated(run, way, await self.journal.steps(run.id))
        moved = replace(run, version=workflow.version)
        append_if_ours(
            self.desk.gate.ledger,
            run,
            lambda _: Batch((), runs=(moved,), steps=steps, replaces_steps_of=run.id),
        )
        return workflow, moved

    async def _go_on(self, workflow: Workflow, run: Run) -> Any:
        steps: dict[tuple[str, int], JournalStep] = {
            one.key: one for one in await self.journal.steps(run.id)
        }
        journaled = Journaled(self.desk, run, steps, self._drive_child)
        args, kwargs = rebuild_arguments(
            workflow.name, workflow.function, orjson.loads(run.arguments_json)
        )
        await journaled.clear_doubts()
        with entering(journaled), step(session=f"run:{run.id}"), branching() as branch:
            try:
                result = await workflow.function(*args, **kwargs)
            except (Exception, BaseExceptionGroup):
                if branch.left is None:
                    raise
            else:
                if branch.left is None:
                    return result
        raise branch.left  # whatever the function made of it

    async def _drive_child(
        self, workflow: Workflow, fields: Mapping[str, object], run_id: RunId
    ) -> Any:
        run = await self.start(workflow, fields, run_id)
        if run.state not in ENDED_RUNS:
            raise Waits(f"run:{run_id}", run.due)
        return outcome_of(run)

    def _leave(self, run: Run, event: RunEvent, changes: Mapping[str, Any]) -> Run:
        """Write how it ended, or what it waits for, if it is still ours."""
        left: list[Run] = []

        def seal(heads: Heads) -> Batch:
            left[:] = [find_run(heads, run.id)]
            try:
                now = check_fence(heads, run)
            except FenceLost:
                return Batch(())
            left[:] = [now.after(event, owner="", **changes)]
            return Batch((), runs=tuple(left))

        self.desk.gate.ledger.append_inline(seal)
        if left[0].state is RunState.CANCELLED:
            self._take_back(changes.get("waiting_for", ""))
        return left[0]

    async def _lost(self, run_id: RunId) -> Run:
        """A run that is not ours any more. When it was cancelled under our hands, nobody else knows what it asked."""
        run = self.read(run_id)
        if run.state is RunState.CANCELLED:
            steps = await self.journal.steps(run_id)
            asked = [one.ticket for one in steps if one.state is StepState.ASKED and one.ticket]
            self._take_back("\n".join(asked))
        return run

    def _change(self, run_id: RunId, change: Any) -> Run:
        seen: list[Run] = []

        def seal(heads: Heads) -> Batch:
            run = find_run(heads, run_id)
            changed = change(run)
            seen[:] = [changed or run]
            return Batch((), runs=() if changed is None else (changed,))

        self.desk.gate.ledger.append_inline(seal)
        return seen[0]

    def _now(self) -> Instant:
        return self.desk.gate.clock.now()


def _unwrapped(left: BaseException) -> BaseException:
    """What a workflow raised, without the groups that task groups put around one error."""
    while isinstance(left, ExceptionGroup) and len(left.exceptions) == 1:
        left = left.exceptions[0]
    return left


def _is_held(run: Run) -> bool:
    """Whether somebody drives the run who lives. In this process that is known exactly."""
    if run.state is not RunState.RUNNING:
        return False
    if run.owner == this_process():
        return (str(run.id), run.fence) in _held_here
    return not is_gone(run.owner)


def _migrated(
    run: Run, way: Sequence[Migration], steps: Sequence[JournalStep]
) -> tuple[JournalStep, ...]:
    """The journal as the newest version knows it. Raises `Parks` when a migration fails: that is no end of a run."""
    try:
        for migration in way:
            steps = list(migration(steps))
        if any(step.run != run.id for step in steps):
            raise ValueError("it gave a step of another run")
    except Exception as error:
        raise Parks(f"needs_migration: a migration failed: {words_of(error)}") from error
    return tuple(steps)
