"""What has to be true before a number counts: nothing acknowledged is missing, and every chain holds.

Rule 1: heso's own command line is the judge; it is given exported receipts, not our database.
Rule 2: a broken promise is an exception that says which one; there is no partly kept promise.

Limit: a kill shows that nothing acknowledged sits in the memory of the process. That the disk was waited for is shown
by the floor's cost, not here: the operating system's cache survives a kill.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

from bench.children import Child, Scratch
from bench.projects import our_project, run_ours

GATES = 200
KILLS = 3
KILL_AFTER_SECONDS = 0.4


class PromiseBroken(Exception):
    """A receipt is missing or a chain does not hold: the run has no numbers."""


def check_integrity(scratch: Scratch) -> Iterator[str]:
    """Check every promise and say what was checked."""
    run_ours("verify", "--chain", str(scratch.receipts(GATES)))
    yield f"floor: {GATES} receipts are one valid chain for heso's own verifier"
    yield _check_count(scratch)
    for how in ("sync", "async"):
        yield _check_kills(how, scratch)
    for sessions in (("bench", "bench"), ("left", "right")):
        yield _check_two_processes(sessions, scratch)


def stored_orders(project: Path, scratch: Scratch) -> set[str]:
    """Verify everything a project has stored and return the orders that were gated."""
    receipts, audit = scratch.new_path(), scratch.new_path()
    run_ours("export", "--project", str(project), "--out", str(receipts))
    run_ours("export", "--audit", "--project", str(project), "--out", str(audit))
    run_ours("verify", "--chain", str(receipts))
    run_ours("verify", "--audit", str(audit))
    contents = [json.loads(receipt)["content"] for receipt in receipts.open("rb")]
    audited = [json.loads(entry)["action_hash"] for entry in audit.open("rb")]
    if audited != [content["action_hash"] for content in contents]:
        raise PromiseBroken("the audit chain does not name the stored receipts")
    fields = [content["action"]["fields"] for content in contents]
    orders = [each["order"] for each in fields if "order" in each]
    if len(orders) != len(set(orders)):
        raise PromiseBroken("an order was stored twice")
    return set(orders)


def _check_count(scratch: Scratch) -> str:
    project = our_project(scratch.new_path())
    child = scratch.ours(
        project, f"seq {GATES}", f"aseq {GATES}", f"conc 16 {GATES}", f"threads 4 {GATES}"
    )
    child.kill()
    acknowledged = GATES * (1 + 1 + 16 + 4)
    _demand(len(stored_orders(project, scratch)), acknowledged)
    return (
        f"heso: {acknowledged} gates (sync, await, 16 tasks, 4 threads), all stored, chains valid"
    )


def _check_kills(how: str, scratch: Scratch) -> str:
    project = our_project(scratch.new_path())
    acknowledged: set[str] = set()
    for _ in range(KILLS):
        acknowledged |= _acknowledged_until_killed(how, scratch.ours(project))
    lost = acknowledged - stored_orders(project, scratch)
    if lost:
        raise PromiseBroken(f"{len(lost)} acknowledged receipts are gone after a kill")
    return f"heso: {KILLS} kills -9 in the middle of {how} gates, {len(acknowledged)} acknowledged, 0 lost"


def _acknowledged_until_killed(how: str, child: Child) -> set[str]:
    child.tell(f"acknowledge {how}")
    orders = [child.line()]
    until = time.perf_counter() + KILL_AFTER_SECONDS
    while time.perf_counter() < until:
        orders.append(child.line())
    orders += child.kill()  # what was still in the pipe was acknowledged too
    return {order.strip() for order in orders}


def _check_two_processes(sessions: tuple[str, str], scratch: Scratch) -> str:
    project = our_project(scratch.new_path())
    children = [scratch.ours(project, session=session) for session in sessions]
    for child in children:
        child.tell(f"conc 4 {GATES}")
    for child in children:
        child.answer()
        child.tell(f"seq {GATES}")
    for child in children:
        child.answer()
    _demand(len(stored_orders(project, scratch)), 2 * GATES * (4 + 1))
    names = "one session" if len(set(sessions)) == 1 else "two sessions"
    return f"heso: two processes at once in {names}, {2 * GATES * 5} gates, 0 errors, 0 lost, chains valid"


def _demand(stored: int, acknowledged: int) -> None:
    if stored != acknowledged:
        raise PromiseBroken(f"{acknowledged} gates were acknowledged, {stored} are stored")
