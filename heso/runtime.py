"""The one place that builds things: settings in, a working gate out.

Starting is resuming: `init` on a project that crashed is the same call as on a fresh one.
"""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from heso.async_gate.context import Step
from heso.async_gate.door import install_gate, installed_gate
from heso.async_gate.errors import GateError, NotAStep
from heso.async_gate.pipeline import Gate, Permit
from heso.async_gate.recording import current_recorder
from heso.async_gate.stages import Call
from heso.core.encoding import Digest
from heso.core.errors import HesoError
from heso.core.instant import Instant, instant_of
from heso.core.ticket import Ticket
from heso.policy.model import Outcome
from heso.policy.reader import parse_policy
from heso.ports import Clock, NotNotified, Signer, TimeAuthority
from heso.settings import POLICY_FILE, Settings, SettingsError, read_settings
from heso.stores.key_folder import check_private_folder, load_decision_key, load_key
from heso.stores.reveals import RevealFolder
from heso.stores.sqlite.ledger import SqliteLedger

if TYPE_CHECKING:
    from heso.workflows.desk import Desk
    from heso.workflows.noticing import Crier
    from heso.workflows.running import Driver

_DICE_PAGE = 4096
_starting = threading.Lock()
_started: list["Runtime"] = []


class SystemClock:
    """The machine's clock."""

    def now(self) -> Instant:
        return Instant(time.time_ns())


@dataclass(frozen=True, slots=True)
class FixedClock:
    """A clock that stands still."""

    at: Instant

    def now(self) -> Instant:
        return self.at


