"""Outcomes: tokens, model and why it stopped, for whoever asks; never what was said."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

import heso
from heso.testing.model_server import WORDS, Answer, ModelServer
from tests.approvals.shop import Shop
from tests.integrations.clients import KINDS, Kind, in_loop

HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture(params=KINDS, ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    pytest.importorskip(request.param.sdk)
    return request.param


@pytest.fixture
def client(server: ModelServer, kind: Kind) -> Iterator[Any]:
    made = heso.wrap(kind.make(server.url), outcomes=True)
    yield made
    in_loop(made.close()) if kind.is_async else made.close()


def outcomes(office: Shop) -> list[dict[str, Any]]:
    found = [orjson.loads(receipt)["content"] for receipt in office.everything()]
    actions = {c["action_hash"] for c in found if c["action"]["tool_name"] != "heso.outcome"}
    told = [c["action"]["fields"] for c in found if c["action"]["tool_name"] == "heso.outcome"]
    assert all(one.pop("of") in actions for one in told)
    return told


def create_of(client: Any, kind: Kind) -> Callable[..., Any]:
    if kind.sdk == "openai":
        return client.chat.completions.create
    return lambda **more: client.messages.create(max_tokens=8, **more)


def say(client: Any, kind: Kind, **more: Any) -> Any:
    """One call, its stream read to the end."""
    create = create_of(client, kind)
    if kind.is_async:

        async def later() -> Any:
            answer = await create(model="test-model", messages=HELLO, **more)
            return [event async for event in answer] if more.get("stream") else answer

        return in_loop(later())
    answer = create(model="test-model", messages=HELLO, **more)
    return list(answer) if more.get("stream") else answer


def usage_of(kind: Kind) -> dict[str, int]:
    if kind.sdk == "openai":
        return {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}
    return {"input_tokens": 7, "output_tokens": 4}


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_has_its_outcome_on_record(
    office: Shop, client: Any, kind: Kind, stream: bool
) -> None:
    say(client, kind, **({"stream": True} if stream else {}))
    assert outcomes(office) == [
        {
            "model": "test-model",
            "usage": usage_of(kind),
            "finish_reason": "stop" if kind.sdk == "openai" else "end_turn",
        }
    ]
    assert WORDS.encode() not in b"".join(office.everything())


def test_a_call_that_fails_says_how(
    office: Shop, server: ModelServer, client: Any, kind: Kind
) -> None:
    server.answers = lambda _: Answer(b'{"error": {"message": "the secret reason"}}', status=400)
    with pytest.raises(Exception, match="400"):
        say(client, kind)
    assert outcomes(office) == [{"error": "BadRequestError", "status": 400}]
    assert b"secret reason" not in b"".join(office.everything())


def test_who_does_not_ask_gets_none(office: Shop, client: Any, kind: Kind) -> None:
    heso.wrap(client)
    say(client, kind)
    assert outcomes(office) == []


def test_what_is_blocked_has_none(office: Shop, client: Any, kind: Kind) -> None:
    office.rule('[[rule]]\nid = "no"\norder = 1\nverb = "any"\ndecision = "block"\n')
    with pytest.raises(heso.BlockedError):
        say(client, kind)
    assert outcomes(office) == []


def test_a_raw_response_is_read_only_when_it_is_there(
    office: Shop, client: Any, kind: Kind
) -> None:
    owner = client.chat.completions if kind.sdk == "openai" else client.messages
    more = {} if kind.sdk == "openai" else {"max_tokens": 8}
    raw = owner.with_raw_response.create(model="test-model", messages=HELLO, **more)
    told = (in_loop(raw) if kind.is_async else raw).parse()
    told = in_loop(told) if inspect.isawaitable(told) else told
    assert type(told).__name__ in ("ChatCompletion", "Message")
    assert [one["usage"] for one in outcomes(office)] == [usage_of(kind)]


def test_an_outcome_that_cannot_be_written_costs_no_answer(
    office: Shop, client: Any, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Any) -> Any:
        raise OSError("no room")

    office.ledger.append, office.ledger.append_inline = fail, fail
    from heso.integrations.outcomes import Outcomes

    class Permit:
        captured = None
        action_hash = "00"

        class receipt:  # noqa: N801
            body = b'{"content":{"action":{"fields":{}}}}'

    recorder = Outcomes(type("S", (), {"records_outcomes": True})())
    recorder.admitted(Permit())
    assert recorder.seen({"model": "m"}) == {"model": "m"}
    assert "an outcome could not be recorded" in caplog.text
    del office.ledger.append, office.ledger.append_inline
