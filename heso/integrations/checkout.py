"""The gate in a request's way, at the last moment before it goes out, with the request as it is.

Rule: what goes out was admitted as it is. A request that differs from the admitted one, by a redirect, by a middleware, by
      anything, is an action of its own.
"""

from dataclasses import replace
from typing import NoReturn

from heso.async_gate.door import installed_gate
from heso.async_gate.errors import CaptureError, GateError
from heso.async_gate.pipeline import Gate, Permit
from heso.async_gate.stages import AlreadyAsked
from heso.core.errors import HesoError, Malformed
from heso.integrations.describing import Described, Settings, describe, is_same
from heso.integrations.exchange import Exchange
from heso.integrations.passage import Passage
from heso.integrations.signals import Asked, Refused, SentOnce
from heso.policy.model import RequireApproval


def check_out(
    exchange: Exchange, settings: Settings, passage: Passage | None, *, is_leaving: bool = True
) -> None:
    """Let a request through, or raise: `Refused` and `Asked` inside a passage, the error itself outside of one.
    `is_leaving` False: it is only asked about here, and goes out by another door."""
    if passage is not None and _is_admitted(passage, exchange, is_leaving=is_leaving):
        return
    used = settings if passage is None else passage.settings
    try:
        gate = required_gate(used.name)
        described = _described(gate, exchange, used)
        _keep(gate, described)
    except HesoError as error:
        _hand_out(passage, Refused(error))
    try:
        permit = gate.admit_inline(described.call)
    except AlreadyAsked as asked:
        _hand_out(passage, Asked(asked, exchange, described))
    except HesoError as error:
        _hand_out(passage, Refused(error))
    _let_through(passage, exchange, permit, is_leaving=is_leaving)


async def check_out_async(exchange: Exchange, settings: Settings, passage: Passage | None) -> None:
    """`check_out` for an asynchronous client."""
    if passage is not None and _is_admitted(passage, exchange, is_leaving=True):
        return
    used = settings if passage is None else passage.settings
    try:
        gate = required_gate(used.name)
        described = _described(gate, exchange, used)
        if described.is_to_be_kept:
            from anyio import to_thread  # noqa: PLC0415  # only what waits needs it

            await to_thread.run_sync(_keep, gate, described)
    except HesoError as error:
        _hand_out(passage, Refused(error))
    try:
        permit = await gate.admit(described.call)
    except AlreadyAsked as asked:
        _hand_out(passage, Asked(asked, exchange, described))
    except HesoError as error:
        _hand_out(passage, Refused(error))
    _let_through(passage, exchange, permit)


def required_gate(name: str) -> Gate:
    found = installed_gate()
    if found is None:
        raise GateError(name, "there is no gate", "call heso.init() first")
    return found


def _described(gate: Gate, exchange: Exchange, settings: Settings) -> Described:
    """The call, whole where people are to be asked about it. Raises `CaptureError` for one that cannot wait for them."""
    try:
        described = describe(exchange, settings)
        needs_more = bool(described.payloads) or not described.can_wait or not settings.is_model
        if not needs_more or not _asks(gate, described):
            return described
        described = describe(exchange, settings, whole=True)
    except Malformed as error:
        raise CaptureError(settings.name, str(error), "send plain JSON") from error
    if not described.can_wait:
        why = "it cannot wait for approval as it is: an integer beyond 2^53, or a body that is a stream"
        raise CaptureError(settings.name, why, "pass such a number as text, and a body as bytes")
    return replace(described, is_to_be_kept=True)


def _asks(gate: Gate, described: Described) -> bool:
    return gate.is_blocking and isinstance(gate.peek(described.call).decision, RequireApproval)


def _keep(gate: Gate, described: Described) -> None:
    """Keep what the call shows by hash, before it is asked about. Raises `GateError`."""
    if not described.is_to_be_kept:
        return
    try:
        for name, content in described.payloads.items():
            gate.reveals.keep(name, content)
    except HesoError as error:
        raise GateError(described.call.tool_name, str(error), error.next_step) from error


def _is_admitted(passage: Passage, exchange: Exchange, *, is_leaving: bool) -> bool:
    """Whether it is what was admitted. Raises `Refused` for what people approved, once it went out."""
    if not any(is_same(one, exchange) for one in passage.admitted):
        return False
    if passage.is_approved and is_same(passage.admitted[0], exchange) and is_leaving:
        if passage.is_used:
            raise Refused(SentOnce(passage.settings.name))
        passage.is_used = True
    passage.left += is_leaving
    return True


def _let_through(
    passage: Passage | None, exchange: Exchange, permit: Permit, *, is_leaving: bool = True
) -> None:
    if passage is not None:
        passage.admitted.append(exchange)
        passage.permit = passage.permit or permit
        passage.left += is_leaving


def _hand_out(passage: Passage | None, signal: Asked | Refused) -> NoReturn:
    if passage is not None:
        raise signal
    if isinstance(signal, Refused):
        raise signal.error
    ticket = signal.asked.ticket
    why = "it was asked before, and is sent here without a way to take the answer"
    raise GateError(ticket.tool_name, why, f"see heso show {ticket.action_hash[:12]}")
