"""Ways around a wrapped client that were tried, one by one. Each was open once."""

import asyncio
import base64
import sys
import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import orjson
import pytest

import heso
from heso.async_gate.context import Step
from heso.ports import NotWritten
from heso.testing.model_server import Answer, ModelServer
from heso.workflows.resume import resume
from tests.approvals.shop import ADA, Shop
from tests.integrations.acting import act_for, approve, ask, fields
from tests.integrations.clients import in_loop

openai = pytest.importorskip("openai")
HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
def client(server: ModelServer) -> Iterator[Any]:
    with openai.OpenAI(api_key="test-key", base_url=server.url + "/v1", max_retries=0) as made:
        yield heso.wrap(made)


def say(client: Any, **more: Any) -> Any:
    return client.chat.completions.create(model="test-model", messages=HELLO, **more)


# --- through the HTTP client of a wrapped client


def test_hooks_that_are_replaced_leave_the_door_closed(
    office: Shop, server: ModelServer, client: Any
) -> None:
    act_for(office, "blocked")
    http = client._client
    for hooks in ({}, {"request": [lambda _: http.event_hooks.clear()]}):
        http.event_hooks = hooks
        with pytest.raises(heso.BlockedError):
            http.post(server.url + "/v1/chat/completions", json={})
    http.event_hooks = {}
    with pytest.raises(heso.BlockedError):
        type(http).send(http, http.build_request("GET", server.url + "/v1/models"))
    assert server.requests == []


def test_a_body_that_a_hook_swaps_is_the_one_that_is_judged(
    office: Shop, server: ModelServer, client: Any
) -> None:
    def swap(request: Any) -> None:
        request.stream = httpx2.ByteStream(b'{"model":"evil-model"}')
        request.headers["content-length"] = "22"

    client._client.event_hooks = {"request": [swap]}
    say(client)
    assert fields(office)[0]["model"] == "evil-model"
    assert server.requests[0].json == {"model": "evil-model"}


def test_another_target_than_the_urls_is_refused(
    office: Shop, server: ModelServer, client: Any
) -> None:
    with pytest.raises(heso.CaptureError, match="another target"):
        client._client.post(server.url + "/v1/models", extensions={"target": b"/v1/files"})
    assert server.requests == []


def test_another_host_in_the_headers_is_refused(
    office: Shop, server: ModelServer, client: Any
) -> None:
    with pytest.raises(heso.CaptureError, match="another host"):
        say(client, extra_headers={"Host": "evil.example"})
    assert server.requests == []


def test_two_clients_with_their_own_settings_share_one_door(
    office: Shop, server: ModelServer
) -> None:
    shared = httpx2.Client()
    one = openai.OpenAI(api_key="k", base_url=server.url + "/v1", http_client=shared)
    two = heso.wrap(
        openai.OpenAI(api_key="k", base_url=server.url + "/v1", http_client=shared), name="two"
    )
    heso.wrap(one, name="one")
    act_for(office, "blocked")
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=_try_often, args=(c,)) for c in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(0.005)
        shared.close()
    assert server.requests == []


def _try_often(client: Any) -> None:
    for _ in range(100):
        with pytest.raises(heso.BlockedError):
            say(client)


def test_a_raw_request_of_an_instrumented_client_is_gated(
    office: Shop, server: ModelServer
) -> None:
    with openai.OpenAI(api_key="k", base_url=server.url + "/v1") as before:
        heso.instrument()
        try:
            act_for(office, "blocked")
            with pytest.raises(heso.BlockedError):
                before._client.get(server.url + "/v1/models")
            assert server.requests == []
        finally:
            heso.uninstrument()
        before.models.list()
        assert len(server.requests) == 1


