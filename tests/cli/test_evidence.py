"""`heso evidence`: what is in it, that it is the same twice, and that it verifies without this program."""

import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest

import heso
from heso.cli import main
from heso.cli.ledger import open_records
from heso.core.hashing import digest
from heso.evidence.collect import Item
from heso.evidence.report import questions
from tests.kill.stage import APPROVER, approve, make_project

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A project with two sessions: in one an approved payment, in the other a hostile booking."""
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)

    @heso.tool(verb="payment", name="pay")
    def pay(order: str) -> str:
        return f"paid {order}"

    @heso.tool(name="book")
    def book(order: str) -> str:
        return f"booked {order}"

    runtime = heso.init(tmp_path)
    try:
        with heso.step(session="paying", workflow="shop"):
            with pytest.raises(heso.SuspendedError) as held:
                pay("one")
            approve(runtime, held.value.action_hash)
            anyio.run(heso.resume, held.value.action_hash)
        with heso.step(session="booking", workflow="hotel"):
            book("</script><img src=x>\u202e")
    finally:
        runtime.close()

    def evidence(*arguments: str) -> tuple[int, str, str]:
        code = main(["evidence", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return evidence


def contents(folder: Path) -> list[Any]:
    lines = (folder / "receipts.jsonl").read_bytes().splitlines()
    return [orjson.loads(line)["content"] for line in lines]


def test_a_session_goes_with_its_question_its_answer_and_its_policy(
    run: Run, tmp_path: Path
) -> None:
    code, _, said = run("--session", "paying", "-o", "out")
    assert (code, said) == (0, f"heso: {len(contents(tmp_path / 'out'))} receipts in out\n")
    found = contents(tmp_path / "out")
    sessions = {one.get("session_id", "").split(":")[0] for one in found}
    assert {"paying", "lifecycle", "heso.policy"} <= sessions
    assert "booking" not in sessions
    assert [one["kind"] for one in found if "kind" in one] == ["suspended", "approved", "completed"]
    assert [
        one for one in found if one["trust_level"] == "L1" and "kind" not in one
    ]  # the approver's own receipt
    (policy,) = (tmp_path / "out" / "policies").iterdir()
    assert policy.stem == digest(policy.read_bytes())
    keys = json.loads((tmp_path / "out" / "trust.json").read_bytes())["claimed"]
    assert keys[APPROVER.public_key] == "approver ada"
    assert sum(name.startswith("operator heso:") for name in keys.values()) == 1
    assert sum(name.startswith("decision key heso:") for name in keys.values()) == 1


def test_a_workflow_or_a_time_chooses_whole_sessions(run: Run, tmp_path: Path) -> None:
    assert run("--workflow", "hotel", "-o", "hotel")[0] == 0
    assert {one["session_id"] for one in contents(tmp_path / "hotel")} == {"booking", "heso.policy"}
    assert run("--since", "2000-01-01", "-o", "since")[0] == 0
    assert run("-o", "all")[0] == 0
    assert contents(tmp_path / "since") == contents(tmp_path / "all")


def test_a_decision_counts_from_when_it_was_made_and_its_question_comes_with_it(
    run: Run, tmp_path: Path
) -> None:
    """A link carries its question's own time, so that is no way to tell when somebody decided."""
    rows = [json.loads(line) for line in _audit(tmp_path)]
    decided = next(row for row in rows if row["gate_decision"] == "approved")
    assert run("--since", decided["recorded_at"], "-o", "since")[0] == 0
    found = contents(tmp_path / "since")
    assert {"paying", "heso.policy"} <= {one["session_id"] for one in found if "session_id" in one}
    lifecycle = next(one["session_id"] for one in found if one.get("kind") == "approved")
    assert run("--session", lifecycle, "-o", "life")[0] == 0
    assert run("--session", "paying", "-o", "paying")[0] == 0
    assert contents(tmp_path / "life") == contents(tmp_path / "paying")
    assert run("--session", "heso.policy", "-o", "policies")[0] == 0


def _audit(root: Path) -> list[bytes]:
    with open_records(str(root)) as records:
        return [record.audit_entry for record in records.read()]


