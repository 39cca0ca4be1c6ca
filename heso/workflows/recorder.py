"""One run going on: every step is looked up in the journal first, and noted in it when it is new.

    not in the journal   do it; its start is noted beside its receipt, its outcome after it
    started, no outcome  whoever did it died in the middle: the tool's probe decides, or that it is idempotent, else the
                         run is parked until somebody has looked
    asked                it is a ticket: wait for it, then run it as any ticket
    done, failed         the remembered value or error, and nothing runs

Rule 1: a value that comes out of a step is its JSON form, read as the tool's annotation says, the first time as well: so
        that code cannot behave differently when it goes on later.
Rule 2: the same key with other inputs means that the code changed: the run is parked, and nothing is executed.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, get_type_hints

import orjson
from anyio import CancelScope, sleep
from pydantic import PydanticUserError, TypeAdapter, ValidationError

from heso.async_gate.claimed import (
    claim_inline,
    read_result,
    result_json,
    run_claimed_inline,
)
from heso.async_gate.errors import (
    BlockedError,
    ExpiredError,
    InDoubtError,
    RejectedError,
    SuspendedError,
    ToolFailedError,
    WithdrawnError,
)
from heso.async_gate.pipeline import Note
from heso.async_gate.rebuilding import CannotResume, rebuild_call
from heso.async_gate.recall import deliver, read_ticket
from heso.async_gate.recording import acting, recording
from heso.async_gate.registry import Done, NoSuchTool, NotDone, RegisteredTool
from heso.async_gate.scrubbing import hidden_texts, scrub_text
from heso.async_gate.snapshot import snapshot_fields
from heso.async_gate.stages import Call, Evaluated
from heso.core.canonical import canonical_bytes
from heso.core.encoding import Digest
from heso.core.hashing import digest
from heso.core.journal import JournalStep, Run, RunId, StepState
from heso.core.ticket import Ticket, TicketState
from heso.policy.model import Block
from heso.ports import Batch, Heads
from heso.workflows.defining import Workflow, parenting
from heso.workflows.desk import Desk
from heso.workflows.fencing import check_fence
from heso.workflows.resume import ask_probe, resume
from heso.workflows.unwinding import Parks, Waits

_RETRY_SECONDS = 0.1
_ERRORS = {
    error.__name__: error
    for error in (BlockedError, RejectedError, ExpiredError, WithdrawnError, ToolFailedError)
}
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

        def seal(heads: Heads) -> Batch:
            check_fence(heads, self.run)
            return Batch((), steps=(step,))

        self.desk.gate.ledger.append_inline(seal)
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
        key, known = self.begin(call.tool_name, _inputs(call))
        if known is not None and known.state is StepState.STARTED:
            known = await self._clear_doubt(tool, key)
        if known is None:
            try:
                permit = await self.desk.gate.admit(call, self._noting(key))
            except SuspendedError as held:
                return await self._wait_for(tool, key, held.action_hash)
            except BlockedError as error:
                raise self._failed(key, error) from None
            return await self._run_body(tool, key, permit.action_hash, body)
        if known.state is StepState.ASKED and known.ticket is not None:
            return await self._wait_for(tool, key, known.ticket)
        return _remembered(tool, known)

    def run_tool_inline(self, tool: RegisteredTool, call: Call, body: Callable[[], Any]) -> Any:
        key, known = self.begin(call.tool_name, _inputs(call))
        if known is not None and known.state is StepState.STARTED:
            known = self._clear_doubt_inline(tool, key)
        if known is None:
            try:
                permit = self.desk.gate.admit_inline(call, self._noting(key))
            except SuspendedError as held:
                return self._wait_for_inline(tool, key, held.action_hash)
            except BlockedError as error:
                raise self._failed(key, error) from None
            return self._run_body_inline(tool, key, permit.action_hash, body)
        if known.state is StepState.ASKED and known.ticket is not None:
            return self._wait_for_inline(tool, key, known.ticket)
        return _remembered(tool, known)

    async def run_child(
        self, workflow: Workflow, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """Another workflow as a step: a run of its own, named after this one."""
        bound, _ = snapshot_fields(workflow.binder.bind(args, dict(kwargs)))
        key, known = self.begin(workflow.name, bound)
        if known is not None:
            return _remembered(None, known)
        child = RunId(f"{self.run.id}/{key.name}/{key.occurrence}")
        try:
            result = await self.drive_child(workflow, bound, child)
        except Exception as error:
            raise self._failed(key, _as_failure(key, error)) from error
        step = self.note(key, StepState.DONE, value_json=result_json(result))
        return _remembered(None, step)

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
                return self.step_of(key, StepState.FAILED, value_json=_error_json(error))
            return self.step_of(key, StepState.STARTED)

        return note

    async def _run_body(
        self, tool: RegisteredTool, key: Key, name: Digest, body: Callable[[], Awaitable[Any]]
    ) -> Any:
        attempt = 0
        while True:
            try:
                # Cancellation waits: between the body and its outcome nobody could tell what happened.
                with CancelScope(shield=True), acting(name, self._idempotency_key(key)):
                    return self._done(tool, key, await body())
            except Exception as error:
                if attempt >= tool.retries:
                    raise self._failed(key, _failure(tool, name, error)) from error
            await sleep(_RETRY_SECONDS * 2**attempt)
            attempt += 1

    def _run_body_inline(
        self, tool: RegisteredTool, key: Key, name: Digest, body: Callable[[], Any]
    ) -> Any:
        for attempt in range(tool.retries + 1):
            try:
                with acting(name, self._idempotency_key(key)):
                    return self._done(tool, key, body())
            except Exception as error:
                if attempt == tool.retries:
                    raise self._failed(key, _failure(tool, name, error)) from error
        raise AssertionError("unreachable")

    async def _wait_for(self, tool: RegisteredTool, key: Key, name: Digest) -> Any:
        """A step that people decide."""
        ticket = _decided(self.desk, name)
        try:
            with recording(None):
                await resume(self.desk, ticket.action_hash)
            # What is kept is what everybody is told: without hidden values, whoever ran it.
            result = read_result(self.desk.read(ticket.action_hash).result_json)
        except (RejectedError, ExpiredError, WithdrawnError, ToolFailedError) as error:
            raise self._failed(key, error) from None
        except InDoubtError:
            raise Waits(ticket.action_hash) from None
        except (NoSuchTool, CannotResume, BlockedError) as error:
            raise Parks(str(error)) from None
        except Exception as error:
            raise self._failed(key, _failure(tool, ticket.action_hash, error)) from error
        return self._done(tool, key, result)

    def _wait_for_inline(self, tool: RegisteredTool, key: Key, name: Digest) -> Any:
        gate = self.desk.gate
        ticket = _decided(self.desk, name)
        try:
            if ticket.state is TicketState.APPROVED:
                rebuilt = rebuild_call(tool, ticket, gate.reveals)
                claimed = claim_inline(gate, ticket.action_hash)
                with recording(None):
                    run_claimed_inline(
                        gate,
                        claimed,
                        lambda: tool.function(*rebuilt.args, **rebuilt.kwargs),
                        is_delivered=True,
                    )
            else:
                deliver(gate, ticket)
            result = read_result(self.desk.read(ticket.action_hash).result_json)
        except (RejectedError, ExpiredError, WithdrawnError, ToolFailedError) as error:
            raise self._failed(key, error) from None
        except InDoubtError:
            raise Waits(ticket.action_hash) from None
        except (NoSuchTool, CannotResume) as error:
            raise Parks(str(error)) from None
        except Exception as error:
            raise self._failed(key, _failure(tool, ticket.action_hash, error)) from error
        return self._done(tool, key, result)

    async def _clear_doubt(self, tool: RegisteredTool, key: Key) -> JournalStep | None:
        """What the journal has of a step whose driver died: done after all, or None when it is to be done again."""
        answer = await ask_probe(tool, self._idempotency_key(key))
        return self._after_doubt(tool, key, answer)

    def _clear_doubt_inline(self, tool: RegisteredTool, key: Key) -> JournalStep | None:
        answer = tool.probe(self._idempotency_key(key)) if tool.probe is not None else None
        return self._after_doubt(tool, key, answer)

    def _after_doubt(self, tool: RegisteredTool, key: Key, answer: object) -> JournalStep | None:
        if isinstance(answer, Done):
            return self.note(key, StepState.DONE, value_json=result_json(answer.result))
        if isinstance(answer, NotDone) or tool.is_idempotent:
            return None
        raise Parks(f"in_doubt: step {key.name} #{key.occurrence} began and never reported back")

    def _idempotency_key(self, key: Key) -> str:
        return f"{self.run.id}/{key.name}/{key.occurrence}"

    def _done(self, tool: RegisteredTool, key: Key, result: object) -> Any:
        kept = result_json(result, self._hidden.get(key, ()))
        return _remembered(tool, self.note(key, StepState.DONE, value_json=kept))

    def _failed(self, key: Key, error: Exception) -> Exception:
        kept = scrub_text(_error_json(error).decode(), self._hidden.get(key, ()))
        step = self.note(key, StepState.FAILED, value_json=kept.encode())
        return _error_of(step)


_current: ContextVar[Journaled | None] = ContextVar("heso_run", default=None)


def current_run() -> Journaled:
    """The run that is going on. Raises `TypeError` outside one."""
    found = _current.get()
    if found is None:
        raise TypeError("this belongs into a workflow; start one with heso.start(workflow, ...)")
    return found


@contextmanager
def entering(run: Journaled) -> Iterator[None]:
    """Inside is the run's workflow function."""
    token = _current.set(run)
    try:
        with recording(run), parenting(run):
            yield
    finally:
        _current.reset(token)


