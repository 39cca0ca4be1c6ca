"""Running what was approved: claim, run once, tell what came of it.

    claim     one winner over any number of processes; on disk before the body starts
    run       the body, with an idempotency key that does not change between attempts
    outcome   by the same claim only: a signed link, and the result for whoever asks later

Rule 1: a body that raised has failed. A body that was torn out (Ctrl-C, a kill, a deadline) is in doubt: nobody knows.
Rule 2: cancellation waits. It is delivered before the claim or after the outcome, never between.
Rule 3: no hidden argument's value is kept in a result or an error.
"""

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from heso.approvals.running import (
    Outcome,
    Raised,
    Succeeded,
    seal_claim,
    seal_lost,
    seal_outcome,
)
from heso.async_gate.context import enter_action, leave_action
from heso.async_gate.errors import InDoubtError
from heso.async_gate.pipeline import Gate
from heso.async_gate.scrubbing import hidden_texts, scrub, scrub_text
from heso.async_gate.snapshot import Unfit, snapshot_fields
from heso.core.canonical import canonical_bytes
from heso.core.encoding import Digest
from heso.core.instant import SECOND, Instant
from heso.core.redaction import parse_sidecar
from heso.core.ticket import Event, Ticket, TicketState, WrongState
from heso.ports import Batch, Heads

_CUT_OFF = object()
_LONGEST_SAYING = 500


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run one action once. `until` is on this process's own clock, which no wall clock can move."""

    ticket: Ticket
    until: float

    @property
    def action_hash(self) -> Digest:
        return self.ticket.action_hash


def claim_inline(
    gate: Gate, action_hash: Digest, *, may_repeat: bool = False, fence: int | None = None
) -> Claim:
    """Raises `WrongState` when somebody else was faster, `TooLate` when the approval ran out, `StaleClaim` when somebody
    claimed it since it was seen with `fence`."""
    seal = _Claiming(gate, action_hash, may_repeat, fence)
    started = time.monotonic()
    gate.ledger.append_inline(seal)
    return seal.claim(started)


async def claim(
    gate: Gate, action_hash: Digest, *, may_repeat: bool = False, fence: int | None = None
) -> Claim:
    seal = _Claiming(gate, action_hash, may_repeat, fence)
    started = time.monotonic()
    await gate.ledger.append(seal)
    return seal.claim(started)


def run_claimed_inline(
    gate: Gate,
    claimed: Claim,
    body: Callable[[], Any],
    *,
    is_delivered: bool,
    secrets: tuple[str, ...] = (),
) -> Any:
    """The body's result, or what it raised; either is on disk by then, without `secrets`. Raises `InDoubtError` when it
    cannot be."""
    _refuse_if_late(claimed)
    token = enter_action(claimed.action_hash)
    try:
        result = body()
    except Exception as error:
        _record_failure(gate, claimed, error, secrets, is_delivered=is_delivered)
        raise
    except BaseException as torn:
        _lose(gate, claimed, torn)
        raise
    finally:
        leave_action(token)
    outcome = Succeeded(kept_result(gate, claimed.ticket, result, secrets))
    _record(gate, claimed, outcome, is_delivered=is_delivered)
    return result


async def run_claimed(
    gate: Gate,
    claimed: Claim,
    body: Callable[[], Awaitable[Any]],
    *,
    is_delivered: bool,
    timeout_seconds: float | None = None,
    secrets: tuple[str, ...] = (),
) -> Any:
    """`run_claimed_inline` for a coroutine. To be called under a shield."""
    from anyio import move_on_after  # noqa: PLC0415  # only approved actions need it; it is slow to import

    _refuse_if_late(claimed)
    token = enter_action(claimed.action_hash)
    result: Any = _CUT_OFF
    try:
        with move_on_after(timeout_seconds, shield=True):
            result = await body()
    except Exception as error:
        _record_failure(gate, claimed, error, secrets, is_delivered=is_delivered)
        raise
    except BaseException as torn:
        _lose(gate, claimed, torn)
        raise
    finally:
        leave_action(token)
    if result is _CUT_OFF:
        why = f"it did not return within {timeout_seconds:g} seconds"
        doubt = InDoubtError(claimed.ticket.tool_name, claimed.action_hash, why)
        _lose(gate, claimed, doubt)
        raise doubt
    outcome = Succeeded(kept_result(gate, claimed.ticket, result, secrets))
    _record(gate, claimed, outcome, is_delivered=is_delivered)
    return result


