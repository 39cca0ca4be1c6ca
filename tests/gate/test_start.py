"""Making a project and starting it: again is the same as once, and a key that cannot be trusted starts nothing."""

import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import heso
from heso.async_gate.door import install_gate, installed_gate
from heso.core.errors import Malformed, WrongPassphrase
from heso.ports import NotWritten
from heso.project import create_project
from heso.stores.key_folder import (
    DECISION_KEY_FILE,
    DEVELOPMENT_PASSPHRASE_FILE,
    KEY_FILE,
    KeyUnusable,
    load_key,
)
from heso.stores.sqlite.records import SqliteRecords
from heso.testing import check_ledger


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh project, in an environment without settings."""
    for name in ("ENV", "KEY_PASSPHRASE", "KEY_PASSPHRASE_FILE", "REQUIRE_PASSPHRASE", "BLOCKING"):
        monkeypatch.delenv(f"HESO_{name}", raising=False)
    create_project(tmp_path / "p", None)
    yield tmp_path / "p"
    gate = installed_gate()
    install_gate(None)
    if gate is not None:
        gate.ledger.close()


def _files(root: Path) -> dict[str, bytes]:
    return {str(f.relative_to(root)): f.read_bytes() for f in root.rglob("*") if f.is_file()}


def _check(root: Path) -> int:
    records = SqliteRecords(root / ".heso" / "heso.db")
    try:
        return check_ledger(records).receipts
    finally:
        records.close()


def test_making_a_project_twice_changes_nothing(root: Path) -> None:
    before = _files(root)
    made = create_project(root, b"another passphrase")
    assert (made.created, made.key) == ((), None)
    assert _files(root) == before
    assert set(before) == {
        ".gitignore",
        ".heso/DEVELOPMENT-ONLY.passphrase",
        ".heso/decision.key",
        ".heso/operator.key",
        "heso.toml",
        "heso_bootstrap.py",
    }


def test_making_a_project_keeps_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "heso.toml").write_text("# mine")
    (tmp_path / ".gitignore").write_text("node_modules")
    made = create_project(tmp_path, b"p")
    assert (tmp_path / "heso.toml").read_text() == "# mine"
    assert (tmp_path / ".gitignore").read_text() == "node_modules\n.heso/\n"
    assert made.created == (
        ".heso/",
        ".heso/operator.key",
        ".heso/decision.key",
        "heso_bootstrap.py",
        ".gitignore",
    )
    assert not made.has_development_passphrase


@pytest.mark.parametrize("left", [[DEVELOPMENT_PASSPHRASE_FILE], []])
def test_making_a_project_goes_on_where_a_crash_left_it(tmp_path: Path, left: list[str]) -> None:
    """The passphrase is written before the key, and sealing the key takes a while."""
    create_project(tmp_path, None)
    for file in (tmp_path / ".heso").iterdir():
        if file.name not in left:
            file.unlink()
    create_project(tmp_path, None)
    load_key(tmp_path / ".heso", None, allow_development=True)


def test_the_key_and_its_folder_are_private(root: Path) -> None:
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (root / ".heso", *(root / ".heso").iterdir())
    }
    files = (KEY_FILE, DECISION_KEY_FILE, DEVELOPMENT_PASSPHRASE_FILE)
    assert modes == {".heso": 0o700, **dict.fromkeys(files, 0o600)}


def test_a_started_project_gates_and_stops(root: Path) -> None:
    @heso.tool
    def act() -> str:
        return "done"

    with heso.init(root):
        assert act() == "done"
    with pytest.raises(heso.GateError, match="there is no gate"):
        act()
    assert _check(root) == 2


def test_starting_again_replaces_the_first_start(root: Path) -> None:
    first = heso.init(root)
    second = heso.init(root, workflow="other")
    assert installed_gate() is second.gate
    with pytest.raises(NotWritten):
        first.gate.enter_policy()
    first.close()  # closing what was replaced leaves the other one alone
    assert installed_gate() is second.gate
    heso.gate_sync(heso.Call("t", {}))
    assert _check(root) == 2


def test_a_start_that_fails_leaves_the_door_closed(root: Path) -> None:
    heso.init(root)
    (root / "heso.toml").write_text("[[rule]]\nid = 3")
    with pytest.raises(heso.PolicyError):
        heso.init(root)
    with pytest.raises(heso.GateError, match="there is no gate"):
        heso.gate_sync(heso.Call("t", {}))


def test_a_changed_policy_file_is_an_entry_at_the_next_start(root: Path) -> None:
    heso.init(root)
    (root / "heso.toml").write_text("")
    heso.init(root)
    heso.init(root)
    assert _check(root) == 2


def test_a_fixed_clock_dates_the_receipts(root: Path) -> None:
    heso.init(root, clock_override=datetime(2020, 2, 3, tzinfo=UTC))
    permit = heso.gate_sync(heso.Call("t", {}))
    assert permit.receipt.content["captured_at"] == "2020-02-03T00:00:00Z"
    with pytest.raises(Malformed, match="has no time zone"):
        heso.init(root, clock_override=datetime(2020, 2, 3))  # noqa: DTZ001  # that is the fault


@pytest.mark.parametrize("variable", [("HESO_ENV", "production"), ("HESO_REQUIRE_PASSPHRASE", "1")])
def test_a_development_key_is_refused_where_a_passphrase_is_required(
    root: Path, monkeypatch: pytest.MonkeyPatch, variable: tuple[str, str]
) -> None:
    monkeypatch.setenv(*variable)
    with pytest.raises(KeyUnusable) as refused:
        heso.init(root)
    assert "a passphrase is required here, and none is set" in str(refused.value)
    assert "HESO_KEY_PASSPHRASE" in refused.value.next_step
    assert installed_gate() is None


def test_the_right_passphrase_opens_the_key_and_another_does_not(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "q"
    create_project(other, b"right")
    monkeypatch.setenv("HESO_ENV", "production")
    monkeypatch.setenv("HESO_KEY_PASSPHRASE", "wrong")
    with pytest.raises(WrongPassphrase):
        heso.init(other)
    monkeypatch.delenv("HESO_KEY_PASSPHRASE")
    (tmp_path / "secret").write_text("right\n")
    monkeypatch.setenv("HESO_KEY_PASSPHRASE_FILE", str(tmp_path / "secret"))
    heso.init(other)
    heso.gate_sync(heso.Call("t", {}))
    assert _check(other) == 2


def test_a_key_without_any_passphrase_says_what_is_missing(root: Path) -> None:
    (root / ".heso" / DEVELOPMENT_PASSPHRASE_FILE).unlink()
    with pytest.raises(KeyUnusable, match="it needs a passphrase, and none is set"):
        heso.init(root)


@pytest.mark.parametrize("name", [KEY_FILE, DEVELOPMENT_PASSPHRASE_FILE])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_that_others_can_reach_is_refused(root: Path, name: str, mode: int) -> None:
    path = root / ".heso" / name
    path.chmod(mode)
    with pytest.raises(KeyUnusable) as refused:
        heso.init(root)
    assert f"others can read {path} (mode {mode:04o})" in str(refused.value)
    assert refused.value.next_step == f"chmod 600 {path}"


def test_a_missing_key_is_not_made_by_starting(root: Path) -> None:
    (root / ".heso" / KEY_FILE).unlink()
    with pytest.raises(KeyUnusable, match="is not there") as refused:
        heso.init(root)
    assert refused.value.next_step == "restore it from a backup; a new project: `heso init`"
    assert not (root / ".heso" / KEY_FILE).exists()


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda _: b"", lambda b: b + b"x"])
def test_a_cut_key_file_is_refused(root: Path, change: object) -> None:
    path = root / ".heso" / KEY_FILE
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(Malformed, match="not a heso key container"):
        heso.init(root)
