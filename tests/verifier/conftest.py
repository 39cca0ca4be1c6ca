"""Node, asked a line at a time, and Chromium. Where one is missing its tests skip, and say so."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.core.conftest import Forge

ROOT = Path(__file__).parents[2]
Ask = Callable[..., list[Any]]
OpenPage = Callable[[bytes], Page]


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


@pytest.fixture(scope="module")  # while it is open, this thread has a running event loop
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("NO CHROMIUM: the page is not tested in a browser; install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[OpenPage]:
    """Opens a page from disk with the network off. A word on the console, an error or a request is a fault."""
    context = browser.new_context(offline=True)
    faults: list[str] = []

    def opened(data: bytes) -> Page:
        file = tmp_path / "page.html"
        file.write_bytes(data)
        page = context.new_page()
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request",
            lambda asked: faults.append(asked.url) if asked.url != file.as_uri() else None,
        )
        page.goto(file.as_uri())
        return page

    yield opened
    context.close()
    assert faults == []
