"""heso as a subject: nothing but what its documentation offers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import orjson

import heso
from bench.workload import ACCOUNT, WORKFLOW, AsyncBody, Body, refund_later
from heso.async_gate.claimed import claim
from heso.cli.cores import over_cores
from heso.core.chain import verify_action_chain
from heso.core.encoding import Digest
from heso.core.hashing import digest
from heso.core.instant import Instant
from heso.core.merkle import Frontier, check_inclusion, grow, hash_leaf, prove_inclusion
from heso.core.receipt import SessionId
from heso.core.ticket import Ticket, TicketState
from heso.core.verify import verify_receipt
from heso.ports import Batch, Heads


class Ours:
    """The gate of the project that was opened."""

    def __init__(self, runtime: heso.Runtime) -> None:
        self._runtime = runtime
        self._asking = heso.tool(verb="payment", name="bench.pay")(refund_later)
        self._count = 0
        self._made = list[str]()
        self._root = b""

    def gated(self, body: Body) -> Body:
        """Gate a function."""
        return heso.tool(body)

    def async_gated(self, body: AsyncBody) -> AsyncBody:
        """Gate a coroutine function."""
        return heso.tool(body)

    def verify(self, receipt: bytes) -> None:
        """Raise unless the receipt is valid."""
        verdict = verify_receipt(receipt)
        if verdict.kind != "Valid":
            raise ValueError(verdict)

    def verify_chain(self, receipts: Sequence[bytes], cores: int) -> None:
        """Raise unless the receipts are one valid action chain; as `heso verify --chain` does it."""
        verdict = verify_action_chain(receipts, each=partial(over_cores, cores=cores))
        if verdict.kind != "Valid":
            raise ValueError(verdict)

    def prove(self, leaves: Sequence[bytes], index: int) -> Sequence[bytes]:
        """The inclusion proof of a leaf."""
        hashes = [hash_leaf(leaf) for leaf in leaves]
        self._root = grow(Frontier(), hashes).root()
        return prove_inclusion(hashes, index=index, size=len(hashes))

    def check_proof(self, leaves: int, index: int, leaf: bytes, proof: Sequence[bytes]) -> None:
        """Raise unless the proof leads to the root."""
        check_inclusion(
            hash_leaf(leaf), index=index, size=leaves, proof=tuple(proof), root=self._root
        )

    async def suspend(self, call: dict[str, Any]) -> None:
        """Call a tool that no rule is about."""
        try:
            await self._asking(**call)
        except heso.SuspendedError:
            return
        raise ValueError("it was not suspended")

    def approve_all(self, number: int) -> Sequence[str]:
        """Tickets that were approved, without the people: only claiming them is measured."""
        gate, names = self._runtime.gate, list[str]()
        for _turn in range(0, number, 500):
            gate.ledger.append_inline(self._approve_some)
            names += self._made
        return names[:number]

    def _approve_some(self, _: Heads) -> Batch:
        self._made, tickets = list[str](), list[Ticket]()
        for _number in range(500):
            self._count += 1
            name = digest(b"%d" % self._count)
            self._made.append(name)
            # Approvals end in the order in which they were given.
            tickets.append(_ticket(name, TicketState.APPROVED, ends=self._count))
        return Batch((), tuple(tickets))

    async def claim(self, name: str) -> None:
        """Claim it as a worker does."""
        await claim(self._runtime.gate, Digest(name))

    async def inbox(self) -> int:
        """A page, most urgent first."""
        tickets = self._runtime.desk.tickets
        return len(await tickets.in_state(TicketState.SUSPENDED, limit=50))

    def restart(self) -> None:
        """Stop and start again."""
        self._runtime.close()
        self._runtime = heso.init(
            project_root=self._runtime.settings.root, workflow=WORKFLOW, account=ACCOUNT
        )

    def fill(self, number: int) -> None:
        """Let this many actions wait."""

        def seal(_: Heads) -> Batch:
            names = [digest(b"%d" % n) for n in range(self._count, self._count + 1000)]
            self._count += 1000
            # Deadlines are anywhere.
            made = (_ticket(name, TicketState.SUSPENDED, ends=int(name[:8], 16)) for name in names)
            return Batch((), tuple(made))

        for _ in range(0, number, 1000):
            self._runtime.gate.ledger.append_inline(seal)


def _ticket(name: Digest, state: TicketState, *, ends: int) -> Ticket:
    return Ticket(
        action_hash=name,
        asked=orjson.dumps({"content": {"action_hash": name, "note": "x" * 1000}}),
        lifecycle_session=SessionId(f"lifecycle:{name}"),
        session_id=SessionId("bench"),
        tool_name="bench",
        tool_version="1",
        workflow=WORKFLOW,
        account=ACCOUNT,
        rule_id="bench",
        policy_hash=name,
        terms_json=b"{}",
        reveal_root=None,
        resume_token="",
        call_key=name,
        suspended_at=Instant(0),
        due=Instant(2**62 + ends),
        state=state,
    )


@contextmanager
def opened(folder: Path, session: str) -> Iterator[Ours]:
    """Open a project; without a session the workflow names it."""
    runtime = heso.init(project_root=folder, workflow=WORKFLOW, account=ACCOUNT)
    with heso.step(session=session) if session else nullcontext():
        yield Ours(runtime)
