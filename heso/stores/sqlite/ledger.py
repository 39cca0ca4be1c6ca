"""The ledger in SQLite: one writer per process, group commit, durable before anybody is told.

Rule 1: whoever holds the turn commits for all who wait. A synchronous caller takes the turn itself; for tasks a
        thread does. Either way the batch holds everything that was waiting, and one fsync serves it.
Rule 2: a caller never touches the connection. It leaves a job and gets an outcome, so cancelling it leaves no
        transaction open.
Rule 3: chains grow inside the write transaction. `PRAGMA data_version` tells whether another process wrote since
        our last commit; only then are the ends read again.
Rule 4: a caller is told of success only after a commit; whatever else happens, it is told otherwise.
Rule 5: a failed fsync stops the writer for good. What the kernel did with those pages is unknowable, and a second
        fsync on the same descriptor can lie (https://www.usenix.org/conference/atc20/presentation/rebello).
"""

import contextlib
import os
import sqlite3
import threading
import time
from collections import deque
from pathlib import Path
from queue import SimpleQueue

from heso.core.encoding import Digest
from heso.core.hashing import digest
from heso.ports import Appended, Batch, NotWritten, Seal, Unacknowledged
from heso.stores.ordering import Ordering, Placed
from heso.stores.sqlite.connecting import begin_immediate, open_writer
from heso.stores.sqlite.forking import survive_forks
from heso.stores.sqlite.rows import (
    INSERT_POLICY,
    INSERT_ROW,
    ledger_row,
    read_ends,
    write_journal_of,
)
from heso.stores.sqlite.ticket_rows import TicketsInHand
from heso.stores.sqlite.wakeup import Wakeup, make_wakeup, wake_all

LARGEST_BATCH = 512
_WORTH_LOOKING_TOGETHER = 4
_NOTHING = Batch(())
_IOERR = 10  # SQLITE_IOERR; the higher bits say which


class _Job:
    """One caller's append, from the moment it waits until it is told.

    Nothing but a commit makes it succeed: a job that was interrupted anywhere else has failed.
    """

    __slots__ = ("batch", "error", "is_committed", "is_done", "rows", "seal", "wakeup")

    def __init__(self, seal: Seal, wakeup: Wakeup | None = None) -> None:
        self.seal = seal
        self.wakeup = wakeup
        self.batch = _NOTHING
        self.rows: tuple[Placed, ...] = ()
        self.error: BaseException | None = None
        self.is_committed = False
        self.is_done = False

    def outcome(self) -> tuple[Appended, ...]:
        if self.error is not None:
            raise self.error
        if not self.is_committed:
            raise Unacknowledged("interrupted")
        return tuple(Appended(row.position, row.entry_hash, row.entry.receipt) for row in self.rows)