class SystemDice:
    """The operating system's random source, asked for a page at a time: each question lets go of the interpreter, and
    beside a busy thread it takes milliseconds to get it back. No byte is given twice, in no thread and in no fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._page = b""
        self._owner = os.getpid()

    def draw(self, size: int) -> bytes:
        with self._lock:
            if len(self._page) < size or self._owner != os.getpid():
                self._page = os.urandom(max(size, _DICE_PAGE))
                self._owner = os.getpid()
            drawn, self._page = self._page[:size], self._page[size:]
        return drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """A started project. A context manager: leaving it closes the ledger and removes the gate."""

    settings: Settings
    gate: Gate
    _opened: list["Driver"] = field(default_factory=list, repr=False)

    @property
    def desk(self) -> "Desk":
        """Where decisions arrive. The key that signs them is opened at the first one."""
        return self.driver.desk

    @property
    def driver(self) -> "Driver":
        """What drives durable runs."""
        if not self._opened:
            from heso.stores.sqlite.runs import SqliteJournal  # noqa: PLC0415  # only who waits needs it
            from heso.workflows.running import Driver  # noqa: PLC0415

            journal = SqliteJournal(self.settings.database)
            self._opened.append(Driver(self._open_desk(), journal))
        return self._opened[0]

    def _open_desk(self) -> "Desk":
        from heso.stores.sqlite.tickets import SqliteTickets  # noqa: PLC0415  # only who waits needs it
        from heso.workflows.desk import Desk  # noqa: PLC0415

        def open_decider() -> Signer:
            return load_decision_key(
                self.settings.state,
                self.settings.passphrase,
                allow_development=not self.settings.requires_passphrase,
            )

        return Desk(self.gate, SqliteTickets(self.settings.database), open_decider)

    def make_crier(self, told: Callable[[NotNotified], None]) -> "Crier":
        """Who hands notices on, as `[[notify]]` says."""
        from heso.stores.sqlite.notices import SqliteNotices  # noqa: PLC0415  # only a worker needs it
        from heso.transports.notifying import make_notifiers  # noqa: PLC0415
        from heso.workflows.noticing import Crier  # noqa: PLC0415

        return Crier(
            desk=self.desk,
            notices=SqliteNotices(self.settings.database),
            notifiers=make_notifiers(
                self.settings.notify, lambda: self.desk.decider, self.gate.clock
            ),
            remind_minutes=self.settings.remind_minutes,
            told=told,
        )

    def close(self) -> None:
        """Finish what was accepted and stop gating; calls fail closed from then on. May be called twice."""
        if installed_gate() is self.gate:
            install_gate(None)
            _started.clear()
        self.gate.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def init(
    project_root: str | Path | None = None,
    workflow: str | None = None,
    account: str | None = None,
    *,
    blocking: bool | None = None,
    timeout: float | None = None,
    clock_override: Clock | datetime | None = None,
) -> Runtime:
    """Start heso in this process. Calling it again replaces what the first call started.

    `blocking=False` records what policy would refuse and runs it all the same. `timeout` is the longest wait for the
    ledger, in seconds. `clock_override` is for tests and replays. What is left out comes from the environment, then
    `heso.toml`, then the defaults (`heso.settings`).

    Raises `SettingsError`, `PolicyError`, `KeyUnusable`, `WrongPassphrase`, `NotWritten` or `WrongSchema`; then no
    gate is installed and gated calls fail closed.
    """
    with _starting:
        before = installed_gate()
        install_gate(None)
        _started.clear()
        if before is not None:
            before.ledger.close()
        try:
            settings = read_settings(
                os.environ,
                Path.cwd(),
                project_root=project_root,
                workflow=workflow,
                account=account,
                blocking=blocking,
                timeout=timeout,
            )
            runtime = _build(settings, _clock(clock_override))
        except HesoError as error:
            if error.next_step:
                error.add_note(
                    f"heso: hint: {error.next_step}"
                )  # where a traceback is all that is seen
            raise
        install_gate(runtime.gate)
        _started[:] = [runtime]
    return runtime


async def gate(action: Call) -> Permit:
    """Take one action through the gate without a decorator. When this returns, its receipt is on disk and the caller
    may run it, once.

    Raises `BlockedError`, `SuspendedError` or `GateError`; then it must not run. What is asked of people like this cannot
    be run later; a function under `heso.tool` can.
    """
    _refuse_in_a_run(action)
    return await _installed(action).admit(action)


def gate_sync(action: Call) -> Permit:
    """`gate` for synchronous code."""
    _refuse_in_a_run(action)
    return _installed(action).admit_inline(action)


def peek(action: Call) -> Outcome:
    """What policy would say about an action. Pure: nothing is written and nobody is asked."""
    return _installed(action).peek(action)


def started_runtime(what: str) -> Runtime:
    """The project that this process works on. Raises `GateError` before `init`."""
    if not _started:
        raise GateError(what, "there is no gate", "call heso.init() first")
    return _started[0]


def _refuse_in_a_run(action: Call) -> None:
    if current_recorder() is not None:
        why = "heso.gate cannot be a step of a workflow: it would be asked again each time the run goes on"
        raise NotAStep(action.tool_name, why, "call a function under @heso.tool")


def _installed(action: Call) -> Gate:
    found = installed_gate()
    if found is None:
        raise GateError(action.tool_name, "there is no gate", "call heso.init() first")
    return found


def _build(settings: Settings, clock: Clock) -> Runtime:
    check_private_folder(settings.state)
    policy = parse_policy(settings.policy_text, file=str(settings.root / POLICY_FILE))
    signer = load_key(
        settings.state, settings.passphrase, allow_development=not settings.requires_passphrase
    )
    authority = _time_authority(settings)
    ledger = SqliteLedger(settings.database, busy_seconds=settings.timeout_seconds)
    built = Gate(
        policy=policy,
        signer=signer,
        ledger=ledger,
        reveals=RevealFolder(settings.state / "reveals"),
        clock=clock,
        dice=SystemDice(),
        time=authority,
        project=Step(settings.workflow, settings.account, None),
        is_blocking=settings.is_blocking,
        default_sla_minutes=settings.default_sla_minutes,
        default_grant_minutes=settings.default_grant_minutes,
        owner=_this_process,
        lease_seconds=settings.lease_seconds,
        look_at=_look_at,
    )
    try:
        built.enter_policy()
    except BaseException:
        ledger.close()
        raise
    return Runtime(settings=settings, gate=built)


def _look_at(action_hash: Digest) -> Ticket:
    return started_runtime("the action").desk.look_at(action_hash)


def _this_process() -> str:
    from heso.workflows.owners import this_process  # noqa: PLC0415  # only a claim asks

    return this_process()


def _time_authority(settings: Settings) -> TimeAuthority | None:
    if settings.time_roots is None:
        return None
    try:
        from heso.core.timestamps import parse_time_roots  # noqa: PLC0415  # an extra
        from heso.transports.rfc3161 import HttpTimeAuthority  # noqa: PLC0415
    except ImportError:
        raise SettingsError(
            "time_authority", "needs the `time` extra", "pip install 'heso[time]'"
        ) from None
    try:
        roots = parse_time_roots(settings.time_roots.read_bytes())
        return HttpTimeAuthority(settings.time_authority, roots)
    except OSError as error:
        why = f"cannot be read ({error.strerror})"
        raise SettingsError(f"time_roots {settings.time_roots}", why) from error
    except ValueError as error:
        raise SettingsError("time_authority", str(error)) from None


def _clock(override: Clock | datetime | None) -> Clock:
    if override is None:
        return SystemClock()
    return FixedClock(instant_of(override)) if isinstance(override, datetime) else override
