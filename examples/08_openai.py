"""An OpenAI client, wrapped once: every call is captured, checked and signed before it is sent.

Run it: python examples/08_openai.py
A model provider on this machine stands in for the real one, so that the example needs no key and no network: with your own,
leave out `base_url` and `api_key`.
"""

import tempfile
from pathlib import Path

from openai import OpenAI

import heso
from heso.project import create_project
from heso.testing.model_server import model_server

POLICY = """
[[rule]]
id = "no-big-answers"
order = 10
verb = "llm_call"
conditions = [{ field = "max_tokens", op = "gt", value = 1000, display = "more than 1,000 tokens" }]
decision = "require_approval"

[[rule]]
id = "models-we-pay-for"
order = 20
verb = "llm_call"
conditions = [{ field = "model", op = "in", value = ["small-model", "medium-model"] }]
decision = "allow"

[[rule]]
id = "no-other-models"
order = 30
verb = "llm_call"
decision = "block"
"""


def ask(client: OpenAI, model: str, question: str, max_tokens: int = 100) -> str:
    """One question; what came of it."""
    try:
        answer = client.chat.completions.create(
            model=model, max_tokens=max_tokens, messages=[{"role": "user", "content": question}]
        )
    except heso.BlockedError as error:
        return f"not sent: {error}"
    except heso.SuspendedError as held:
        return f"not sent yet: waits for a person (rule {held.rule_id!r})"
    return str(answer.choices[0].message.content)


def main() -> None:
    root = Path(tempfile.mkdtemp(prefix="heso-openai-"))
    (root / "heso.toml").write_text(POLICY)
    create_project(root, None)
    with model_server() as provider, heso.init(root, workflow="assistant"):
        client = heso.wrap(
            OpenAI(api_key="test", base_url=f"{provider.url}/v1"),
            redact=["messages.content"],  # no receipt shows what was said
            outcomes=True,  # how many tokens it took is signed, too
        )
        print(ask(client, "small-model", "How is the weather? My card is 4242 4242 4242 4242."))
        print(ask(client, "huge-model", "How is the weather?"))
        print(ask(client, "small-model", "Write a novel.", max_tokens=100_000))
        stream = client.chat.completions.create(
            model="medium-model", messages=[{"role": "user", "content": "And now?"}], stream=True
        )
        print("".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))
        print(f"sent: {len(provider.requests)} of 4")
    print(f"receipts: heso log --project {root}")


if __name__ == "__main__":
    main()
