"""Three weeks in a moment: a payout that waits for its day, is handed on when nobody answers, and needs two people.

Run it: python examples/05_vendor_payout.py
The clock is one that a test can move. Nothing runs while the payout waits; every step is done once.
"""

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import heso
from heso.approvals.request import request_of, sign_answer
from heso.core.approval import ApproverRecord
from heso.core.encoding import Digest
from heso.core.instant import format_instant
from heso.core.keys import SigningKey
from heso.project import create_project
from heso.testing import FakeClock
from heso.workflows.worker import Worker

KEYS = {
    name: SigningKey.from_seed(bytes([number]) * 32)
    for number, name in enumerate(("ada", "bob", "cleo"), 1)
}
POLICY = """
[[rule]]
id = "look"
order = 10
verb = "tool_call"
decision = "allow"

[[rule]]
id = "payouts"
order = 20
verb = "payment"
decision = "require_approval"
approvers = ["finance"]
threshold = 2
sla_minutes = 2880              # two days, then the chief is asked as well
on_timeout = "escalate"
escalate_to = ["chief"]
""" + "".join(
    f'\n[[approver]]\nid = "{name}"\nroles = ["{role}"]\nkeys = ["{KEYS[name].public_key}"]\n'
    for name, role in (("ada", "finance"), ("bob", "finance"), ("cleo", "chief"))
)
PAID: list[str] = []


@heso.tool
async def load_invoice(invoice: str) -> dict[str, Any]:
    """What is due; once, however often the run goes on."""
    print("  (the invoice is read)")
    return {"vendor": "Lamps Ltd", "due_usd": 48_000}


@heso.tool(verb="payment")
async def pay(vendor: str, amount_usd: int) -> str:
    """Send the money."""
    PAID.append(vendor)
    return f"sent ${amount_usd} to {vendor}"


@heso.workflow(version=1)
async def vendor_payout(invoice: str) -> str:
    """A gated tool is a remembered step, a sleep is a row in a table."""
    found = await load_invoice(invoice)
    await heso.sleep(timedelta(days=14))
    return str(await pay(found["vendor"], found["due_usd"]))


def say_yes(runtime: heso.Runtime, who: str, action_hash: str) -> None:
    """What `heso approve` does on that person's machine."""
    ticket = runtime.desk.read(Digest(action_hash))
    key = KEYS[who]
    record = ApproverRecord(
        approver_identity=key.public_key,
        decision="approved",
        reason="in the budget",
        decided_at=format_instant(runtime.gate.clock.now()),
    )
    after = runtime.desk.vote(ticket.action_hash, sign_answer(request_of(ticket), record, key))
    print(f"  {who} says yes: {after.state}")


async def main(runtime: heso.Runtime, clock: FakeClock) -> None:
    worker = Worker(runtime.desk, lambda _ticket, _error: None, runtime.driver)
    day = 0

    async def wait(days: int) -> None:
        nonlocal day
        day += days
        clock.advance(days * 86_400)
        await worker.run_once()
        run = heso.status("payout-INV-7")
        print(f"day {day}: {run.state}")

    run = await heso.start(vendor_payout, "INV-7", id="payout-INV-7")
    print(f"day 0: {run.state}")
    await wait(14)
    asked = heso.status("payout-INV-7").waiting_for
    say_yes(runtime, "ada", asked)
    await wait(3)
    standing = heso.standing(asked)
    print(
        f"  {len(standing.said_yes)} of {standing.threshold} said yes; the chief may, too, by now"
    )
    say_yes(runtime, "cleo", asked)
    await wait(0)
    print("result:", await heso.result("payout-INV-7"), "| paid", len(PAID), "time")


if __name__ == "__main__":
    root = Path(tempfile.mkdtemp(prefix="heso-example-"))
    create_project(root, None)
    (root / "heso.toml").write_text(POLICY)
    moved = FakeClock()
    with heso.init(root, clock_override=moved) as started:
        asyncio.run(main(started, moved))
    print(f"check it: heso verify --chain --project {root}")
