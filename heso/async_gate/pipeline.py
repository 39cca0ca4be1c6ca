"""The way of one action, on one screen: capture, evaluate, sign, append, and what the caller is told.

A body runs only after `admit` or `admit_inline` has returned a `Permit`. Whatever else happens (refused, suspended,
unsignable, unwritable, unreadable arguments, a bug of ours) is raised, and the body does not run.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import assert_never

from heso.async_gate.anchoring import Anchor, append_anchored, append_anchored_inline
from heso.async_gate.context import Step, current_step
from heso.async_gate.errors import BlockedError, GateError, SuspendedError
from heso.async_gate.sealing import admission_of, policy_entry, sign
from heso.async_gate.stages import AlreadyAsked, Call, Captured, Evaluated, capture, evaluate
from heso.core.encoding import Digest
from heso.core.errors import HesoError
from heso.core.hot import hot_value
from heso.core.instant import format_instant
from heso.core.journal import JournalStep
from heso.core.receipt import Receipt
from heso.core.redaction import format_sidecar
from heso.core.ticket import Ticket
from heso.policy.evaluate import evaluate_raised
from heso.policy.model import Allow, Block, Outcome, Policy, Redact, RequireApproval
from heso.ports import (
    Appended,
    Batch,
    Clock,
    Dice,
    Heads,
    Ledger,
    Reveals,
    Seal,
    Signer,
    TimeAuthority,
)

Note = Callable[[Heads, Evaluated, Batch], JournalStep]
"""What a durable run remembers of a call that passes the gate. What it raises stops the call."""


@hot_value
class Permit:
    """Leave to run one action once. `receipt` is on disk; `captured` is what it was given for."""

    receipt: Receipt
    outcome: Outcome
    captured: Captured

    @property
    def action_hash(self) -> Digest:
        return self.receipt.action_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Everything an action passes through. Frozen: a gate never changes its policy or its key."""

    policy: Policy
    signer: Signer
    ledger: Ledger
    reveals: Reveals
    clock: Clock
    dice: Dice
    project: Step
    time: TimeAuthority | None = None
    is_blocking: bool = True
    default_sla_minutes: int = 24 * 60
    default_grant_minutes: int = 60
    owner: Callable[[], str] = str
    """Names this process, as claims do."""
    lease_seconds: float = 600.0
    look_at: Callable[[Digest], Ticket] | None = None
    """Does what a ticket's deadline demands; None: nobody here can."""

    async def admit(self, call: Call, note: Note | None = None) -> Permit:
        """Take one action through the gate. When this returns, its receipt is on disk.

        Raises `BlockedError`, `SuspendedError`, or `GateError` for any fault; `AlreadyAsked` for a tool's call that
        was asked before. With a `note` it is a step of a durable run: what it notes is written beside the receipt,
        and it is always an asking of its own.
        """
        try:
            evaluated = self._evaluate(call)
            if note is None and _looks_first(evaluated):
                await self.ledger.append(partial(_find_asked, evaluated))
            if evaluated.redacted.record is not None:
                await _in_thread(partial(self._keep_reveals, evaluated))
            if evaluated.outcome.needs_anchor:
                append = partial(self._append_with, evaluated, note)
                appended = await append_anchored(append, self.time)
            else:
                appended = await self.ledger.append(self._seal(evaluated, note))
            permit = _permit(evaluated, appended)
        except (GateError, AlreadyAsked):
            raise
        except Exception as error:
            raise _as_gate_error(call, error) from error
        return _conclude(evaluated, permit)

    def admit_inline(self, call: Call, note: Note | None = None) -> Permit:
        """The same, in the calling thread."""
        try:
            evaluated = self._evaluate(call)
            if note is None and _looks_first(evaluated):
                self.ledger.append_inline(partial(_find_asked, evaluated))
            if evaluated.redacted.record is not None:
                self._keep_reveals(evaluated)
            if evaluated.outcome.needs_anchor:
                append = partial(self._append_inline_with, evaluated, note)
                appended = append_anchored_inline(append, self.time)
            else:
                appended = self.ledger.append_inline(self._seal(evaluated, note))
            permit = _permit(evaluated, appended)
        except (GateError, AlreadyAsked):
            raise
        except Exception as error:
            raise _as_gate_error(call, error) from error
        return _conclude(evaluated, permit)

    def peek(self, call: Call) -> Outcome:
        """What policy would say now. Writes nothing, asks nobody."""
        try:
            captured = self._capture(call)
            return evaluate_raised(captured.action, captured.declared, self.policy)
        except GateError:
            raise
        except Exception as error:
            raise _as_gate_error(call, error) from error

    def enter_policy(self) -> None:
        """Put this gate's policy on the ledger, unless it is the newest there already."""

        def seal(heads: Heads) -> Batch:
            if heads.policy_hash == self.policy.hash:
                return Batch(())
            entry = policy_entry(heads, self.signer, self.policy, self.clock.now())
            return Batch((entry,), policy=self.policy.text)

        self.ledger.append_inline(seal)

    def _capture(self, call: Call) -> Captured:
        return capture(call, step=current_step(), project=self.project, at=self.clock.now())

    def _evaluate(self, call: Call) -> Evaluated:
        return evaluate(
            self._capture(call),
            self.policy,
            draw=self.dice.draw,
            default_sla_minutes=self.default_sla_minutes,
            default_grant_minutes=self.default_grant_minutes,
            is_blocking=self.is_blocking,
        )

    def ask_anew(self, evaluated: Evaluated) -> Permit:
        """Suspend a call although one like it waits: its hidden values are others. Raises `SuspendedError`."""
        self._keep_reveals(evaluated)

        def seal(heads: Heads) -> Batch:
            return sign(evaluated, heads, self.signer, self.policy, asks_anew=True)

        return _conclude(evaluated, _permit(evaluated, self.ledger.append_inline(seal)))

    def _append_with(
        self, evaluated: Evaluated, note: Note | None, anchor: Anchor | None
    ) -> Awaitable[tuple[Appended, ...]]:
        return self.ledger.append(self._seal(evaluated, note, anchor))

    def _append_inline_with(
        self, evaluated: Evaluated, note: Note | None, anchor: Anchor | None
    ) -> tuple[Appended, ...]:
        return self.ledger.append_inline(self._seal(evaluated, note, anchor))

    # Seals are `partial`s: a closure makes a cell of each variable, and with ten thousand calls waiting at once the
    # collector walks over all of them again and again.
    def _seal(self, evaluated: Evaluated, note: Note | None, anchor: Anchor | None = None) -> Seal:
        if note is not None:
            return partial(self._sign_noted, evaluated, note, anchor)
        if evaluated.request is not None:
            return _Asking(self, evaluated, evaluated.request.call_key, anchor)
        return partial(sign, evaluated, signer=self.signer, policy=self.policy, anchor=anchor)

    def _sign_noted(
        self, evaluated: Evaluated, note: Note, anchor: Anchor | None, heads: Heads
    ) -> Batch:
        batch = sign(evaluated, heads, self.signer, self.policy, anchor, asks_anew=True)
        return replace(batch, steps=(note(heads, evaluated, batch),))

    def _keep_reveals(self, evaluated: Evaluated) -> None:
        record = evaluated.redacted.record
        if record is not None:
            self.reveals.keep(
                Digest(str(record["merkle_root"])), format_sidecar(evaluated.redacted.reveals)
            )


