"""An agent: a wrapped model client proposes tool calls, gated tools run them, and one policy judges both.

Run it: python examples/10_agent_with_tools.py
A model provider on this machine says what a model would: with your own, leave out `base_url` and `api_key`.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openai import OpenAI

import heso
from heso.project import create_project
from heso.testing.model_server import Answer, SeenRequest, model_server

POLICY = """
[[rule]]
id = "our-model"
order = 10
verb = "llm_call"
scope = "127.0.0.1"                  # your provider's host
decision = "allow"

[[rule]]
id = "look"
order = 20
verb = "tool_call"
decision = "allow"

[[rule]]
id = "small-refunds"
order = 30
verb = "payment"
conditions = [{ field = "amount_usd", op = "lte", value = 50 }]
decision = "allow"

[[rule]]
id = "refunds"
order = 40
verb = "payment"
decision = "block"

[[rule]]
id = "nothing-else-leaves"
order = 50
verb = "http_request"
decision = "block"
"""
PLAN = [
    ("look_up", {"order": "o-18"}),
    ("refund", {"order": "o-18", "amount_usd": 400}),
    ("refund", {"order": "o-18", "amount_usd": 50}),
    ("visit", {"url": "http://127.0.0.1:9/?d=secrets"}),
]


@heso.tool
def look_up(order: str) -> str:
    """What is known of an order."""
    return f"{order}: paid 400 dollars, arrived broken"


@heso.tool(verb="payment")
def refund(order: str, amount_usd: int) -> str:
    """Give money back."""
    return f"refunded ${amount_usd} for {order}"


@heso.tool
def visit(url: str) -> str:
    """Read a page. The tool is allowed; where it goes is judged by itself."""
    import httpx  # noqa: PLC0415  # not for the other tools

    return httpx.get(url).text


TOOLS: dict[str, Callable[..., str]] = {"look_up": look_up, "refund": refund, "visit": visit}


def say_the_next_thing(request: SeenRequest) -> Answer:
    """The model: its plan, a call at a time, then a summary."""
    done = sum(message["role"] == "tool" for message in request.json["messages"])
    message: dict[str, Any] = {"role": "assistant", "content": "The customer has their money."}
    if done < len(PLAN):
        name, arguments = PLAN[done]
        call = {"name": name, "arguments": json.dumps(arguments)}
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": f"call-{done}", "type": "function", "function": call}],
        }
    answer = {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "small-model",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
    }
    return Answer(json.dumps(answer).encode())


def run_tool(name: str, arguments: dict[str, Any]) -> str:
    """What the model is told: a result, or why there is none."""
    try:
        return TOOLS[name](**arguments)
    except (heso.BlockedError, heso.SuspendedError) as error:
        return f"refused: {error}"


def run_agent(client: OpenAI) -> str:
    messages: list[Any] = [{"role": "user", "content": "Order o-18 arrived broken."}]
    while True:
        said = (
            client.chat.completions.create(model="small-model", messages=messages)
            .choices[0]
            .message
        )
        messages.append(said.model_dump(exclude_none=True))
        if not said.tool_calls:
            return str(said.content)
        for call in said.tool_calls:
            if call.type == "function":
                told = run_tool(call.function.name, json.loads(call.function.arguments))
                print(f"{call.function.name}: {told}")
                messages.append({"role": "tool", "tool_call_id": call.id, "content": told})


def main() -> None:
    root = Path(tempfile.mkdtemp(prefix="heso-agent-"))
    (root / "heso.toml").write_text(POLICY)
    create_project(root, None)
    with model_server(say_the_next_thing) as provider, heso.init(root, workflow="support"):
        heso.gate_http()
        try:
            print(run_agent(heso.wrap(OpenAI(api_key="test", base_url=f"{provider.url}/v1"))))
        finally:
            heso.ungate_http()
    print(f"receipts: heso log --project {root}")


if __name__ == "__main__":
    main()
