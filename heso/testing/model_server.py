"""A model provider on this machine, for tests without a network: it records what it is sent, and answers everything.

    with model_server() as server:
        client = heso.wrap(OpenAI(api_key="test", base_url=server.url + "/v1"))

It speaks as much of OpenAI's and Anthropic's HTTP APIs as their clients need to make their usual objects; the words are
always the same. Give it `answers` to say something else.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = "It is sunny."


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """One request that arrived."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say to a request."""

    body: bytes
    media_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Answers = Callable[[SeenRequest], Answer | None]


@dataclass(slots=True)
class ModelServer:
    """A running server. `requests` are what it was sent, in order."""

    url: str
    requests: list[SeenRequest] = field(default_factory=list)
    answers: Answers | None = None
    """Asked first; what it gives None for is answered as always."""


@contextmanager
def model_server(answers: Answers | None = None) -> Iterator[ModelServer]:
    """A server on a port of its own, until the block ends."""
    server = ModelServer("", answers=answers)
    handler = type("Handler", (_Handler,), {"model_server": server})
    with _Server(("127.0.0.1", 0), handler) as http:
        server.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(
            target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


def usual_answer(request: SeenRequest) -> Answer:
    """What a provider says: an object with everything that the clients look for, or the same as a stream of events."""
    wants_events = b'"stream":true' in request.body.replace(b" ", b"")
    is_message = "/messages" in request.path
    if wants_events or "events/stream" in request.path:
        events = _MESSAGE_EVENTS if is_message else _RESPONSE_EVENTS
        events = _CHAT_EVENTS if "completions" in request.path else events
        return Answer(
            "".join(_event(name, data) for name, data in events).encode(), "text/event-stream"
        )
    thing = _MESSAGE if is_message else _RESPONSE if "/responses" in request.path else _CHAT
    if "/files/" in request.path and "/vector_stores/" not in request.path:
        thing = {**thing, "status": "processed"}
    return Answer(json.dumps(thing).encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no fault of the server's."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    model_server: ModelServer

    def answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = SeenRequest(self.command, self.path, headers, self._read_body(headers))
        self.model_server.requests.append(request)
        said = self.model_server.answers(request) if self.model_server.answers else None
        said = said or usual_answer(request)
        self.send_response(said.status)
        for name, value in said.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", said.media_type)
        self.send_header("Content-Length", str(len(said.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said.body)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # http.server looks a method up by its verb
            return self.answer
        raise AttributeError(name)

    def _read_body(self, headers: Mapping[str, str]) -> bytes:
        if "chunked" not in headers.get("transfer-encoding", ""):
            return self.rfile.read(int(headers.get("content-length", 0)))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
        """Quiet."""


def _event(name: str, data: object) -> str:
    line = f"event: {name}\n" if name else ""
    return f"{line}data: {data if isinstance(data, str) else json.dumps(data)}\n\n"


_USAGE = {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}
_TOKENS = {"input_tokens": 7, "output_tokens": 4}
_CHAT = {
    "id": "x1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "test-model",
    "status": "completed",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "logprobs": None,
            "message": {"role": "assistant", "content": WORDS, "refusal": None},
        }
    ],
    "usage": _USAGE,
    "data": [],
    "has_more": False,
}
_RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1700000000,
    "model": "test-model",
    "status": "completed",
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": WORDS, "annotations": []}],
        }
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        **_TOKENS,
        "total_tokens": 11,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    },
}
_MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "test-model",
    "content": [{"type": "text", "text": WORDS}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": _TOKENS,
    "processing_status": "ended",
}
_CHUNK = {
    "id": "x1",
    "object": "chat.completion.chunk",
    "created": 1700000000,
    "model": "test-model",
}
_CHAT_EVENTS: tuple[tuple[str, object], ...] = (
    (
        "",
        {
            **_CHUNK,
            "choices": [
                {
                    "index": 0,
                    "delta": {"role": "assistant", "content": WORDS},
                    "finish_reason": None,
                }
            ],
        },
    ),
    ("", {**_CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
    ("", {**_CHUNK, "choices": [], "usage": _USAGE}),
    ("", "[DONE]"),
)
_RESPONSE_EVENTS: tuple[tuple[str, object], ...] = (
    (
        "response.created",
        {
            "type": "response.created",
            "sequence_number": 0,
            "response": {**_RESPONSE, "status": "in_progress", "output": []},
        },
    ),
    (
        "response.completed",
        {"type": "response.completed", "sequence_number": 1, "response": _RESPONSE},
    ),
)
_MESSAGE_EVENTS: tuple[tuple[str, object], ...] = (
    (
        "message_start",
        {"type": "message_start", "message": {**_MESSAGE, "content": [], "stop_reason": None}},
    ),
    (
        "content_block_start",
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    ),
    (
        "content_block_delta",
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": WORDS}},
    ),
    ("content_block_stop", {"type": "content_block_stop", "index": 0}),
    (
        "message_delta",
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": _TOKENS,
        },
    ),
    ("message_stop", {"type": "message_stop"}),
)