def test_only_keys_that_signed_have_names_and_a_broken_policy_takes_them_away(
    run: Run, tmp_path: Path
) -> None:
    assert run("--workflow", "hotel", "-o", "hotel")[0] == 0
    claimed = json.loads((tmp_path / "hotel" / "trust.json").read_bytes())["claimed"]
    assert APPROVER.public_key not in claimed
    (tmp_path / "heso.toml").write_text("not a policy")
    code, _, said = run("-o", "all")
    assert code == 0
    assert "approvers have no names in it" in said
    claimed = json.loads((tmp_path / "all" / "trust.json").read_bytes())["claimed"]
    assert claimed[APPROVER.public_key].startswith("approver heso:")


def test_the_time_to_a_decision_is_the_ledgers() -> None:
    asked = Item(
        b"",
        {
            "kind": "suspended",
            "session_id": "l",
            "captured_at": "x",
            "action": {"tool_name": "pay"},
        },
        "2026-01-01T00:00:00Z",
    )
    told = Item(
        b"", {"kind": "approved", "session_id": "l", "captured_at": "x"}, "2026-01-01T02:30:00Z"
    )
    (one,) = questions([asked, told])
    assert one.after == timedelta(hours=2, minutes=30)
    (waits,) = questions([asked])
    assert (waits.answer, waits.after) == (None, None)


def test_nothing_wanted_is_said_and_nothing_is_written(run: Run, tmp_path: Path) -> None:
    for arguments in (("--since", "2999-01-01"), ("--session", "none"), ("--workflow", "none")):
        code, _, said = run(*arguments, "-o", "out")
        assert (code, said.splitlines()[0]) == (1, "heso: error: no receipt is like that")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "time", ["yesterday", "1/2/2026", "2026", "2026-13-01", "2026-1-1", "2026-01-01T08:00:00", ""]
)
def test_a_time_that_is_none_chooses_nothing(run: Run, tmp_path: Path, time: str) -> None:
    code, _, said = run("--since", time, "-o", "out")
    assert code == 64
    assert said.startswith("heso: error: ")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_there_is_left_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert run("-o", "mine")[0] == 1
    assert list((tmp_path / "mine").iterdir()) == []
    assert run("-o", "missing/folder/e.tar")[0] == 1


def test_the_tar_is_the_same_twice_and_names_nobody(run: Run, tmp_path: Path) -> None:
    assert run("-o", "one.tar")[0] == run("-o", "two.tar")[0] == 0
    data = (tmp_path / "one.tar").read_bytes()
    assert data == (tmp_path / "two.tar").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        entries = tar.getmembers()
    assert {(e.mtime, e.uid, e.gid, e.uname, e.gname) for e in entries} == {(0, 0, 0, "", "")}
    assert [e.name for e in entries] == sorted(e.name for e in entries)


def test_a_bundle_verifies_itself_with_node_alone_and_a_changed_one_does_not(
    run: Run, tmp_path: Path
) -> None:
    if shutil.which("node") is None:
        pytest.skip("NO NODE: VERIFY.sh is not tested with it; install nodejs")
    run("-o", "out")
    script = ["sh", str(tmp_path / "out" / "VERIFY.sh")]
    good = subprocess.run(script, capture_output=True, check=False)
    assert (good.returncode, good.stderr) == (0, b"")
    assert b'session "paying": Valid' in good.stdout
    receipts = tmp_path / "out" / "receipts.jsonl"
    receipts.write_bytes(receipts.read_bytes().replace(b'"one"', b'"two"', 1))
    assert subprocess.run(script, capture_output=True, check=False).returncode == 1
    (tmp_path / "else" / "out").mkdir(parents=True)
    there = subprocess.run(
        ["sh", "out/VERIFY.sh"],
        cwd=tmp_path,
        env={**os.environ, "CDPATH": str(tmp_path / "else")},
        capture_output=True,
        check=False,
    )
    assert (
        b'session "paying": ContentTamper' in there.stdout
    )  # this bundle, not the folder of that name elsewhere


def test_the_page_holds_the_receipts_and_no_text_of_theirs_as_markup(
    run: Run, tmp_path: Path
) -> None:
    run("-o", "e.html")
    page = (tmp_path / "e.html").read_text()
    assert "<img" not in page
    assert page.count("<script") == page.count("</script") == 2
    assert "\u202e" not in page
    assert "Questions and answers" in page
    assert "ada" in page
    assert page.count("<svg") == 3
