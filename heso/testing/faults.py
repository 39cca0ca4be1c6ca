"""Ports that fail when told to. A fault table names calls by number, counted from 0; other calls go through.

Either nothing happened and the caller is told so, or it did happen and the confirmation was lost: the two cases that
any caller of a disk or a network has to survive.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from heso.core.encoding import Digest, PublicKey
from heso.core.instant import Instant
from heso.ports import Appended, Clock, Ledger, NotWritten, Reveals, Seal, Signer, Unacknowledged


class Fault(Enum):
    """What goes wrong in one call."""

    NOT_WRITTEN = "not written"
    UNACKNOWLEDGED = "written, but unacknowledged"


FaultTable = Mapping[int, Fault]
NO_FAULTS: FaultTable = MappingProxyType({})


class _Table:
    """Counts the calls and says what becomes of each."""

    def __init__(self, faults: FaultTable) -> None:
        self._faults = faults
        self.calls = 0

    def next_call(self) -> Fault | None:
        fault = self._faults.get(self.calls)
        self.calls += 1
        return fault


def refuse() -> NotWritten:
    """The error of a call that did nothing."""
    return NotWritten("the test kit wrote nothing", "take the fault out of the table")


def doubt() -> Unacknowledged:
    """The error of a call that did its work and could not say so."""
    return Unacknowledged("the test kit lost the confirmation")


class FaultyLedger:
    """A `Ledger` around another one, with a fault for each append in the table."""

    def __init__(self, ledger: Ledger, faults: FaultTable = NO_FAULTS) -> None:
        self._ledger = ledger
        self._table = _Table(faults)

    @property
    def calls(self) -> int:
        """How many appends there were."""
        return self._table.calls

    async def append(self, seal: Seal) -> tuple[Appended, ...]:
        fault = self._table.next_call()
        if fault is Fault.NOT_WRITTEN:
            raise refuse()
        appended = await self._ledger.append(seal)
        if fault is Fault.UNACKNOWLEDGED:
            raise doubt()
        return appended

    def append_inline(self, seal: Seal) -> tuple[Appended, ...]:
        fault = self._table.next_call()
        if fault is Fault.NOT_WRITTEN:
            raise refuse()
        appended = self._ledger.append_inline(seal)
        if fault is Fault.UNACKNOWLEDGED:
            raise doubt()
        return appended

    def close(self) -> None:
        self._ledger.close()


class FaultyReveals:
    """`Reveals` around others, with a fault for each `keep` in the table."""

    def __init__(self, reveals: Reveals, faults: FaultTable = NO_FAULTS) -> None:
        self._reveals = reveals
        self._table = _Table(faults)

    def keep(self, merkle_root: Digest, sidecar: bytes) -> None:
        fault = self._table.next_call()
        if fault is Fault.NOT_WRITTEN:
            raise refuse()
        self._reveals.keep(merkle_root, sidecar)
        if fault is Fault.UNACKNOWLEDGED:
            raise doubt()

    def find(self, merkle_root: Digest) -> bytes | None:
        return self._reveals.find(merkle_root)


class FaultySigner:
    """A `Signer` around another one. A lost confirmation means that it signed and the signature never came."""

    def __init__(self, signer: Signer, faults: FaultTable = NO_FAULTS) -> None:
        self._signer = signer
        self._table = _Table(faults)

    @property
    def public_key(self) -> PublicKey:
        return self._signer.public_key

    def sign(self, message: bytes) -> bytes:
        fault = self._table.next_call()
        if fault is Fault.NOT_WRITTEN:
            raise ConnectionRefusedError("the test kit's signer is not there")
        signature = self._signer.sign(message)
        if fault is Fault.UNACKNOWLEDGED:
            raise TimeoutError("the test kit's signer did not answer")
        return signature


class FaultyClock:
    """A `Clock` around another one that fails to tell the time."""

    def __init__(self, clock: Clock, faults: FaultTable = NO_FAULTS) -> None:
        self._clock = clock
        self._table = _Table(faults)

    def now(self) -> Instant:
        now = self._clock.now()
        if self._table.next_call() is not None:
            raise OSError("the test kit's clock is broken")
        return now
