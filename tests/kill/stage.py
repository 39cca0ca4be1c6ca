"""A project to be killed in, what happens in it, and what has to be true of it afterwards.

Effects are lines of a file, written and fsynced by the tools: the idempotency key, so that a second effect of one action
shows. Everything else is the real thing: the real gate, ledger, desk and driver, on a real disk.
"""

import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import anyio

import heso
from heso.approvals.request import request_of, sign_answer
from heso.core.approval import ApproverRecord
from heso.core.encoding import Digest
from heso.core.key_file import NONCE_BYTES, SALT_BYTES, seal_key
from heso.core.keys import SigningKey
from heso.core.ticket import TicketState
from heso.ports import Filter
from heso.runtime import Runtime
from heso.stores.sqlite.records import SqliteRecords
from heso.testing import check_ledger
from heso.workflows.worker import Worker

APPROVER = SigningKey.from_seed(b"\x05" * 32)
POLICY = f"""
[project]
lease_seconds = 600

[[rule]]
id = "tools"
order = 100
verb = "tool_call"
decision = "allow"

[[rule]]
id = "pay"
order = 10
verb = "payment"
decision = "require_approval"
approvers = ["finance"]

[[approver]]
id = "ada"
roles = ["finance"]
keys = ["{APPROVER.public_key}"]
"""
ACTIONS = 3


class Violation(AssertionError):
    """A promise that did not hold."""


def make_project(root: Path) -> None:
    """A project whose keys open at once: what is tested is not the key derivation."""
    state = root / ".heso"
    state.mkdir(parents=True, mode=0o700)
    (root / "heso.toml").write_text(POLICY, "utf-8")
    (state / "DEVELOPMENT-ONLY.passphrase").touch(0o600)
    (state / "DEVELOPMENT-ONLY.passphrase").write_bytes(b"p\n")
    for name in ("operator.key", "decision.key"):
        container = seal_key(
            os.urandom(32),
            b"p",
            salt=os.urandom(SALT_BYTES),
            nonce=os.urandom(NONCE_BYTES),
            opslimit=1,
            memory_kib=8,
        )
        (state / name).touch(0o600)
        (state / name).write_bytes(container)


@contextmanager
def open_stage(root: Path) -> Iterator[Runtime]:
    """The project, started in this process, with tools whose effects go into its `effects` file."""
    effects = root / "effects"

    @heso.tool(verb="payment", name="pay")
    def pay(order: str) -> str:
        _happen(effects, heso.current_idempotency_key() or "")
        return f"paid {order}"

    @heso.tool(name="book")
    def book(order: str) -> str:
        _happen(effects, heso.current_idempotency_key() or "")
        return f"booked {order}"

    @heso.workflow(name="trip")
    async def trip(order: str) -> str:
        first = book(order)
        second = pay(order)
        return f"{first}, {second}"

    runtime = heso.init(root)
    try:
        STAGE[:] = [pay, trip]
        yield runtime
    finally:
        runtime.close()


STAGE: list[object] = []


def _happen(file: Path, key: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, key.encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def live(root: Path, who: str) -> None:
    """A few actions from asking to outcome, and a run with two steps; told of every acknowledged outcome."""
    with open_stage(root) as runtime:
        anyio.run(_live, runtime, root, who)


async def _live(runtime: Runtime, root: Path, who: str) -> None:
    pay, trip = STAGE
    for number in range(ACTIONS):
        order = f"{who}-{number}"
        with heso.step(session=order):
            try:
                pay(order)  # type: ignore[operator]
            except heso.SuspendedError as held:
                approve(runtime, held.action_hash)
                await heso.resume(held.action_hash)
                _happen(root / "acknowledged", held.action_hash)
    run = await heso.start(trip, f"{who}-trip", id=f"trip-{who}")  # type: ignore[arg-type]
    for what in run.waiting_for.splitlines():
        approve(runtime, Digest(what))
    await heso.result(run)


def approve(runtime: Runtime, action_hash: Digest) -> None:
    """Ada says yes, if it still waits."""
    ticket = runtime.desk.read(action_hash)
    if ticket.state is TicketState.SUSPENDED:
        record = ApproverRecord(
            approver_identity=APPROVER.public_key,
            decision="approved",
            reason="",
            decided_at="2026-01-01T00:00:00Z",
        )
        runtime.desk.vote(action_hash, sign_answer(request_of(ticket), record, APPROVER))


def recover(root: Path) -> None:
    """What a worker does after the crash: everything that may move, moves."""
    with open_stage(root) as runtime:
        worker = Worker(runtime.desk, lambda _ticket, _error: None, runtime.driver)
        anyio.run(worker.run_once)


def judge(root: Path) -> Counter[str]:
    """Every invariant, on what is on disk. Raises `Violation`; gives how many actions ended how."""
    database = root / ".heso" / "heso.db"
    if not database.exists():
        return Counter()
    effects = Counter(_lines(root / "effects"))
    with closing(sqlite3.connect(database)) as connection:
        (sound,) = connection.execute("PRAGMA integrity_check").fetchone()
        _expect(sound == "ok", f"the file is whole: {sound}")
        rows = connection.execute("SELECT action_hash, state, fence FROM ticket").fetchall()
        steps = connection.execute("SELECT run, name, occurrence, state FROM step").fetchall()
    ends: Counter[str] = Counter()
    for action_hash, state, fence in rows:
        times = effects.pop(action_hash, 0)
        _judge_ticket(state, fence, times)
        ends[state] += 1
    for run, name, occurrence, state in steps:
        times = effects.pop(f"{run}/{name}/{occurrence}", 0)
        _expect(times <= 1, f"step {name} of {run} happened {times} times")
        _expect(
            state != "done" or name != "book" or times == 1,
            f"step {name} is done, and {times} times",
        )
    _expect(not effects, f"effects without an intent: {list(effects)[:3]}")
    done = {action_hash for action_hash, state, _ in rows if state == "done"}
    lost = set(_lines(root / "acknowledged")) - done
    _expect(not lost, f"acknowledged outcomes that are gone: {list(lost)[:3]}")
    _judge_chains(database)
    return ends


def _judge_ticket(state: str, fence: int, times: int) -> None:
    _expect(times <= 1, f"an effect happened {times} times ({state})")
    _expect(state != "done" or times == 1, f"done, and it happened {times} times")
    untouched = state in ("suspended", "approved", "rejected", "expired", "cancelled")
    _expect(not untouched or times == 0, f"{state}, and it happened")
    _expect(times == 0 or fence > 0, "an effect without a claim")


def _judge_chains(database: Path) -> None:
    records = SqliteRecords(database)
    try:
        check_ledger(records)
        for record in records.read(Filter(decision="completed")):
            _expect(record.session_id is not None, "an outcome belongs to a chain")
    finally:
        records.close()


def _lines(file: Path) -> list[str]:
    """Whole lines: one that was torn off was never acknowledged."""
    text = file.read_bytes() if file.exists() else b""
    return [line.decode() for line in text.split(b"\n")[:-1] if line.strip(b"\0")]


def _expect(holds: bool, promise: str) -> None:
    if not holds:
        raise Violation(promise)
