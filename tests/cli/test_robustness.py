"""What goes wrong on real machines, and stays two lines: damaged files, odd bytes, odd numbers, odd surroundings."""

import os
import re
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import orjson
import pytest

import heso as library
from heso.cli import log
from heso.core.keys import SigningKey
from heso.core.receipt import seal_receipt
from heso.stores.sqlite.records import SqliteRecords

STRANGER = "O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik="
READERS = [("log",), ("export",), ("verify", "--chain"), ("verify", "--audit"), ("doctor",)]


def _change(project: Path, statement: str) -> None:
    with closing(sqlite3.connect(project / ".heso" / "heso.db")) as connection, connection:
        connection.execute("DROP TRIGGER ledger_stays")
        assert connection.execute(statement).rowcount == 1


def _is_told(done: object) -> bool:
    """Whether the fault was told in this program's own words: an error and a hint, or a finding of `doctor`."""
    error, *hint = done.err.splitlines()[-2:] or [""]
    told = error.startswith("heso: error: ") and bool(hint) and hint[0].startswith("heso: hint: ")
    return done.code != 0 and (told or "fail  " in done.out)


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_a_damaged_page_is_told_in_two_lines(
    command: tuple[str, ...], project: Path, heso: Callable
) -> None:
    database = project / ".heso" / "heso.db"
    pages = bytearray(database.read_bytes())
    pages[8192:] = b"\xff" * (len(pages) - 8192)
    database.write_bytes(pages)
    assert _is_told(heso(*command))


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_a_receipt_that_is_not_json_is_told_in_two_lines(
    command: tuple[str, ...], project: Path, heso: Callable
) -> None:
    _change(project, "UPDATE ledger SET receipt = x'7b' WHERE position = 3")
    done = heso(*command)
    assert done.code != 0
    assert "Malformed" in done.out or _is_told(done)


def test_a_read_that_fails_does_not_talk_of_writing(project: Path, heso: Callable) -> None:
    (project / ".heso" / "heso.db").write_bytes(b"this is no database at all" * 100)
    assert "nothing was written" not in heso("log").err
    assert "run `heso doctor`" not in heso("doctor").out


@pytest.mark.parametrize("command", [("doctor",), ("verify", "--audit")], ids=" ".join)
def test_a_changed_last_entry_breaks_the_audit_chain(
    command: tuple[str, ...], project: Path, heso: Callable
) -> None:
    """The row keeps its entry's hash; nobody compares it with what the receipt says now."""
    _change(
        project,
        "UPDATE ledger SET receipt = CAST(replace(CAST(receipt AS TEXT), 'acme', 'evil') AS BLOB)"
        " WHERE position = 8",
    )
    assert heso(*command).code == 1


