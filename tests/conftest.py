"""Where the public vectors are: beside the checkout, or where HESO_VECTORS says. Without them their tests are skipped,
and say so."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(os.environ.get("HESO_VECTORS") or Path(__file__).parents[2] / "shared" / "vectors")


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of the public vectors."""
    if not VECTORS.is_dir():
        pytest.skip(f"NO PUBLIC VECTORS: {VECTORS} is not a folder; set HESO_VECTORS")
    return VECTORS


@pytest.fixture(scope="session")
def worked(vectors: Path) -> dict[str, Any]:
    """The worked vectors of the format."""
    found: dict[str, Any] = json.loads((vectors / "heso1" / "worked.json").read_bytes())
    return found


@pytest.fixture(scope="session")
def crown(vectors: Path) -> dict[str, Any]:
    """The published vectors of the format."""
    found: dict[str, Any] = json.loads((vectors / "heso1" / "crown.json").read_bytes())
    return found
