"""heso as a subject: nothing but what its documentation offers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import heso
from bench.child import Each
from bench.workload import ACCOUNT, WORKFLOW, AsyncBody, Body
from heso.core.chain import verify_action_chain
from heso.core.verify import verify_receipt


class Ours:
    """The gate of the project that was opened."""

    def gated(self, body: Body) -> Body:
        """Gate a function."""
        return heso.tool(body)

    def async_gated(self, body: AsyncBody) -> AsyncBody:
        """Gate a coroutine function."""
        return heso.tool(body)

    def verify(self, receipt: bytes) -> None:
        """Raise unless the receipt is valid."""
        verdict = verify_receipt(receipt)
        if verdict.kind != "Valid":
            raise ValueError(verdict)

    def verify_chain(self, receipts: Sequence[bytes], each: Each) -> None:
        """Raise unless the receipts are one valid action chain."""
        verdict = verify_action_chain(receipts, each=each)
        if verdict.kind != "Valid":
            raise ValueError(verdict)


@contextmanager
def opened(folder: Path, session: str) -> Iterator[Ours]:
    """Open a project; without a session the workflow names it."""
    heso.init(project_root=folder, workflow=WORKFLOW, account=ACCOUNT)
    with heso.step(session=session) if session else nullcontext():
        yield Ours()
