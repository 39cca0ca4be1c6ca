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
from heso.async_gate.snapshot import Unfit, snapshot_fields
from heso.core.canonical import canonical_bytes
from heso.core.encoding import Digest
from heso.core.errors import Malformed
from heso.core.instant import SECOND, Instant
from heso.core.redaction import Reveal, parse_sidecar
from heso.core.ticket import Event, Ticket, TicketState, WrongState
from heso.ports import Batch, Heads, Seal

HIDDEN = "[redacted]"
_CUT_OFF = object()
_SHORTEST_SECRET = 4
_LONGEST_SAYING = 500


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run one action once. `until` is on this process's own clock, which no wall clock can move."""

    ticket: Ticket
    until: float

    @property
    def action_hash(self) -> Digest:
        return self.ticket.action_hash


def claim_inline(gate: Gate, action_hash: Digest, *, may_repeat: bool = False) -> Claim:
    """Raises `WrongState` when somebody else was faster, `TooLate` when the approval ran out."""
    seal = _Claiming(gate, action_hash, may_repeat)
    started = time.monotonic()
    gate.ledger.append_inline(seal)
    return seal.claim(started)


async def claim(gate: Gate, action_hash: Digest, *, may_repeat: bool = False) -> Claim:
    seal = _Claiming(gate, action_hash, may_repeat)
    started = time.monotonic()
    await gate.ledger.append(seal)
    return seal.claim(started)


def run_claimed_inline(
    gate: Gate, claimed: Claim, body: Callable[[], Any], *, is_delivered: bool
) -> Any:
    """The body's result, or what it raised; either is on disk by then. Raises `InDoubtError` when it cannot be."""
    _refuse_if_late(claimed)
    token = enter_action(claimed.action_hash)
    try:
        result = body()
    except Exception as error:
        _record_failure(gate, claimed, error, is_delivered=is_delivered)
        raise
    except BaseException:
        gate.ledger.append_inline(_losing(claimed))
        raise
    finally:
        leave_action(token)
    _record(gate, claimed, _success(gate, claimed, result), is_delivered=is_delivered)
    return result


async def run_claimed(
    gate: Gate,
    claimed: Claim,
    body: Callable[[], Awaitable[Any]],
    *,
    is_delivered: bool,
    timeout_seconds: float | None = None,
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
        _record_failure(gate, claimed, error, is_delivered=is_delivered)
        raise
    except BaseException:
        gate.ledger.append_inline(_losing(claimed))
        raise
    finally:
        leave_action(token)
    if result is _CUT_OFF:
        gate.ledger.append_inline(_losing(claimed))
        why = f"it did not return within {timeout_seconds:g} seconds"
        raise InDoubtError(claimed.ticket.tool_name, claimed.action_hash, why)
    _record(gate, claimed, _success(gate, claimed, result), is_delivered=is_delivered)
    return result


def result_json(result: object, hidden: Iterable[str] = ()) -> bytes:
    """What is kept of a result: its JSON form, or why it has none."""
    try:
        fields, _ = snapshot_fields({"result": result})
    except Unfit as unfit:
        fields = {"unfit": f"{'.'.join(unfit.path)} {unfit.why}"}
    return canonical_bytes(_scrub(fields, tuple(hidden)))


def read_result(kept: bytes | None) -> object:
    """The result that was kept, in its JSON form; None for one that had none."""
    return None if kept is None else orjson.loads(kept).get("result")


@dataclass(slots=True)
class _Claiming:
    """The seal of a claim. `taken` is what it claimed last."""

    gate: Gate
    looks_up: Digest
    may_repeat: bool
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


def _success(gate: Gate, claimed: Claim, result: object) -> Outcome:
    return Succeeded(result_json(result, _hidden_values(gate, claimed.ticket)))


def _record_failure(gate: Gate, claimed: Claim, error: Exception, *, is_delivered: bool) -> None:
    hidden = _hidden_values(gate, claimed.ticket)
    said = scrub_text(str(error), hidden)[:_LONGEST_SAYING]
    try:
        _record(gate, claimed, Raised(type(error).__name__, said), is_delivered=is_delivered)
    except InDoubtError as doubt:
        error.add_note(f"heso: {doubt}")  # the tool's own error is what the caller has to see


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


def _losing(claimed: Claim) -> Seal:
    return lambda heads: seal_lost(heads, claimed.action_hash, claimed.ticket.fence)


def _hidden_values(gate: Gate, ticket: Ticket) -> tuple[str, ...]:
    if ticket.reveal_root is None:
        return ()
    sidecar = gate.reveals.find(ticket.reveal_root)
    try:
        reveals = () if sidecar is None else parse_sidecar(sidecar)
    except Malformed:
        return ()
    return hidden_texts(reveals)


def hidden_texts(reveals: Iterable[Reveal]) -> tuple[str, ...]:
    """Every text of hidden values that is long enough to be told from others."""
    return tuple(text for one in reveals for text in _texts(orjson.loads(one.value_json)))


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        if len(value) >= _SHORTEST_SECRET:
            yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _scrub(value: object, hidden: tuple[str, ...]) -> object:
    if not hidden:
        return value
    if isinstance(value, str):
        return scrub_text(value, hidden)
    if isinstance(value, dict):
        return {scrub_text(key, hidden): _scrub(item, hidden) for key, item in value.items()}
    if isinstance(value, list):
        return [_scrub(item, hidden) for item in value]
    return value


def scrub_text(text: str, hidden: tuple[str, ...]) -> str:
    """The text without hidden values."""
    for secret in hidden:
        text = text.replace(secret, HIDDEN)
    return text
