"""Trusted time against a real authority on this machine: OpenSSL's, with a root of its own."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import anyio
import orjson
import pytest

import heso
from heso.core.encoding import Digest
from heso.core.hashing import digest
from heso.core.time_anchor import AnchorRefused, imprint_of
from heso.core.timestamps import parse_time_roots
from heso.core.verdict import Kind
from heso.core.verify import verify_receipt
from heso.ports import NoTimestamp
from heso.stores.sqlite.records import SqliteRecords
from heso.transports.rfc3161 import HttpTimeAuthority
from tests.kill.stage import make_project

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="NO OPENSSL: it plays the time authority"
)

CONFIG = """
[ req ]
distinguished_name = dn
prompt = no
x509_extensions = ca
[ dn ]
CN = Test authority
[ ca ]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
[ stamping ]
basicConstraints = CA:false
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[ tsa ]
default_tsa = here
[ here ]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def _make_authority(folder: Path) -> None:
    folder.mkdir()
    (folder / "config").write_text(CONFIG)
    (folder / "serial").write_text("01\n")
    key = ("-newkey", "rsa:2048", "-nodes", "-config", "config")
    _openssl(folder, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2")
    _openssl(folder, "req", *key, "-keyout", "tsa.key", "-out", "tsa.csr")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1")
    extension = ("-extfile", "config", "-extensions", "stamping")
    _openssl(folder, "x509", "-req", "-in", "tsa.csr", *signed, *extension, "-out", "tsa.pem")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tsa") / "a"
    _make_authority(folder)
    return folder


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tsa") / "b"
    _make_authority(folder)
    return folder


@pytest.fixture
def url(authority: Path) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["content-length"]))
            (authority / "query").write_bytes(query)
            reply = ("ts", "-reply", "-config", "config", "-section", "here")
            keys = ("-signer", "tsa.pem", "-inkey", "tsa.key")
            _openssl(authority, *reply, "-queryfile", "query", *keys, "-out", "reply")
            answer = (authority / "reply").read_bytes()
            if self.path == "/cut":
                answer = answer[:-20]
            self.send_response(200)
            self.send_header("content-type", "application/timestamp-reply")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_token_holds_for_its_hash_and_its_root_and_for_nothing_else(
    url: str, authority: Path, stranger: Path
) -> None:
    anchored = digest(b"content")
    roots = parse_time_roots((authority / "ca.pem").read_bytes())
    token = anyio.run(HttpTimeAuthority(url, roots).stamp, anchored)
    assert roots.gen_time(token, imprint_of(anchored)) > 0
    imprint = imprint_of(anchored)
    other = token.replace(imprint, imprint[:-1] + bytes([imprint[-1] ^ 1]))
    for bad in (token[:-1], token + b"\0", other, token[:-1] + bytes([token[-1] ^ 1]), b""):
        with pytest.raises(AnchorRefused):
            roots.gen_time(bad, imprint_of(anchored))
    with pytest.raises(AnchorRefused):
        roots.gen_time(token, imprint_of(digest(b"other")))
    with pytest.raises(AnchorRefused):
        parse_time_roots((stranger / "ca.pem").read_bytes()).gen_time(token, imprint_of(anchored))


def test_an_authority_that_is_not_pinned_or_mangles_its_reply_gives_no_token(
    url: str, authority: Path, stranger: Path
) -> None:
    ours, theirs = (parse_time_roots((f / "ca.pem").read_bytes()) for f in (authority, stranger))
    for address, roots in ((url, theirs), (f"{url}/cut", ours), ("http://127.0.0.1:9", ours)):
        with pytest.raises(NoTimestamp):
            anyio.run(HttpTimeAuthority(address, roots).stamp, digest(b"content"))


def test_a_rule_that_demands_trusted_time_gets_it_into_the_receipt_or_nothing_runs(
    url: str, authority: Path, tmp_path: Path
) -> None:
    root = tmp_path / "p"
    make_project(root)
    (root / "heso.toml").write_text(
        f"""
[project]
time_authority = "{url}"
time_roots = "{authority / "ca.pem"}"

[[rule]]
id = "tools"
order = 1
verb = "tool_call"
decision = "allow"
anchor_policy = "required"
"""
    )
    ran: list[str] = []

    @heso.tool(name="anchored")
    def act() -> None:
        ran.append(str(heso.current_action_hash()))

    with heso.init(root) as runtime:
        act()
        records = SqliteRecords(runtime.settings.database)
        (record,) = records.find(ran[0])
        records.close()
    roots = parse_time_roots((authority / "ca.pem").read_bytes())
    verdict = verify_receipt(record.receipt, time=roots)
    assert verdict.kind is Kind.VALID
    assert verdict.trusted_time is not None
    assert verify_receipt(record.receipt).kind is Kind.TIME_ANCHOR_UNVERIFIABLE
    bare = orjson.loads(record.receipt)
    anchor = bare["content"]["time_anchor"]
    assert anchor["kind"] == "rfc3161"
    assert Digest(anchor["anchored_hash"]) != Digest(ran[0])
    policy = root / "heso.toml"
    policy.write_text(policy.read_text().replace(url, "http://127.0.0.1:9"))
    with heso.init(root), pytest.raises(heso.GateError, match="no timestamp"):
        act()
    assert len(ran) == 1
