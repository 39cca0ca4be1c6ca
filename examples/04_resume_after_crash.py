"""An action outlives its process: asked in one that dies, approved by a person, run once in another.

Run it: python examples/04_resume_after_crash.py
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import heso
from heso.project import create_project

POLICY = """
[[rule]]
id = "refunds"
order = 10
verb = "payment"
decision = "require_approval"
approvers = ["finance"]
"""


@heso.tool(verb="payment")
def refund(order: str, amount_usd: int) -> str:
    """Give the money back; `refunds.txt` stands for the payment provider."""
    with Path("refunds.txt").open("a") as provider:
        provider.write(f"{order} {amount_usd} {heso.current_idempotency_key()}\n")
    return f"refunded ${amount_usd}"


def ask_and_die() -> None:
    """The first process: it asks, and is killed without a chance to clean up."""
    heso.init()
    try:
        refund("o-17", 400)
    except heso.SuspendedError as held:
        Path("held").write_text(held.action_hash)
        os.kill(os.getpid(), signal.SIGKILL)


async def resume_thrice(action_hash: str) -> None:
    """Another process, another day: whoever asks gets the result, and it happens once."""
    for result in await asyncio.gather(*(heso.resume(action_hash) for _ in range(3))):
        print("result:", result)


def command(*arguments: str) -> str:
    """What a person types."""
    done = subprocess.run(
        [sys.executable, "-m", "heso.cli", *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def main() -> None:
    os.chdir(tempfile.mkdtemp(prefix="heso-example-"))
    create_project(Path.cwd(), None)
    ada = command(
        "approver", "enroll", "ada", "--role", "finance", "--out", "ada.key", "--no-passphrase"
    )
    Path("heso.toml").write_text(POLICY + ada)

    first = subprocess.run([sys.executable, __file__, "ask"], check=False)
    print("the first process ended with", first.returncode)
    action_hash = Path("held").read_text()
    command("approve", action_hash, "--key", "ada.key", "--yes")
    with heso.init():
        asyncio.run(resume_thrice(action_hash))
    print("refunds made:", len(Path("refunds.txt").read_text().splitlines()))
    print(f"check it: heso verify --chain --project {Path.cwd()}")


if __name__ == "__main__":
    ask_and_die() if sys.argv[1:] == ["ask"] else main()
