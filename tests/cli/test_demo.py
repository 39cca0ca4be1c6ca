"""`heso demo` plays anywhere, and touches nothing that is not its own."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest


def test_it_plays_verifies_and_plays_again(here: Path, heso: Callable) -> None:
    for _ in range(2):
        done = heso("demo", "stage")
        assert done.code == 0
        assert [line[0] for line in done.out.splitlines() if line[:1].isdigit()] == list("123456")
        assert "BlockedError send is blocked by rule 'no-leaks'" in done.out
        assert "SuspendedError delete_customers waits for approval" in done.out
        assert "edited to say 4 instead of 40: HashMismatch" in done.out
        assert "heso: try next:" in done.err
        assert "\x1b" not in done.out
    assert heso("verify", "--chain", "--project", "stage").code == 0


def test_it_leaves_other_projects_alone(project: Path, heso: Callable) -> None:
    before = (project / "heso.toml").read_bytes()
    done = heso("demo", ".")
    assert done.code == 1
    assert "is not empty" in done.err
    assert (project / "heso.toml").read_bytes() == before


def test_it_leaves_a_database_and_a_report_alone(here: Path, heso: Callable) -> None:
    (here / "report.txt").write_text("the year's figures", "utf-8")
    with closing(sqlite3.connect(here / "customers.db")) as connection, connection:
        connection.execute("CREATE TABLE customer (name TEXT, year INTEGER)")
        connection.execute("INSERT INTO customer VALUES ('a real one', 2001)")
    heso("demo", ".")
    assert (here / "report.txt").read_text("utf-8") == "the year's figures"
    with closing(sqlite3.connect(here / "customers.db")) as connection:
        rows = connection.execute("SELECT name FROM customer").fetchall()
    assert ("a real one",) in rows


def test_it_refuses_a_folder_with_a_policy_in_another_encoding(here: Path, heso: Callable) -> None:
    (here / "heso.toml").write_bytes(b"# caf\xe9\n")
    done = heso("demo", ".")
    assert done.code == 1
    assert done.err.startswith("heso: error: ")


@pytest.mark.parametrize(
    "pair", [("HESO_KEY_PASSPHRASE", "secret"), ("HESO_BLOCKING", "false")], ids=lambda p: p[0]
)
def test_it_does_not_depend_on_the_surroundings(
    pair: tuple[str, str], heso: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*pair)
    assert heso("demo", "stage").code == 0