@dataclass(frozen=True, slots=True)
class _Asking:
    """The seal of a call that needs a person, which looks whether it was asked before."""

    gate: Gate
    evaluated: Evaluated
    looks_for: Digest
    anchor: Anchor | None

    def __call__(self, heads: Heads) -> Batch:
        return sign(self.evaluated, heads, self.gate.signer, self.gate.policy, self.anchor)


def _looks_first(evaluated: Evaluated) -> bool:
    """Asking keeps hidden values in a sidecar; an agent that calls again and again must not leave one each time."""
    has_hidden = evaluated.redacted.record is not None
    return has_hidden and evaluated.request is not None and evaluated.captured.tool_version != ""


def _find_asked(evaluated: Evaluated, heads: Heads) -> Batch:
    if evaluated.request is not None:
        asked = heads.undelivered(evaluated.request.call_key)
        if asked is not None:
            raise AlreadyAsked(asked, evaluated)
    return Batch(())


def _permit(evaluated: Evaluated, appended: tuple[Appended, ...]) -> Permit:
    receipt = admission_of(evaluated, tuple(one.receipt for one in appended))
    return Permit(receipt=receipt, outcome=evaluated.outcome, captured=evaluated.captured)


def _conclude(evaluated: Evaluated, permit: Permit) -> Permit:
    """The receipt is on disk: either the body may run, or the caller is told why not."""
    if evaluated.is_observed:
        return permit
    tool = evaluated.captured.action.tool_name
    outcome = evaluated.outcome
    match outcome.decision:
        case Allow() | Redact():
            return permit
        case Block():
            raise BlockedError(tool, outcome.rule_id, outcome.display, permit.action_hash)
        case RequireApproval():
            expires_at = "" if evaluated.request is None else format_instant(evaluated.request.due)
            raise SuspendedError(
                tool,
                permit.action_hash,
                outcome.rule_id,
                expires_at,
                can_run_later=evaluated.captured.tool_version != "",
            )
        case _:
            assert_never(outcome.decision)


def _as_gate_error(call: Call, error: Exception) -> GateError:
    """Whatever goes wrong before the receipt is on disk: the body does not run."""
    if isinstance(error, HesoError):
        return GateError(call.tool_name, str(error), error.next_step)
    why = f"the gate failed ({type(error).__name__})"
    return GateError(call.tool_name, why, "see the cause, and report it")


async def _in_thread(work: Callable[[], None]) -> None:
    from anyio import to_thread  # noqa: PLC0415  # only redacted actions need it; it is slow to import

    await to_thread.run_sync(work)
