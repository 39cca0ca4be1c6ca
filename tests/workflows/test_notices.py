"""Notices: each once, again after a crash in between, never to an address that is not public, never with an argument."""

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import anyio
import pytest
from nacl.signing import VerifyKey

import heso
from heso.core.encoding import parse_public_key, parse_signature
from heso.policy.errors import PolicyError
from heso.ports import Notice, NotNotified
from heso.runtime import Runtime
from heso.stores.sqlite.notices import SqliteNotices
from heso.testing import FakeClock, FakeSigner
from heso.transports.notifying import (
    WEBHOOK_DOMAIN,
    CommandNotifier,
    StderrNotifier,
    WebhookNotifier,
    is_public,
)
from heso.workflows.noticing import Crier
from tests.kill.stage import approve, make_project

NOTICE = Notice(
    key="asked/1/0",
    kind="asked",
    action_hash="1" * 64,
    tool="pay\x1b[2J",
    rule_id="r",
    who=("finance",),
    deadline="2026-01-01T00:00:00Z",
)


class Kept:
    """A notifier that remembers, and fails on demand."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.seen: list[Notice] = []
        self.is_broken = False

    async def notify(self, notice: Notice) -> None:
        if self.is_broken:
            raise NotNotified("test", "broken")
        self.kinds.append(notice.kind)
        self.seen.append(notice)


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    make_project(tmp_path / "p")
    with heso.init(tmp_path / "p", clock_override=FakeClock()) as runtime:
        yield runtime


def _ask(order: str) -> str:
    @heso.tool(verb="payment", name="notices.pay", redact=["order"])
    def pay(order: str) -> str:
        return order

    with pytest.raises(heso.SuspendedError) as held:
        pay(order)
    return held.value.action_hash


def _crier(runtime: Runtime, kept: Kept, told: list[NotNotified]) -> Crier:
    return Crier(
        desk=runtime.desk,
        notices=SqliteNotices(runtime.settings.database),
        notifiers=[kept],
        remind_minutes=15,
        told=told.append,
    )


def test_each_notice_is_handed_on_once_also_over_restarts(runtime: Runtime) -> None:
    kept = Kept()
    name = _ask("secret-order")
    for _ in range(2):
        crier = _crier(runtime, kept, [])
        anyio.run(crier.cry)
        anyio.run(crier.cry)
    assert kept.kinds == ["asked"]
    assert kept.seen[0].action_hash == name
    assert "secret-order" not in repr(kept.seen)
    runtime.gate.clock.advance(24 * 3600 - 600)
    anyio.run(_crier(runtime, kept, []).cry)
    assert kept.kinds == ["asked", "reminder"]


def test_what_could_not_be_handed_on_is_said_and_tried_again(runtime: Runtime) -> None:
    kept, told = Kept(), list[NotNotified]()
    _ask("a")
    crier = _crier(runtime, kept, told)
    kept.is_broken = True
    anyio.run(crier.cry)
    kept.is_broken = False
    anyio.run(_crier(runtime, kept, told).cry)
    assert (len(told), kept.kinds) == (1, ["asked"])


def test_what_was_decided_meanwhile_is_not_announced(runtime: Runtime) -> None:
    kept = Kept()
    approve(runtime, _ask("a"))
    anyio.run(_crier(runtime, kept, []).cry)
    assert kept.kinds == []


def test_a_command_gets_json_and_no_shell(tmp_path: Path) -> None:
    out = tmp_path / "out; touch owned"
    program = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"
    anyio.run(CommandNotifier([sys.executable, "-c", program, str(out)]).notify, NOTICE)
    assert json.loads(out.read_text())["action_hash"] == "1" * 64
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    for command in (["/no/such/program"], [sys.executable, "-c", "raise SystemExit(3)"]):
        with pytest.raises(NotNotified):
            anyio.run(CommandNotifier(command).notify, NOTICE)


def test_a_line_on_standard_error_cannot_drive_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    anyio.run(StderrNotifier().notify, NOTICE)
    said = capsys.readouterr().err
    assert "asked: pay" in said
    assert "\x1b" not in said


def test_a_webhook_is_signed_over_its_time_and_body() -> None:
    got: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(302 if self.path == "/moved" else 200)
            self.send_header("location", "http://127.0.0.1:9/")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    signer = FakeSigner()
    try:
        for path in ("/", "/moved"):
            url = f"http://127.0.0.1:{server.server_port}{path}"
            hook = WebhookNotifier(url, lambda: signer, FakeClock(), may_be_private=True)
            if path == "/moved":
                with pytest.raises(NotNotified, match="302"):
                    anyio.run(hook.notify, NOTICE)
            else:
                anyio.run(hook.notify, NOTICE)
    finally:
        server.shutdown()
        server.server_close()
    headers, body = got[0]
    message = WEBHOOK_DOMAIN + headers["heso-time"].encode() + b"." + body
    key = VerifyKey(parse_public_key(headers["heso-key"]))
    key.verify(message, parse_signature(headers["heso-signature"]))
    assert json.loads(body)["tool"] == "pay\x1b[2J"


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://localhost/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://0.0.0.0/",
        "http://93.184.216.34/",
    ],
)
def test_a_webhook_never_goes_to_this_machine_or_its_network(url: str) -> None:
    hook = WebhookNotifier(url, FakeSigner, FakeClock())
    with pytest.raises(NotNotified, match=r"not public|not https"):
        anyio.run(hook.notify, NOTICE)


def test_public_addresses_are_told_from_the_others() -> None:
    private = ("127.0.0.1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.1.1", "100.64.0.1")
    private += ("224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1%eth0", "fc00::1")
    private += ("::ffff:10.0.0.1", "2002:7f00:1::")
    assert [address for address in private if is_public(address)] == []
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ('via = "pigeon"', "not one of"),
        ('via = "command"', "needs a program"),
        ('via = "webhook"\nurl = "file:///etc/passwd"', "https://"),
        ('via = "stderr"\nurl = "https://x.org"', "not a known key"),
    ],
)
def test_a_way_to_notify_that_cannot_work_is_refused_at_start(
    tmp_path: Path, table: str, why: str
) -> None:
    make_project(tmp_path / "p")
    policy = tmp_path / "p" / "heso.toml"
    policy.write_text(policy.read_text() + f"\n[[notify]]\n{table}\n")
    with pytest.raises(PolicyError, match=why):
        heso.init(tmp_path / "p")
