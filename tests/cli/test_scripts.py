"""The commands, as text scripts: one file of `scripts/` is one test, in a folder of its own.

    heso ARGS            must succeed            ! heso ARGS          must fail
    exit N               of the last command     lines N              so many lines on stdout
    stdout RE            must be found           ! stdout RE          must not; so `stderr`
    project              copy the prepared project here
    take NAME RE         the first group, from stdout, is $NAME from here on
    save FILE            the last stdout         stdin FILE           for the next command
    edit FILE OLD NEW    must change something   mode FILE 0644       chmod
    rm PATH              a file or folder        sql STATEMENT        on the ledger, past its guards
    env NAME=VALUE       from here on            exists PATH, ! exists PATH
    -- NAME --           what follows is a file, there before the first command

A command that tells of an error does so in two lines and ends with them; in no script is there a traceback.
"""

import re
import shlex
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.txt"))
_FILE = re.compile(r"^-- (.+) --\n", re.MULTILINE)


class Script:
    """One script being run. A method is a command; it gets its words and whether a `!` stood before."""

    def __init__(self, run: Callable, prepared: Path, here: Path, setenv: Callable) -> None:
        self._run, self._prepared, self._here, self._setenv = run, prepared, here, setenv
        self._names: dict[str, str] = {}
        self._stdin = b""
        self._last = None
        self._negated = False

    def play(self, text: str) -> None:
        commands, *files = _FILE.split(text)
        for name, content in zip(files[::2], files[1::2], strict=True):
            (self._here / name).write_text(content, "utf-8")
        for number, line in enumerate(commands.splitlines(), 1):
            words = shlex.split(self._fill(line), comments=True)
            if not words:
                continue
            self._negated = words[0] == "!"
            name, *rest = words[self._negated :]
            try:
                getattr(self, f"do_{name}")(*rest)
            except Exception as error:
                error.add_note(f"line {number}: {line}\n{self._last}")
                raise

    def _fill(self, line: str) -> str:
        escape = re.escape if re.match(r"(! )?std(out|err)", line) else str
        return re.sub(r"\$([A-Z]+)", lambda m: escape(self._names.get(m[1], m[0])), line)

    def do_heso(self, *words: str) -> None:
        self._last = done = self._run(*words, stdin=self._stdin)
        self._stdin = b""
        assert (done.code != 0) is self._negated
        if "heso: error:" in done.err:
            told = done.err[done.err.index("heso: error:") :]
            assert re.fullmatch(r"heso: error: .+\n(heso: hint: .+\n)?", told)

    def do_exit(self, code: str) -> None:
        assert self._last.code == int(code)

    def do_lines(self, count: str) -> None:
        assert self._last.out.count("\n") == int(count)

    def do_stdout(self, pattern: str) -> None:
        assert bool(re.search(pattern, self._last.out, re.MULTILINE)) is not self._negated, pattern

    def do_stderr(self, pattern: str) -> None:
        assert bool(re.search(pattern, self._last.err, re.MULTILINE)) is not self._negated, pattern

    def do_take(self, name: str, pattern: str) -> None:
        found = re.search(pattern, self._last.out, re.MULTILINE)
        assert found, pattern
        self._names[name] = found[1]

    def do_project(self) -> None:
        shutil.copytree(self._prepared, self._here, dirs_exist_ok=True)

    def do_save(self, name: str) -> None:
        (self._here / name).write_text(self._last.out, "utf-8")

    def do_stdin(self, name: str) -> None:
        self._stdin = (self._here / name).read_bytes()

    def do_edit(self, name: str, old: str, new: str) -> None:
        before = (self._here / name).read_text("utf-8")
        assert old in before
        (self._here / name).write_text(before.replace(old, new, 1), "utf-8")

    def do_mode(self, name: str, mode: str) -> None:
        (self._here / name).chmod(int(mode, 8))

    def do_rm(self, name: str) -> None:
        path = self._here / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    def do_env(self, pair: str) -> None:
        self._setenv(*pair.split("=", 1))

    def do_exists(self, name: str) -> None:
        assert (self._here / name).exists() is not self._negated

    def do_sql(self, statement: str) -> None:
        with closing(sqlite3.connect(self._here / ".heso" / "heso.db")) as connection, connection:
            connection.execute("DROP TRIGGER IF EXISTS ledger_stays")
            connection.execute("DROP TRIGGER IF EXISTS ledger_keeps")
            assert connection.execute(statement).rowcount != 0


@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_script(
    path: Path, heso: Callable, prepared: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Script(heso, prepared, here, monkeypatch.setenv).play(path.read_text("utf-8"))
