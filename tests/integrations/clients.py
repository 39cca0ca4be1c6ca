"""The SDKs' clients in front of a server on this machine, and what can be compared of what they do."""

import asyncio
import contextvars
import functools
import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from heso.testing.model_server import ModelServer, SeenRequest
from tests.integrations.walking import Leaf, call, exhaust, exhaust_async, resource, walk

PATIENCE_SECONDS = 1.0
SDKS = ("openai", "anthropic")


@dataclass(frozen=True)
class Kind:
    """One kind of client."""

    sdk: str
    is_async: bool

    def __str__(self) -> str:
        return f"{self.sdk}-{'async' if self.is_async else 'sync'}"

    def make(self, url: str, **options: Any) -> Any:
        module = importlib.import_module(self.sdk)
        options = {"api_key": "test-key", "max_retries": 0, "timeout": 5, **options}
        if self.sdk == "openai":
            ws = {"websocket_base_url": url.replace("http", "ws") + "/v1"}
            kind = module.AsyncOpenAI if self.is_async else module.OpenAI
            try:
                return kind(base_url=url + "/v1", **ws, admin_api_key="test-admin", **options)
            except TypeError:  # an older one knows no admin's key
                return kind(base_url=url + "/v1", **ws, **options)
        kind = module.AsyncAnthropic if self.is_async else module.Anthropic
        return kind(base_url=url, **options)


KINDS = [Kind(sdk, is_async) for sdk in SDKS for is_async in (False, True)]
FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("", {}),
    "stream": ("", {"stream": True}),
    "raw": ("with_raw_response", {}),
    "streaming": ("with_streaming_response", {}),
}


def leaves_of(kind: Kind) -> list[Leaf]:
    """What there is to call; nothing when the SDK is not installed."""
    try:
        client = kind.make("http://127.0.0.1:9")
    except ImportError:
        return []
    return walk(client)


def forms_of(leaf: Leaf, client: Any) -> list[str]:
    """In which forms this leaf can be called."""
    owner = resource(client, leaf.path)
    forms = ["plain"]
    if leaf.takes_stream:
        forms.append("stream")
    for form in ("raw", "streaming"):
        attribute = FORMS[form][0]
        if hasattr(owner, attribute) and hasattr(getattr(owner, attribute), leaf.name):
            forms.append(form)
    return forms


@dataclass(frozen=True)
class Told:
    """What calling came to: the result or error in comparable words, and what was sent."""

    result: str
    error: Exception | None
    sent: tuple[object, ...]

    @property
    def words(self) -> str:
        return self.result if self.error is None else f"{type(self.error).__name__}: {self.error}"


def follow(client: Any, leaf: Leaf, form: str, server: ModelServer, kind: Kind) -> Told:
    """Call a leaf until all its requests are made."""
    attribute, given = FORMS[form]
    server.requests.clear()
    result, error = "", None
    try:
        owner = resource(client, leaf.path)
        owner = getattr(owner, attribute) if attribute else owner
        result = words_of(_run(lambda: call(owner, leaf.name, **given), kind))
    except Exception as raised:  # noqa: BLE001  # whatever it is, it is compared
        error = raised
        while isinstance(error, ExceptionGroup):  # a runner's task group
            error = error.exceptions[0]
    return Told(result, error, tuple(form_of(request) for request in server.requests))


def _run(make: Callable[[], Any], kind: Kind) -> Any:
    if not kind.is_async:
        return exhaust(make())

    async def run() -> Any:
        async with asyncio.timeout(PATIENCE_SECONDS):  # some leaves poll for ever
            return await exhaust_async(make())

    return in_loop(run())


def in_loop(coroutine: Any) -> Any:
    """Run it in the one loop of these tests, with what is going on here."""
    return _loop().run(coroutine, context=contextvars.copy_context())


@functools.cache
def _loop() -> asyncio.Runner:
    """One loop for all: a client keeps its connections, and they are the loop's."""
    return asyncio.Runner()


def words_of(result: Any) -> str:
    """A result as text that is the same for the same answer."""
    if hasattr(result, "to_dict"):
        try:
            return f"{type(result).__name__} {result.to_dict()}"
        except Exception:  # noqa: BLE001  # some answers do not fit their types
            return type(result).__name__
    return type(result).__name__


_BOUNDARY = re.compile(rb"boundary=([\w-]+)")


def form_of(request: SeenRequest) -> tuple[str, str, bytes]:
    """A request without what is drawn by lot each time."""
    body = request.body
    found = _BOUNDARY.search(request.headers.get("content-type", "").encode())
    if found is not None:
        body = body.replace(found.group(1), b"BOUNDARY")
    return request.method, request.path, body
