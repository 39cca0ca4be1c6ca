"""What came of a model call, for whoever asks to have it recorded: tokens, model, why it stopped. Never what it said.

It is a receipt of its own in the call's session, under the tool `heso.outcome`, that names the call's receipt. It says what
this process observed, and proves no more than that.
"""

import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from typing import Any

import orjson

from heso.async_gate.door import installed_gate
from heso.async_gate.observing import observe, observe_inline
from heso.async_gate.pipeline import Permit
from heso.core.errors import HesoError
from heso.integrations.describing import Settings

_log = logging.getLogger("heso")
_LONGEST = 200
_INSIDE = ("response", "message", "delta")
_REASONS = ("stop_reason", "finish_reason", "status")


class Outcomes:
    """Records one call's outcome, once, when `settings` asks for it."""

    def __init__(self, settings: Settings) -> None:
        self._wanted = settings.records_outcomes
        self._permit: Permit | None = None
        self._seen: dict[str, Any] = {}
        self._may_show_model = True

    def admitted(self, permit: Permit) -> None:
        if self._wanted:
            self._permit = permit
            shown = orjson.loads(permit.receipt.body)["content"]["action"]["fields"]
            self._may_show_model = isinstance(shown.get("model", ""), str)

    def seen(self, result: Any) -> Any:
        """The result, its outcome recorded; of a stream, when it has ended."""
        if self._permit is None:
            return result
        if hasattr(result, "_iterator"):
            result._iterator = self._watch(result._iterator)  # noqa: SLF001  # both SDKs keep it there
            return result
        self._read_result(result)
        self._record()
        return result

    async def seen_async(self, result: Any) -> Any:
        if self._permit is None:
            return result
        if hasattr(result, "_iterator"):
            result._iterator = self._watch_async(result._iterator)  # noqa: SLF001
            return result
        self._read_result(result)
        await self._record_async()
        return result

    def failed(self, error: Exception) -> None:
        if self._permit is not None and not isinstance(error, HesoError):
            self._note_error(error)
            self._record()

    async def failed_async(self, error: Exception) -> None:
        if self._permit is not None and not isinstance(error, HesoError):
            self._note_error(error)
            await self._record_async()

    def _watch(self, items: Iterator[Any]) -> Iterator[Any]:
        try:
            for item in items:
                self._read(item)
                yield item
        except Exception as error:
            self._note_error(error)
            self._record()
            raise
        self._record()

    async def _watch_async(self, items: AsyncIterator[Any]) -> AsyncIterator[Any]:
        try:
            async for item in items:
                self._read(item)
                yield item
        except Exception as error:
            self._note_error(error)
            await self._record_async()
            raise
        await self._record_async()

    def _record(self) -> None:
        gate = installed_gate()
        if gate is None or self._permit is None:
            return
        try:
            observe_inline(gate, self._permit, self._seen)
        except Exception as error:  # noqa: BLE001  # the call was made, and its result is there
            _log.warning("an outcome could not be recorded: %s", error)

    async def _record_async(self) -> None:
        gate = installed_gate()
        if gate is None or self._permit is None:
            return
        try:
            await observe(gate, self._permit, self._seen)
        except Exception as error:  # noqa: BLE001
            _log.warning("an outcome could not be recorded: %s", error)

    def _note_error(self, error: Exception) -> None:
        self._seen["error"] = type(error).__name__[:_LONGEST]
        status = getattr(error, "status_code", None)
        if type(status) is int:
            self._seen["status"] = status

    def _read_result(self, result: Any) -> None:
        raw = getattr(result, "http_response", None)
        if raw is not None or hasattr(result, "is_stream_consumed"):
            response = result if raw is None else raw
            if getattr(response, "is_closed", False):
                with suppress(ValueError):
                    self._read(orjson.loads(response.content))
            return
        self._read(result)

    def _read(self, value: Any) -> None:
        """Take what is told of the call, wherever in an answer or an event of a stream it is told."""
        try:
            self._take(value)
        except Exception as error:  # noqa: BLE001  # a provider may say what it likes; the caller gets it all the same
            _log.warning("an answer's usage could not be read: %s", type(error).__name__)

    def _take(self, value: Any) -> None:
        model = _get(value, "model")
        if isinstance(model, str) and self._may_show_model:
            self._seen["model"] = model[:_LONGEST]
        usage = _counts(_get(value, "usage"))
        if usage:
            self._seen["usage"] = {**self._seen.get("usage", {}), **usage}
        choices = _get(value, "choices")
        for told in (value, *(choices if isinstance(choices, list) else ())):
            for name in _REASONS:
                reason = _get(told, name)
                if isinstance(reason, str):
                    self._seen["finish_reason"] = reason[:_LONGEST]
        for name in _INSIDE:
            inner = _get(value, name)
            if inner is not None and not isinstance(inner, str):
                self._take(inner)


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _counts(usage: Any) -> dict[str, Any]:
    """The numbers in a usage, two levels deep."""
    pairs = usage.items() if isinstance(usage, Mapping) else getattr(usage, "__dict__", {}).items()
    counts: dict[str, Any] = {}
    for name, value in pairs:
        if type(value) is int:
            counts[str(name)] = value
            continue
        inner = {k: v for k, v in _counts(value).items() if type(v) is int}
        if inner:
            counts[str(name)] = inner
    return counts
