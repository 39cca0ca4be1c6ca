"""A project whose policy goes by the account, and a model provider on this machine."""

from collections.abc import Iterator

import pytest

import heso
from heso.async_gate.door import install_gate
from heso.testing.model_server import ModelServer, model_server
from tests.approvals.shop import ROSTER, Shop, open_shop

POLICY = (
    """
[[rule]]
id = "blocked"
order = 1
verb = "any"
subject = { kind = "account", value = "blocked" }
decision = "block"
[[rule]]
id = "asked"
order = 2
verb = "any"
subject = { kind = "account", value = "asked" }
decision = "require_approval"
approvers = ["finance"]
[[rule]]
id = "everything"
order = 3
verb = "any"
decision = "allow"
"""
    + ROSTER
)


@pytest.fixture(scope="session")
def server() -> Iterator[ModelServer]:
    with model_server() as running:
        yield running


@pytest.fixture
def office(server: ModelServer) -> Iterator[Shop]:
    """A project in memory; `heso.step(account=...)` chooses what policy says."""
    server.requests.clear()
    server.answers = None
    shop = open_shop(None, policy_text=POLICY)
    yield shop
    install_gate(None)
    shop.check()


@pytest.fixture
def gated(office: Shop) -> Iterator[Shop]:
    """The project, with every HTTP library gated."""
    heso.gate_http()
    yield office
    heso.ungate_http()
