"""HTTP libraries under `heso.gate_http()`: each request is asked about once, by whoever knows most of it."""

import asyncio
import http.client
import threading
import urllib.request
from collections.abc import Callable
from typing import Any

import aiohttp
import httpx
import httpx2
import orjson
import pytest
import requests
import urllib3
from requests import get as requests_get
from urllib3 import PoolManager

import heso
from heso.testing.model_server import Answer, ModelServer, SeenRequest
from tests.approvals.shop import ADA, Shop
from tests.integrations import acting
from tests.integrations.acting import act_for

BODY = b"a=THE-SECRET"


def _aiohttp(url: str, body: bytes | None, headers: dict[str, str]) -> int:
    async def send() -> int:
        async with (
            aiohttp.ClientSession() as session,
            session.request("POST" if body else "GET", url, data=body, headers=headers) as answer,
        ):
            await answer.read()
            return answer.status

    return asyncio.run(send())


def _httpx_async(module: Any) -> Callable[..., int]:
    def call(url: str, body: bytes | None, headers: dict[str, str]) -> int:
        async def send() -> int:
            async with module.AsyncClient(follow_redirects=True) as client:
                method = "POST" if body else "GET"
                return (
                    await client.request(method, url, content=body, headers=headers)
                ).status_code

        return asyncio.run(send())

    return call


def _httpx(module: Any) -> Callable[..., int]:
    def call(url: str, body: bytes | None, headers: dict[str, str]) -> int:
        with module.Client(follow_redirects=True) as client:
            return client.request(
                "POST" if body else "GET", url, content=body, headers=headers
            ).status_code

    return call


