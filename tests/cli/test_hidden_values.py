"""A malformed argument never shows what policy hides. The value is looked for in everything the project keeps."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import heso as library

CARD = "4242-4242-4242-4242"
SMALL = """
[[rule]]
id = "small"
order = 1
verb = "payment"
conditions = [{ field = "amount", op = "lte", value = 100 }]
redact = ["card"]
decision = "DECISION"
"""
REST = """
[[rule]]
id = "rest"
order = 2
verb = "payment"
decision = "DECISION"
"""


@pytest.fixture
def state(prepared: Path, here: Path) -> Path:
    """The state folder of a project with a key and no receipts."""
    state = here / ".heso"
    state.mkdir(mode=0o700)
    for name in ("operator.key", "DEVELOPMENT-ONLY.passphrase"):
        (state / name).write_bytes((prepared / ".heso" / name).read_bytes())
        (state / name).chmod(0o600)
    return state


@pytest.mark.parametrize("amount", [50, "USD 50", None])
@pytest.mark.parametrize("rest", [None, "block", "require_approval"])
@pytest.mark.parametrize("small", ["allow", "redact", "require_approval"])
def test_what_a_rule_hides_stays_hidden_when_the_rule_is_in_doubt(
    small: str, rest: str | None, amount: object, state: Path, heso: Callable
) -> None:
    here = state.parent
    text = SMALL.replace("DECISION", small)
    (here / "heso.toml").write_text(
        text + (REST.replace("DECISION", rest) if rest else ""), "utf-8"
    )
    with library.init(here), suppress(library.BlockedError, library.SuspendedError):
        library.gate_sync(library.Call("pay", {"amount": amount, "card": CARD}, "payment"))
    assert heso("verify", "--chain").code == 0
    assert CARD not in heso("export").out
    assert CARD.encode() not in (state / "heso.db").read_bytes()
