"""What the command tests share: `heso` in this process, a project with one receipt of every sort, and a pty.

The project is made once and copied, because making a key costs a tenth of a second.
"""

import io
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

import heso as library
from heso.cli import main
from heso.core.keys import SigningKey
from heso.project import create_project

HOSTILE = "a\x1b[2J\x1b]0;t\x07b\u202ec\u009b31md[red]e\nf\rg\u200bh\u2028i\x7fj"
"""Escape sequences, 8-bit ones too, text that runs backwards, rich markup, line ends and what cannot be seen."""
RAW = ("\x1b[2J", "\x1b]0", "\x07", "\u202e", "\u009b", "\u200b", "\u2028", "\x7f")

_POLICY = f"""
[project]
workflow = "shop"
account = "acme"

[[rule]]
id = "no-leaks"
order = 10
verb = "http_request"
scope = "*.attacker.example"
decision = "block"

[[rule]]
id = "small-payments"
order = 20
verb = "payment"
conditions = [{{ field = "amount_usd", op = "lte", value = 100 }}]
redact = ["card"]
decision = "allow"

[[rule]]
id = "deletions"
order = 30
verb = "delete"
decision = "require_approval"
approvers = ["ops"]
sla_minutes = 60

[[rule]]
id = "tools"
order = 40
verb = "tool_call"
decision = "allow"

[[approver]]
id = "ada"
roles = ["ops"]
keys = ["{SigningKey.from_seed(bytes([5] * 32)).public_key}"]
"""


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("HESO_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Entries 0 to 8: policy, allow, redact, block, asked, suspended, hostile, observed block, observed ask."""
    root = tmp_path_factory.mktemp("prepared")
    (root / "heso.toml").write_text(_POLICY, "utf-8")
    create_project(root, None)

    @library.tool
    def search(query: str) -> None: ...

    @library.tool(verb="payment")
    def charge(amount_usd: int, card: str) -> None: ...

    @library.tool(verb="http_request", target_host=lambda fields: str(fields["host"]))
    def send(host: str) -> None: ...

    @library.destructive
    def erase(table: str) -> None: ...

    @library.tool(name=HOSTILE)
    def hostile(**arguments: str) -> None: ...

    with library.init(root):
        search("weather")
        charge(40, card="4242 4242")
        with suppress(library.BlockedError):
            send("www.attacker.example")
        with suppress(library.SuspendedError):
            erase("customers")
        with library.step(workflow="dark", account="guest", session=HOSTILE):
            hostile(**{HOSTILE: HOSTILE})
    with library.init(root, blocking=False):
        send("www.attacker.example")
        erase("customers")
    return root


@pytest.fixture
def project(prepared: Path, here: Path) -> Path:
    """A copy of the prepared project in the current folder."""
    shutil.copytree(prepared, here, dirs_exist_ok=True)
    (here / ".heso").chmod(0o700)
    return here


@pytest.fixture
def heso(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run one command in this process."""

    def run(*arguments: str, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
        capsys.readouterr()
        try:
            code = main(arguments)
        except SystemExit as left:
            code = int(left.code or 0)
        told = capsys.readouterr()
        return Done(code, told.out, told.err)

    return run


@pytest.fixture(scope="session")
def program() -> Path:
    """The installed `heso`."""
    return Path(sys.executable).with_name("heso")


@pytest.fixture
def on_terminal(program: Path, here: Path) -> Callable[..., str]:
    """Run the real program with a terminal for its answers and talk; what the terminal got."""

    def run(*arguments: str) -> str:
        return _run_on_terminal(
            [str(program), *arguments], here, {**os.environ, "TERM": "xterm", "COLUMNS": "600"}
        )

    return run


def _run_on_terminal(command: Sequence[str], here: Path, environment: Mapping[str, str]) -> str:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, cwd=here, env=environment, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
    ):
        os.close(theirs)
        got = b"".join(_read_until_end(ours))
    os.close(ours)
    return got.decode()


def _read_until_end(descriptor: int) -> Iterator[bytes]:
    with suppress(OSError):  # the other side is gone
        while piece := os.read(descriptor, 65536):
            yield piece
