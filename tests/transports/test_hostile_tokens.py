"""Whose tokens are believed: certificates made for every wrong purpose and time, and every byte of a token changed."""

import datetime
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from heso.core.errors import Malformed
from heso.core.hashing import digest
from heso.core.time_anchor import AnchorRefused, imprint_of
from heso.core.timestamps import MAX_TOKEN_BYTES, TimeRoots, decode_reply, parse_time_roots
from heso.ports import NoTimestamp
from heso.transports.rfc3161 import HttpTimeAuthority

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="NO OPENSSL: it signs the tokens"
)

CONFIG = """
[ tsa ]
default_tsa = here
[ here ]
serial = serial
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha1, sha256, sha384, sha512
ess_cert_id_alg = sha256
"""
ANCHORED = digest(b"content")
IMPRINT = imprint_of(ANCHORED)
DAY = datetime.timedelta(days=1)
STAMPING = ExtendedKeyUsageOID.TIME_STAMPING


@dataclass(frozen=True)
class Signer:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


def certify(
    name: str,
    by: Signer | None = None,
    *,
    is_ca: bool = False,
    purposes: tuple[x509.ObjectIdentifier, ...] = (),
    is_critical: bool = True,
    begins: datetime.timedelta = -DAY,
    ends: datetime.timedelta = DAY,
) -> Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if by is None else by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if by is not None:
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
        builder = builder.add_extension(issuer, critical=False)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=is_critical)
    return Signer(builder.sign((by.key if by else key), hashes.SHA256()), key)


Stamp = Callable[..., bytes]


@pytest.fixture
def stamp(tmp_path: Path) -> Stamp:
    """A token by this signer over ANCHORED."""

    def make(signer: Signer, *, algorithm: str = "sha256", chain: tuple[Signer, ...] = ()) -> bytes:
        files = {
            "config": CONFIG.encode(),
            "serial": b"01\n",
            "tsa.pem": signer.pem,
            "tsa.key": signer.key_pem,
            "chain.pem": b"".join(one.pem for one in chain),
            "data": bytes.fromhex(ANCHORED),
        }
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        query = ("ts", "-query", "-data", "data", f"-{algorithm}", "-cert", "-out", "query")
        reply = ("ts", "-reply", "-config", "config", "-section", "here", "-queryfile", "query")
        keys = ("-signer", "tsa.pem", "-inkey", "tsa.key", "-token_out", "-out", "token")
        more = ("-chain", "chain.pem") if chain else ()
        for arguments in (query, (*reply, *keys, *more)):
            subprocess.run(["openssl", *arguments], cwd=tmp_path, check=True, capture_output=True)
        return (tmp_path / "token").read_bytes()

    return make


def trust(*roots: Signer) -> TimeRoots:
    return parse_time_roots(b"".join(root.pem for root in roots))


ROOT = certify("root", is_ca=True)
OTHER = certify("other root", is_ca=True)
TSA = certify("tsa", ROOT, purposes=(STAMPING,))


def test_a_root_that_is_pinned_is_believed_among_others(stamp: Stamp) -> None:
    token = stamp(TSA)
    times = [
        trust(*roots).gen_time(token, IMPRINT)
        for roots in ((ROOT,), (OTHER, ROOT), (ROOT, OTHER, ROOT))
    ]
    assert len(set(times)) == 1
    for roots in (trust(OTHER), trust(TSA), TimeRoots(())):
        with pytest.raises(AnchorRefused):
            roots.gen_time(token, IMPRINT)


def test_an_intermediate_leads_from_the_token_to_the_root(stamp: Stamp) -> None:
    between = certify("between", ROOT, is_ca=True)
    tsa = certify("deep tsa", between, purposes=(STAMPING,))
    assert trust(ROOT).gen_time(stamp(tsa, chain=(between,)), IMPRINT) > 0
    with pytest.raises(AnchorRefused):
        trust(ROOT).gen_time(stamp(tsa), IMPRINT)
    with pytest.raises(AnchorRefused):
        trust(OTHER).gen_time(stamp(tsa, chain=(between,)), IMPRINT)


def test_an_intermediate_that_is_no_authority_leads_nowhere(stamp: Stamp) -> None:
    between = certify("no authority", ROOT, is_ca=False)
    tsa = certify("deep tsa", between, purposes=(STAMPING,))
    with pytest.raises(AnchorRefused):
        trust(ROOT).gen_time(stamp(tsa, chain=(between,)), IMPRINT)


@pytest.mark.parametrize("algorithm", ["sha1", "sha384", "sha512"])
def test_an_imprint_of_another_algorithm_is_refused(stamp: Stamp, algorithm: str) -> None:
    token = stamp(TSA, algorithm=algorithm)
    with pytest.raises(AnchorRefused, match="not SHA-256"):
        trust(ROOT).gen_time(token, IMPRINT)


@pytest.mark.parametrize(
    ("begins", "ends"), [(-3 * DAY, -2 * DAY), (2 * DAY, 3 * DAY)], ids=["over", "not yet"]
)
def test_a_certificate_counts_in_its_time_only(
    stamp: Stamp, begins: datetime.timedelta, ends: datetime.timedelta
) -> None:
    tsa = certify("tsa", ROOT, purposes=(STAMPING,), begins=begins, ends=ends)
    with pytest.raises(AnchorRefused):
        trust(ROOT).gen_time(stamp(tsa), IMPRINT)
    root = certify("root of another time", is_ca=True, begins=begins, ends=ends)
    tsa = certify("tsa", root, purposes=(STAMPING,))
    with pytest.raises(AnchorRefused):
        trust(root).gen_time(stamp(tsa), IMPRINT)


