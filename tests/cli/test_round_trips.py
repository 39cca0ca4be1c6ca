"""What a command writes, another one, or another program, reads as it was: notes, proofs, envelopes, sessions."""

import json
import os
import sqlite3
import subprocess
from base64 import b64decode
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from heso.cli.ledger import open_records
from heso.core.checkpoint import Checkpoint, open_checkpoint
from heso.core.dsse import open_envelope
from heso.core.encoding import PublicKey
from heso.core.merkle import Frontier, check_consistency, grow, hash_leaf, leaf_of
from heso.core.note import parse_note_key
from heso.core.verify import verify_receipt


def _receipts(project: Path) -> list[bytes]:
    with open_records(str(project)) as records:
        return [record.receipt for record in records.read()]


def _log_key(told: str) -> str:
    return told.partition("the log's key: ")[2].strip()


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp1252", "utf-16"])
def test_a_checkpoint_is_the_notes_bytes_in_every_encoding(
    project: Path, program: Path, encoding: str
) -> None:
    done = subprocess.run(
        [str(program), "checkpoint"],
        cwd=project,
        env={**os.environ, "PYTHONIOENCODING": f"{encoding}:strict"},
        capture_output=True,
        check=True,
    )
    key = parse_note_key(_log_key(done.stderr.decode(encoding)))
    opened = open_checkpoint(done.stdout, origin=key.name, key=key.public_key)
    assert opened.checkpoint.size == 9


def test_nothing_is_signed_over_a_row_that_is_filed_under_another_hash(
    project: Path, heso: Callable
) -> None:
    with closing(sqlite3.connect(project / ".heso" / "heso.db")) as connection, connection:
        connection.execute("DROP TRIGGER ledger_stays")
        connection.execute("UPDATE ledger SET action_hash = zeroblob(32) WHERE position = 3")
    for command in (("checkpoint",), ("log-proof", _hash_of(_receipts(project)[1]))):
        refused = heso(*command)
        assert (refused.code, refused.out) == (1, "")
        assert "row 3 is not filed under its own hash" in refused.err


@pytest.mark.parametrize("receipt", ["{", "[]", '{"content":{}}', '{"content":[]}', "1"])
def test_a_row_that_is_no_receipt_is_told_in_two_lines(
    project: Path, heso: Callable, receipt: str
) -> None:
    with closing(sqlite3.connect(project / ".heso" / "heso.db")) as connection, connection:
        connection.execute("DROP TRIGGER ledger_stays")
        connection.execute("UPDATE ledger SET receipt = ? WHERE position = 2", (receipt.encode(),))
    refused = heso("checkpoint")
    assert (refused.code, refused.out) == (1, "")
    assert [line.split(":")[1] for line in refused.err.splitlines()[-2:]] == [" error", " hint"]


def _hash_of(receipt: bytes) -> str:
    return str(orjson.loads(receipt)["content"]["action_hash"])


def test_a_receipt_with_its_proof_verifies_against_the_printed_key(
    project: Path, heso: Callable
) -> None:
    key = _log_key(heso("checkpoint").err)
    for receipt in _receipts(project):
        action_hash = orjson.loads(receipt)["content"]["action_hash"]
        logged = heso("log-proof", action_hash, "--receipt").out.encode()
        assert heso("verify", "-", "--log", key, stdin=logged).code == 0
        assert heso("verify", "-", "--log", key, stdin=receipt).code == 1
        assert verify_receipt(logged) == verify_receipt(receipt)
        assert {**json.loads(logged), "transparency": None} == {
            **json.loads(receipt),
            "transparency": None,
        }


def test_a_proof_of_growth_leads_from_any_old_checkpoint_to_todays(
    project: Path, heso: Callable
) -> None:
    key = parse_note_key(_log_key(heso("checkpoint").err))
    roots = {}
    for size in range(1, 10):
        told = json.loads(heso("log-proof", "--old-size", str(size)).out)
        assert (told["old_size"], told["new_size"]) == (size, 9)
        today = open_checkpoint(
            told["checkpoint"].encode(), origin=key.name, key=key.public_key
        ).checkpoint
        roots[size] = (told["consistency_proof"], today)
    leaves = [
        hash_leaf(leaf_of(orjson.loads(receipt)["content"]["action_hash"]))
        for receipt in _receipts(project)
    ]
    for size, (proof, today) in roots.items():
        _check_growth(leaves, size, proof, today)


