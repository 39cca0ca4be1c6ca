"""A wrapped client: what it still is, what becomes of what is held, and what no way around it changes."""

import copy
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest

import heso
from heso.approvals.changing import Change
from heso.testing.model_server import Answer, ModelServer, SeenRequest
from heso.workflows.resume import resume
from tests.approvals.shop import ADA, Shop
from tests.integrations.acting import act_for
from tests.integrations.clients import KINDS, Kind, in_loop

HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture(params=KINDS, ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


@pytest.fixture
def make(server: ModelServer, kind: Kind) -> Iterator[Callable[..., Any]]:
    """Makes clients, and closes them."""
    made: list[Any] = []

    def build(**options: Any) -> Any:
        made.append(kind.make(server.url, **options))
        return made[-1]

    yield build
    for client in made:
        run(kind, client.close)


def run(kind: Kind, make: Callable[[], Any]) -> Any:
    """Call, and await what has to be."""
    if not kind.is_async:
        return make()

    async def call() -> Any:
        return await make()

    return in_loop(call())


def say(client: Any, kind: Kind, text: str = "hello", **more: Any) -> Any:
    """One model call."""
    messages = [{"role": "user", "content": text}]
    if kind.sdk == "openai":
        create = client.chat.completions.create
    else:
        create, more = client.messages.create, {"max_tokens": 8, **more}
    return run(kind, lambda: create(model="test-model", messages=messages, **more))


def ask(office: Shop, client: Any, kind: Kind, *args: Any, **more: Any) -> str:
    with pytest.raises(heso.SuspendedError) as held:
        say(client, kind, *args, **more)
    return held.value.action_hash


def actions(office: Shop) -> list[dict[str, Any]]:
    found = (orjson.loads(receipt)["content"] for receipt in office.everything())
    return [c for c in found if c.get("session_id") == "shop" and "kind" not in c]


def test_it_is_the_client_that_it_was(server: ModelServer, kind: Kind, make: Any) -> None:
    client = make()
    before, base, signature = client, type(client), inspect.signature(client.request)
    first = client.models
    assert heso.wrap(client) is before
    assert heso.wrap(client) is before
    assert isinstance(client, base)
    assert (type(client).__name__, type(client).__module__) == (base.__name__, base.__module__)
    assert inspect.signature(client.request) == signature
    assert client.models is first
    assert type(copy.copy(client)) is type(client)
    assert type(client.copy()) is type(client)
    assert type(client.with_options(timeout=3)) is type(client)


def test_what_has_no_gate_is_not_sent(server: ModelServer, kind: Kind, make: Any) -> None:
    server.requests.clear()
    client = heso.wrap(make())
    with pytest.raises(heso.GateError, match=r"call heso\.init\(\) first"):
        say(client, kind)
    assert server.requests == []


def test_what_it_asks_is_what_goes_out(
    office: Shop, server: ModelServer, kind: Kind, make: Any
) -> None:
    client = heso.wrap(make())
    say(client, kind, "hello", extra_headers={"x-customer": "C-1"}, extra_body={"more": [1, 2]})
    (action,) = actions(office)
    fields = action["action"]["fields"]
    sent = server.requests[0].json
    assert {k: v for k, v in fields.items() if k != "http"} == sent
    assert sent["more"] == [1, 2]
    assert action["action"]["verb"] == "llm_call"
    assert action["action"]["tool_name"] == kind.sdk
    assert action["action"]["target_host"] == "127.0.0.1"
    http = fields["http"]
    assert (http["method"], http["path"]) == ("POST", server.requests[0].path.partition("?")[0])
    assert "_sd" in http["headers"]["x-customer"]
    everything = b"".join(office.everything())
    assert b"test-key" not in everything
    assert b"C-1" not in everything


def test_a_retried_call_is_one_action(
    office: Shop, server: ModelServer, kind: Kind, make: Any
) -> None:
    def fail_twice(request: SeenRequest) -> Answer | None:
        failing = len(server.requests) < 3
        return Answer(b"{}", status=500, headers={"retry-after-ms": "1"}) if failing else None

    server.answers = fail_twice
    client = heso.wrap(make(max_retries=3))
    say(client, kind)
    assert (len(server.requests), len(actions(office))) == (3, 1)


def test_a_redirect_is_an_action_of_its_own(
    office: Shop, server: ModelServer, kind: Kind, make: Any
) -> None:
    def redirect(request: SeenRequest) -> Answer | None:
        if request.path.startswith("/elsewhere"):
            return None
        return Answer(
            b"",
            status=307,
            headers={"location": server.url.replace("127.0.0.1", "localhost") + "/elsewhere"},
        )

    server.answers = redirect
    rule = (
        '[[rule]]\nid = "home"\norder = 1\nverb = "any"\nscope = "127.0.0.1"\ndecision = "allow"\n'
    )
    rule += '[[rule]]\nid = "away"\norder = 2\nverb = "any"\ndecision = "block"\n'
    office.rule(rule)
    client = heso.wrap(make())
    with pytest.raises(heso.BlockedError, match="away"):
        say(client, kind)
    assert len(server.requests) == 1
    assert [a["action"]["target_host"] for a in actions(office)] == ["127.0.0.1", "localhost"]


def test_an_absolute_url_is_judged_by_where_it_goes(
    office: Shop, server: ModelServer, kind: Kind, make: Any
) -> None:
    office.rule(
        '[[rule]]\nid = "home"\norder = 1\nverb = "any"\nscope = "127.0.0.1"\ndecision = "allow"\n[[rule]]\nid = "away"\norder = 2\nverb = "any"\ndecision = "block"\n'
    )
    client = heso.wrap(make())
    elsewhere = server.url.replace("127.0.0.1", "localhost") + "/v1/x"
    with pytest.raises(heso.BlockedError):
        run(kind, lambda: client.post(elsewhere, cast_to=object, body={"a": 1}))
    assert server.requests == []


def test_its_http_client_is_no_way_around(
    office: Shop, server: ModelServer, kind: Kind, make: Any
) -> None:
    act_for(office, "blocked")
    client = heso.wrap(make())
    with pytest.raises(heso.BlockedError):
        run(kind, lambda: client._client.get(server.url + "/v1/models"))
    client._client.event_hooks = {}
    with pytest.raises(heso.BlockedError):
        say(client, kind)
    client._client = make()._client
    with pytest.raises(heso.BlockedError):
        say(client, kind)
    base = type(client).__mro__[1]
    with pytest.raises(Exception, match="block"):
        run(kind, lambda: base.get(client, "/v1/models", cast_to=object))
    assert server.requests == []


def test_once_it_is_approved_the_same_call_is_sent_once(
    office: Shop, server: ModelServer, kind: Kind, make: Any
) -> None:
    act_for(office, "asked")
    client = heso.wrap(make())
    first = ask(office, client, kind)
    assert ask(office, client, kind) == first
    office.vote(first, ADA)
    told = say(client, kind)
    assert type(told).__name__ in ("ChatCompletion", "Message")
    assert len(server.requests) == 1
    assert ask(office, client, kind) != first
    assert ask(office, client, kind, "something else") != first
    assert office.state(first) == "done"


def test_what_was_approved_is_resumed_through_a_registered_client(
    office: Shop, server: ModelServer, kind: Kind, make: Any
) -> None:
    act_for(office, "asked")
    client = heso.wrap(make(), redact=["messages.content"])
    first = ask(office, client, kind, "the secret", extra_headers={"x-customer": "C-1"})
    office.vote(first, ADA)
    made = []
    heso.register_client(kind.sdk, lambda: made.append(1) or make())
    answer = in_loop(resume(office.desk, first))
    assert answer["model"] == "test-model"
    (sent,) = server.requests
    assert sent.json["messages"] == [{"role": "user", "content": "the secret"}]
    assert sent.headers["x-customer"] == "C-1"
    assert "test-key" in (sent.headers.get("authorization", "") + sent.headers.get("x-api-key", ""))
    assert made == [1]
    assert not any(b"the secret" in receipt for receipt in office.everything())


def test_a_worker_sends_it_and_the_next_call_gets_the_answer_as_its_own(
    office: Shop, server: ModelServer, kind: Kind, make: Any
) -> None:
    act_for(office, "asked")
    client = heso.wrap(make())
    heso.register_client(kind.sdk, make)
    first = ask(office, client, kind)
    office.vote(first, ADA)
    in_loop(resume(office.desk, first, is_delivered=False))
    unwrapped = say(make(), kind)
    server.requests.clear()
    told = say(client, kind)
    assert server.requests == []
    assert (type(told), told.to_dict()) == (type(unwrapped), unwrapped.to_dict())


def test_a_stream_that_a_worker_sent_is_told_as_a_stream(
    office: Shop, server: ModelServer, kind: Kind, make: Any
) -> None:
    act_for(office, "asked")
    client = heso.wrap(make())
    heso.register_client(kind.sdk, make)
    first = ask(office, client, kind, stream=True)
    office.vote(first, ADA)
    in_loop(resume(office.desk, first, is_delivered=False))
    server.requests.clear()

    async def collect() -> list[Any]:
        create = client.chat.completions.create if kind.sdk == "openai" else client.messages.create
        more = {} if kind.sdk == "openai" else {"max_tokens": 8}
        made = create(model="test-model", messages=HELLO, stream=True, **more)
        if kind.is_async:
            return [event async for event in await made]
        return list(made)

    assert len(in_loop(collect())) >= 3
    assert server.requests == []


def test_what_an_approver_changed_is_what_is_sent(
    office: Shop, server: ModelServer, kind: Kind, make: Any
) -> None:
    act_for(office, "asked")
    client = heso.wrap(make(), redact=["messages.content"])
    heso.register_client(kind.sdk, make)
    first = ask(office, client, kind)
    change = Change({"model": "cheap-model"})
    office.desk.change(
        first, change, lambda new: office.sign(new.action_hash, ADA), by=ADA.public_key
    )
    say(client, kind)
    (sent,) = server.requests
    assert sent.json["model"] == "cheap-model"
    assert sent.json["messages"] == HELLO


@pytest.mark.parametrize("thing", [object(), "OpenAI", None, dict])
def test_an_unknown_client_is_refused(thing: object) -> None:
    with pytest.raises(heso.NotWrapped, match="is not wrapped"):
        heso.wrap(thing)
