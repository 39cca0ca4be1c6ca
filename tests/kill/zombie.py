"""A process that is stopped between claim and effect, or in the middle of the effect: `python -m tests.kill.zombie ROOT
HASH before|inside`. Prints how it ended."""

import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

import anyio

import heso
from heso.async_gate.door import install_gate
from heso.core.encoding import Digest
from heso.ports import Appended, Seal
from heso.workflows.desk import Desk
from heso.workflows.resume import resume


def stop() -> None:
    """Stand still until somebody says go on: this very thread, and all others with it. A signal to the process may be
    taken by another thread, and this one would run on for a while, into a commit."""
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


class StopsAfterClaim:
    """A ledger in whose process the world stands still right after a claim is on disk."""

    def __init__(self, ledger) -> None:
        self._ledger = ledger

    async def append(self, seal: Seal) -> tuple[Appended, ...]:
        done = await self._ledger.append(seal)
        if type(seal).__name__ == "_Claiming":
            stop()
        return done

    def append_inline(self, seal: Seal) -> tuple[Appended, ...]:
        return self._ledger.append_inline(seal)

    def close(self) -> None:
        self._ledger.close()


def main(root: Path, action_hash: str, where: str) -> None:
    runtime = heso.init(root)

    @heso.tool(verb="payment", name="zombie.pay")
    def pay(order: str) -> str:
        if where == "inside":
            stop()
        with (root / "effects").open("a") as file:
            file.write(f"{order}\n")
        return "paid"

    gate = runtime.gate
    if where == "before":
        gate = replace(gate, ledger=StopsAfterClaim(gate.ledger))
        install_gate(gate)
    desk = Desk(gate, runtime.desk.tickets, runtime.desk.open_decider)
    try:
        print(anyio.run(resume, desk, Digest(action_hash)), flush=True)
    except heso.HesoError as error:
        print(type(error).__name__, flush=True)
    runtime.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