def test_a_refusal_leaves_a_task_group_as_itself(office: Shop, server: ModelServer) -> None:
    class Grouped(httpx2.AsyncClient):
        async def send(self, request: Any, **options: Any) -> Any:
            async with asyncio.TaskGroup() as group:
                return await group.create_task(super().send(request, **options))

    act_for(office, "blocked")

    async def go() -> None:
        async with openai.AsyncOpenAI(
            api_key="k", base_url=server.url + "/v1", http_client=Grouped()
        ) as made:
            with pytest.raises(heso.BlockedError):
                await heso.wrap(made).models.list()

    in_loop(go())
    assert server.requests == []


# --- approvals


def test_what_was_approved_goes_out_once_whatever_fails(office: Shop, server: ModelServer) -> None:
    with openai.OpenAI(api_key="k", base_url=server.url + "/v1", max_retries=3) as made:
        client = heso.wrap(made)
        act_for(office, "asked")
        approve(office, lambda: say(client))
        server.answers = lambda _: Answer(b"{}", status=500, headers={"retry-after-ms": "1"})
        with pytest.raises(openai.InternalServerError):
            say(client)
        assert len(server.requests) == 1


def test_a_task_that_outlives_its_call_has_no_part_in_it(office: Shop, server: ModelServer) -> None:
    act_for(office, "asked")
    late: list[Any] = []

    async def go() -> None:
        http = httpx2.AsyncClient()

        async def send_later(request: Any) -> None:
            await asyncio.sleep(0.05)
            for _ in range(3):
                try:
                    await http.post(request.url, content=request.content, headers=request.headers)
                except heso.HesoError as error:
                    late.append(error)

        async def hook(request: Any) -> None:
            late.append(asyncio.create_task(send_later(request)))

        async with openai.AsyncOpenAI(
            api_key="k", base_url=server.url + "/v1", http_client=http, max_retries=0
        ) as made:
            client = heso.wrap(made)

            async def call() -> Any:
                return await client.chat.completions.create(model="m", messages=HELLO)

            with pytest.raises(heso.SuspendedError) as held:
                await call()
            office.vote(held.value.action_hash, ADA)
            http.event_hooks = {"request": [hook]}
            await call()
            http.event_hooks = {}
            await asyncio.sleep(0.2)

    in_loop(go())
    assert len(server.requests) == 1
    assert {type(e) for e in late if not isinstance(e, asyncio.Task)} == {heso.SuspendedError}


def test_another_header_is_another_action(office: Shop, server: ModelServer, client: Any) -> None:
    act_for(office, "asked")
    first = approve(office, lambda: say(client))
    assert ask(lambda: say(client, extra_headers={"x-tenant": "b"})) != first
    assert server.requests == []


def test_a_body_without_a_type_is_resumed_as_it_was(
    office: Shop, server: ModelServer, client: Any
) -> None:
    act_for(office, "asked")
    url = server.url + "/v1/x"
    name = approve(office, lambda: client._client.post(url, content=b'{"a":1}'))
    heso.register_client("openai", lambda: openai.OpenAI(api_key="k", base_url=server.url + "/v1"))
    in_loop(resume(office.desk, name))
    assert [request.body for request in server.requests] == [b'{"a":1}']


@pytest.mark.parametrize(
    "body", [{"$digest": "0" * 64, "type": "json"}, {"$hidden": "a/0"}, {"a": {"$bytes": "YQ=="}}]
)
def test_names_of_our_own_are_refused(
    office: Shop, server: ModelServer, client: Any, body: Any
) -> None:
    with pytest.raises(heso.CaptureError, match="own"):
        client.post("/x", cast_to=object, body=body)
    assert server.requests == []


def test_an_approved_file_is_that_file_in_any_process(
    office: Shop, server: ModelServer, client: Any
) -> None:
    act_for(office, "asked")
    content = b"\x00\xff" * 40_000
    name = approve(
        office, lambda: client.files.create(file=("a.bin", content), purpose="assistants")
    )
    assert ask(lambda: client.files.create(file=("a.bin", b"other"), purpose="assistants")) != name
    heso.register_client("openai", lambda: openai.OpenAI(api_key="k", base_url=server.url + "/v1"))
    in_loop(resume(office.desk, name))
    (sent,) = server.requests
    assert content in sent.body
    assert b'filename="a.bin"' in sent.body


