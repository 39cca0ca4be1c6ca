"""Ways around a gated client and gated HTTP that were tried, one by one. Each was open once."""

import asyncio
import base64
import http.client
import multiprocessing
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import orjson
import pytest
import requests
import urllib3

import heso
from heso.async_gate.context import Step
from heso.core.receipt import Verb
from heso.testing.model_server import Answer, ModelServer, SeenRequest
from heso.workflows.resume import resume
from tests.approvals.shop import ADA, Shop
from tests.integrations.clients import in_loop

openai = pytest.importorskip("openai")
HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture
def client(server: ModelServer) -> Iterator[Any]:
    with openai.OpenAI(api_key="test-key", base_url=server.url + "/v1", max_retries=0) as made:
        yield heso.wrap(made)


@pytest.fixture
def gated(office: Shop) -> Iterator[Shop]:
    heso.gate_http()
    yield office
    heso.ungate_http()


def act_for(office: Shop, account: str) -> None:
    office.start(project=Step("shop", account, None))


def say(client: Any, **more: Any) -> Any:
    return client.chat.completions.create(model="test-model", messages=HELLO, **more)


def ask(call: Callable[[], Any]) -> str:
    with pytest.raises(heso.SuspendedError) as held:
        call()
    return held.value.action_hash


def approve(office: Shop, call: Callable[[], Any]) -> str:
    name = ask(call)
    office.clock.advance(1)
    office.vote(name, ADA)
    return name


def fields(office: Shop) -> list[dict[str, Any]]:
    found = (orjson.loads(receipt)["content"] for receipt in office.everything())
    return [c["action"]["fields"] for c in found if c.get("session_id") == "shop"]


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


# --- HTTP libraries


def test_what_is_sent_from_within_a_gated_call_is_asked_about_itself(
    gated: Shop, server: ModelServer
) -> None:
    gated.rule(
        '[[rule]]\nid = "good"\norder = 1\nverb = "any"\nscope = "localhost"\ndecision = "allow"\n'
        '[[rule]]\nid = "rest"\norder = 2\nverb = "any"\ndecision = "block"\n'
    )
    evil, good = server.url + "/evil", server.url.replace("127.0.0.1", "localhost") + "/good"
    held: list[Exception] = []

    def leak(*_: Any, **__: Any) -> None:
        try:
            urllib.request.urlopen(evil, data=b"x")  # noqa: S310  # this machine's
        except heso.BlockedError as error:
            held.append(error)

    def leaking(request: Any) -> Any:
        leak()
        return request

    httpx.get(good, auth=leaking)
    with httpx.Client(event_hooks={"request": [leak]}) as client:
        client.get(good)
    requests.get(good, hooks={"response": leak}, timeout=5)
    assert len(held) == 3
    assert [request.path for request in server.requests] == ["/good"] * 3


def test_a_proxy_that_nobody_named_is_refused(
    gated: Shop, server: ModelServer, monkeypatch: Any
) -> None:
    place = server.url.removeprefix("http://")
    proxies = {"http": server.url}
    with pytest.raises(heso.CaptureError, match="goes through"):
        requests.post("http://good.example/", data=b"x", proxies=proxies, timeout=5)
    with (
        pytest.raises(heso.CaptureError, match="goes through"),
        httpx.Client(proxy=server.url) as client,
    ):
        client.post("http://good.example/", content=b"x")
    with pytest.raises(heso.CaptureError, match="goes through"):
        urllib3.ProxyManager(server.url).request("POST", "http://good.example/", body=b"x")
    monkeypatch.setenv("http_proxy", server.url)
    with pytest.raises(heso.CaptureError, match="goes through"):
        urllib.request.build_opener(urllib.request.ProxyHandler()).open("http://good.example/")
    monkeypatch.delenv("http_proxy")
    assert server.requests == []
    heso.gate_http(proxies=[place])
    requests.post("http://good.example/", data=b"x", proxies=proxies, timeout=5)
    assert [request.path for request in server.requests] == ["http://good.example/"]
    assert fields(gated)[-1]["http"]["via"] == place


