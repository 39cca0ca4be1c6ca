"""Runs, steps and signals in SQL. Written by the ledger's writer, beside the receipts they belong to; read off the
event loop."""

import sqlite3
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from heso.core.instant import Instant
from heso.core.journal import JournalStep, Run, RunId, RunState, Signal, StepState, awaited_by
from heso.ports import Batch
from heso.stores.sqlite.reading import ask

_RUN = tuple(column.name for column in fields(Run))
_STEP = tuple(column.name for column in fields(JournalStep))
_SIGNAL = tuple(column.name for column in fields(Signal))
_RUN_COLUMNS = ", ".join(f"run.{name}" for name in _RUN)
_STEP_COLUMNS, _SIGNAL_COLUMNS = ", ".join(_STEP), ", ".join(_SIGNAL)
_OPEN = "run.state IN ('ready', 'running', 'waiting', 'parked')"

_PUT_RUN = f"""INSERT INTO run ({", ".join(_RUN)}) VALUES ({", ".join("?" * len(_RUN))})
    ON CONFLICT (id) DO UPDATE SET version = excluded.version, state = excluded.state, due = excluded.due,
    waiting_for = excluded.waiting_for, fence = excluded.fence, owner = excluded.owner,
    result_json = excluded.result_json, error = excluded.error"""  # noqa: S608  # constants
_PUT_STEP = f"""INSERT OR REPLACE INTO step ({_STEP_COLUMNS})
    VALUES ({", ".join("?" * len(_STEP))})"""  # noqa: S608  # constants
_PUT_SIGNAL = f"""INSERT INTO signal ({", ".join(_SIGNAL[:-1])})
    VALUES ({", ".join("?" * len(_SIGNAL[:-1]))})"""  # noqa: S608  # constants
_TAKE_SIGNAL = "UPDATE signal SET is_taken = 1 WHERE number = ?"
_FIND_RUN = f"SELECT {_RUN_COLUMNS} FROM run WHERE id = ?"  # noqa: S608  # constants
_FIND_SIGNAL = f"""SELECT {_SIGNAL_COLUMNS} FROM signal WHERE run = ? AND name = ? AND is_taken = 0
    ORDER BY number LIMIT 1"""  # noqa: S608  # constants
_STEPS = f"SELECT {_STEP_COLUMNS} FROM step WHERE run = ? ORDER BY at, name, occurrence"  # noqa: S608  # constants
_NEWEST = f"SELECT {_RUN_COLUMNS} FROM run ORDER BY created DESC, rowid DESC LIMIT ?"  # noqa: S608  # constants
_RUNNING = f"""SELECT {_RUN_COLUMNS} FROM run WHERE {_OPEN} AND state = 'running'
    ORDER BY due LIMIT ?"""  # noqa: S608  # constants
# Each part uses an index of its own, so runs that wait cost nothing.
_MOVABLE = f"""SELECT {_RUN_COLUMNS} FROM run WHERE {_OPEN} AND state = 'ready'
    UNION SELECT {_RUN_COLUMNS} FROM run WHERE {_OPEN} AND state = 'waiting' AND due <= :now
    UNION SELECT {_RUN_COLUMNS} FROM awaited JOIN ticket ON ticket.action_hash = awaited.what
        JOIN run ON run.id = awaited.run WHERE ticket.state NOT IN ('suspended', 'in_doubt', 'running')
    UNION SELECT {_RUN_COLUMNS} FROM signal JOIN awaited ON awaited.what = 'signal:' || signal.name
        AND awaited.run = signal.run JOIN run ON run.id = awaited.run WHERE signal.is_taken = 0
    UNION SELECT {_RUN_COLUMNS} FROM awaited JOIN run AS child ON child.id = substr(awaited.what, 5)
        JOIN run ON run.id = awaited.run
        WHERE awaited.what >= 'run:' AND awaited.what < 'run;' AND child.state IN ('done', 'failed', 'cancelled')
    LIMIT :limit"""  # noqa: S608  # constants


def write_journal(batch: Batch, connection: sqlite3.Connection) -> None:
    """What a batch says of runs, inside its transaction."""
    for run in batch.runs:
        connection.execute(_PUT_RUN, tuple(getattr(run, name) for name in _RUN))
        connection.execute("DELETE FROM awaited WHERE run = ?", (run.id,))
        connection.executemany(
            "INSERT OR IGNORE INTO awaited (what, run) VALUES (?, ?)",
            [(what, run.id) for what in awaited_by(run)],
        )
    if batch.replaces_steps_of is not None:
        connection.execute("DELETE FROM step WHERE run = ?", (batch.replaces_steps_of,))
    for step in batch.steps:
        connection.execute(_PUT_STEP, tuple(getattr(step, name) for name in _STEP))
    for signal in batch.signals:
        if signal.is_taken:
            connection.execute(_TAKE_SIGNAL, (signal.number,))
        else:
            row = tuple(getattr(signal, name) for name in _SIGNAL[:-1])
            connection.execute(_PUT_SIGNAL, row)


def load_run(connection: sqlite3.Connection, run: RunId) -> Run | None:
    row = connection.execute(_FIND_RUN, (run,)).fetchone()
    return None if row is None else _read_run(row)


def load_signal(connection: sqlite3.Connection, run: RunId, name: str) -> Signal | None:
    row = connection.execute(_FIND_SIGNAL, (run, name)).fetchone()
    if row is None:
        return None
    named = dict(zip(_SIGNAL, row, strict=True))
    return Signal(**{**named, "is_taken": bool(named["is_taken"])})


class SqliteJournal:
    """`Journal` of one project."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def find(self, run: RunId) -> Run | None:
        rows = await ask(self._file, _FIND_RUN, (run,))
        return _read_run(rows[0]) if rows else None

    async def steps(self, run: RunId) -> Sequence[JournalStep]:
        return [_read_step(row) for row in await ask(self._file, _STEPS, (run,))]

    async def newest(self, limit: int) -> Sequence[Run]:
        return [_read_run(row) for row in await ask(self._file, _NEWEST, (limit,))]

    async def running(self, limit: int) -> Sequence[Run]:
        return [_read_run(row) for row in await ask(self._file, _RUNNING, (limit,))]

    async def movable(self, now: Instant, limit: int) -> Sequence[Run]:
        rows = await ask(self._file, _MOVABLE, {"now": now, "limit": limit})
        return [_read_run(row) for row in rows]


def _read_run(row: Sequence[Any]) -> Run:
    named = dict(zip(_RUN, row, strict=True))
    return Run(**{**named, "state": RunState(named["state"])})


def _read_step(row: Sequence[Any]) -> JournalStep:
    named = dict(zip(_STEP, row, strict=True))
    return JournalStep(**{**named, "state": StepState(named["state"])})
