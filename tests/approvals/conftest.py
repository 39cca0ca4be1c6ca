"""A shop for every test, in both stores, and a look at everything it wrote afterwards."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from heso.async_gate.door import install_gate
from tests.approvals.shop import Shop, open_shop


@pytest.fixture(params=["memory", "sqlite"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    shop = open_shop(None if request.param == "memory" else tmp_path)
    yield shop
    install_gate(None)
    shop.check()
    shop.ledger.close()


@pytest.fixture
def sqlite_shop(tmp_path: Path) -> Iterator[Shop]:
    """Where several processes or threads meet."""
    shop = open_shop(tmp_path)
    yield shop
    install_gate(None)
    shop.check()
    shop.ledger.close()
