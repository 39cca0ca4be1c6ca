"""What the tests of integrations do again and again: act under an account, ask, have somebody say yes, read receipts."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

import heso
from heso.async_gate.context import Step
from tests.approvals.shop import ADA, Shop


def act_for(office: Shop, account: str) -> None:
    """Policy goes by the account. Not by `heso.step`: some leaves send from threads of their own."""
    office.start(project=Step("shop", account, None))


def ask(call: Callable[[], Any]) -> str:
    """Make a call that has to wait; the action's hash."""
    with pytest.raises(heso.SuspendedError) as held:
        call()
    return held.value.action_hash


def approve(office: Shop, call: Callable[[], Any]) -> str:
    """Ask, and have Ada say yes."""
    name = ask(call)
    office.clock.advance(1)
    office.vote(name, ADA)
    return name


def fields(office: Shop) -> list[dict[str, Any]]:
    """The arguments of every action on the ledger, in order."""
    found = (orjson.loads(receipt)["content"] for receipt in office.everything())
    return [c["action"]["fields"] for c in found if c.get("session_id") == "shop"]
