"""WebSockets, which no HTTP client sees: a gated client's, and all of them under `heso.gate_http()`."""

import asyncio
from collections.abc import Iterator

import orjson
import pytest

import heso
from heso.testing.model_server import ModelServer, model_server
from tests.approvals.shop import ADA, Shop
from tests.integrations.acting import act_for
from tests.integrations.clients import Kind, in_loop

websockets = pytest.importorskip("websockets")
pytest.importorskip("openai")
from websockets.asyncio.client import connect as connect_later  # noqa: E402
from websockets.sync.client import connect as connect_before  # noqa: E402  # before anything was gated
from websockets.sync.server import serve  # noqa: E402


@pytest.fixture
def echo() -> Iterator[tuple[str, list[str]]]:
    """A WebSocket server, and the paths that were connected to."""
    import threading

    paths: list[str] = []

    def answer(connection) -> None:
        paths.append(connection.request.path)
        for message in connection:
            connection.send(message)

    with serve(answer, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}", paths
        server.shutdown()
        thread.join()


def talk(url: str) -> str:
    import websockets.sync.client

    with websockets.sync.client.connect(url) as connection:
        connection.send("hello")
        return str(connection.recv())


def talk_before(url: str) -> str:
    with connect_before(url) as connection:
        connection.send("hello")
        return str(connection.recv())


def talk_later(url: str) -> str:
    async def go() -> str:
        async with connect_later(url) as connection:
            await connection.send("hello")
            return str(await connection.recv())

    return asyncio.run(go())


@pytest.fixture(params=[talk, talk_before, talk_later], ids=["sync", "imported before", "async"])
def say(request: pytest.FixtureRequest):
    return request.param


def test_what_is_held_is_not_opened(gated: Shop, echo, say) -> None:
    url, paths = echo
    for account, error in (("blocked", heso.BlockedError), ("asked", heso.SuspendedError)):
        act_for(gated, account)
        with pytest.raises(error):
            say(url + "/a?key=THE-SECRET")
    assert paths == []
    assert b"THE-SECRET" not in b"".join(gated.everything())


def test_what_may_be_opened_is_asked_about_once(gated: Shop, echo, say) -> None:
    url, paths = echo
    assert say(url + "/a") == "hello"
    assert paths == ["/a"]
    found = [orjson.loads(one)["content"] for one in gated.everything()]
    (action,) = [c["action"] for c in found if c.get("session_id") == "shop"]
    assert (action["tool_name"], action["verb"]) == ("http", "http_request")
    assert action["fields"]["http"]["origin"] == url


def test_once_approved_it_is_opened_once(gated: Shop, echo, say) -> None:
    url, paths = echo
    act_for(gated, "asked")
    with pytest.raises(heso.SuspendedError) as held:
        say(url + "/a")
    gated.vote(held.value.action_hash, ADA)
    assert say(url + "/a") == "hello"
    with pytest.raises(heso.SuspendedError) as again:
        say(url + "/a")
    assert again.value.action_hash != held.value.action_hash
    assert paths == ["/a"]


def test_other_peoples_connections_are_left_alone(office: Shop, echo, say) -> None:
    act_for(office, "blocked")
    assert say(echo[0] + "/a") == "hello"


@pytest.mark.parametrize("is_async", [False, True])
def test_a_wrapped_clients_realtime_connection_is_a_model_call(
    office: Shop, is_async: bool
) -> None:
    with model_server() as server:  # its own: a place is known by its port
        _check_realtime(office, server, is_async=is_async)


def _check_realtime(office: Shop, server: ModelServer, *, is_async: bool) -> None:
    kind = Kind("openai", is_async)
    client = heso.wrap(kind.make(server.url))
    act_for(office, "blocked")

    def connect() -> None:
        with client.realtime.connect(model="test-model"):
            pass

    async def connect_later() -> None:
        async with client.realtime.connect(model="test-model"):
            pass

    with pytest.raises(heso.BlockedError):
        in_loop(connect_later()) if is_async else connect()
    assert server.requests == []
    found = [orjson.loads(one)["content"] for one in office.everything()]
    (action,) = [c["action"] for c in found if c.get("session_id") == "shop"]
    assert (action["tool_name"], action["verb"]) == ("openai", "llm_call")
    assert action["fields"]["http"]["query"] == "model=test-model"
    if is_async:
        in_loop(client.close())
    else:
        client.close()
