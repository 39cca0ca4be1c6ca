"""One run going on: every step is looked up in the journal first, and noted in it when it is new.

    not in the journal   do it; its start is noted beside its receipt, its outcome after it
    started, no outcome  whoever did it died in the middle: the tool's probe decides, or that it is idempotent, else the
                         run is parked until somebody has looked
    asked                it is a ticket: wait for it, then run it as any ticket
    done, failed         the remembered value or error, and nothing runs

Rule 1: a value that comes out of a step is its JSON form, read as the tool's annotation says, the first time as well: so
        that code cannot behave differently when it goes on later.
Rule 2: the same key with other inputs means that the code changed: the run is parked, and nothing is executed.
Rule 3: our own trouble (a full disk, a busy ledger) is no end of a step. The run leaves, and goes on later.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

from anyio import sleep

from heso.async_gate.claimed import result_json
from heso.async_gate.errors import (
    BlockedError,
    CaptureError,
    ExpiredError,
    GateError,
    RejectedError,
    SuspendedError,
    ToolFailedError,
    WithdrawnError,
)
from heso.async_gate.pipeline import Note
from heso.async_gate.recall import deliver, read_ticket
from heso.async_gate.recording import acting, current_recorder, recording
from heso.async_gate.registry import Done, NotDone, RegisteredTool
from heso.async_gate.scrubbing import hidden_texts
from heso.async_gate.shielding import finish
from heso.async_gate.snapshot import Unfit, snapshot_fields
from heso.async_gate.stages import Call, Evaluated
from heso.core.canonical import canonical_bytes
from heso.core.encoding import Digest
from heso.core.hashing import digest
from heso.core.journal import LONGEST_ID, JournalStep, Run, RunId, StepState
from heso.core.redaction import redact_fields
from heso.core.ticket import Ticket, TicketState
from heso.policy.model import Block
from heso.ports import Batch, Heads, StoreError
from heso.workflows.awaiting import ask_probe_inline, end_of, end_of_inline, trouble_of
from heso.workflows.defining import Workflow, parenting
from heso.workflows.desk import Desk
from heso.workflows.fencing import FenceLost, append_if_ours, check_fence
from heso.workflows.remembering import error_json, failure_of, is_remembered, remembered
from heso.workflows.resume import ask_probe, resume
from heso.workflows.unwinding import NotOurs, Parks, Waits, stepping

_RETRY_SECONDS = 0.1
_Acted = tuple[JournalStep | None, Exception | None]
Drive = Callable[[Workflow, Mapping[str, object], RunId], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Key:
    """A step by its name, how many of that name came before it, and what it was called with."""

    name: str
    occurrence: int
    inputs: Digest


@dataclass(slots=True)
class Journaled:
    """A run that is being driven. `steps` is what it has done, `drive_child` runs another workflow for it."""

    desk: Desk
    run: Run
    steps: dict[tuple[str, int], JournalStep]
    drive_child: Drive
    _seen: Counter[str] = field(default_factory=Counter)
    _hidden: dict[Key, tuple[str, ...]] = field(default_factory=dict)

    def begin(self, name: str, inputs: object) -> tuple[Key, JournalStep | None]:
        """The next step of this name, and what the journal has of it. Raises `Parks` when the inputs are others."""
        key = Key(name, self._seen[name], digest(canonical_bytes(inputs)))
        self._seen[name] += 1
        known = self.steps.get((key.name, key.occurrence))
        if known is not None and known.inputs != key.inputs:
            raise Parks(
                f"needs_migration: step {name} #{key.occurrence} was called with other arguments before"
            )
        return key, known

    def note(self, key: Key, state: StepState, **values: Any) -> JournalStep:
        """Write a step down, if this run is still ours."""
        step = self.step_of(key, state, **values)
        try:
            append_if_ours(self.desk.gate.ledger, self.run, lambda _: Batch((), steps=(step,)))
        except StoreError as trouble:
            raise self._trouble(trouble) from trouble
        self.steps[step.key] = step
        return step

    def step_of(self, key: Key, state: StepState, **values: Any) -> JournalStep:
        """A step of this run, not yet written."""
        return JournalStep(
            run=self.run.id,
            name=key.name,
            occurrence=key.occurrence,
            inputs=key.inputs,
            state=state,
            at=self.desk.gate.clock.now(),
            **values,
        )

    async def run_tool(
        self, tool: RegisteredTool, call: Call, body: Callable[[], Awaitable[Any]]
    ) -> Any:
        with stepping():
            key, known = self.begin(call.tool_name, _inputs(call))
            if known is not None and known.state is StepState.STARTED:
                answer = await ask_probe(tool, self._idempotency_key(key))
                known = self._after_doubt(tool, key, call, answer)
            if known is None:
                try:
                    permit = await self.desk.gate.admit(call, self._noting(key))
                except SuspendedError as held:
                    return self._told(tool, key, await end_of(self.desk, held.action_hash))
                except GateError as error:
                    self._refused(error)
                return await self._run_body(tool, key, permit.action_hash, body)
            if known.state is StepState.ASKED and known.ticket is not None:
                return self._told(tool, key, await end_of(self.desk, known.ticket))
            return remembered(tool, known)

    def run_tool_inline(self, tool: RegisteredTool, call: Call, body: Callable[[], Any]) -> Any:
        with stepping():
            key, known = self.begin(call.tool_name, _inputs(call))
            if known is not None and known.state is StepState.STARTED:
                answer = ask_probe_inline(tool, self._idempotency_key(key))
                known = self._after_doubt(tool, key, call, answer)
            if known is None:
                try:
                    permit = self.desk.gate.admit_inline(call, self._noting(key))
                except SuspendedError as held:
                    return self._told(tool, key, end_of_inline(self.desk, tool, held.action_hash))
                except GateError as error:
                    self._refused(error)
                return self._run_body_inline(tool, key, permit.action_hash, body)
            if known.state is StepState.ASKED and known.ticket is not None:
                return self._told(tool, key, end_of_inline(self.desk, tool, known.ticket))
            return remembered(tool, known)

    async def run_child(
        self, workflow: Workflow, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Another workflow as a step: a run of its own, named after this one."""
        with stepping():
            bound = frozen(workflow.name, workflow.binder.bind(args, dict(kwargs)))
            key, known = self.begin(workflow.name, bound)
            if known is not None:
                return remembered(None, known)
            try:
                result = await self.drive_child(workflow, bound, self._child_of(key))
            except StoreError as trouble:
                raise self._trouble(trouble) from trouble
            except Exception as error:  # noqa: BLE001  # remembered, and raised from there
                failure = error if is_remembered(error) else failure_of(key.name, Digest(""), error)
                return remembered(None, self._fail(key, failure), error)
            return remembered(None, self.note(key, StepState.DONE, value_json=result_json(result)))

    async def clear_doubts(self) -> None:
        """What was approved and is in doubt, wherever its tool can tell or may be run again."""
        for step in self.steps.values():
            if step.state is StepState.ASKED and step.ticket is not None:
                ticket = self.desk.lose_if_gone(
                    read_ticket(self.desk.gate, step.ticket).action_hash
                )
                if ticket.state is TicketState.IN_DOUBT:
                    with suppress(Exception):  # whoever waits for it says what is wrong
                        await resume(self.desk, ticket.action_hash, is_delivered=False)

    def _noting(self, key: Key) -> Note:
        """What is written beside the receipt: that it began, that people were asked, or that policy said no."""

        def note(heads: Heads, evaluated: Evaluated, batch: Batch) -> JournalStep:
            check_fence(heads, self.run)
            self._hidden[key] = hidden_texts(evaluated.redacted.reveals)
            if batch.tickets:
                return self.step_of(key, StepState.ASKED, ticket=batch.tickets[0].action_hash)
            if isinstance(evaluated.outcome.decision, Block) and not evaluated.is_observed:
                error = BlockedError(
                    evaluated.captured.action.tool_name,
                    evaluated.outcome.rule_id,
                    evaluated.outcome.display,
                    batch.entries[-1].receipt.action_hash,
                )
                return self.step_of(key, StepState.FAILED, value_json=error_json(error))
            return self.step_of(key, StepState.STARTED)

        return note

    def _refused(self, error: GateError) -> NoReturn:
        """The gate let nothing pass and wrote nothing: the run is not ours, the call was wrong, or it is our trouble."""
        if isinstance(error.__cause__, FenceLost):
            raise NotOurs from None
        if isinstance(error, CaptureError):
            raise error
        raise self._trouble(error) from error

    def _trouble(self, error: Exception) -> Waits:
        return trouble_of(self.desk.gate.clock, error)

    async def _run_body(
        self, tool: RegisteredTool, key: Key, name: Digest, body: Callable[[], Awaitable[Any]]
    ) -> Any:
        for attempt in range(tool.retries + 1):
            if attempt:
                await sleep(_RETRY_SECONDS * 2 ** (attempt - 1))
                self._go_on()

            async def act(is_last: bool = attempt == tool.retries) -> _Acted:
                try:
                    with acting(name, self._idempotency_key(key)):
                        result = await body()
                except Exception as error:  # noqa: BLE001  # remembered, and raised from there
                    failure = self._failure(tool, key, name, error)
                    return (self._fail(key, failure) if is_last else None), error
                return self._succeed(key, result), None

            # Never torn between the body and its outcome: nobody could tell what happened.
            step, cause = await finish(act, lambda: None)
            if step is not None:
                return remembered(tool, step, cause)
        raise AssertionError("unreachable")

    def _run_body_inline(
        self, tool: RegisteredTool, key: Key, name: Digest, body: Callable[[], Any]
    ) -> Any:
        for attempt in range(tool.retries + 1):
            if attempt:
                self._go_on()
            try:
                with acting(name, self._idempotency_key(key)):
                    result = body()
            except Exception as error:  # noqa: BLE001  # remembered, and raised from there
                if attempt == tool.retries:
                    failed = self._fail(key, self._failure(tool, key, name, error))
                    return remembered(tool, failed, error)
            else:
                return remembered(tool, self._succeed(key, result))
        raise AssertionError("unreachable")

    def _go_on(self) -> None:
        """Raises `NotOurs`."""
        append_if_ours(self.desk.gate.ledger, self.run, lambda _: Batch(()))

    def _told(self, tool: RegisteredTool, key: Key, ticket: Ticket) -> Any:
        """What became of a step that people decided, remembered."""
        try:
            result = deliver(self.desk.gate, ticket)
        except (RejectedError, ExpiredError, WithdrawnError, ToolFailedError) as error:
            return remembered(tool, self._fail(key, error))
        except StoreError as trouble:
            raise self._trouble(trouble) from trouble
        return remembered(tool, self._succeed(key, result))

    def _after_doubt(
        self, tool: RegisteredTool, key: Key, call: Call, answer: object
    ) -> JournalStep | None:
        """What the journal has of a step whose driver died: done after all, or None when it is to be done again."""
        if isinstance(answer, Done):
            paths = (*call.redact, *self.desk.gate.peek(call).redact)
            redacted = redact_fields(_inputs(call), paths, draw_salt=lambda: bytes(32))
            self._hidden[key] = hidden_texts(redacted.reveals)
            return self._succeed(key, answer.result)
        if isinstance(answer, NotDone) or tool.is_idempotent:
            return None
        raise Parks(f"in_doubt: step {key.name} #{key.occurrence} began and never reported back")

    def _idempotency_key(self, key: Key) -> str:
        return f"{self.run.id}/{key.name}/{key.occurrence}"

    def _child_of(self, key: Key) -> RunId:
        """A child's id says whose it is, as far as there is room."""
        name = f"{self.run.id}/{key.name}/{key.occurrence}"
        short = f"{self.run.id[:100]}/{digest(name.encode())[:32]}"
        return RunId(name if len(name) <= LONGEST_ID else short)

    def _succeed(self, key: Key, result: object) -> JournalStep:
        kept = result_json(result, self._hidden.get(key, ()))
        return self.note(key, StepState.DONE, value_json=kept)

    def _fail(self, key: Key, error: Exception) -> JournalStep:
        return self.note(key, StepState.FAILED, value_json=error_json(error))

    def _failure(
        self, tool: RegisteredTool, key: Key, name: Digest, error: Exception
    ) -> ToolFailedError:
        return failure_of(tool.name, name, error, self._hidden.get(key, ()))


def current_run() -> Journaled:
    """The run whose workflow function is calling. Raises `TypeError` elsewhere, so also inside a tool's body."""
    found = current_recorder()
    if not isinstance(found, Journaled):
        raise TypeError("this belongs into a workflow; start one with heso.start(workflow, ...)")
    return found


@contextmanager
def entering(run: Journaled) -> Iterator[None]:
    """Inside is the run's workflow function."""
    with recording(run), parenting(run):
        yield


def frozen(name: str, arguments: Mapping[str, object]) -> dict[str, object]:
    """Arguments as JSON values. Raises `CaptureError`."""
    try:
        fields, _ = snapshot_fields(arguments)
    except Unfit as unfit:
        raise CaptureError(name, f"the argument `{unfit.path[0]}` {unfit.why}") from None
    return fields


def _inputs(call: Call) -> dict[str, object]:
    return frozen(call.tool_name, call.fields)