def result_json(result: object, hidden: Iterable[str] = ()) -> bytes:
    """What is kept of a result: its JSON form, or why it has none."""
    try:
        fields, _ = snapshot_fields({"result": result})
    except Unfit as unfit:
        fields = {"unfit": f"{'.'.join(unfit.path)} {unfit.why}"}
    return canonical_bytes(scrub(fields, tuple(hidden)))


def read_result(kept: bytes | None) -> object:
    """The result that was kept, in its JSON form; None for one that had none."""
    return None if kept is None else orjson.loads(kept).get("result")


@dataclass(slots=True)
class _Claiming:
    """The seal of a claim. `taken` is what it claimed last."""

    gate: Gate
    looks_up: Digest
    may_repeat: bool
    fence: int | None
    taken: Ticket | None = None

    def __call__(self, heads: Heads) -> Batch:
        now = self.gate.clock.now()
        batch = seal_claim(
            heads,
            self.looks_up,
            owner=self.gate.owner(),
            at=now,
            until=Instant(now + round(self.gate.lease_seconds * SECOND)),
            may_repeat=self.may_repeat,
            fence=self.fence,
        )
        (self.taken,) = batch.tickets
        return batch

    def claim(self, started: float) -> Claim:
        """What was claimed, once it is on disk."""
        if self.taken is None:
            raise WrongState(self.looks_up, TicketState.APPROVED, Event.CLAIM)
        return Claim(self.taken, started + self.gate.lease_seconds)


def _refuse_if_late(claimed: Claim) -> None:
    """A process that was stopped between claim and effect is a zombie: others may have settled the matter since."""
    if time.monotonic() >= claimed.until:
        why = "this process was held up until its claim ran out, and did not run it"
        raise InDoubtError(claimed.ticket.tool_name, claimed.action_hash, why)


def kept_result(gate: Gate, ticket: Ticket, result: object, secrets: tuple[str, ...] = ()) -> bytes:
    """What is kept of an action's result, without its hidden values; nothing, when nobody can tell what they are."""
    hidden = _hidden_values(gate, ticket)
    if hidden is None:
        return canonical_bytes({"unfit": "its hidden values are gone, so nothing of it is kept"})
    return result_json(result, (*secrets, *hidden))


def _record_failure(
    gate: Gate, claimed: Claim, error: Exception, secrets: tuple[str, ...], *, is_delivered: bool
) -> None:
    hidden = _hidden_values(gate, claimed.ticket)
    said = (
        ""
        if hidden is None
        else scrub_text(_words_of(error), (*secrets, *hidden))[:_LONGEST_SAYING]
    )
    outcome = Raised(_storable(type(error).__name__), said)
    try:
        _record(gate, claimed, outcome, is_delivered=is_delivered)
    except InDoubtError as doubt:
        error.add_note(f"heso: {doubt}")  # the tool's own error is what the caller has to see


def _words_of(error: Exception) -> str:
    try:
        return _storable(str(error))
    except Exception:  # noqa: BLE001  # an error that cannot be written is an error all the same
        return ""


def _storable(text: str) -> str:
    """The text with what is no Unicode written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _record(gate: Gate, claimed: Claim, outcome: Outcome, *, is_delivered: bool) -> None:
    def seal(heads: Heads) -> Batch:
        return seal_outcome(
            heads,
            claimed.action_hash,
            outcome,
            gate.signer,
            gate.clock.now(),
            fence=claimed.ticket.fence,
            is_delivered=is_delivered,
        )

    try:
        gate.ledger.append_inline(seal)
    except Exception as error:
        why = f"it ran, and its outcome could not be recorded ({error})"
        raise InDoubtError(claimed.ticket.tool_name, claimed.action_hash, why) from error


def _lose(gate: Gate, claimed: Claim, torn: BaseException) -> None:
    """Nobody knows whether it happened. Where even that cannot be written, the claim's end will show it."""
    try:
        gate.ledger.append_inline(
            lambda heads: seal_lost(heads, claimed.action_hash, claimed.ticket.fence)
        )
    except Exception as error:  # noqa: BLE001  # what tore the body out is what the caller has to see
        torn.add_note(f"heso: {claimed.action_hash[:12]} could not be marked in doubt: {error}")


def _hidden_values(gate: Gate, ticket: Ticket) -> tuple[str, ...] | None:
    """None when there are some and they cannot be read."""
    if ticket.reveal_root is None:
        return ()
    try:
        sidecar = gate.reveals.find(ticket.reveal_root)
        return None if sidecar is None else hidden_texts(parse_sidecar(sidecar))
    except Exception:  # noqa: BLE001  # the action has run: whatever this is, its outcome has to be kept
        return None