def test_a_local_socket_that_nobody_named_is_refused(gated: Shop) -> None:
    transport = httpx.HTTPTransport(uds="/run/docker.sock")
    with (
        pytest.raises(heso.CaptureError, match=r"unix:/run/docker\.sock"),
        httpx.Client(transport=transport) as client,
    ):
        client.get("http://good.example/")


def test_a_second_request_in_one_body_is_refused(gated: Shop, server: ModelServer) -> None:
    body = b"0\r\n\r\nPOST /evil HTTP/1.1"
    with pytest.raises(heso.CaptureError, match="frames"):
        requests.post(server.url, data=body, headers={"Transfer-Encoding": "chunked"}, timeout=5)
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
    with pytest.raises(heso.CaptureError, match="content-length"):
        connection.request("POST", "/x", body, {"Content-Length": "0"})
    assert server.requests == []


def test_bytes_that_lie_about_themselves_are_read_as_they_are(
    gated: Shop, server: ModelServer
) -> None:
    class Liar(bytes):
        def __bytes__(self) -> bytes:
            return b"amount=1"

    act_for(gated, "asked")
    approve(gated, lambda: requests.post(server.url, data=b"amount=1", timeout=5))
    ask(lambda: requests.post(server.url, data=Liar(b"amount=9"), timeout=5))
    assert server.requests == []


def test_a_form_of_aiohttp_is_a_stream_and_not_an_empty_body(
    gated: Shop, server: ModelServer
) -> None:
    import aiohttp

    async def go() -> None:
        form = aiohttp.FormData()
        form.add_field("f", b"bytes", filename="a")
        async with (
            aiohttp.ClientSession() as session,
            session.post(server.url, data=form) as answer,
        ):
            await answer.read()

    in_loop(go())
    assert fields(gated)[0]["http"]["body_bytes"] != 0
    act_for(gated, "asked")
    with pytest.raises(heso.CaptureError, match="stream"):
        in_loop(go())


def test_a_redirect_to_what_needs_approval_waits(gated: Shop, server: ModelServer) -> None:
    def redirect(request: SeenRequest) -> Answer | None:
        return (
            Answer(b"", status=302, headers={"location": "/asked"}) if request.path == "/" else None
        )

    server.answers = redirect
    gated.rule(
        '[[rule]]\nid = "asked"\norder = 1\nverb = "any"\nconditions = [{ field = "http.path", op = "eq", value = "/asked" }]\n'
        'decision = "require_approval"\n[[rule]]\nid = "rest"\norder = 2\nverb = "any"\ndecision = "allow"\n'
    )
    with pytest.raises(heso.SuspendedError):
        httpx.get(server.url, follow_redirects=True)
    assert fields(gated)[-1]["http"]["body_bytes"] == 0


def test_what_a_library_tries_again_is_one_action(gated: Shop, server: ModelServer) -> None:
    server.answers = lambda _: Answer(b"", status=503) if len(server.requests) < 3 else None
    retry = urllib3.Retry(3, status_forcelist=[503], backoff_factor=0)
    with urllib3.PoolManager() as pool:
        pool.request("GET", server.url + "/x", retries=retry)
    assert (len(server.requests), len(fields(gated))) == (3, 1)


def test_a_bare_query_is_no_name(gated: Shop, server: ModelServer) -> None:
    httpx.get(server.url + "/x?sk_live_S3CRET&a=1")
    assert fields(gated)[0]["http"]["query_names"] == ["a"]
    assert b"S3CRET" not in b"".join(gated.everything())


def test_a_method_is_judged_as_it_is(gated: Shop, server: ModelServer) -> None:
    class Liar(str):
        __slots__ = ()

        def upper(self) -> str:
            return "GET"

    with pytest.raises(heso.SuspendedError):  # a delete needs a person
        urllib3.HTTPConnectionPool("127.0.0.1", int(server.url.rpartition(":")[2])).urlopen(
            Liar("DELETE"), "/x"
        )
    found = [orjson.loads(one)["content"]["action"] for one in gated.everything()]
    assert found[-1]["verb"] == Verb.DELETE
    assert server.requests == []


