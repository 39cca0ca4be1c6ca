"""Which policy was in force: every receipt follows the signed entry of the policy that judged it."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import orjson

import heso
from heso.async_gate.stages import Call
from heso.stores.sqlite.records import SqliteRecords

OTHER = """
[[rule]]
id = "other"
order = 1
verb = "tool_call"
decision = "block"
"""


def _history(project) -> list[tuple[str, str | None]]:
    """For each receipt: the rule that decided, and the policy whose entry came last before it."""
    records = SqliteRecords(project.database)
    history, in_force = [], None
    for record in records.read():
        content = orjson.loads(record.receipt)["content"]
        if content["session_id"] == "heso.policy":
            in_force = content["action"]["fields"]["policy_hash"]
        else:
            history.append((content["policy"]["rule_id"], in_force))
    records.close()
    return history


def _entries(project) -> list[dict]:
    records = SqliteRecords(project.database)
    entries = [
        orjson.loads(record.receipt)["content"]["action"]["fields"]
        for record in records.read()
        if record.session_id == "heso.policy"
    ]
    records.close()
    return entries


def test_a_policy_is_entered_once_however_often_a_gate_starts(project) -> None:
    for _ in range(3):
        gate = project.start()
        gate.enter_policy()
        gate.admit_inline(Call("t", {}))
    assert _entries(project) == [{"policy_hash": gate.policy.hash, "replaces": None}]


def test_a_changed_policy_is_a_signed_entry_that_names_the_one_before(project) -> None:
    first, second = project.start(), project.start(OTHER)
    for gate in (first, second, first):
        gate.enter_policy()
    one, two = first.policy.hash, second.policy.hash
    assert _entries(project) == [
        {"policy_hash": one, "replaces": None},
        {"policy_hash": two, "replaces": one},
        {"policy_hash": one, "replaces": two},
    ]
    project.check()


def _take(gate, number: int) -> None:
    with contextlib.suppress(heso.BlockedError):
        gate.admit_inline(Call("t", {"n": number}))


def test_two_gates_with_different_policies_do_not_blur_which_one_judged(project) -> None:
    first, second = project.start(), project.start(OTHER)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: _take(first if n % 2 else second, n), range(120)))
    wanted = {"allowed": first.policy.hash, "other": second.policy.hash}
    history = _history(project)
    assert len(history) == 120
    assert [in_force for _, in_force in history] == [wanted[rule] for rule, _ in history]
    project.check()


_SUSPEND = """
import sys
from pathlib import Path
import heso
from heso.async_gate.context import Step
from heso.async_gate.door import install_gate
from heso.async_gate.pipeline import Gate
from heso.policy.reader import parse_policy
from heso.stores.reveals import RevealFolder
from heso.stores.sqlite.ledger import SqliteLedger
from heso.testing import FakeClock, FakeDice, FakeSigner
folder = Path(sys.argv[1])
install_gate(Gate(policy=parse_policy(b""), signer=FakeSigner(), ledger=SqliteLedger(folder / "heso.db"),
    reveals=RevealFolder(folder / "reveals"), clock=FakeClock(), dice=FakeDice(), project=Step("w", "a", None)))
@heso.tool(verb="payment")
def pay(amount):
    print("ran", flush=True)
try:
    pay(5)
except heso.SuspendedError as error:
    print(error.action_hash, flush=True)
    sys.stdin.read()
"""


def test_a_suspension_survives_a_kill_right_after_it_was_told(
    project, tickets: Callable[[str], object]
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _SUSPEND, str(project.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    action_hash = child.stdout.readline().strip()
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert len(action_hash) == 64
    assert tickets(action_hash) is not None
    evidence = project.check(acknowledged=[action_hash])
    assert evidence.sessions == {"heso.policy": 1, "w": 1, f"lifecycle:{action_hash}": 1}
