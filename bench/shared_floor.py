"""The floor for several processes on one ledger."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.floor import INSERT, Floor
from bench.workload import Body

LAST = "SELECT audit_seq, entry_hash FROM ledger ORDER BY audit_seq DESC LIMIT 1"


class SharedFloor(Floor):
    """One of several processes on one ledger, each in a session of its own, by `gated` alone.

    Signing needs nobody else, so it is done before the transaction; the audit chain's end is read inside it.
    """

    def gated(self, body: Body) -> Body:
        """Gate a function: when the body starts, its receipt is on disk."""
        database = self._database
        database.execute("PRAGMA busy_timeout = 30000")

        def gate(**fields: Any) -> int:
            content, receipt = self._in_session(fields)
            database.execute("BEGIN IMMEDIATE")
            for audit_seq, entry_hash in database.execute(LAST):
                self._audit_seq, self._entry_hash = audit_seq + 1, entry_hash
            audit_seq, entry_hash = self._audited(content["action_hash"], content["captured_at"])
            row = (audit_seq, self._session, content["seq"], entry_hash, receipt)
            database.execute(INSERT, row)
            database.execute("COMMIT")
            return body(**fields)

        return gate


@contextmanager
def opened(folder: Path, session: str) -> Iterator[SharedFloor]:
    """Open a folder that others use too."""
    yield SharedFloor(folder, session)
