"""The test kit sees damage: a check that cannot fail would prove nothing."""

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import replace

import anyio
import pytest

from heso.core.encoding import Digest
from heso.ports import Batch, NotWritten, Record, Unacknowledged
from heso.stores.memory import MemoryLedger, MemoryReveals
from heso.stores.ordering import Ordering
from heso.testing import (
    FakeClock,
    FakeDice,
    FakeSigner,
    Fault,
    FaultyLedger,
    LedgerBroken,
    Nonconforming,
    Store,
    check_ledger,
    exercise_ledger,
    exercise_reveals,
    exercise_tickets,
    seal_action,
    seal_policy,
    seal_suspended,
)

Damage = Callable[[list[Record]], Sequence[Record]]


class Shown(MemoryLedger):
    """A ledger whose records are shown damaged."""

    def __init__(self, damage: Damage = list) -> None:
        super().__init__()
        self._damage = damage

    def read(self, *wanted: object, **more: object) -> object:
        return iter(self._damage(list(super().read(*wanted, **more))))

    def count(self) -> int:
        return len(list(self.read()))


def _fill(ledger: MemoryLedger) -> MemoryLedger:
    for seal in (
        seal_policy(b"# policy"),
        seal_action("a", times=3),
        seal_suspended("b"),
        seal_action("b"),
    ):
        ledger.append_inline(seal)
    return ledger


def _renumber(records: Sequence[Record]) -> list[Record]:
    return [replace(record, position=position) for position, record in enumerate(records)]


def _swap(records: list[Record], one: int, other: int) -> list[Record]:
    records[one], records[other] = records[other], records[one]
    return _renumber(records)


def _change(records: list[Record], at: int, **changes: object) -> list[Record]:
    records[at] = replace(records[at], **changes)
    return records


DAMAGES: list[tuple[str, Damage]] = [
    ("positions", lambda r: [*r[:2], *r[3:]]),
    ("session 'a'", lambda r: _renumber([*r[:2], *r[3:]])),
    ("audit chain", lambda r: _renumber(r[:-2] + r[-1:])),
    ("audit chain", lambda r: _renumber(r[1:])),
    ("session 'a'", lambda r: _swap(r, 1, 2)),
    ("audit chain", lambda r: _swap(r, 3, 4)),
    ("HashMismatch", lambda r: _change(r, 2, receipt=r[2].receipt.replace(b'"tool"', b'"fool"'))),
    ("Malformed", lambda r: _change(r, 2, receipt=b"{}")),
    ("another session", lambda r: _change(r, 2, session_id="b")),
    ("audit chain", lambda r: _change(r, 2, audit_entry=r[1].audit_entry)),
    ("audit chain", lambda r: _change(r, 2, audit_entry=b"{}")),
]


@pytest.mark.parametrize(("where", "damage"), DAMAGES)
def test_every_damage_is_found(where: str, damage: Damage) -> None:
    with pytest.raises(LedgerBroken, match=where):
        check_ledger(_fill(Shown(damage)))


def test_a_whole_ledger_is_evidence() -> None:
    ledger = _fill(Shown())
    evidence = check_ledger(ledger, operator=FakeSigner().public_key)
    lifecycle = f"lifecycle:{evidence.action_hashes[4]}"
    assert evidence.sessions == {"heso.policy": 1, "a": 3, "b": 2, lifecycle: 1}
    assert evidence.receipts == len(evidence.action_hashes) == 7


def test_another_operator_a_lost_receipt_and_a_lost_policy_are_found() -> None:
    ledger = _fill(Shown())
    with pytest.raises(LedgerBroken, match="InvalidSignature"):
        check_ledger(ledger, operator=FakeSigner(2).public_key)
    with pytest.raises(LedgerBroken, match="1 acknowledged receipts are not there"):
        check_ledger(ledger, acknowledged=["0" * 64])
    told = ledger.append_inline(seal_action("a"))[0].receipt.action_hash
    with pytest.raises(LedgerBroken, match="acknowledged to two callers"):
        check_ledger(ledger, acknowledged=[told, told])
    ledger._policies.clear()
    with pytest.raises(LedgerBroken, match="the text of policy"):
        check_ledger(ledger)


class Forgetful(MemoryLedger):
    """Acknowledges without writing."""

    def append_inline(self, seal: object) -> object:
        appended = super().append_inline(seal)
        self._rows = self._rows[:-1]
        return appended


class Hasty(MemoryLedger):
    """Gives every caller the ends of an empty ledger: chains fork."""

    def append_inline(self, seal: object) -> object:
        from heso.core.audit import START

        self._ordering = Ordering(START, None, self)
        return super().append_inline(seal)


class Deaf(MemoryLedger):
    """Swallows what seals raise."""

    def append_inline(self, seal: object) -> object:
        try:
            return super().append_inline(seal)
        except ZeroDivisionError:
            return super().append_inline(lambda _: Batch(()))


class Undying(MemoryLedger):
    """Does not close."""

    def close(self) -> None:
        pass


@pytest.mark.parametrize("kind", [Forgetful, Hasty, Undying])
def test_a_ledger_that_breaks_its_promises_does_not_conform(kind: type[MemoryLedger]) -> None:
    @contextmanager
    def make() -> object:
        ledger = kind()
        yield Store(ledger=ledger, records=ledger, tickets=ledger.tickets, journal=ledger.journal)

    with pytest.raises((Nonconforming, LedgerBroken)):
        anyio.run(exercise_ledger, make)


def test_tickets_that_break_their_promises_do_not_conform() -> None:
    @contextmanager
    def make() -> object:
        ledger = Deaf()
        yield Store(ledger=ledger, records=ledger, tickets=ledger.tickets, journal=ledger.journal)

    with pytest.raises(Nonconforming):
        anyio.run(exercise_tickets, make)


def test_reveals_that_break_their_promises_do_not_conform() -> None:
    class Cutting(MemoryReveals):
        def keep(self, merkle_root: Digest, sidecar: bytes) -> None:
            super().keep(merkle_root, sidecar[:1000])

    with pytest.raises(Nonconforming, match="a large sidecar is kept whole"):
        exercise_reveals(Cutting)


def test_a_faulty_ledger_fails_when_told_and_how() -> None:
    inner = MemoryLedger()
    faulty = FaultyLedger(inner, {0: Fault.NOT_WRITTEN, 2: Fault.UNACKNOWLEDGED})
    with pytest.raises(NotWritten):
        faulty.append_inline(seal_action())
    faulty.append_inline(seal_action())
    with pytest.raises(Unacknowledged):
        anyio.run(faulty.append, seal_action())
    assert (faulty.calls, inner.count()) == (3, 2)
    faulty.close()
    with pytest.raises(NotWritten):
        faulty.append_inline(seal_action())


def test_fakes_are_the_same_every_time_and_clocks_move_when_told() -> None:
    clock = FakeClock()
    before = clock.now()
    clock.advance(1.5)
    assert clock.now() - before == 1_500_000_000
    one, other = FakeDice(), FakeDice()
    draws = [one.draw(16) for _ in range(5)]
    assert draws == [other.draw(16) for _ in range(5)]
    assert len(set(draws)) == 5
    assert FakeDice(1).draw(16) not in draws
    signer = FakeSigner()
    assert signer.sign(b"x") == FakeSigner().sign(b"x") != FakeSigner(2).sign(b"x")
    assert signer.signed == 1
