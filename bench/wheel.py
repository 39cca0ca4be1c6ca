"""The reference wheel as a subject, in an environment of its own: called from outside, never read.

Only ratios of times leave this module; no value it produced is kept. It is named by `import_module`, because in its
environment `heso` is another package than the one next to this folder.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.workload import ACCOUNT, WORKFLOW, AsyncBody, Body


class Wheel:
    """The gate of the project that was opened."""

    def __init__(self, folder: Path) -> None:
        self._heso: Any = import_module("heso")
        self._core: Any = import_module("heso._core")
        self._heso.init(project_root=str(folder), workflow=WORKFLOW, account=ACCOUNT)

    def gated(self, body: Body) -> Body:
        """Gate a function."""
        gate: Body = self._heso.tool(body)
        return gate

    def async_gated(self, body: AsyncBody) -> AsyncBody:
        """Gate a coroutine function."""
        gate: AsyncBody = self._heso.tool(body)
        return gate

    def verify(self, receipt: bytes) -> None:
        """Raise unless the receipt is valid."""
        verdict = self._core.verify_action_receipt(receipt)
        if verdict["kind"] != "Valid":
            raise ValueError(verdict)

    def verify_chain(self, receipts: Sequence[bytes], cores: int) -> None:  # noqa: ARG002  # a verifier's form
        """Raise unless the receipts are one valid session. The peer uses one core."""
        verdict = self._core.verify_action_receipt_chain(b"[" + b",".join(receipts) + b"]")
        if verdict["kind"] != "Valid":
            raise ValueError(verdict)


@contextmanager
def opened(folder: Path, session: str) -> Iterator[Wheel]:
    """Open a project; its session is its workflow."""
    if session:
        raise ValueError(session)
    yield Wheel(folder)
