"""`heso evidence`: what is in it, that it is the same twice, and that it verifies without this program."""

import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest

import heso
from heso.cli import main
from heso.core.hashing import digest
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
    keys = json.loads((tmp_path / "out" / "trust.json").read_bytes())["keys"]
    assert keys[APPROVER.public_key] == "approver ada"
    assert sum(name.startswith("operator heso:") for name in keys.values()) == 1
    assert sum(name.startswith("decision key heso:") for name in keys.values()) == 1


def test_a_workflow_or_a_time_chooses_whole_sessions(run: Run, tmp_path: Path) -> None:
    assert run("--workflow", "hotel", "-o", "hotel")[0] == 0
    assert {one["session_id"] for one in contents(tmp_path / "hotel")} == {"booking", "heso.policy"}
    assert run("--since", "2000-01-01", "-o", "since")[0] == 0
    assert run("-o", "all")[0] == 0
    assert contents(tmp_path / "since") == contents(tmp_path / "all")


def test_nothing_wanted_is_said_and_nothing_is_written(run: Run, tmp_path: Path) -> None:
    for arguments in (("--since", "2999-01-01"), ("--session", "none"), ("--workflow", "none")):
        code, _, said = run(*arguments, "-o", "out")
        assert (code, said.splitlines()[0]) == (1, "heso: error: no receipt is like that")
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
