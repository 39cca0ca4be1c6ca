"""`heso.instrument()`: clients that others make, before and after; and what is left of it when it is taken back."""

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

import heso
from heso.async_gate.context import Step
from heso.testing.model_server import ModelServer
from tests.approvals.shop import Shop
from tests.integrations.clients import KINDS, Kind, in_loop


@pytest.fixture(params=KINDS, ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    pytest.importorskip(request.param.sdk)
    return request.param


@pytest.fixture(autouse=True)
def taken_back() -> Iterator[None]:
    yield
    heso.uninstrument()


def list_models(client: Any, kind: Kind) -> Any:
    if not kind.is_async:
        return client.models.list()

    async def later() -> Any:
        return await client.models.list()

    return in_loop(later())


def close(client: Any, kind: Kind) -> None:
    in_loop(client.close()) if kind.is_async else client.close()


def test_clients_made_before_and_after_are_gated(
    office: Shop, server: ModelServer, kind: Kind
) -> None:
    before = kind.make(server.url)
    assert kind.sdk in heso.instrument()
    after = kind.make(server.url)
    office.start(project=Step("shop", "blocked", None))
    for client in (before, after, after.with_options(timeout=3)):
        with pytest.raises(heso.BlockedError, match=kind.sdk):
            list_models(client, kind)
    assert server.requests == []
    heso.uninstrument()
    again = kind.make(server.url)
    list_models(again, kind)
    assert len(server.requests) == 1
    for client in (before, after, again):
        close(client, kind)


def test_a_wrapped_client_keeps_its_own_settings(
    office: Shop, server: ModelServer, kind: Kind
) -> None:
    client = heso.wrap(kind.make(server.url), name="mine")
    heso.instrument()
    list_models(client, kind)
    other = kind.make(server.url)
    list_models(other, kind)
    heso.uninstrument()
    list_models(client, kind)
    names = [
        n for n in (b'"mine"', b'"openai"', b'"anthropic"') for r in office.everything() if n in r
    ]
    assert names == [b'"mine"', b'"mine"', f'"{kind.sdk}"'.encode()]
    close(client, kind)
    close(other, kind)


def test_instrumenting_twice_asks_once(office: Shop, server: ModelServer, kind: Kind) -> None:
    heso.instrument()
    heso.instrument(outcomes=False)
    client = kind.make(server.url)
    list_models(client, kind)
    assert len([r for r in office.everything() if b'"http_request"' in r]) == 1
    close(client, kind)


def test_what_is_taken_back_is_as_it_was(kind: Kind) -> None:
    base = importlib.import_module(f"{kind.sdk}._base_client").SyncAPIClient
    before = (base.request, base.__init__)
    heso.instrument()
    assert base.request is not before[0]
    heso.uninstrument()
    assert (base.request, base.__init__) == before


def test_the_module_itself_is_a_client(office: Shop, server: ModelServer, monkeypatch: Any) -> None:
    openai = pytest.importorskip("openai")
    heso.instrument()
    monkeypatch.setattr(openai, "api_key", "k")
    monkeypatch.setattr(openai, "base_url", server.url + "/v1")
    office.start(project=Step("shop", "blocked", None))
    with pytest.raises(heso.BlockedError):
        openai.models.list()
    assert server.requests == []


def test_azure_is_gated_where_it_really_goes(office: Shop, server: ModelServer) -> None:
    openai = pytest.importorskip("openai")
    with heso.wrap(
        openai.AzureOpenAI(api_key="k", api_version="1", azure_endpoint=server.url)
    ) as client:
        client.chat.completions.create(
            model="deployed", messages=[{"role": "user", "content": "x"}]
        )
        office.start(project=Step("shop", "blocked", None))
        with pytest.raises(heso.BlockedError):
            client.chat.completions.create(model="deployed", messages=[])
    (sent,) = server.requests
    assert sent.path == "/openai/deployments/deployed/chat/completions?api-version=1"
    assert any(b"/openai/deployments/deployed/chat/completions" in r for r in office.everything())