def test_an_image_is_shown_by_its_hash_and_sent_whole(
    office: Shop, server: ModelServer, client: Any
) -> None:
    act_for(office, "asked")
    url = "data:image/png;base64," + base64.b64encode(b"\x89PNG" * 50_000).decode()
    content = [{"type": "image_url", "image_url": {"url": url}}]

    def call() -> Any:
        return client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": content}]
        )

    name = approve(office, call)
    assert max(len(receipt) for receipt in office.everything()) < 10_000
    heso.register_client("openai", lambda: openai.OpenAI(api_key="k", base_url=server.url + "/v1"))
    in_loop(resume(office.desk, name))
    assert server.requests[0].json["messages"][0]["content"] == content


def test_a_payload_that_cannot_be_kept_is_not_asked_about(
    office: Shop, server: ModelServer, client: Any
) -> None:
    class Full:
        def keep(self, *_: object) -> None:
            raise NotWritten("no space left on device", "make room")

    office.start(project=Step("shop", "asked", None), reveals=Full())
    with pytest.raises(heso.GateError, match="no space left on device; make room"):
        client.files.create(file=("a.bin", b"x"), purpose="assistants")
    assert (server.requests, len(office.everything())) == ([], 0)


def test_an_integer_that_readers_read_differently_cannot_wait(
    office: Shop, server: ModelServer, client: Any
) -> None:
    say(client, seed=2**60)
    assert server.requests[0].json["seed"] == 2**60
    act_for(office, "asked")
    with pytest.raises(heso.CaptureError, match=r"2\^53"):
        say(client, seed=2**60)


def test_credentials_are_kept_nowhere(office: Shop, server: ModelServer, client: Any) -> None:
    act_for(office, "asked")
    secret = {"helicone-auth": "Bearer S3CRET", "ocp-apim-subscription-key": "S3CRET"}

    def call() -> Any:
        return say(client, extra_headers=secret, extra_query={"api-key": "S3CRET", "v": "1"})

    name = approve(office, call)
    server.answers = lambda request: Answer(
        orjson.dumps({"error": {"message": f"bad key {request.headers['authorization']} S3CRET"}}),
        status=401,
    )
    with pytest.raises(openai.AuthenticationError):
        call()
    everything = b"".join(office.everything()) + repr(office.desk.read(name)).encode()
    everything += b"".join(office.reveals._sidecars.values())
    assert b"S3CRET" not in everything
    assert b"test-key" not in everything
    assert fields(office)[0]["http"]["query"] == "v=1"


def test_a_body_that_is_a_list_is_hidden_whole_where_something_is(
    office: Shop, server: ModelServer, client: Any
) -> None:
    heso.wrap(client, redact=["messages.content"])
    client.post("/x", cast_to=object, body=[{"messages": [{"content": "S3CRET"}]}])
    assert b"S3CRET" not in b"".join(office.everything())


def test_what_is_too_much_is_refused_and_ends(
    office: Shop, server: ModelServer, client: Any
) -> None:
    with pytest.raises(heso.CaptureError, match="too many values"):
        say(client, extra_body={f"k{index}": index for index in range(10_000)})
    assert server.requests == []


def test_a_client_that_outlives_instrumenting_is_gated_by_what_is_there(
    office: Shop, server: ModelServer
) -> None:
    heso.instrument()
    with openai.OpenAI(api_key="k", base_url=server.url + "/v1") as made:
        heso.gate_http()
        heso.uninstrument()
        act_for(office, "blocked")
        with pytest.raises(heso.BlockedError):
            made.models.list()
        heso.ungate_http()
        made.models.list()
    assert len(server.requests) == 1