def _swapped(token: bytes, signer: Signer, other: Signer) -> bytes:
    """The token with another certificate in it: OpenSSL itself signs with a fitting one only."""
    before, after = (
        one.certificate.public_bytes(serialization.Encoding.DER) for one in (signer, other)
    )
    assert before in token
    return token.replace(before, after)


@pytest.mark.parametrize("purposes", [(), (ExtendedKeyUsageOID.SERVER_AUTH,)])
def test_a_certificate_for_anything_else_does_not_tell_the_time(
    stamp: Stamp, purposes: tuple[x509.ObjectIdentifier, ...]
) -> None:
    wrong = certify("tsa", ROOT, purposes=purposes)
    try:
        token = stamp(wrong)
    except subprocess.CalledProcessError:  # OpenSSL refuses to sign with it
        token = _swapped(stamp(TSA), TSA, wrong)
    with pytest.raises(AnchorRefused):
        trust(ROOT).gen_time(token, IMPRINT)


def test_a_purpose_that_is_not_critical_or_not_the_only_one_is_none(stamp: Stamp) -> None:
    for wrong in (
        certify("tsa", ROOT, purposes=(STAMPING,), is_critical=False),
        certify("tsa", ROOT, purposes=(STAMPING, ExtendedKeyUsageOID.CODE_SIGNING)),
    ):
        try:
            token = stamp(wrong)
        except subprocess.CalledProcessError:
            token = _swapped(stamp(TSA), TSA, wrong)
        with pytest.raises(AnchorRefused):
            trust(ROOT).gen_time(token, IMPRINT)


def test_any_byte_of_a_token_changed_is_refused_or_tells_the_same_time(stamp: Stamp) -> None:
    token = stamp(TSA)
    roots = trust(ROOT)
    time = roots.gen_time(token, IMPRINT)
    told = set()
    for place in range(len(token)):
        for flip in (0x01, 0x20, 0x80, 0xFF):
            changed = token[:place] + bytes([token[place] ^ flip]) + token[place + 1 :]
            try:
                told.add(roots.gen_time(changed, IMPRINT))
            except AnchorRefused:
                continue
    assert told <= {time}


def test_a_token_cut_or_lengthened_anywhere_is_refused(stamp: Stamp) -> None:
    token = stamp(TSA)
    roots = trust(ROOT)
    for place in range(0, len(token), 3):
        for changed in (
            token[:place],
            token[:place] + token[place + 1 :],
            token + token[:place] + b"\0",
        ):
            with pytest.raises(AnchorRefused):
                roots.gen_time(changed, IMPRINT)


def test_an_imprint_of_another_length_is_another_imprint(stamp: Stamp) -> None:
    token = stamp(TSA)
    for imprint in (b"", IMPRINT[:-1], IMPRINT + b"\0", bytes(32)):
        with pytest.raises(AnchorRefused):
            trust(ROOT).gen_time(token, imprint)


def test_a_reply_that_is_too_long_or_was_not_granted_is_no_token() -> None:
    with pytest.raises(AnchorRefused, match="at most"):
        decode_reply(bytes(MAX_TOKEN_BYTES + 1))
    with pytest.raises(AnchorRefused, match="did not grant it"):
        decode_reply(bytes.fromhex("30053003020102"))
    for junk in (b"", b"\0", b"\x30\x80", b"\x30\x03\x02\x01\x00", b"0" * 200):
        with pytest.raises(AnchorRefused):
            decode_reply(junk)
        with pytest.raises(AnchorRefused):
            trust(ROOT).gen_time(junk, IMPRINT)


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"nothing",
        b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        b"\xff\xfe",
    ],
)
def test_what_holds_no_certificate_is_no_root(pem: bytes) -> None:
    with pytest.raises(Malformed):
        parse_time_roots(pem)


def test_an_answer_to_another_request_gives_no_token(stamp: Stamp) -> None:
    """The token is over the right hash by the right authority: but it was made for somebody else's question."""
    token = stamp(TSA)
    size = len(token) + 5
    reply = b"\x30\x82" + size.to_bytes(2, "big") + bytes.fromhex("3003020100") + token

    async def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, headers={"content-type": "application/timestamp-reply"}, content=reply
        )

    async def ask() -> bytes:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            authority = HttpTimeAuthority("http://tsa.example", trust(ROOT), client=client)
            return await authority.stamp(ANCHORED)

    assert trust(ROOT).gen_time(token, IMPRINT) > 0
    with pytest.raises(NoTimestamp, match="it answers another request"):
        anyio.run(ask)


@pytest.mark.parametrize(
    "junk",
    [
        b"\x30\x80\x00\x00",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30",
        b"\x30\xff" + b"\xff" * 130,
        b"\x30\x01",
    ],
)
def test_lengths_that_lead_nowhere_are_refused(junk: bytes) -> None:
    for data in (junk, b"\x30\x03\x02\x01\x00" + junk, b"\x30" + bytes([len(junk)]) + junk):
        with pytest.raises(AnchorRefused):
            decode_reply(data)


def test_an_imprint_that_cannot_be_compared_is_no_crash(stamp: Stamp) -> None:
    nothing: Any = None
    with pytest.raises(AnchorRefused):
        trust(ROOT).gen_time(stamp(TSA), nothing)