def _http_client(url: str, body: bytes | None, headers: dict[str, str]) -> int:
    place, path = url.removeprefix("http://").split("/", 1)
    connection = http.client.HTTPConnection(place)
    try:
        connection.request("POST" if body else "GET", f"/{path}", body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def _piecemeal(url: str, body: bytes | None, headers: dict[str, str]) -> int:
    place, path = url.removeprefix("http://").split("/", 1)
    connection = http.client.HTTPConnection(place)
    try:
        connection.putrequest("POST" if body else "GET", f"/{path}")
        for name, value in {**headers, "content-length": str(len(body or b""))}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        return connection.getresponse().status
    finally:
        connection.close()


def _urllib(url: str, body: bytes | None, headers: dict[str, str]) -> int:
    with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:  # noqa: S310
        return answer.status


def _urllib3(url: str, body: bytes | None, headers: dict[str, str]) -> int:
    with PoolManager() as pool:
        return pool.request("POST" if body else "GET", url, body=body, headers=headers).status


def _requests(url: str, body: bytes | None, headers: dict[str, str]) -> int:
    with requests.Session() as session:
        return session.request(
            "POST" if body else "GET", url, data=body, headers=headers
        ).status_code


LIBRARIES: dict[str, Callable[..., int]] = {
    "httpx": _httpx(httpx),
    "httpx2": _httpx(httpx2),
    "httpx, async": _httpx_async(httpx),
    "httpx2, async": _httpx_async(httpx2),
    "requests": _requests,
    "urllib3": _urllib3,
    "aiohttp": _aiohttp,
    "http.client": _http_client,
    "http.client, piecemeal": _piecemeal,
    "urllib": _urllib,
}


@pytest.fixture(params=LIBRARIES)
def send(request: pytest.FixtureRequest) -> Callable[..., int]:
    return LIBRARIES[request.param]


def fields(office: Shop) -> list[dict[str, Any]]:
    return [found["http"] for found in acting.fields(office)]


def test_what_is_held_is_not_sent(gated: Shop, server: ModelServer, send: Any) -> None:
    for account, error in (("blocked", heso.BlockedError), ("asked", heso.SuspendedError)):
        act_for(gated, account)
        cannot_wait = send is _piecemeal and account == "asked"  # its body is not there yet
        with pytest.raises(heso.CaptureError if cannot_wait else error):
            send(server.url + "/x?key=THE-SECRET", BODY, {"x-key": "THE-SECRET"})
    assert server.requests == []


def test_what_may_go_is_asked_about_once_and_shown_without_what_it_says(
    gated: Shop, server: ModelServer, send: Any
) -> None:
    assert send(server.url + "/x?key=THE-SECRET", BODY, {"x-key": "THE-SECRET"}) == 200
    (request,) = server.requests
    assert (request.method, request.body) == ("POST", BODY)
    (shown,) = fields(gated)
    assert {name: shown[name] for name in ("method", "origin", "path", "query_names")} == {
        "method": "POST",
        "origin": server.url,
        "path": "/x",
        "query_names": ["key"],
    }
    assert shown["body_bytes"] == (None if send is _piecemeal else len(BODY))
    assert b"THE-SECRET" not in b"".join(gated.everything())


def test_an_approval_is_for_these_bytes_and_for_one_time(
    gated: Shop, server: ModelServer, send: Any
) -> None:
    if send is _piecemeal:
        return  # it cannot wait: see above
    act_for(gated, "asked")

    def ask(body: bytes) -> str:
        with pytest.raises(heso.SuspendedError) as held:
            send(server.url + "/x?a=1", body, {})
        return held.value.action_hash

    first = ask(BODY)
    assert ask(BODY) == first
    gated.vote(first, ADA)
    other = ask(b"a=another")
    assert other != first
    assert send(server.url + "/x?a=1", BODY, {}) == 200
    assert [request.body for request in server.requests] == [BODY]
    assert ask(BODY) not in (first, other)
    assert b"THE-SECRET" not in b"".join(gated.everything())


def test_a_redirect_is_asked_about(gated: Shop, server: ModelServer, send: Any) -> None:
    if send in (_http_client, _piecemeal):
        return  # they follow none
    elsewhere = server.url.replace("127.0.0.1", "localhost")

    def redirect(request: SeenRequest) -> Answer | None:
        is_first = request.path == "/first"
        return Answer(b"", status=302, headers={"location": f"{elsewhere}/x"}) if is_first else None

    server.answers = redirect
    gated.rule(
        '[[rule]]\nid = "home"\norder = 1\nverb = "any"\nscope = "127.0.0.1"\ndecision = "allow"\n'
        '[[rule]]\nid = "away"\norder = 2\nverb = "any"\ndecision = "block"\n'
    )
    with pytest.raises(heso.BlockedError, match="away"):
        send(server.url + "/first", None, {})
    assert [request.path for request in server.requests] == ["/first"]


def test_names_that_were_imported_before_are_gated(gated: Shop, server: ModelServer) -> None:
    act_for(gated, "blocked")
    for call in (requests_get, httpx.get, httpx2.get, urllib.request.urlopen):
        with pytest.raises(heso.BlockedError):
            call(server.url + "/x")
    assert server.requests == []


def test_taken_back_nothing_is_asked(office: Shop, server: ModelServer, send: Any) -> None:
    client = httpx.Client()
    heso.gate_http()
    act_for(office, "blocked")
    with client, pytest.raises(heso.BlockedError):
        client.get(server.url + "/x")
    heso.ungate_http()
    assert send(server.url + "/x", None, {}) == 200
    with httpx.Client() as again:
        assert again.get(server.url + "/x").status_code == 200
    assert len(server.requests) == 2


def test_a_wrapped_client_is_asked_about_once_under_both(gated: Shop, server: ModelServer) -> None:
    openai = pytest.importorskip("openai")
    with heso.wrap(openai.OpenAI(api_key="k", base_url=server.url + "/v1")) as client:
        client.models.list()
    with heso.wrap(
        openai.OpenAI(api_key="k", base_url=server.url + "/v1", http_client=httpx2.Client())
    ) as client:
        client.models.list()
    assert [shown["path"] for shown in fields(gated)] == ["/v1/models", "/v1/models"]


def test_threads_are_gated(gated: Shop, server: ModelServer) -> None:
    act_for(gated, "blocked")
    caught: list[BaseException] = []

    def go() -> None:
        try:
            requests.get(server.url + "/x", timeout=5)
        except heso.BlockedError as error:
            caught.append(error)

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(caught), server.requests) == (8, [])


def test_lists_are_lists() -> None:
    with pytest.raises(TypeError, match="lists"):
        heso.gate_http(redact="http.path")
    with pytest.raises(TypeError, match="lists"):
        heso.gate_http(allow="localhost")


def test_a_path_that_is_hidden_is_hidden_everywhere(office: Shop, server: ModelServer) -> None:
    heso.gate_http(redact=["http.path"])
    try:
        requests.get(server.url + "/hooks/T0KEN", timeout=5)
    finally:
        heso.ungate_http()
    assert b"T0KEN" not in b"".join(office.everything())


def test_urllib3_answers_as_ever(gated: Shop, server: ModelServer) -> None:
    with PoolManager() as pool:
        answer = pool.request("GET", server.url + "/x", preload_content=False)
        assert answer.read(5) == orjson.dumps({"a": 1})[:1] + b'"id"'
        answer.release_conn()
    assert urllib3.connectionpool.HTTPConnectionPool.urlopen.__name__ == "urlopen"
