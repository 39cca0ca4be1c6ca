"""Rotating keys: signed in by the key that goes, nothing minted under it afterwards, mended by doing it again."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import anyio
import orjson
import pytest

import heso
from heso.core.encoding import Digest
from heso.core.lifecycle import KEYS_SESSION
from heso.core.session import Roots, verify_session_chain
from heso.core.ticket import TicketState
from heso.ports import Filter, KeyRetired
from heso.runtime import Runtime
from heso.stores.key_folder import load_decision_key, load_key
from heso.stores.sqlite.records import SqliteRecords
from heso.testing import check_ledger
from heso.workflows.rotating import Rotation, ask_all_again, hand_over
from tests.kill.stage import approve, make_project


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    make_project(tmp_path / "p")
    yield tmp_path / "p"
    runtime = heso.init(tmp_path / "p")
    runtime.close()


@pytest.fixture
def pay() -> object:
    @heso.tool(verb="payment", name="rotation.pay")
    def pay(order: str) -> str:
        return f"paid {order}"

    return pay


def _ask(pay, order: str) -> Digest:
    with pytest.raises(heso.SuspendedError) as held:
        pay(order)
    return held.value.action_hash


def _rotation(root: Path, role: str = "producer") -> Rotation:
    load, name = (
        (load_key, "operator.key") if role == "producer" else (load_decision_key, "decision.key")
    )
    key = load(root / ".heso", None, allow_development=True)
    return Rotation(role, root / ".heso" / name, b"p", key)


def _hand_over(runtime: Runtime, rotation: Rotation) -> str:
    return anyio.run(partial(hand_over, runtime.desk, rotation))


def _links(root: Path, session: str) -> list[bytes]:
    records = SqliteRecords(root / ".heso" / "heso.db")
    try:
        check_ledger(records)
        return [record.receipt for record in records.read(Filter(session_id=session))]
    finally:
        records.close()


def test_the_next_key_signs_from_then_on_and_the_old_one_signed_it_in(root: Path, pay) -> None:
    with heso.init(root) as runtime:
        old = runtime.gate.signer.public_key
        new = _hand_over(runtime, _rotation(root))
    with heso.init(root) as runtime:
        assert (runtime.gate.signer.public_key, old != new) == (new, True)
        _ask(pay, "o")
    chain = _links(root, KEYS_SESSION)
    assert verify_session_chain(chain, roots=Roots(producer=old)).is_valid
    assert not verify_session_chain(chain, roots=Roots(producer=new)).is_valid
    said = orjson.loads(chain[0])["content"]["key_rotation"]
    assert (said["outgoing_public_key"], said["incoming_public_key"]) == (old, new)


def test_a_process_that_still_has_the_old_key_fails_closed(root: Path, pay) -> None:
    with heso.init(root) as runtime:
        _hand_over(runtime, _rotation(root))
        with pytest.raises(heso.GateError, match="has handed over") as refused:
            pay("o")
    assert isinstance(refused.value.__cause__, KeyRetired | heso.HesoError)
    assert "restart this process" in refused.value.next_step


def test_what_waits_is_asked_again_under_the_new_key_and_never_minted_under_the_old(
    root: Path, pay
) -> None:
    with heso.init(root) as runtime:
        asked = _ask(pay, "o")
        _hand_over(runtime, _rotation(root))
    with heso.init(root) as runtime:
        assert anyio.run(ask_all_again, runtime.desk) == 1
        assert anyio.run(ask_all_again, runtime.desk) == 0
        now = heso.standing(asked)
        assert (now.action_hash != asked, now.state) == (True, TicketState.SUSPENDED)
        approve(runtime, now.action_hash)
        assert pay("o") == "paid o"
        signer = runtime.gate.signer.public_key
    chain = _links(root, f"lifecycle:{now.action_hash}")
    decision = load_decision_key(root / ".heso", None, allow_development=True)
    roots = Roots(producer=signer, decision=decision.public_key)
    assert verify_session_chain(chain, roots=roots).is_valid
    assert verify_session_chain(_links(root, f"lifecycle:{asked}")).is_valid


def test_what_was_approved_before_runs_after_and_its_chain_says_whose_key_is_whose(
    root: Path, pay
) -> None:
    with heso.init(root) as runtime:
        old = runtime.gate.signer.public_key
        asked = _ask(pay, "o")
        approve(runtime, asked)
        _hand_over(runtime, _rotation(root))
    with heso.init(root):
        assert pay("o") == "paid o"
    decision = load_decision_key(root / ".heso", None, allow_development=True)
    roots = Roots(producer=old, decision=decision.public_key)
    verdict = verify_session_chain(_links(root, f"lifecycle:{asked}"), roots=roots)
    assert (verdict.kind, verdict.length) == ("Valid", 4)


def test_the_decision_key_hands_over_as_well(root: Path, pay) -> None:
    with heso.init(root) as runtime:
        operator, old = runtime.gate.signer.public_key, runtime.desk.decider.public_key
        new = _hand_over(runtime, _rotation(root, "decision"))
    with heso.init(root) as runtime:
        asked = _ask(pay, "o")
        approve(runtime, asked)
        assert runtime.desk.decider.public_key == new
    roots = Roots(producer=operator, decision=old)
    assert verify_session_chain(_links(root, KEYS_SESSION), roots=roots).is_valid


def test_a_crash_before_the_files_changed_places_is_mended_by_rotating_again(
    root: Path, pay, monkeypatch: pytest.MonkeyPatch
) -> None:
    with heso.init(root) as runtime:
        rotation = _rotation(root)
        monkeypatch.setattr("heso.workflows.rotating.os.link", _crash)
        with pytest.raises(KeyboardInterrupt):
            _hand_over(runtime, rotation)
        monkeypatch.undo()
        coming = _hand_over(runtime, rotation)
    with heso.init(root) as runtime:
        assert runtime.gate.signer.public_key == coming
        _ask(pay, "o")
    assert len(_links(root, KEYS_SESSION)) == 1


def test_an_approval_for_another_operators_key_is_refused(root: Path, pay) -> None:
    with heso.init(root) as runtime:
        asked = _ask(pay, "o")
        _hand_over(runtime, _rotation(root))
    with heso.init(root) as runtime:
        with pytest.raises(heso.HesoError, match="OperatorKeyMismatch"):
            approve(runtime, asked)
        assert runtime.desk.read(asked).state is TicketState.SUSPENDED


def _crash(*_: object) -> None:
    raise KeyboardInterrupt