def test_doctor_goes_on_without_a_state_folder(project: Path, heso: Callable) -> None:
    for file in sorted((project / ".heso").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    (project / ".heso").rmdir()
    done = heso("doctor")
    assert done.code == 1
    assert "run `heso init`" in done.out
    assert done.err == ""


def test_doctor_names_a_key_of_the_projects_own_on_its_roster(
    project: Path, heso: Callable
) -> None:
    """Nobody approves their own action, so a quorum that counts on it would wait in vain."""
    key = re.search(r"operator key (\S+)", heso("doctor").out)
    assert key is not None
    with (project / "heso.toml").open("a") as policy:
        policy.write(f'\n[[approver]]\nid = "me"\nroles = ["r"]\nkeys = ["{key[1]}"]\n')
    done = heso("doctor")
    assert done.code == 1
    assert "approver 'me' has the project's own operator key" in done.out
    assert "heso approver enroll" in done.out


def test_a_pinned_operator_is_never_ignored(project: Path, heso: Callable) -> None:
    assert heso("verify", "--audit", "--operator", STRANGER).code != 0


@pytest.mark.parametrize("count", ["99999999999999999999", "9223372036854775808"])
def test_a_limit_beyond_64_bits_is_a_limit(count: str, project: Path, heso: Callable) -> None:
    assert heso("log", "-n", count).code in (0, 64)


@pytest.mark.parametrize("command", ["init", "doctor"])
def test_a_gitignore_in_another_encoding_is_read(
    command: str, project: Path, heso: Callable
) -> None:
    (project / ".gitignore").write_bytes(b"caf\xe9\n.heso/\n")
    assert heso(command).code == 0


@pytest.mark.parametrize("name", ["workflow", "account"])
def test_the_environment_goes_before_the_file(
    name: str, project: Path, heso: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"HESO_{name.upper()}", "another")
    done = heso("doctor")
    assert "is not a known key" not in done.out
    assert done.code == 0


@pytest.mark.parametrize(
    "text",
    [
        "case = 3",
        "case = [1]",
        '[[case]]\nname = "odd"\nexpect = "allow"\naction = 3',
        '[[case]]\nname = "odd"\nexpect = "allow"\naction = { verb = "fly" }',
    ],
)
def test_a_case_that_is_no_case_is_named_and_fails(
    text: str, project: Path, heso: Callable
) -> None:
    (project / "heso_policy_tests.toml").write_text(text, "utf-8")
    done = heso("policy", "test")
    assert done.code == 1
    assert "odd" in done.out + done.err or "odd" not in text


@pytest.mark.parametrize(
    "command",
    [
        ("policy", "explain", '{"verb":"fly"}'),
        ("policy", "explain", '{"verb":'),
        ("doctor", "--project", "."),
    ],
    ids=lambda command: command[-1],
)
def test_every_error_says_what_to_do_next(
    command: tuple[str, ...], project: Path, heso: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HESO_TIMEOUT", "soon")  # only `doctor` reads it
    done = heso(*command)
    assert done.code == (1 if command[0] == "doctor" else 2)
    following = (done.err + done.out).rstrip("\n").rpartition("\n")[2]
    assert following.startswith(("heso: hint: ", "      "))


def test_wrong_usage_shows_what_was_typed_as_text(project: Path, heso: Callable) -> None:
    done = heso("log", "--od\x1b[2Jd\nheso: hint: do something else\u202e")
    assert done.code == 64
    assert "\x1b" not in done.err
    assert len(done.err.splitlines()) == 2


def test_a_receipt_may_come_through_a_named_pipe(
    project: Path, program: Path, heso: Callable
) -> None:
    """As in `heso verify <(curl ...)`."""
    (project / "r.json").write_text(heso("log", "--json", "-n", "1").out, "utf-8")
    done = subprocess.run(
        ["bash", "-c", f"'{program}' verify <(cat r.json)"], capture_output=True, check=False
    )
    assert done.returncode == 0


def test_a_terminal_without_unicode_is_served(project: Path, program: Path) -> None:
    with (project / "heso.toml").open("a", encoding="utf-8") as file:
        file.write('\n[[rule]]\nid = "föhn"\norder = 99\nverb = "delete"\ndecision = "block"\n')
    done = subprocess.run(
        [str(program), "policy", "check"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)


def test_json_for_a_stream_that_knows_only_ascii_is_the_same_json(
    project: Path, program: Path
) -> None:
    told = {}
    for encoding in ("utf-8", "ascii"):
        done = subprocess.run(
            [str(program), "log", "--json", "--project", str(project)],
            env={**os.environ, "PYTHONIOENCODING": encoding},
            capture_output=True,
            check=True,
        )
        told[encoding] = done.stdout
    assert not told["utf-8"].isascii()
    assert told["ascii"].isascii()
    texts = [[orjson.loads(line) for line in out.splitlines()] for out in told.values()]
    assert texts[0] == texts[1]


def test_a_folder_whose_name_is_not_utf8_is_served(here: Path, program: Path) -> None:
    folder = os.fsencode(here) + b"/caf\xe9"
    done = subprocess.run([str(program), "init", folder], capture_output=True, check=False)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)


@pytest.mark.parametrize(
    "command", [("log", "--json"), ("show", "--json"), ("export",)], ids=" ".join
)
def test_json_on_a_terminal_cannot_steer_it(
    command: tuple[str, ...], project: Path, heso: Callable, on_terminal: Callable
) -> None:
    """JSON escapes what lies below U+0020, not 8-bit control characters and text that runs backwards."""
    hostile = heso("log", "--account", "guest").out.rstrip("\n").rpartition("\t")[2]
    shown = on_terminal(*command, *([hostile] if command[0] == "show" else []))
    assert "u001b[2J" in shown
    assert not [raw for raw in ("\u009b", "\u202e", "\u200b", "\u2028", "\x7f") if raw in shown]


def test_following_misses_nothing_that_comes_while_it_starts(
    project: Path, heso: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receipt committed between the first page and the first look behind it belongs to the second."""

    class Stop(Exception):
        """Ends the command."""

    def stop(seconds: float) -> None:
        raise Stop

    def newest_and_one_more(records: SqliteRecords, *arguments: object) -> object:
        page = first_page(records, *arguments)
        with library.init(project):
            library.gate_sync(library.Call("late", {}))
        return page

    first_page = SqliteRecords.newest
    printed: list[int] = []
    monkeypatch.setattr(SqliteRecords, "newest", newest_and_one_more)
    monkeypatch.setattr(log, "_print", lambda found, **_: printed.extend(r.position for r in found))
    monkeypatch.setattr(log.time, "sleep", stop)
    with pytest.raises(Stop):
        heso("log", "--follow")
    assert printed == list(range(10))


def test_a_bad_line_is_named_by_its_number_in_the_file(here: Path, heso: Callable) -> None:
    (here / "r.jsonl").write_text("\n\nno receipt\n", "utf-8")
    assert heso("verify", "--chain", "r.jsonl").out.startswith("receipt on line 3: Malformed")


def test_a_card_is_aligned_on_a_terminal_too(
    project: Path, heso: Callable, on_terminal: Callable
) -> None:
    shown = on_terminal("show", heso("log", "-n", "1").out.rstrip("\n").rpartition("\t")[2])
    lines = re.sub(r"\x1b\[[0-9]*m", "", shown).splitlines()
    assert {len(re.match(r"[a-z]+(?: by)? +", line)[0]) for line in lines} == {13}


def test_a_line_of_any_length_is_refused_by_its_beginning(project: Path, heso: Callable) -> None:
    (project / "long.jsonl").write_bytes(b"[" + b"{}," * 4_000_000 + b"{}]\n")
    done = heso("verify", "--chain", "long.jsonl")
    assert done.code == 2
    assert "bytes; at most" in done.out


def test_a_receipt_that_claims_another_operator_says_who_signed_it(
    project: Path, heso: Callable
) -> None:
    stranger = SigningKey.from_seed(b"\x42" * 32)
    newest = orjson.loads(heso("log", "--json", "-n", "1", "--decision", "allow").out)
    content = {**newest["content"], "session_id": "forged", "seq": 0}
    content.pop("action_hash")
    content.pop("prev_receipt_hash", None)
    receipt = seal_receipt(content, stranger)
    (project / "forged.json").write_bytes(receipt.body)
    shown = heso("verify", "forged.json")
    assert f"signed by {stranger.public_key}" in shown.out
    assert content["agent_identity"] not in shown.out
