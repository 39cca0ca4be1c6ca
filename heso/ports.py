"""What heso needs from the world, as small protocols. Each promise stands on its method.

Rule: whoever implements a port passes the conformance suite in `heso.testing`; whoever uses one may rely on its
promise and on nothing else.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from heso.core.chain import Head
from heso.core.encoding import Digest, PublicKey
from heso.core.errors import HesoError
from heso.core.hot import hot_value
from heso.core.instant import Instant
from heso.core.journal import JournalStep, Run, RunId, Signal
from heso.core.receipt import Receipt, SessionId
from heso.core.ticket import Ticket, TicketState


class Clock(Protocol):
    """The time."""

    def now(self) -> Instant:
        """Wall-clock time, UTC. May jump; nothing may rely on it growing."""
        ...


class Dice(Protocol):
    """Randomness fit for keys and salts."""

    def draw(self, size: int) -> bytes:
        """`size` fresh bytes from a cryptographic source."""
        ...


class Signer(Protocol):
    """Holds the operator's key: in memory, in another process, in a device.

    `sign` is called inside the ledger's write transaction, because a receipt signs its place in the chain. It
    should answer within a few milliseconds: while it thinks, every other writer of the project waits.
    """

    @property
    def public_key(self) -> PublicKey: ...

    def sign(self, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature of `message`. Any exception means: not signed, and nothing is appended."""
        ...


@hot_value
class Entry:
    """One receipt on its way into the ledger, at the time it was made."""

    receipt: Receipt
    at: Instant


@hot_value
class Batch:
    """What is written together or not at all. Tickets, runs and steps are written as they are, new or over what was
    there; a signal is added, or marked as taken; every other step of `replaces_steps_of` is forgotten. `policy` is the text of a policy that comes into force with the first
    entry."""

    entries: tuple[Entry, ...]
    tickets: tuple[Ticket, ...] = ()
    policy: bytes | None = None
    runs: tuple[Run, ...] = ()
    steps: tuple[JournalStep, ...] = ()
    signals: tuple[Signal, ...] = ()
    replaces_steps_of: RunId | None = None


@hot_value
class Appended:
    """A receipt on disk: its place in the audit chain, counted from 0, and that entry's hash."""

    position: int
    entry_hash: Digest
    receipt: Receipt


class Heads(Protocol):
    """The ends of the chains and the tickets, as they are while nobody else can write."""

    @property
    def policy_hash(self) -> Digest | None:
        """BLAKE3 of the policy in force; None before the first one."""
        ...

    @property
    def retired_keys(self) -> frozenset[PublicKey]:
        """Keys that handed over to others. A receipt by one of them is refused."""
        ...

    def head(self, session: SessionId) -> Head | None:
        """The last receipt of a session; None when it has none."""
        ...

    def ticket(self, action_hash: Digest) -> Ticket | None:
        """The ticket of this name, as everything before left it."""
        ...

    def undelivered(self, call_key: Digest) -> Ticket | None:
        """The newest ticket of this call whose end nobody was told yet."""
        ...

    def run(self, run: RunId) -> Run | None:
        """The run of this name, as everything before left it."""
        ...

    def signal(self, run: RunId, name: str) -> Signal | None:
        """The oldest signal of this name that the run was sent and has not taken."""
        ...


Seal = Callable[[Heads], Batch]
"""Makes a batch that fits the ends it is shown. Pure but for signing; it may be called more than once, so it must
not have effects. What it raises is raised to the caller of `append`, and nothing is written.

One that has an attribute `looks_for`, a call key, says beforehand what it will ask `undelivered` about, and one with
`looks_up`, an action hash, which `ticket` it wants: a store that commits many at once looks for all of them together."""


class Ledger(Protocol):
    """The append-only ledger of a project. Any number of threads, tasks and processes may append at once."""

    async def append(self, seal: Seal) -> tuple[Appended, ...]:
        """Write what `seal` makes. When this returns, all of it is on disk.

        `NotWritten`: nothing was written. `Unacknowledged`, or cancellation while waiting: unknown, ask by hash.
        """
        ...

    def append_inline(self, seal: Seal) -> tuple[Appended, ...]:
        """The same from synchronous code, in the calling thread."""
        ...

    def close(self) -> None:
        """Finish what was accepted, then let go of the file. Appending afterwards raises `NotWritten`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A stored receipt: the exact bytes that were signed, and its entry in the audit chain."""

    position: int
    session_id: SessionId | None
    receipt: bytes
    audit_entry: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which records to read; None is any. Text is compared exactly."""

    session_id: str | None = None
    workflow: str | None = None
    account: str | None = None
    tool_name: str | None = None
    verb: str | None = None
    decision: str | None = None


EVERYTHING = Filter()


class Records(Protocol):
    """Reading the ledger. It never blocks a writer and never loads more than a page."""

    def read(self, wanted: Filter = EVERYTHING, *, after: int = -1) -> Iterator[Record]:
        """Records beyond position `after`, in audit order."""
        ...

    def newest(self, count: int, wanted: Filter = EVERYTHING) -> Sequence[Record]:
        """The last `count` records, oldest first."""
        ...

    def find(self, prefix: str) -> Sequence[Record]:
        """Records whose action hash begins with `prefix` (lower-case hex); at most ten."""
        ...

    def action_hashes(self) -> Iterator[Digest]:
        """The action hash of every receipt, in audit order: the leaves of the log's tree."""
        ...

    def policy_text(self, policy_hash: Digest) -> bytes | None:
        """The exact text of a policy that was in force; None for one this project never had."""
        ...

    def count(self) -> int:
        """How many receipts there are."""
        ...


