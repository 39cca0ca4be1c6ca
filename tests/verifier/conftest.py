"""Node, asked a line at a time. Without it these tests skip, and say so."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.core.conftest import Forge

ROOT = Path(__file__).parents[2]
Ask = Callable[..., list[Any]]


@pytest.fixture(scope="session")
def node() -> str:
    program = shutil.which("node")
    if program is None:
        pytest.skip("NO NODE: the JavaScript verifier is not tested; install nodejs")
    return program


@pytest.fixture(scope="session")
def ask(node: str) -> Ask:
    """`ask(questions, *options)`: what the verifier's parts answer, in order."""

    def ask_all(questions: Iterable[Any], *options: str) -> list[Any]:
        lines = [json.dumps(question) for question in questions]
        finished = subprocess.run(
            [node, str(ROOT / "tests/verifier/parts.mjs"), *options],
            input="\n".join(lines).encode() + b"\n",
            capture_output=True,
            check=True,
        )
        answers = [json.loads(line) for line in finished.stdout.splitlines()]
        assert len(answers) == len(lines)
        return answers

    return ask_all


@pytest.fixture(scope="session")
def forge() -> Forge:
    return Forge()