def _decided(desk: Desk, name: Digest) -> Ticket:
    """The ticket, when people have decided it; else the run waits."""
    ticket = desk.look_at(read_ticket(desk.gate, name).action_hash)
    if ticket.state is TicketState.SUSPENDED:
        raise Waits(ticket.action_hash, ticket.due)
    return ticket


def _inputs(call: Call) -> object:
    fields, _ = snapshot_fields(call.fields)
    return fields


def _failure(tool: RegisteredTool, name: Digest, error: Exception) -> ToolFailedError:
    return ToolFailedError(tool.name, name, f"{type(error).__name__}: {str(error)[:200]}")


def _as_failure(key: Key, error: Exception) -> Exception:
    if type(error).__name__ in _ERRORS:
        return error
    return ToolFailedError(key.name, Digest(""), f"{type(error).__name__}: {str(error)[:200]}")


def _error_json(error: Exception) -> bytes:
    """An error as a journal keeps it: its name and its values."""
    name = type(error).__name__
    values = {key: value for key, value in vars(error).items() if not key.startswith("_")}
    return canonical_bytes({"error": name, "values": values})


def _error_of(step: JournalStep) -> Exception:
    kept: Any = orjson.loads(step.value_json or b"{}")
    return _ERRORS[kept["error"]](**kept["values"])


def _remembered(tool: RegisteredTool | None, step: JournalStep) -> Any:
    """The value of a step that is done; raises the error of one that failed."""
    kept: Any = orjson.loads(step.value_json or b"{}")
    if step.state is StepState.FAILED:
        raise _error_of(step)
    value = kept.get("result")
    hint = None if tool is None else _return_hint(tool)
    if hint is None or hint is Any:
        return value
    try:
        return TypeAdapter(hint).validate_python(value)
    except (ValidationError, PydanticUserError):
        return value  # the annotation is only a hint; the value is what was kept


def _return_hint(tool: RegisteredTool) -> Any:
    try:
        return get_type_hints(tool.function).get("return")
    except Exception:  # noqa: BLE001  # annotations that do not evaluate say nothing
        return None
