"""The folders that subjects live in: scratch projects, the peer's environment, the peer's pre-grown logs.

Everything is below `.envs/`, which is not committed, and on the disk of the checkout: a temporary folder in memory
would make every fsync free.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from textwrap import dedent
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parents[1]
STORE: Final = Path(__file__).resolve().parent / ".envs"
WHEEL: Final = "heso==0.5.1"
WHEEL_ENVIRONMENT: Final = STORE / "wheel-0.5.1"
RAW_KEY: Final = bytes(range(32))

ALLOW = dedent("""\
    [[rule]]
    id = "allow-tools"
    order = 100000
    enabled = true
    subject = { kind = "any" }
    verb = "tool_call"
    scope = "*"
    decision = "allow"
    """)
ALLOW_MODELS = ALLOW.replace("tool_call", "llm_call")
OTHER_VERBS = ("llm_call", "http_request", "payment", "data_export", "account_change", "delete")


class CommandFailed(Exception):
    """Our command line refused; the message is what it said."""


def rules(number: int, *, same_verb: bool) -> str:
    """Write a policy of this many rules, of which only the last one matches the call."""
    verbs = ("tool_call",) if same_verb else OTHER_VERBS
    return "\n".join([*map(_refusal, range(number - 1), cycle(verbs)), ALLOW])


def our_project(folder: Path, policy: str = ALLOW) -> Path:
    """Make a project of ours with this policy."""
    run_ours("init", str(folder))
    (folder / "heso.toml").write_text(policy)
    return folder


def run_ours(*arguments: str) -> bytes:
    """Run our command line and return what it wrote; an exit code other than 0 raises CommandFailed."""
    command = [sys.executable, "-m", "heso.cli", *arguments]
    finished = subprocess.run(
        command, env=our_environment(), cwd=STORE, capture_output=True, check=False
    )
    if finished.returncode != 0:
        raise CommandFailed(f"{' '.join(arguments)}: {finished.stderr.decode()}")
    return finished.stdout


def our_environment() -> Mapping[str, str]:
    """Return the environment in which `heso` is this checkout."""
    return {**_clean_environment(), "PYTHONPATH": str(CHECKOUT)}


def wheel_environment() -> Mapping[str, str]:
    """Return the environment in which `bench` can be imported and `heso` is the peer."""
    path = STORE / "path"
    path.mkdir(parents=True, exist_ok=True)
    if not (path / "bench").is_symlink():
        (path / "bench").symlink_to(CHECKOUT / "bench")
    return {**_clean_environment(), "PYTHONPATH": str(path)}


def wheel_program(name: str) -> str:
    """Return a program of the peer's environment, which is made when it is missing."""
    program = WHEEL_ENVIRONMENT / "bin" / name
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", WHEEL_ENVIRONMENT], check=True)
        subprocess.run([WHEEL_ENVIRONMENT / "bin" / "pip", "install", "--quiet", WHEEL], check=True)
    return str(program)


def wheel_project(folder: Path, *, raw_key: bool) -> Path:
    """Make a project of the peer, with its default key or with 32 plain bytes."""
    folder.mkdir(parents=True)
    (folder / "heso.toml").write_text(ALLOW)
    subprocess.run(
        [wheel_program("heso"), "init", folder],
        env=wheel_environment(),
        cwd=folder,
        capture_output=True,
        check=True,
    )
    if raw_key:
        (folder / "heso-local-data" / "identity.key").write_bytes(RAW_KEY)
    return folder


def restore(folder: Path, pristine: Path) -> None:
    """Make a folder what it was, and let the disk finish before anyone measures."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(pristine, folder)
    os.sync()


def _refusal(number: int, verb: str) -> str:
    return dedent(f"""\
        [[rule]]
        id = "refuse-{number}"
        order = {number}
        enabled = true
        subject = {{ kind = "any" }}
        verb = "{verb}"
        scope = "*"
        conditions = [{{ field = "cents", op = "gt", value = {1_000_000 + number} }}]
        decision = "block"
        """)


def _clean_environment() -> Mapping[str, str]:
    # Settings of whoever runs the benchmark must not reach the subjects.
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HESO_", "PYTHON"))
    }
