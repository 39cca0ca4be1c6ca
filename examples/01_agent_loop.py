"""An agent loop with tools: the agent proposes, heso decides, the loop tells the agent why not.

Run it: python examples/01_agent_loop.py
The model is a list of tool calls so that the example needs no network; put your model's answers in its place.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import heso
from heso.project import create_project

POLICY = """
[[rule]]
id = "read-and-write"
order = 10
verb = "tool_call"
decision = "allow"

[[rule]]
id = "small-refunds"
order = 20
verb = "payment"
conditions = [{ field = "amount_usd", op = "lte", value = 50 }]
decision = "allow"

[[rule]]
id = "other-refunds"
order = 30
verb = "payment"
decision = "require_approval"
sla_minutes = 240
"""

ORDERS = {"o-17": 30, "o-18": 400}
REFUNDED: list[str] = []


@heso.tool
def look_up_order(order: str) -> int:
    """What the customer paid, in dollars."""
    return ORDERS[order]


@heso.tool(verb="payment")
def refund(order: str, amount_usd: int) -> str:
    """Give the money back."""
    REFUNDED.append(order)
    return f"refunded ${amount_usd}"


@heso.destructive
def close_account(customer: str) -> str:
    """Close an account for good."""
    return f"closed {customer}"


TOOLS: dict[str, Callable[..., Any]] = {
    "look_up_order": look_up_order,
    "refund": refund,
    "close_account": close_account,
}
MODEL_SAYS: list[tuple[str, dict[str, Any]]] = [
    ("look_up_order", {"order": "o-17"}),
    ("refund", {"order": "o-17", "amount_usd": 30}),
    ("refund", {"order": "o-18", "amount_usd": 400}),
    ("close_account", {"customer": "ada"}),
]


def call_tool(name: str, arguments: dict[str, Any]) -> str:
    """One turn. What the model reads back is a result or a reason, never a stack trace."""
    try:
        return str(TOOLS[name](**arguments))
    except heso.SuspendedError as held:
        return f"waiting for a person until {held.expires_at}"
    except heso.BlockedError as refused:
        return f"not allowed: {refused.reason}"


def main() -> None:
    root = Path(tempfile.mkdtemp(prefix="heso-example-"))
    (root / "heso.toml").write_text(POLICY, "utf-8")
    create_project(root, passphrase=None)
    with heso.init(root, workflow="support-agent"), heso.step(session="ticket-4711"):
        for name, arguments in MODEL_SAYS:
            print(f"{name}({arguments}) -> {call_tool(name, arguments)}")
    print(f"really refunded: {REFUNDED}")
    print(f"receipts: heso log --project {root}")


if __name__ == "__main__":
    main()
