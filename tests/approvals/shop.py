"""A shop whose agent has to ask: people with keys, a clock that is told the time, tools that count what they did."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import orjson

import heso
from heso.approvals.request import request_of, sign_answer
from heso.async_gate.context import Step
from heso.async_gate.door import install_gate
from heso.async_gate.pipeline import Gate
from heso.core.approval import ApproverRecord, Said, Vote
from heso.core.collection import verify_collection
from heso.core.instant import format_instant
from heso.core.session import Roots, verify_session_chain
from heso.core.ticket import Ticket
from heso.core.verify import verify_receipt
from heso.policy.reader import parse_policy
from heso.ports import Ledger, Records
from heso.stores.memory import MemoryLedger, MemoryReveals
from heso.stores.reveals import RevealFolder
from heso.stores.sqlite.ledger import SqliteLedger
from heso.stores.sqlite.records import SqliteRecords
from heso.stores.sqlite.tickets import SqliteTickets
from heso.testing import FakeClock, FakeDice, FakeSigner, check_ledger
from heso.workflows.desk import Desk

OPERATOR, DECIDER = FakeSigner(1), FakeSigner(2)
ADA, ADA_PHONE, BO, CY, DI, EVE = (FakeSigner(n) for n in (10, 11, 12, 13, 14, 15))
"""Ada and Bo are finance, Cy is the cfo, Di is board; Eve is on no roster. Ada has two keys."""

ROSTER = f"""
[[approver]]
id = "ada"
roles = ["finance"]
keys = ["{ADA.public_key}", "{ADA_PHONE.public_key}"]
[[approver]]
id = "bo"
roles = ["finance"]
keys = ["{BO.public_key}"]
[[approver]]
id = "cy"
roles = ["cfo"]
keys = ["{CY.public_key}"]
[[approver]]
id = "di"
roles = ["board"]
keys = ["{DI.public_key}"]
"""
RULES = """
[[rule]]
id = "huge"
order = 1
verb = "payment"
conditions = [{ field = "cents", op = "gt", value = 1000000 }]
decision = "block"
[[rule]]
id = "big"
order = 2
verb = "payment"
conditions = [{ field = "cents", op = "gt", value = 10000 }]
decision = "require_approval"
approvers = ["finance"]
threshold = 2
[[rule]]
id = "tiny"
order = 3
verb = "payment"
conditions = [{ field = "cents", op = "lt", value = 10 }]
decision = "allow"
[[rule]]
id = "pays"
order = 4
verb = "payment"
decision = "require_approval"
approvers = ["finance"]
sla_minutes = 60
grant_minutes = 30
[[rule]]
id = "climbs"
order = 5
verb = "account_change"
decision = "require_approval"
approvers = ["finance"]
sla_minutes = 60
on_timeout = "escalate"
escalate_to = ["cfo", "board"]
[[rule]]
id = "anybody"
order = 6
verb = "delete"
decision = "require_approval"
"""
MINUTE = 60


@dataclass
class Shop:
    """A project in one of the two stores. `open` it again for a second process on the same files."""

    folder: Path | None
    ledger: Ledger
    policy_text: str = RULES + ROSTER
    clock: FakeClock = field(default_factory=FakeClock)
    ran: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reveals = MemoryReveals() if self.folder is None else RevealFolder(self.folder / "r")
        self.dice = FakeDice()
        self.start()

    def start(self, **changes: object) -> Gate:
        """Put a gate in front of the project; every port can be replaced."""
        parts = {
            "policy": parse_policy(self.policy_text.encode()),
            "signer": OPERATOR,
            "ledger": self.ledger,
            "reveals": self.reveals,
            "clock": self.clock,
            "dice": self.dice,
            "project": Step("shop", "agent", None),
            "owner": lambda: "somewhere/boot/1/1",
            "look_at": lambda action_hash: self.desk.look_at(action_hash),  # noqa: PLW0108  # no desk yet
        }
        self.gate = Gate(**{**parts, **changes})
        self.tickets = (
            self._memory.tickets if self.folder is None else SqliteTickets(self.folder / "heso.db")
        )
        self.desk = Desk(self.gate, self.tickets, lambda: DECIDER)
        install_gate(self.gate)
        return self.gate

    def rule(self, policy: str) -> None:
        """Put another policy in force."""
        self.policy_text = policy
        self.start()

    @property
    def _memory(self) -> MemoryLedger:
        inner = self.ledger
        while not isinstance(inner, MemoryLedger):
            inner = inner._ledger  # a faulty one around it
        return inner

    def pay(self, **options: object) -> Callable[..., object]:
        """A payment that notes what it was given; the same tool each time."""

        @heso.tool(verb="payment", name="pay", **options)
        def pay(order: str, cents: int, card: str = "none") -> dict[str, object]:
            self.ran.append((order, cents, card))
            return {"paid": order, "cents": cents}

        return pay

    def change(self, **options: object) -> Callable[..., object]:
        """Something that climbs from rung to rung."""

        @heso.tool(verb="account_change", name="change", **options)
        def change(name: str) -> str:
            self.ran.append(name)
            return f"is {name}"

        return change

    def ask(self, call: Callable[..., object], *args: object, **kwargs: object) -> str:
        """Call what has to be asked for; the action's hash."""
        try:
            call(*args, **kwargs)
        except heso.SuspendedError as held:
            return held.action_hash
        raise AssertionError("it ran")

    def record(self, who: FakeSigner, said: Said = "approved", reason: str = "") -> ApproverRecord:
        now = format_instant(self.clock.now())
        return ApproverRecord(
            approver_identity=who.public_key, decision=said, reason=reason, decided_at=now
        )

    def sign(
        self, action_hash: str, who: FakeSigner, said: Said = "approved", reason: str = ""
    ) -> Vote:
        """Somebody's vote on what waits, not handed in yet."""
        request = request_of(self.desk.read(action_hash))
        return sign_answer(request, self.record(who, said, reason), who)

    def vote(
        self, action_hash: str, who: FakeSigner, said: Said = "approved", reason: str = ""
    ) -> Ticket:
        return self.desk.vote(action_hash, self.sign(action_hash, who, said, reason))

    def approved(self, call: Callable[..., object], *args: object, **kwargs: object) -> str:
        """Ask, and have Ada say yes."""
        action_hash = self.ask(call, *args, **kwargs)
        assert self.vote(action_hash, ADA).state == "approved"
        return action_hash

    def resume(self, action_hash: str) -> object:
        from heso.workflows.resume import resume

        return asyncio.run(resume(self.desk, action_hash))

    def sweep(self) -> object:
        return asyncio.run(self.desk.sweep())

    def state(self, action_hash: str) -> str:
        return str(self.desk.read(action_hash).state)

    def records(self) -> Records:
        if self.folder is None:
            return self._memory
        return SqliteRecords(self.folder / "heso.db")

    def everything(self) -> list[bytes]:
        """Every receipt, in order."""
        if self.folder is None:
            return [record.receipt for record in self._memory.read()]
        with closing(SqliteRecords(self.folder / "heso.db")) as records:
            return [record.receipt for record in records.read()]

    def life(self, action_hash: str) -> list[dict]:
        """The contents of an action's own links, in order."""
        return [
            content
            for content in (orjson.loads(receipt)["content"] for receipt in self.everything())
            if content.get("session_id") == f"lifecycle:{action_hash}"
        ]

    def kinds(self, action_hash: str) -> list[str]:
        return [content["kind"] for content in self.life(action_hash)]

    def snapshot(self, *action_hashes: str) -> tuple[object, ...]:
        """Everything that a refusal must leave as it was."""
        return (self.everything(), [self.desk.read(one) for one in action_hashes])

    def check(self) -> None:
        """What a stranger could check, and more: whole ledger, each life under its roots, each approval at its level."""
        records = self.records()
        try:
            check_ledger(records)
        finally:
            if self.folder is not None:
                records.close()
        everything = self.everything()
        lives: dict[str, list[bytes]] = {}
        for receipt in everything:
            content = orjson.loads(receipt)["content"]
            if content.get("session_id", "").startswith("lifecycle:"):
                lives.setdefault(content["session_id"], []).append(receipt)
            if "session_id" not in content:
                verdict = verify_receipt(receipt, operator=OPERATOR.public_key)
                assert (verdict.kind, verdict.trust_level) == ("Valid", "L1")
        roots = Roots(producer=OPERATOR.public_key, decision=DECIDER.public_key)
        for life in lives.values():
            assert verify_session_chain(life, roots=roots).is_valid
        sessions, alone = verify_collection(everything)
        assert all(one.verdict.is_valid for one in (*sessions, *alone))


def open_shop(folder: Path | None, **changes: object) -> Shop:
    """A fresh shop, or, on a folder that has one, another process's view of it."""
    if folder is None:
        return Shop(None, MemoryLedger(), **changes)
    return Shop(folder, SqliteLedger(folder / "heso.db", busy_seconds=5), **changes)
