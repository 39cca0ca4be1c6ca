"""One set of vectors, read by every implementation we have."""

import subprocess
import sys
from pathlib import Path

import pytest

from heso.testing.vectors import answer, ask, differs, read_vectors
from heso.verifier import build

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "vectors"
VECTORS = dict(read_vectors(FOLDER))
OF_RECEIPTS = {name: one for name, one in VECTORS.items() if one["kind"] != "policy"}
OF_POLICIES = {name: one for name, one in VECTORS.items() if one["kind"] == "policy"}
CONFORM = str(ROOT / "heso/verifier/conform.mjs")


def test_there_are_hundreds_of_receipts_and_chains_of_every_verdict() -> None:
    kinds = {
        (vector["kind"], vector["expect"]["kind"])
        for vector in OF_RECEIPTS.values()
        if "kind" in vector["expect"]
    }
    assert len(OF_RECEIPTS) >= 400
    assert len({kind for what, kind in kinds if what == "receipt"}) == 16
    assert len({kind for what, kind in kinds if what != "receipt"}) == 10


def test_there_are_hundreds_of_policies_with_every_decision() -> None:
    assert len({vector["policy"] for vector in OF_POLICIES.values()}) >= 200
    decisions = {vector["expect"]["decision_path"] for vector in OF_POLICIES.values()}
    assert decisions == {"allow", "block", "redact", "require_approval"}


def test_the_vectors_are_what_the_tests_say() -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "tests.vectors.generate", "--check"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr.decode()[-2000:]


def test_this_verifier_answers_every_vector() -> None:
    wrong = {name: differs(vector["expect"], answer(vector)) for name, vector in VECTORS.items()}
    assert {name: keys for name, keys in wrong.items() if keys} == {}


@pytest.mark.parametrize("options", [[], ["--arithmetic"]], ids=["WebCrypto", "BigInt"])
def test_the_javascript_verifier_answers_every_vector(node: str, options: list[str]) -> None:
    answers = ask([node, CONFORM, *options], OF_RECEIPTS)
    wrong = {name: differs(expect, found) for name, expect, found in answers}
    assert {name: keys for name, keys in wrong.items() if keys} == {}


def test_anybodys_command_can_be_asked(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "heso.testing.vectors"]
    asked = subprocess.run(
        [*command, "run", str(FOLDER / "session"), "--", *command, "answer"],
        capture_output=True,
        check=False,
    )
    assert asked.stdout.decode().endswith("vectors, 0 differences\n")
    assert asked.returncode == 0
    liar = tmp_path / "liar.py"
    liar.write_text('import sys\nfor line in sys.stdin: print(\'{"kind": "Valid"}\')\n')
    told = subprocess.run(
        [*command, "run", str(FOLDER / "session"), "--", sys.executable, str(liar)],
        capture_output=True,
        check=False,
    )
    assert told.returncode == 1
    assert "kind is 'Valid', not 'Empty'" in told.stdout.decode()


def test_what_is_made_of_other_files_is_made_anew() -> None:
    assert build.main(["--check"]) == 0
