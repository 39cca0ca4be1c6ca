"""An async service that gates many calls at once: one ledger, one fsync for everybody who waits.

Run it: python examples/02_async_service.py
"""

import asyncio
import tempfile
import time
from pathlib import Path

import heso
from heso.project import create_project

POLICY = """
[[rule]]
id = "notify"
order = 10
verb = "tool_call"
decision = "allow"

[[rule]]
id = "no-bulk"
order = 5
verb = "tool_call"
conditions = [{ field = "recipients", op = "gt", value = 100 }]
decision = "block"
"""
CUSTOMERS = 200
MESSAGES = 5


@heso.tool
async def notify(customer: str, recipients: int) -> str:
    """Send one message."""
    await asyncio.sleep(0)  # the network, in a real service
    return f"told {customer} ({recipients}) under {heso.current_action_hash()}"


async def serve(customer: str) -> int:
    """One customer's conversation: a session, and so a chain of receipts, of its own."""
    async with heso.step(session=f"customer-{customer}"):
        told = [await notify(customer, recipients=1) for _ in range(MESSAGES)]
    return len(told)


async def main() -> None:
    root = Path(tempfile.mkdtemp(prefix="heso-example-"))
    (root / "heso.toml").write_text(POLICY, "utf-8")
    create_project(root, passphrase=None)
    with heso.init(root, workflow="notifier"):
        began = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            served = [tasks.create_task(serve(f"c{n}")) for n in range(CUSTOMERS)]
        seconds = time.perf_counter() - began
        count = sum(task.result() for task in served)
        print(f"{count} actions signed and on disk, {count / seconds:.0f} a second")
        try:
            await notify("everybody", recipients=5000)
        except heso.BlockedError as refused:
            print(f"blocked by {refused.rule_id}: {refused.reason}")
    print(f"check all of it: heso verify --chain --project {root}")


if __name__ == "__main__":
    asyncio.run(main())
