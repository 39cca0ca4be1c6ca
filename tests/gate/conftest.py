"""A project with real files and fake time, dice and key; and one gated function of every kind."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest

import heso
from heso.async_gate.context import Step
from heso.async_gate.door import install_gate
from heso.async_gate.pipeline import Gate
from heso.policy.reader import parse_policy
from heso.stores.reveals import RevealFolder
from heso.stores.sqlite.ledger import SqliteLedger
from heso.stores.sqlite.records import SqliteRecords
from heso.stores.sqlite.tickets import SqliteTickets
from heso.testing import Evidence, FakeClock, FakeDice, FakeSigner, check_ledger

POLICY = """
[[rule]]
id = "allowed"
order = 1
verb = "tool_call"
decision = "allow"
[[rule]]
id = "blocked"
order = 2
verb = "http_request"
decision = "block"
[[rule]]
id = "hidden"
order = 3
verb = "llm_call"
decision = "redact"
redact = ["secret"]
[[rule]]
id = "asked"
order = 4
verb = "payment"
decision = "require_approval"
"""
VERBS = {
    "allow": "tool_call",
    "block": "http_request",
    "redact": "llm_call",
    "require_approval": "payment",
}


class Project:
    """A project on disk. `start` puts a gate in front of it; every port can be replaced."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "heso.db"
        self.clock = FakeClock()
        self.signer = FakeSigner()
        self.ledger = SqliteLedger(self.database, busy_seconds=5)
        self.reveals = RevealFolder(folder / "reveals")
        self.dice = FakeDice()

    def start(self, policy: str = POLICY, **changes: object) -> Gate:
        parts = {
            "policy": parse_policy(policy.encode()),
            "signer": self.signer,
            "ledger": self.ledger,
            "reveals": self.reveals,
            "clock": self.clock,
            "dice": self.dice,
            "project": Step("flow", "account", None),
        }
        gate = Gate(**{**parts, **changes})
        install_gate(gate)
        return gate

    def check(self, **wanted: object) -> Evidence:
        records = SqliteRecords(self.database)
        try:
            return check_ledger(records, operator=self.signer.public_key, **wanted)
        finally:
            records.close()

    def decisions(self) -> list[str]:
        """What the ledger says, in order, without the policy entries."""
        return [r["policy"]["decision_path"] if "kind" not in r else r["kind"] for r in self.read()]

    def read(self) -> list[dict]:
        """The contents of the receipts, in order, without the policy entries."""
        records = SqliteRecords(self.database)
        try:
            contents = [orjson.loads(record.receipt)["content"] for record in records.read()]
        finally:
            records.close()
        return [content for content in contents if content["session_id"] != "heso.policy"]

    def on_disk(self) -> bytes:
        """Every byte that the ledger wrote, side files included."""
        return b"".join(file.read_bytes() for file in sorted(self.folder.glob("heso.db*")))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path)
    project.start()
    yield project
    install_gate(None)
    project.ledger.close()


@dataclass
class Body:
    """What bodies were given, and what to do when one runs."""

    ran: list[object] = field(default_factory=list)
    on_run: Callable[[], None] = lambda: None

    def run(self, secret: object) -> object:
        self.on_run()
        self.ran.append(secret)
        return f"did {secret}"


@pytest.fixture
def body() -> Body:
    return Body()


def _drain_async(generator: object) -> object:
    async def drain() -> object:
        (item,) = [item async for item in generator]
        return item

    return asyncio.run(drain())


def _function(body: Body, **options: object) -> Callable[[str], object]:
    @heso.tool(**options)
    def act(secret: str) -> object:
        return body.run(secret)

    return act


def _coroutine(body: Body, **options: object) -> Callable[[str], object]:
    @heso.tool(**options)
    async def act(secret: str) -> object:
        await asyncio.sleep(0)
        return body.run(secret)

    return lambda secret: asyncio.run(act(secret))


def _class(body: Body, **options: object) -> type:
    class Agent:
        @heso.tool(**options)
        def method(self, secret: str) -> object:
            assert isinstance(self, Agent)
            return body.run(secret)

        @classmethod
        @heso.tool(**options)
        def inner_class_method(cls, secret: str) -> object:
            assert cls is Agent
            return body.run(secret)

        @heso.tool(**options)
        @classmethod
        def outer_class_method(cls, secret: str) -> object:
            assert cls is Agent
            return body.run(secret)

        @heso.tool(**options)
        @staticmethod
        def static_method(secret: str) -> object:
            return body.run(secret)

        @heso.tool(**options)
        async def async_method(self, secret: str) -> object:
            return body.run(secret)

    return Agent


def _generator(body: Body, **options: object) -> Callable[[str], object]:
    @heso.tool(**options)
    def act(secret: str) -> Iterator[object]:
        yield body.run(secret)

    return lambda secret: tuple(act(secret))[-1]


def _async_generator(body: Body, **options: object) -> Callable[[str], object]:
    @heso.tool(**options)
    async def act(secret: str) -> object:
        yield body.run(secret)

    return lambda secret: _drain_async(act(secret))


KINDS: dict[str, Callable[..., Callable[[str], object]]] = {
    "def": _function,
    "async def": _coroutine,
    "method": lambda body, **o: _class(body, **o)().method,
    "classmethod under tool": lambda body, **o: _class(body, **o).outer_class_method,
    "classmethod over tool": lambda body, **o: _class(body, **o).inner_class_method,
    "staticmethod": lambda body, **o: _class(body, **o).static_method,
    "async method": lambda body, **o: lambda s: asyncio.run(_class(body, **o)().async_method(s)),
    "generator": _generator,
    "async generator": _async_generator,
}


@pytest.fixture(params=KINDS)
def make_tool(request: pytest.FixtureRequest) -> Callable[..., Callable[[str], object]]:
    """Gates a body of each kind; calling what it makes runs it to its end."""
    return KINDS[request.param]


@pytest.fixture(params=["def", "async def"])
def make_either(request: pytest.FixtureRequest) -> Callable[..., Callable[[str], object]]:
    """As `make_tool`, for the two ways through the gate."""
    return KINDS[request.param]


@pytest.fixture
def verbs() -> dict[str, str]:
    """A verb for each decision of the test policy."""
    return VERBS


@pytest.fixture
def tickets(project: Project) -> Callable[[str], object]:
    """Finds a ticket by its action hash."""
    return lambda action_hash: asyncio.run(SqliteTickets(project.database).find(action_hash))
