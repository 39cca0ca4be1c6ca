"""The documentation is true: its programs run, its commands work, its lists are complete, its links lead somewhere.

Every file is played from top to bottom in a folder of its own. A ```python block runs; of a ```console block the lines
that begin with `$ heso` run and must succeed, or end with the code that `# exit N` behind them names; a ```toml block
whose first line is `# NAME.toml` becomes that file. `<!-- not run: reason -->` before a block leaves it out.
A file that does not begin with `heso init` finds a fresh project.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import heso
from heso import settings
from heso.cli import main
from heso.cli.arguments import COMMANDS
from heso.core.receipt import Verb
from heso.core.verdict import ChainKind, Kind
from heso.policy.conditions import _COMPILERS
from heso.policy.reader import parse_policy
from heso.project import create_project

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
_BLOCK = re.compile(
    r"(?P<skip><!-- not run: .+? -->\s*)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
_SHELL = frozenset("|<>;&*")


@dataclass(frozen=True)
class Block:
    """A fenced block and the line its text begins at."""

    kind: str
    text: str
    line: int


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text("utf-8")
    for found in _BLOCK.finditer(text):
        if not found["skip"]:
            yield Block(found["kind"], found["text"], text.count("\n", 0, found.start("text")) + 1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a page plays: nothing of the surroundings, and afterwards nothing left open."""
    for name in [name for name in os.environ if name.startswith("HESO_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "agent"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in ("heso_bootstrap", "page"):
        sys.modules.pop(name, None)
    if (folder / "heso.toml").exists():
        heso.init(folder).close()  # replaces and closes what the page started


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_a_page_runs_from_top_to_bottom(
    page: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = list(_blocks(page))
    if not (blocks and blocks[0].kind == "console" and "$ heso init" in blocks[0].text):
        create_project(folder, None)
    module = sys.modules["page"] = ModuleType("page")
    for block in blocks:
        if block.kind == "python":
            exec(compile("\n" * (block.line - 1) + block.text, page, "exec"), vars(module))  # noqa: S102  # its point
        elif block.kind == "console":
            _run_commands(block)
        elif block.kind == "toml":
            _write_file(block, folder)


def _run_commands(block: Block) -> None:
    for line in block.text.replace("\\\n", " ").splitlines():
        if line.startswith("$ heso"):
            command, _, note = line[2:].partition("  # exit ")
            assert _run(command) == int(note or 0), line


def _run(command: str) -> int:
    if not _SHELL & set(re.sub(r"'[^']*'", "", command)):
        try:
            return main(shlex.split(command)[1:])
        except SystemExit as left:
            return int(left.code or 0)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env={**os.environ, "PATH": path},
        capture_output=True,
        timeout=20,
        check=False,
    ).returncode


def _write_file(block: Block, folder: Path) -> None:
    name = re.match(r"# (\w+\.toml)\n", block.text)
    if name:
        (folder / name[1]).write_text(block.text, "utf-8")
    if "[[rule]]" in block.text:
        parse_policy(block.text.encode())


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)):
        if "://" in link:
            continue
        path, _, heading = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if heading:
            assert heading in _anchors(target), link


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for name in COMMANDS:
        parser = argparse.ArgumentParser(prog=f"heso {name}")
        import_module(f"heso.cli.{name.replace('-', '_')}").add_arguments(parser)
        inner = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
        if not inner:
            yield f"heso {name}", parser
        for commands in inner:
            yield from ((f"heso {name} {word}", one) for word, one in commands.choices.items())


PARSERS = dict(_parsers())


@pytest.mark.parametrize("command", PARSERS)
def test_the_reference_has_every_command_and_exactly_its_options(command: str) -> None:
    text = (ROOT / "docs/reference/cli.md").read_text("utf-8")
    section = re.search(rf"^## `{command}`\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"no section for {command}"
    actions = PARSERS[command]._actions
    ours = {word for action in actions for word in action.option_strings} - {"-h", "--help"}
    rows = "\n".join(re.findall(r"^\| (`.+?`) \| ", section[1], re.MULTILINE)).replace("\\|", "|")
    assert set(re.findall(r"(?<=`)--?[a-z][a-z-]*", rows)) == ours
    for action in actions:
        if not action.option_strings:
            assert str(action.metavar) in rows


def _settings_variables() -> set[str]:
    return set(re.findall(r"HESO_[A-Z_]+", Path(settings.__file__).read_text("utf-8")))


LISTS = {
    "docs/reference/settings.md": _settings_variables(),
    "docs/reference/errors.md": {
        name
        for name in heso.__all__
        if isinstance(getattr(heso, name), type) and issubclass(getattr(heso, name), Exception)
    }
    | {"KeyUnusable", "WrongPassphrase", "NotWritten", "Unacknowledged", "WrongSchema"},
    "docs/policy.md": {*_COMPILERS, *map(str, Verb), "policy.default.deny_unknown"},
    "docs/receipt-format.md": {*map(str, Kind), *map(str, ChainKind)},
}


@pytest.mark.parametrize("page", LISTS)
def test_a_reference_leaves_nothing_out(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert not {name for name in LISTS[page] if not re.search(rf"\b{re.escape(name)}\b", text)}