def test_what_a_hook_sends_through_the_adapter_is_asked_about(
    gated: Shop, server: ModelServer
) -> None:
    def hook(response: Any, **_: Any) -> Any:
        response.content  # noqa: B018  # read, so that its connection is free
        if response.request.body == b"amount=1":
            other = response.request.copy()
            other.body, other.headers["Content-Length"] = b"amount=9", "8"
            return response.connection.send(other)
        return response

    act_for(gated, "asked")

    def pay() -> Any:
        with requests.Session() as session:
            return session.post(server.url + "/pay", data=b"amount=1", hooks={"response": hook})

    approve(gated, pay)
    with pytest.raises(heso.GateError, match="not what was approved"):
        pay()
    assert [request.body for request in server.requests] == [b"amount=1"]


def test_an_adapter_that_tries_again_sends_what_was_approved_once(
    gated: Shop, server: ModelServer
) -> None:
    from requests.adapters import HTTPAdapter

    server.answers = lambda _: Answer(b"", status=503)
    act_for(gated, "asked")
    retry = urllib3.Retry(3, status_forcelist=[503], backoff_factor=0, allowed_methods=None)

    def pay() -> Any:
        with requests.Session() as session:
            session.mount("http://", HTTPAdapter(max_retries=retry))
            return session.post(server.url + "/pay", data=b"amount=1")

    approve(gated, pay)
    with pytest.raises(heso.HesoError, match="sent once"):
        pay()
    assert len(server.requests) == 1


def test_a_pools_own_redirect_is_asked_about(gated: Shop, server: ModelServer) -> None:
    server.answers = lambda r: (
        Answer(b"", status=302, headers={"location": "/admin"}) if r.path == "/a" else None
    )
    gated.rule(
        '[[rule]]\nid = "no"\norder = 1\nverb = "any"\nconditions = [{ field = "http.path", op = "eq", value = "/admin" }]\n'
        'decision = "block"\n[[rule]]\nid = "rest"\norder = 2\nverb = "any"\ndecision = "allow"\n'
    )
    pool = urllib3.HTTPConnectionPool("127.0.0.1", int(server.url.rpartition(":")[2]))
    with pytest.raises(heso.BlockedError):
        pool.request("GET", "/a")

    def body() -> Iterator[bytes]:
        urllib.request.urlopen(server.url + "/admin", data=b"x")  # noqa: S310  # this machine's
        yield b"ok"

    with pytest.raises(heso.BlockedError):
        requests.post(server.url + "/ok", data=body(), timeout=5)
    assert "/admin" not in [request.path for request in server.requests]
    pool.close()


def test_a_redirect_that_was_approved_does_not_send_the_first_request_twice(
    gated: Shop, server: ModelServer
) -> None:
    server.answers = lambda r: (
        Answer(b"", status=303, headers={"location": "/asked"}) if r.path == "/post" else None
    )
    gated.rule(
        '[[rule]]\nid = "asked"\norder = 1\nverb = "any"\nconditions = [{ field = "http.path", op = "eq", value = "/asked" }]\n'
        'decision = "require_approval"\napprovers = ["finance"]\n'
        '[[rule]]\nid = "rest"\norder = 2\nverb = "any"\ndecision = "allow"\n'
        + gated.policy_text[gated.policy_text.index("[[approver]]") :]
    )

    def go() -> Any:
        return httpx.post(server.url + "/post", content=b"x", follow_redirects=True)

    approve(gated, go)
    server.requests.clear()
    assert go().status_code == 200
    assert [request.path for request in server.requests] == ["/post", "/asked"]


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


