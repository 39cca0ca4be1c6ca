"""An Anthropic client, wrapped once; a call that waits for a person, and is sent after a yes, in whichever process.

Run it: python examples/09_anthropic.py
A model provider on this machine stands in for the real one: with your own, leave out `base_url` and `api_key`.
"""

import asyncio
import tempfile
from pathlib import Path

from anthropic import AsyncAnthropic

import heso
from heso.approvals.request import request_of, sign_answer
from heso.core.approval import ApproverRecord
from heso.core.encoding import Digest
from heso.core.instant import format_instant
from heso.core.keys import SigningKey
from heso.project import create_project
from heso.testing.model_server import ModelServer, model_server

ADA = SigningKey.from_seed(bytes(range(32)))  # hers alone; `heso approver enroll` makes a real one
POLICY = f"""
[[rule]]
id = "tools-need-a-person"
order = 10
verb = "llm_call"
conditions = [{{ field = "tools", op = "exists", display = "the model may run tools of its provider" }}]
decision = "require_approval"
approvers = ["ada"]

[[rule]]
id = "questions"
order = 20
verb = "llm_call"
decision = "allow"

[[approver]]
id = "ada"
keys = ["{ADA.public_key}"]
"""


def make_client(provider: ModelServer) -> AsyncAnthropic:
    return AsyncAnthropic(api_key="test", base_url=provider.url)


def approve(runtime: heso.Runtime, action_hash: str) -> None:
    """What `heso approve HASH --key ada.key` does, on Ada's machine."""
    ticket = runtime.desk.read(Digest(action_hash))
    record = ApproverRecord(
        approver_identity=ADA.public_key,
        decision="approved",
        reason="a search is fine",
        decided_at=format_instant(runtime.gate.clock.now()),
    )
    runtime.desk.vote(ticket.action_hash, sign_answer(request_of(ticket), record, ADA))


async def work(runtime: heso.Runtime, provider: ModelServer) -> None:
    async with heso.wrap(make_client(provider)) as client:
        await talk(client, runtime, provider)
    print(f"sent: {len(provider.requests)}")


async def talk(client: AsyncAnthropic, runtime: heso.Runtime, provider: ModelServer) -> None:
    heso.register_client("anthropic", lambda: make_client(provider))  # who sends it after a yes
    answer = await client.messages.create(
        model="small-model", max_tokens=100, messages=[{"role": "user", "content": "The weather?"}]
    )
    print(answer.content[0].text if answer.content[0].type == "text" else "")
    try:
        await client.messages.create(
            model="small-model",
            max_tokens=100,
            messages=[{"role": "user", "content": "Look it up."}],
            tools=[{"type": "web_search_20250305", "name": "web_search"}],
        )
    except heso.SuspendedError as held:
        print(f"waits for a person; sent so far: {len(provider.requests)}")
        approve(runtime, held.action_hash)
        answer_later = await heso.resume(held.action_hash)  # or `heso worker --module NAME`
        print(f"approved and sent: {answer_later['content'][0]['text']}")


def main() -> None:
    root = Path(tempfile.mkdtemp(prefix="heso-anthropic-"))
    (root / "heso.toml").write_text(POLICY)
    create_project(root, None)
    with model_server() as provider, heso.init(root, workflow="assistant") as runtime:
        asyncio.run(work(runtime, provider))
    print(f"check it: heso verify --chain --project {root}")


if __name__ == "__main__":
    main()
