"""What mypy has to refuse, and what it has to see through the decorators."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAD = """
import heso
from heso.async_gate.pipeline import Gate
from heso.async_gate.sealing import sign
from heso.async_gate.stages import Call, Captured, Evaluated, capture, evaluate
from heso.core.verdict import Kind
from heso.policy.model import Allow, Block, Decision, Policy, Redact
from heso.ports import Heads, Ledger, Signer
"""
REFUSED = {
    "signing what was not evaluated": """
def wrong(captured: Captured, heads: Heads, signer: Signer, policy: Policy) -> None:
    sign(captured, heads, signer, policy)
""",
    "appending what was not signed": """
async def wrong(ledger: Ledger, evaluated: Evaluated) -> None:
    await ledger.append(lambda heads: evaluated)
""",
    "evaluating what was not captured": """
def wrong(call: Call, policy: Policy) -> None:
    evaluate(call, policy, draw=bytes, default_sla_minutes=1, is_blocking=True)
""",
    "a decision that was forgotten": """
from typing import assert_never
def wrong(decision: Decision) -> str:
    match decision:
        case Allow() | Redact() | Block():
            return "known"
        case _:
            assert_never(decision)
""",
    "changing a value on the gate's path": """
def wrong(call: Call) -> None:
    call.tool_name = "another"
""",
    "a wrong argument to a gated function": """
@heso.tool(verb="payment")
async def pay(amount: int) -> str: return "paid"
async def wrong() -> None:
    await pay("much")
""",
    "a wrong option": """
@heso.tool(verb="payment", redacted=["card"])
def pay(card: str) -> str: return card
""",
}
SEEN = """
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
@heso.tool
def add(a: int, b: int = 2) -> int: return a + b
@heso.tool(verb="http_request", target_host="example.com")
async def fetch(url: str) -> bytes: return b""
@heso.destructive
def count() -> Iterator[int]: yield 1
class Desk:
    @heso.tool
    def greet(self, name: str) -> str: return name
whole: int = add(1)
pending: Awaitable[bytes] = fetch("https://example.com")
numbers: Iterator[int] = count()
greeting: str = Desk().greet("Ada")
verdict = heso.verify_receipt(b"")
kind: Kind = verdict.kind
"""


def _mypy(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    file = folder / "snippet.py"
    file.write_text(HEAD + code, "utf-8")
    root = Path(__file__).parents[2]
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        str(root / "pyproject.toml"),
        str(file),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)


@pytest.mark.parametrize("what", REFUSED)
def test_mypy_refuses(what: str, tmp_path: Path) -> None:
    done = _mypy(tmp_path, REFUSED[what])
    assert done.returncode == 1, done.stdout + done.stderr
    assert "snippet.py" in done.stdout


def test_mypy_sees_through_the_decorators(tmp_path: Path) -> None:
    done = _mypy(tmp_path, SEEN)
    assert done.returncode == 0, done.stdout + done.stderr
