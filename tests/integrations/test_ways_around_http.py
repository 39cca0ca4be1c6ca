"""Ways around gated HTTP that were tried, one by one. Each was open once."""

import http.client
import urllib.request
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
import requests
import urllib3

import heso
from heso.core.receipt import Verb
from heso.testing.model_server import Answer, ModelServer, SeenRequest
from tests.approvals.shop import Shop
from tests.integrations.acting import act_for, approve, ask, fields
from tests.integrations.clients import in_loop


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
