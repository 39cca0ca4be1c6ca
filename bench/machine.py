"""What the numbers were made on: said beside them, because no time means anything without it."""

import os
import platform
import sqlite3
import sys
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from statistics import median

RECORD = b"r" * 1400
APPENDS = 200
LIBRARIES = ("orjson", "blake3", "pynacl", "anyio")


def durable_append_us(file: Path) -> float:
    """Measure the median of appending one record and waiting for the disk."""
    os.sync()  # another file's unwritten pages would be waited for as well
    took: list[float] = []
    with file.open("wb", buffering=0) as log:
        for _ in range(APPENDS):
            start = time.perf_counter()
            log.write(RECORD)
            os.fdatasync(log.fileno())
            took.append(time.perf_counter() - start)
    return median(took) * 1e6


def machine_facts(append_us: tuple[float, float]) -> Iterable[str]:
    """Say on what, and with what, the run was made; no paths and no host names."""
    yield f"{len(os.sched_getaffinity(0))} cores, {_processor()}, Linux {platform.release()}"
    before, after = append_us
    yield f"one durable append of 1.4 KB: {before:.0f} us before the rounds, {after:.0f} us after"
    yield f"CPython {sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}"
    yield ", ".join(f"{name} {version(name)}" for name in LIBRARIES)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
