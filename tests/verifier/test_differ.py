"""A short walk of the random comparison; `python -m tests.verifier.differ` is the long one."""

import pytest

from tests.verifier.differ import disagreements


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_changed_receipts_get_the_same_verdict_in_python_and_javascript(
    node: str, seed: int
) -> None:
    assert disagreements(700, seed) == []
