"""Calls of OpenAI's SDK to a provider on this machine, wrapped and unwrapped: what wrapping costs.

The provider is a process of its own, so that its CPU is nobody's. `wrapped` and `bare` are the two subjects; a folder whose
session is `wrapped` is a project of heso's.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI, OpenAI

import heso
from bench.workload import ACCOUNT, NOTE, WORKFLOW, AsyncBody, Body

_SERVE = """
import sys
from heso.testing.model_server import model_server
with model_server() as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


class ModelCalls:
    """Both clients, wrapped or not. A call asks the model about an order, in half a kilobyte."""

    def __init__(self, url: str, *, is_wrapped: bool) -> None:
        options: dict[str, Any] = {"api_key": "bench", "base_url": f"{url}/v1"}
        self._client, self._later = OpenAI(**options), AsyncOpenAI(**options)
        if is_wrapped:
            heso.wrap(self._client)
            heso.wrap(self._later)

    def gated(self, body: Body) -> Body:
        """Call the model instead of the body."""
        del body

        def call(order: str, **_: Any) -> int:
            answer = self._client.chat.completions.create(**_asked(order))
            return len(answer.choices)

        return call

    def async_gated(self, body: AsyncBody) -> AsyncBody:
        """Await the model instead of the body."""
        del body

        async def call(order: str, **_: Any) -> int:
            answer = await self._later.chat.completions.create(**_asked(order))
            return len(answer.choices)

        return call


def _asked(order: str) -> dict[str, Any]:
    return {"model": "bench", "messages": [{"role": "user", "content": f"{order}: {NOTE}"}]}


@contextmanager
def opened(folder: Path, session: str) -> Iterator[ModelCalls]:
    """Start the provider, and open the project if there is one."""
    is_wrapped = session == "wrapped"
    provider = subprocess.Popen(
        [sys.executable, "-P", "-c", _SERVE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    project = heso.init(folder, workflow=WORKFLOW, account=ACCOUNT) if is_wrapped else nullcontext()
    try:
        with project:
            url = provider.stdout.readline().strip() if provider.stdout else ""
            yield ModelCalls(url, is_wrapped=is_wrapped)
    finally:
        provider.kill()
        provider.communicate()
