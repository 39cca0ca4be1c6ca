"""Opening a project for reading, as the commands do."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from heso.core.errors import HesoError
from heso.ports import Record, Unreadable
from heso.settings import STATE_FOLDER, find_root
from heso.stores.sqlite.records import SqliteRecords

_SHORTEST_PREFIX = 4


@dataclass(eq=False)
class NoSuchReceipt(HesoError):
    """A hash prefix that names no receipt, or several."""

    prefix: str
    candidates: tuple[str, ...] = ()

    @property
    def next_step(self) -> str:  # type: ignore[override]  # it depends on what was found
        return "write more of the hash" if self.candidates else "see `heso log`"

    def __str__(self) -> str:
        if not self.candidates:
            return f"no receipt's hash begins with {self.prefix!r}"
        return f"{self.prefix!r} names several receipts: {', '.join(self.candidates)}"


@contextmanager
def open_records(project: str | None) -> Iterator[SqliteRecords]:
    """The project's receipts."""
    root = find_root(os.environ, Path.cwd(), project)
    database = root / STATE_FOLDER / "heso.db"
    if not database.exists():
        raise NothingYet(str(root))
    records = SqliteRecords(database)
    try:
        yield records
    finally:
        records.close()


@dataclass(eq=False)
class NothingYet(HesoError):
    """A project whose gate was never started."""

    root: str
    next_step = "call heso.init() in your program, or try `heso demo`"

    def __str__(self) -> str:
        return f"{self.root} has no receipts yet"


def find_one(records: SqliteRecords, prefix: str) -> Record:
    """The receipt whose hash begins with `prefix`. Raises `NoSuchReceipt`."""
    wanted = prefix.lower()
    if not is_hash_prefix(wanted):
        raise NoSuchReceipt(prefix[:80])
    found = records.find(wanted)
    if len(found) != 1:
        raise NoSuchReceipt(wanted, tuple(content_of(r)["action_hash"][:16] for r in found))
    if not content_of(found[0])["action_hash"].startswith(wanted):
        raise Unreadable("the ledger", f"row {found[0].position} is not filed under its own hash")
    return found[0]


def is_hash_prefix(text: str) -> bool:
    return _SHORTEST_PREFIX <= len(text) <= 64 and set(text.lower()) <= set("0123456789abcdef")


def content_of(record: Record) -> dict[str, Any]:
    """A stored receipt's content, for showing; whoever judges it verifies the bytes."""
    content: dict[str, Any] = orjson.loads(record.receipt)["content"]
    return content


def decision_of(content: dict[str, Any]) -> str:
    """One word for what happened: the lifecycle kind, else what policy said, marked when it was only observed."""
    word = str(content.get("kind") or content["policy"]["decision_path"])
    observed = any(c["field"] == "gate.blocking" for c in content["policy"]["matched_conditions"])
    return f"{word} (observed)" if observed and word in ("block", "require_approval") else word