class SqliteLedger:
    """A `Ledger` on the project's file. `busy_seconds` bounds the wait for another process's transaction."""

    def __init__(self, file: Path, *, busy_seconds: float = 30.0) -> None:
        self._file = file
        self._busy_seconds = busy_seconds
        self._is_closed = False
        self._gave_up_for_fork = False
        self._start_over()
        self._connection: sqlite3.Connection | None = self._connect()
        survive_forks(self)

    def _connect(self) -> sqlite3.Connection:
        connection = open_writer(self._file, busy_seconds=self._busy_seconds)
        opened = self._file.stat()
        self._identity = (opened.st_dev, opened.st_ino)
        return connection

    def _start_over(self) -> None:
        self._turn = threading.Lock()
        self._jobs: deque[_Job] = deque()
        self._bell: SimpleQueue[bool] = SimpleQueue()  # True: somebody waits; False: close
        self._is_ringing = False
        self._thread: threading.Thread | None = None
        self._ordering: Ordering | None = None
        self._in_hand = TicketsInHand()
        self._data_version = -1
        self._stopped_by = ""
        self._is_shut = False
        self._last_commit = 0.0

    def append_inline(self, seal: Seal) -> tuple[Appended, ...]:
        self._refuse_if_closed()
        job = _Job(seal)
        self._jobs.append(job)
        while not job.is_done:
            if not self._turn.acquire(timeout=self._busy_seconds):
                self._withdraw(job)
            try:
                if not job.is_done:
                    self._commit_waiting()
            finally:
                self._turn.release()
        return job.outcome()

    async def append(self, seal: Seal) -> tuple[Appended, ...]:
        self._refuse_if_closed()
        wakeup = make_wakeup()
        job = _Job(seal, wakeup)
        self._jobs.append(job)
        self._ring()
        await wakeup.wait()
        return job.outcome()

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            self._bell.put(False)
            thread.join(self._busy_seconds)
        with self._turn:
            self._is_shut = True  # before the last look: whoever leaves a job after it sees this
            while self._jobs:
                self._commit_waiting()
            self._disconnect()
            self._stopped_by = "it is closed"

    def before_fork(self) -> None:
        self._gave_up_for_fork = self._turn.acquire(timeout=self._busy_seconds)
        if self._gave_up_for_fork:
            self._disconnect()

    def after_fork_in_parent(self) -> None:
        if (
            self._gave_up_for_fork
        ):  # else another thread holds the turn, and it is that thread's to release
            self._turn.release()

    def after_fork_in_child(self) -> None:
        stopped_by = self._stopped_by
        self._start_over()
        self._is_shut = self._is_closed
        self._stopped_by = stopped_by
        if not self._gave_up_for_fork:
            self._stopped_by = "the process was forked in the middle of another thread's write"

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise NotWritten("the ledger is closed", "call heso.init() again")

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._ordering = None  # a new connection counts data versions anew

    def _ring(self) -> None:
        """Have the jobs that tasks left committed: by the thread, or here when there is none to be had."""
        if self._is_ringing:
            return
        if self._is_shut or not self._has_thread():
            with self._turn:
                self._commit_waiting()
            return
        self._is_ringing = True
        self._bell.put(True)

    def _has_thread(self) -> bool:
        if self._thread is None:
            with self._turn:
                if self._thread is None:
                    # A daemon: only what was acknowledged is promised, and a program must be able to end.
                    thread = threading.Thread(target=self._serve, name="heso-ledger", daemon=True)
                    try:
                        thread.start()
                    except RuntimeError:  # the machine has no thread to give
                        return False
                    self._thread = thread
        return True

    def _serve(self) -> None:
        while self._bell.get():
            self._is_ringing = False  # before looking: whoever comes now rings again
            with self._turn:
                while self._jobs:
                    # What a seal raised beyond an Exception has been told to its batch; others still wait.
                    with contextlib.suppress(BaseException):
                        self._commit_waiting()

    def _withdraw(self, job: _Job) -> None:
        """The turn did not come in time. If nobody has taken the job up, it never happened."""
        why = f"the ledger was busy for {self._busy_seconds:g} seconds"
        try:
            self._jobs.remove(job)
        except ValueError:
            raise Unacknowledged(f"{why} with this very write") from None
        raise NotWritten(why, "another thread or process holds the ledger; see `heso doctor`")

    def _commit_waiting(self) -> None:
        """Commit everything that waits, up to `LARGEST_BATCH`. The caller holds the turn."""
        jobs: list[_Job] = []
        try:
            while self._jobs and len(jobs) < LARGEST_BATCH:
                jobs.append(self._jobs.popleft())
            self._commit(jobs)
        except (NotWritten, Unacknowledged) as error:
            _fail(jobs, error)
        except BaseException:  # a KeyboardInterrupt in the thread that commits for others
            self._roll_back()
            raise
        finally:
            for job in jobs:
                job.is_done = True
            wakeups = [job.wakeup for job in jobs if job.wakeup is not None]
            if wakeups:
                wake_all(wakeups)

    def _commit(self, jobs: list[_Job]) -> None:
        if self._stopped_by:
            raise NotWritten(f"the ledger has stopped: {self._stopped_by}", "restart the process")
        if self._connection is None:  # after a fork
            self._connection = self._connect()
        ordering = self._begin(self._connection)
        self._refuse_if_replaced()
        try:
            self._place_all(jobs, ordering, self._connection)
            _insert(jobs, self._connection)
            self._in_hand.write(self._connection)
        except Exception as error:
            self._roll_back()
            raise NotWritten(_explain(error), _cure(error)) from error
        # From here the outcome is the disk's. A crash before this line loses only work; after it, the receipts
        # are there whether or not anybody was told.
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            if error.sqlite_errorcode & 0xFF == _IOERR:
                self._stopped_by = _explain(error)
                raise Unacknowledged(_explain(error)) from error
            raise NotWritten(_explain(error), _cure(error)) from error
        self._last_commit = time.monotonic()
        for job in jobs:
            job.is_committed = True

    def _place_all(
        self, jobs: list[_Job], ordering: Ordering, connection: sqlite3.Connection
    ) -> None:
        if len(jobs) >= _WORTH_LOOKING_TOGETHER:
            self._in_hand.look_for(_wanted(jobs, "looks_for"), connection)
            self._in_hand.look_up(_wanted(jobs, "looks_up"), connection)
        for job in jobs:
            self._place(job, ordering, connection)

    def _place(self, job: _Job, ordering: Ordering, connection: sqlite3.Connection) -> None:
        """One caller's failing seal is that caller's failure, not its neighbours'."""
        try:
            job.batch, job.rows = ordering.place(job.seal)
        except sqlite3.Error:
            raise  # reading a head failed: the transaction is what is broken
        except Exception as error:  # noqa: BLE001  # whatever it is, it is the caller's to see
            job.error = error
            return
        # From here the chains have grown in memory: whatever fails now fails the whole transaction, not this caller alone.
        self._in_hand.take(job.batch.tickets)
        write_journal_of(job.batch, connection)

    def _begin(self, connection: sqlite3.Connection) -> Ordering:
        try:
            begin_immediate(connection, self._busy_seconds, self._last_commit)
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            if self._ordering is None or version != self._data_version:
                self._ordering = read_ends(connection, self._in_hand)
                self._data_version = version
        except sqlite3.Error as error:
            self._roll_back()
            raise NotWritten(_explain(error), _cure(error)) from error
        self._ordering.begin()
        return self._ordering

    def _refuse_if_replaced(self) -> None:
        """A file that was moved away or replaced still takes writes, and nobody will ever read them."""
        try:
            found = os.stat(self._file)  # noqa: PTH116  # on every gate's path: Path.stat() costs twice as much
            is_same = (found.st_dev, found.st_ino) == self._identity
        except OSError:
            is_same = False
        if not is_same:
            self._roll_back()
            self._stopped_by = f"{self._file} was removed or replaced while it was open"
            raise NotWritten(f"the ledger has stopped: {self._stopped_by}", "restart the process")

    def _roll_back(self) -> None:
        self._ordering = None
        self._in_hand.forget()
        connection = self._connection
        if connection is not None and connection.in_transaction:
            try:
                connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                self._stopped_by = _explain(error)


