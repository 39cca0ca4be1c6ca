"""The shop of the approvals' tests, for what happens after a yes; and a stage for runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.approvals.conftest import shop, sqlite_shop
from tests.workflows.runstage import Stage

__all__ = ["shop", "sqlite_shop"]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path / "runs")
    yield stage
    stage.check()
    stage.runtime.close()
