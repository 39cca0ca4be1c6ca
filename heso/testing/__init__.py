"""The public test kit: fakes for every port, faults on demand, and the suite that every store must pass.

Pure Python, no test framework needed. Nothing else in heso imports it.
"""

from heso.testing.conformance import exercise_ledger
from heso.testing.conformance_journal import exercise_journal
from heso.testing.conformance_reading import exercise_reading
from heso.testing.conformance_sidecars import exercise_nonces, exercise_reveals, exercise_tickets
from heso.testing.evidence import Evidence, LedgerBroken, check_ledger
from heso.testing.expecting import Nonconforming, Store, StoreMaker
from heso.testing.fakes import FakeClock, FakeDice, FakeSigner
from heso.testing.faults import Fault, FaultyClock, FaultyLedger, FaultyReveals, FaultySigner
from heso.testing.seals import seal_action, seal_policy, seal_suspended

__all__ = [
    "Evidence",
    "FakeClock",
    "FakeDice",
    "FakeSigner",
    "Fault",
    "FaultyClock",
    "FaultyLedger",
    "FaultyReveals",
    "FaultySigner",
    "LedgerBroken",
    "Nonconforming",
    "Store",
    "StoreMaker",
    "check_ledger",
    "exercise_journal",
    "exercise_ledger",
    "exercise_nonces",
    "exercise_reading",
    "exercise_reveals",
    "exercise_tickets",
    "seal_action",
    "seal_policy",
    "seal_suspended",
]