def _wanted(jobs: list[_Job], what: str) -> list[Digest]:
    return [key for job in jobs if (key := getattr(job.seal, what, None))]


def _insert(jobs: list[_Job], connection: sqlite3.Connection) -> None:
    connection.executemany(INSERT_ROW, [ledger_row(placed) for job in jobs for placed in job.rows])
    for job in jobs:
        policy = job.batch.policy
        if policy is not None and job.rows:
            since = job.rows[0].position
            connection.execute(INSERT_POLICY, (since, bytes.fromhex(digest(policy)), policy))


def _fail(jobs: list[_Job], error: NotWritten | Unacknowledged) -> None:
    """Each caller gets an error of its own: raising one in two threads would mix up their tracebacks."""
    for job in jobs:
        job.rows = ()
        if job.error is None:
            match error:
                case NotWritten(why=why, next_step=next_step):
                    job.error = NotWritten(why, next_step)
                case Unacknowledged(why=why):
                    job.error = Unacknowledged(why)
            job.error.__cause__ = error.__cause__


def _explain(error: Exception) -> str:
    name = getattr(error, "sqlite_errorname", None)
    return f"{error} ({name})" if name else str(error)


def _cure(error: Exception) -> str:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case 13:  # SQLITE_FULL
            return "make room on the disk and try again"
        case 5:  # SQLITE_BUSY
            return "another process held the ledger for too long; see `heso doctor`"
        case _:
            return "run `heso doctor`"
