"""A value that the file cannot hold: its caller is told so, and none of its rows are there."""

from dataclasses import replace
from pathlib import Path

import pytest

from heso.core.journal import Signal
from heso.ports import Batch, Heads, NotWritten
from heso.stores.sqlite.ledger import SqliteLedger
from heso.stores.sqlite.records import SqliteRecords
from heso.testing import check_ledger, seal_action


@pytest.mark.parametrize("name", ["\ud800", 2**70])
def test_what_cannot_be_stored_leaves_no_receipt_behind(tmp_path: Path, name: object) -> None:
    file = tmp_path / "heso.db"
    ledger = SqliteLedger(file)

    def seal(heads: Heads) -> Batch:
        signal = Signal(run="r", name=name, value_json=b"1")
        return replace(seal_action("s")(heads), signals=(signal,))

    with pytest.raises(NotWritten):
        ledger.append_inline(seal)
    ledger.append_inline(seal_action("s"))
    ledger.close()
    records = SqliteRecords(file)
    assert check_ledger(records).receipts == 1
    records.close()
