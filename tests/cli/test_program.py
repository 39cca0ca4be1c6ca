"""The installed program: exit codes, pipes, `--follow`, the demo."""

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

import heso as library

SECONDS = 20
SOON = 3


def _environment() -> dict[str, str]:
    """This one, without what would hide that a pipe is written late."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def _run(program: Path, *arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [str(program), *arguments], capture_output=True, timeout=SECONDS, check=False, **options
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("verify", "--chain"), 0),
        (("show", "ffffffffffff"), 1),
        (("verify", "heso.toml"), 2),
        (("verify",), 64),
    ],
)
def test_the_program_ends_with_its_exit_code(
    arguments: tuple[str, ...], code: int, project: Path, program: Path
) -> None:
    done = _run(program, *arguments)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr


def test_it_runs_as_a_module(project: Path) -> None:
    done = _run(Path(sys.executable), "-m", "heso.cli", "log", "-n", "1")
    assert (done.returncode, done.stdout.count(b"\n")) == (0, 1)


def test_verifying_a_file_loads_neither_sqlite_nor_an_event_loop(
    project: Path, heso: Callable
) -> None:
    (project / "receipt.json").write_text(heso("log", "--json", "-n", "1").out, "utf-8")
    code = (
        "import sys; from heso.cli import main; main(['verify', 'receipt.json']);"
        "print(sorted({'sqlite3', 'asyncio', 'rich', 'aiosqlite', 'anyio'} & set(sys.modules)))"
    )
    unmeasured = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    done = _run(Path(sys.executable), "-c", code, env=unmeasured)
    assert done.stdout.splitlines()[-1] == b"[]"


@contextmanager
def _following(program: Path, *arguments: str) -> Iterator[Callable[[], str]]:
    """`heso log --follow`, and a way to read its next line."""
    command = [str(program), "log", "--follow", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=_environment(), **pipes) as process:
        chooser = selectors.DefaultSelector()
        chooser.register(process.stdout, selectors.EVENT_READ)

        def read_line() -> str:
            assert chooser.select(SOON), "nothing came"
            return process.stdout.readline().decode()

        try:
            yield read_line
            process.send_signal(signal.SIGINT)
            assert process.wait(SECONDS) == 130
            assert process.stderr.read() == b""
        finally:
            chooser.close()
            process.kill()


def test_following_shows_new_receipts_that_fit(project: Path, program: Path) -> None:
    @library.tool
    def search(query: str) -> None: ...

    @library.tool
    def other() -> None: ...

    with _following(program, "--json", "--tool", "search") as read_line:
        assert '"weather"' in read_line()
        with library.init(project):
            other()
            search("news")
        assert '"news"' in read_line()


def test_following_into_a_pipe_writes_at_once(project: Path, program: Path) -> None:
    with _following(program, "-n", "1") as read_line:
        assert read_line().startswith("8\t")


@pytest.mark.parametrize("command", [("log",), ("export",), ("doctor",)], ids=" ".join)
def test_a_reader_that_left_is_no_error(
    command: tuple[str, ...], project: Path, program: Path
) -> None:
    """As in `heso log | head -0`. Python writes at exit what was not written yet, and must stay silent there too."""
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        done = subprocess.run(
            [str(program), *command],
            stdout=theirs,
            stderr=subprocess.PIPE,
            env=_environment(),
            timeout=SECONDS,
            check=False,
        )
    finally:
        os.close(theirs)
    assert done.stderr.replace(b"heso: 9 receipts\n", b"") == b""
    assert done.returncode == 0


def test_a_beginning_that_several_hashes_share_names_them(project: Path, heso: Callable) -> None:
    async def act_often() -> None:
        async with anyio.create_task_group() as tasks:
            for number in range(1500):
                tasks.start_soon(library.gate, library.Call("search", {"query": number}))

    with library.init(project):
        anyio.run(act_often)
    hashes = [line.split("\t")[6] for line in heso("log", "-n", "2000").out.splitlines()]
    shared = sorted({one[:4] for one in hashes if sum(h.startswith(one[:4]) for h in hashes) > 1})
    done = heso("show", shared[0])
    assert done.code == 1
    assert done.err.startswith(f"heso: error: '{shared[0]}' names several receipts: {shared[0]}")
    assert done.err.endswith("heso: hint: write more of the hash\n")
    assert heso("verify", shared[0]).code == 1
    chains = heso("verify", "--chain")  # more than a thousand: on every core
    assert (chains.code, "session shop: Valid (1506 in order)" in chains.out) == (0, True)