def _check_growth(leaves: list[bytes], size: int, proof: list[str], today: Checkpoint) -> None:
    check_consistency(
        old_size=size,
        old_root=grow(Frontier(), leaves[:size]).root(),
        new_size=today.size,
        new_root=today.root,
        proof=[b64decode(node) for node in proof],
    )


def test_an_envelope_opens_to_the_receipt_that_went_in(project: Path, heso: Callable) -> None:
    receipts = _receipts(project)
    operator = PublicKey(orjson.loads(receipts[0])["signatures"][0]["public_key"])
    heso("export", "--dsse", "-o", "envelopes")
    envelopes = Path("envelopes").read_bytes().splitlines()
    assert len(envelopes) == len(receipts)
    for envelope, receipt in zip(envelopes, receipts, strict=True):
        opened = open_envelope(envelope, trusted=[operator])
        assert opened.statement.predicate["receipt"] == orjson.loads(receipt)
        inner = orjson.dumps(opened.statement.predicate["receipt"])
        assert verify_receipt(inner) == verify_receipt(receipt)
        assert opened.statement.action_hash == verify_receipt(receipt).action_hash


def test_an_export_verifies_receipt_by_receipt_and_as_it_was(project: Path, heso: Callable) -> None:
    heso("export", "-o", "all")
    exported = Path("all").read_bytes().splitlines()
    assert exported == _receipts(project)
    assert heso("verify", "--each", "all").code == 0
    assert heso("verify", "--chain", "all").code == 0


def test_a_session_of_any_length_is_judged_to_its_end(
    project: Path, heso: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bound on what is read at once must not make a chain's beginning pass for the chain."""
    heso("export", "--session", "shop", "-o", "shop")
    lines = Path("shop").read_bytes().splitlines(keepends=True)[:4]  # no action twice
    Path("shop").write_bytes(b"".join(lines))
    changed = lines[-1].replace(b'"captured_at":"2', b'"captured_at":"3')
    assert changed != lines[-1]
    monkeypatch.setattr("heso.cli.inputs._MAX_ARRAY", sum(map(len, lines[:-1])) - 1)
    assert heso("verify", "--session", "shop").out == "session: Valid (4 in order)\n"
    Path("shop").write_bytes(b"".join((*lines[:-1], changed)))
    done = heso("verify", "--session", "shop")
    assert (done.code, done.out) == (1, "session: ContentTamper (HashMismatch)\n")
    done = heso("verify", "--session", "-", stdin=Path("shop").read_bytes())
    assert done.code == 1
    Path("shop").write_bytes(b"[" + b",".join(lines) + b"]")
    done = heso("verify", "--session", "shop")
    assert done.code == 2
    assert "write it as JSON lines" in done.out


def test_a_line_longer_than_any_receipt_is_one_malformed_receipt(
    here: Path, heso: Callable
) -> None:
    (here / "long").write_bytes(b'{"a":"' + b"x" * (5 * 1024 * 1024) + b'"}\n{}\n')
    done = heso("verify", "--session", "long")
    assert (done.code, done.out.count("\n")) == (2, 1)
    assert "at most 2097152 are read" in done.out


def test_hostile_text_in_a_session_reaches_no_terminal_raw(
    project: Path, heso: Callable, on_terminal: Callable[..., str]
) -> None:
    key = _log_key(heso("checkpoint").err)
    for command in (
        ("checkpoint", "--origin", "o\u202e\u200b"),
        ("log-proof", "--old-size", "3", "--origin", "o\u202e"),
        ("export", "--dsse"),
        ("verify", "--chain", "--log", key),
    ):
        shown = on_terminal(*command)
        assert "\u202e" not in shown
        assert "\x1b[2J" not in shown