def test_another_host_header_is_refused_for_any_request(gated: Shop, server: ModelServer) -> None:
    for call in (requests.get, httpx.get):
        with pytest.raises(heso.CaptureError, match="another host"):
            call(server.url, headers={"Host": "evil.example"}, timeout=5)
    assert server.requests == []


def test_a_default_port_is_no_other_place(gated: Shop) -> None:
    act_for(gated, "blocked")
    with pytest.raises(heso.BlockedError):
        requests.get("http://127.0.0.1:80/a", timeout=5)
    assert [one["http"]["origin"] for one in fields(gated)] == ["http://127.0.0.1"]


def test_a_form_can_be_approved(gated: Shop, server: ModelServer) -> None:
    act_for(gated, "asked")

    def upload() -> Any:
        return requests.post(server.url + "/up", files={"f": ("a.txt", b"bytes")}, timeout=5)

    approve(gated, upload)
    assert upload().status_code == 200
    assert len(server.requests) == 1


def test_what_a_url_says_of_who_one_is_is_in_no_error_that_is_kept(gated: Shop) -> None:
    act_for(gated, "asked")

    def call() -> Any:
        return requests.post(
            "http://usr:PASSW0RD@127.0.0.1:1/x?api_key=QKEY1", data=b"x", timeout=1
        )

    name = approve(gated, call)
    with pytest.raises(requests.ConnectionError):
        call()
    kept = repr(gated.desk.read(name)) + repr(gated.everything())
    assert "QKEY1" not in kept
    assert "PASSW0RD" not in kept


SEALED = """
import multiprocessing, socket, subprocess, sys, tempfile, pathlib, http.client
import heso
from heso.integrations.egress.audit import SealedError
from heso.project import create_project
from heso.testing.model_server import model_server
import httpx

def refused(act):
    try:
        act()
    except (SealedError, ValueError, heso.BlockedError) as error:
        print("refused", type(error).__name__)
    else:
        print("NOT REFUSED")

def main():
    root = tempfile.mkdtemp()
    pathlib.Path(root, "heso.toml").write_text(
        '[[rule]]\\nid = "x"\\norder = 1\\nverb = "any"\\nscope = "localhost"\\ndecision = "allow"\\n'
        '[[rule]]\\nid = "y"\\norder = 2\\nverb = "any"\\ndecision = "block"\\n')
    create_project(pathlib.Path(root), None)
    with model_server() as server, model_server() as other, heso.init(root):
        port, other_port = (int(s.url.rpartition(":")[2]) for s in (server, other))
        heso.gate_http(seal=True)
        refused(lambda: heso.gate_http(seal=True, allow=["0.0.0.0/0"]))
        refused(lambda: multiprocessing.get_context("spawn").Process(target=print).start())
        def leak(_):
            refused(lambda: socket.create_connection(("127.0.0.1", other_port)))
            refused(lambda: subprocess.run(["true"]))
        with httpx.Client(event_hooks={"request": [leak]}) as client:
            print(client.get(f"http://localhost:{port}/x").status_code)
        refused(lambda: httpx.get(f"http://127.0.0.1:{port}/x", auth=lambda r: leak(r) or r))
        connection = http.client.HTTPConnection("localhost", port)
        connection.putrequest("GET", "/x")
        connection.endheaders()
        print(connection.getresponse().status)
        class Host(str):
            def __str__(self):
                return "allowed"
        refused(lambda: socket.socket().connect((Host("127.0.0.1"), other_port)))
        print(len(server.requests), len(other.requests))

if __name__ == "__main__":
    main()
"""


def test_a_sealed_process_holds(tmp_path: Path) -> None:
    program = tmp_path / "sealed.py"
    program.write_text(SEALED)
    done = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "refused ValueError",
        "refused SealedError",
        "refused SealedError",
        "refused SealedError",
        "200",
        "refused SealedError",
        "refused SealedError",
        "refused BlockedError",
        "200",
        "refused SealedError",
        "2 0",
    ]
    assert multiprocessing.active_children() == []