class Tickets(Protocol):
    """What waits for people, and what became of it. Reading only: whatever changes a ticket is a `Batch`."""

    async def find(self, action_hash: Digest) -> Ticket | None: ...

    async def beginning(self, prefix: str) -> Sequence[Ticket]:
        """Tickets whose action hash begins with `prefix` (lower-case hex); at most ten."""
        ...

    async def in_state(
        self, state: TicketState, *, after: tuple[int, int] = (-1, -1), limit: int = 50
    ) -> Sequence[Ticket]:
        """A page of tickets in an open state, most urgent first, beyond `(due, number)`."""
        ...

    async def due(self, state: TicketState, by: Instant, *, limit: int = 50) -> Sequence[Ticket]:
        """Tickets in an open state whose `due` is not after `by`, most urgent first."""
        ...

    async def count(self, state: TicketState) -> int: ...

    async def opened_after(self, number: int, *, limit: int = 50) -> Sequence[Ticket]:
        """Tickets in the order in which they were opened, beyond that number."""
        ...


class Journal(Protocol):
    """Durable runs. Reading only: whatever changes one is a `Batch`."""

    async def find(self, run: RunId) -> Run | None: ...

    async def steps(self, run: RunId) -> Sequence[JournalStep]:
        """Everything the run has done, in the order in which it was written."""
        ...

    async def newest(self, limit: int) -> Sequence[Run]:
        """Runs, the newest first."""
        ...

    async def running(self, limit: int) -> Sequence[Run]:
        """Runs that somebody drives, or drove until they died."""
        ...

    async def movable(self, now: Instant, limit: int) -> Sequence[Run]:
        """Runs that may go on: new ones, and those whose time, decision, signal or child has come."""
        ...


class Reveals(Protocol):
    """Where the values that receipts hide are kept."""

    def keep(self, merkle_root: Digest, sidecar: bytes) -> None:
        """Keep a sidecar under its root. When this returns it is on disk, readable by this user alone."""
        ...

    def find(self, merkle_root: Digest) -> bytes | None: ...


class Nonces(Protocol):
    """Remembers which approval tokens were used."""

    def spend(self, nonce: bytes, expiry_seconds: int) -> bool:
        """Whether this nonce was never spent before; from now on it is, in every process, also after a crash.

        `expiry_seconds` is the token's last second, UTC. `NotWritten`: it is as it was. `Unacknowledged`: take it as
        spent.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something people should look at. It names the action and never shows its arguments.

    `key` is the same for the same notice, so that whoever gets it twice can tell. `deadline` is UTC.
    """

    key: str
    kind: Literal["asked", "reminder", "escalated", "in_doubt"]
    action_hash: Digest
    tool: str
    rule_id: str
    who: tuple[str, ...]
    deadline: str


class Notifier(Protocol):
    """Tells people that something waits."""

    async def notify(self, notice: Notice) -> None:
        """Hand a notice on. Raises `NotNotified`; it is tried again then, so a notice may come twice."""
        ...


class Notices(Protocol):
    """Remembers which notices were handed on."""

    def was_sent(self, key: str) -> bool: ...

    def mark_sent(self, key: str) -> None:
        """From now on it was sent, in every process, also after a crash."""
        ...


@dataclass(eq=False)
class NotNotified(HesoError):
    """A notice could not be handed on."""

    via: str
    why: str
    next_step: str = "check [[notify]] in heso.toml; it is tried again"

    def __str__(self) -> str:
        return f"no notice by {self.via}: {self.why}"


class TimeAuthority(Protocol):
    """Somebody outside who says what time it is."""

    @property
    def name(self) -> str:
        """What receipts call it. Nothing rests on the name."""
        ...

    async def stamp(self, anchored: Digest) -> bytes:
        """A DER TimeStampToken over SHA-256 of the anchored hash's 32 bytes, checked against pinned roots.

        Raises `NoTimestamp`. It may take seconds, so it is never asked while the ledger is being written.
        """
        ...


@dataclass(eq=False)
class NoTimestamp(HesoError):
    """The time authority gave no token that could be used."""

    authority: str
    why: str
    next_step: str = ""

    def __str__(self) -> str:
        return f"no timestamp from {self.authority}: {self.why}"


class StoreError(HesoError):
    """The store could not do what was asked."""


@dataclass(eq=False)
class NotWritten(StoreError):
    """Nothing was written."""

    why: str
    next_step: str = ""

    def __str__(self) -> str:
        return f"nothing was written: {self.why}"


@dataclass(eq=False)
class KeyRetired(StoreError):
    """The key was rotated while this process had it. Nothing was written."""

    key: PublicKey
    next_step = "restart this process: it loads the new key"

    def __str__(self) -> str:
        return f"the key {self.key} has handed over to another one"


@dataclass(eq=False)
class Unacknowledged(StoreError):
    """It may or may not be on disk. The ledger of this process has stopped and says so to every later caller."""

    why: str
    next_step = "restart the process: reading the ledger shows whether the receipt is there"

    def __str__(self) -> str:
        return f"the disk did not confirm the write: {self.why}"


@dataclass(eq=False)
class Unreadable(StoreError):
    """What is stored cannot be read: a damaged file, or a row that is not what was written."""

    file: str
    why: str
    next_step = "restore the file from a backup; exported receipts still verify"

    def __str__(self) -> str:
        return f"{self.file} cannot be read: {self.why}"


@dataclass(eq=False)
class WrongSchema(StoreError):
    """The file is not one this version can use."""

    file: str
    why: str
    next_step: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {self.why}"
