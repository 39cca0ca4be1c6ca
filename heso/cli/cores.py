"""Judging many receipts on every core, each core in a process of its own.

Threads would be simpler: libsodium lets go of the interpreter's lock. The rest of judging needs it, though, and handing it
over at every receipt costs more than a second thread wins: 10,000 receipts took longer on two threads than on one.

Rule 1: the processes are forked, so they have the receipts, the pinned keys and the roots already; nothing is sent to
        them but which receipts are theirs. They are forked before a progress bar starts its thread.
Rule 2: a process that dies, or cannot be had, changes no verdict: what it owed is judged here.
Rule 3: Ctrl-C is this process's affair; the others end without a word. So they do within a second of its death, however
        it died: each holds the pipes of the rest open, so none would see the end of its own.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from heso.cli.output import with_progress

T = TypeVar("T")

MANY = 1000
"""Receipts from which a second core and a progress bar pay."""
_PER_PIECE = 100
_LOOK_SECONDS = 0.5

_work: tuple[Callable[[bytes], Any], Sequence[bytes]]  # in a forked process


def over_cores(
    judge: Callable[[bytes], T], receipts: Sequence[bytes], *, cores: int | None = None
) -> Iterable[T]:
    """An order-preserving map over receipts, on as many cores as this process may use, or on `cores`."""
    if len(receipts) < MANY:
        return map(judge, receipts)
    cores = cores or _cores()
    if cores < 2:
        return with_progress(map(judge, receipts), len(receipts))
    return _in_processes(judge, receipts, cores)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_processes(
    judge: Callable[[bytes], T], receipts: Sequence[bytes], cores: int
) -> Iterator[T]:
    # Who verifies one receipt pays for none of this.
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415
    from multiprocessing import get_context  # noqa: PLC0415

    starts = range(0, len(receipts), _PER_PIECE)
    judged = 0
    pool = ProcessPoolExecutor(
        cores,
        mp_context=get_context("fork"),
        initializer=_begin,
        initargs=(judge, receipts, os.getpid()),
    )
    try:
        for piece in with_progress(pool.map(_judge_piece, starts), len(starts)):
            yield from piece
            judged += len(piece)
    except (BrokenProcessPool, OSError):
        yield from map(judge, receipts[judged:])
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(judge: Callable[[bytes], Any], receipts: Sequence[bytes], parent: int) -> None:
    global _work  # noqa: PLW0603  # what this process was made for
    _work = judge, receipts
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)


def _judge_piece(start: int) -> list[Any]:
    judge, receipts = _work
    return [judge(data) for data in receipts[start : start + _PER_PIECE]]
