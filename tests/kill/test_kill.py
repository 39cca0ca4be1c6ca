"""The kill suite in short, and proof that its judge is not asleep."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.kill.images import Op, images, parse_trace
from tests.kill.stage import Violation, judge, live, make_project

ROOT = Path(__file__).parents[2]
KEYS = ("action_hash", "state")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="NO GCC: the kill suite compiles a shim")
def test_no_kill_and_no_disk_makes_an_effect_happen_twice_or_an_outcome_vanish() -> None:
    command = [sys.executable, "-m", "tests.kill.suite", "--kills", "100", "--disks", "15"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    done = subprocess.run(
        [*command, "--seed", "7"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    assert "doubles 0, lost 0" in last
    assert int(last.split()[2].rstrip(",")) >= 100


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("stage") / "p"
    make_project(root)
    live(root, "a")
    return root


def test_a_life_without_a_crash_holds_every_promise(lived: Path) -> None:
    assert judge(lived) == {"done": 4}


def _again(root: Path) -> None:
    effects = (root / "effects").read_text()
    (root / "effects").write_text(effects + effects.splitlines()[0] + "\n")


def _forgotten(root: Path) -> None:
    lines = (root / "effects").read_text().splitlines(keepends=True)
    (root / "effects").write_text("".join(lines[1:]))


def _unasked(root: Path) -> None:
    with (root / "effects").open("a") as file:
        file.write("0" * 64 + "\n")


def _lost(root: Path) -> None:
    with (root / "acknowledged").open("a") as file:
        file.write("0" * 64 + "\n")


def _reset(root: Path) -> None:
    with closing(sqlite3.connect(root / ".heso" / "heso.db")) as connection:
        connection.execute("UPDATE ticket SET state = 'approved' WHERE number = 1")
        connection.commit()


@pytest.mark.parametrize("harm", [_again, _forgotten, _unasked, _lost, _reset])
def test_the_judge_sees_every_broken_promise(
    lived: Path, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    root = tmp_path / "p"
    shutil.copytree(lived, root)
    harm(root)
    with pytest.raises(Violation):
        judge(root)


def test_an_image_has_what_was_synced_and_maybe_the_rest() -> None:
    import random

    ops = [
        Op("w", "/d/heso.db", 0, b"a" * 1024),
        Op("s", "/d/heso.db", 0, b""),
        Op("w", "/d/heso.db", 0, b"b" * 1024),
    ]
    seen = [image["/d/heso.db"] for _ in range(40) for image in images(ops, random.Random(_), 3)]
    assert b"a" * 1024 in seen
    assert b"b" * 1024 in seen
    assert {len(image) for image in seen} <= {0, 1024, 512}
    assert parse_trace(b"") == []
