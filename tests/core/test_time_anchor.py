"""Time anchors: what is checked before a token is read, in the format's order, and what the reader is asked."""

import base64
from hashlib import sha256
from typing import Any

import pytest
from blake3 import blake3

from heso.core.encoding import Digest
from heso.core.instant import Instant
from heso.core.time_anchor import AnchorRefused, add_anchor, anchor_hash, imprint_of
from heso.core.verdict import Kind
from heso.core.verify import verify_receipt

Json = dict[str, Any]
TOKEN = b"a token"
NOW = Instant(1_800_000_000 * 10**9)


class Reader:
    """Believes one token over one imprint, and remembers what it was asked."""

    def __init__(self, imprint: bytes) -> None:
        self.imprint = imprint
        self.asked: list[tuple[bytes, bytes]] = []

    def gen_time(self, token: bytes, imprint: bytes) -> Instant:
        self.asked.append((token, imprint))
        if (token, imprint) != (TOKEN, self.imprint):
            raise AnchorRefused("not this one")
        return NOW


def anchored(forge: Any, **changes: Any) -> tuple[bytes, Reader]:
    """A receipt with an anchor; `changes` are to the anchor, after it was made."""
    content = forge.content(anchor_policy="required")
    want = blake3(forge.canonical(content)).hexdigest()
    anchor = {
        "kind": "rfc3161",
        "token_b64": base64.b64encode(TOKEN).decode(),
        "tsa": "anybody",
        "anchored_hash": want,
        **changes,
    }
    return forge.text(forge.l0({**content, "time_anchor": anchor})), Reader(
        sha256(bytes.fromhex(want)).digest()
    )


def test_an_anchor_that_holds_tells_its_time(forge: Any) -> None:
    text, reader = anchored(forge)
    for compat in (False, True):
        verdict = verify_receipt(text, time=reader, compat=compat)
        assert (verdict.kind, verdict.trusted_time, verdict.trust_level) == (Kind.VALID, NOW, "L0")
    assert reader.asked == [(TOKEN, reader.imprint)] * 2


def test_without_pinned_roots_no_anchor_is_taken_for_a_time(forge: Any) -> None:
    text, _ = anchored(forge)
    verdict = verify_receipt(text)
    assert (verdict.kind, verdict.trusted_time) == (Kind.TIME_ANCHOR_UNVERIFIABLE, None)


# Each row breaks one thing; a row with the ones after it gets its own answer, because it is checked first.
FAULTS: list[tuple[Json, str]] = [
    ({"kind": "ots"}, "anchors of kind 'ots' are not known"),
    ({"anchored_hash": "AB" * 32}, "its hash is not 64 lower-case hex characters"),
    ({"anchored_hash": "ab" * 32}, "it is about another content"),
    ({"token_b64": "a b"}, "its token is not base64"),
]


@pytest.mark.parametrize("row", range(len(FAULTS)))
def test_what_comes_before_the_token_is_checked_in_the_formats_order(forge: Any, row: int) -> None:
    change, why = FAULTS[row]
    together: Json = {}
    for later, _ in reversed(FAULTS[row:]):
        together |= later
    for changes in (change, together):
        text, reader = anchored(forge, **changes)
        verdict = verify_receipt(text, time=reader)
        assert (verdict.kind, verdict.detail) == (Kind.TIME_ANCHOR_UNVERIFIABLE, why)
        assert reader.asked == []


@pytest.mark.parametrize(
    "token",
    ["", "=", "YSB0b2tlbg", "YSB0b2tlbh==", "YSB0b2tlbg==\n", " YSB0b2tlbg==", "YSB0-2tlbg==", "é"],
)
def test_a_token_has_one_text(forge: Any, token: str) -> None:
    text, reader = anchored(forge, token_b64=token)
    assert verify_receipt(text, time=reader).kind is Kind.TIME_ANCHOR_UNVERIFIABLE
    assert reader.asked == []


def test_whom_the_anchor_names_does_not_matter_and_another_token_does(forge: Any) -> None:
    text, reader = anchored(forge, tsa="\x1b[2J")
    assert verify_receipt(text, time=reader).is_valid
    text, reader = anchored(forge, token_b64=base64.b64encode(b"another").decode())
    verdict = verify_receipt(text, time=reader)
    assert (verdict.kind, verdict.detail) == (Kind.TIME_ANCHOR_UNVERIFIABLE, "not this one")


def test_a_required_anchor_has_to_be_there(forge: Any) -> None:
    text = forge.text(forge.l0(forge.content(anchor_policy="required")))
    for time in (None, Reader(b"")):
        for compat in (False, True):
            verdict = verify_receipt(text, time=time, compat=compat)
            assert verdict.kind is Kind.ANCHOR_REQUIRED


def test_the_published_content_has_its_anchored_hash_before_and_after(crown: Json) -> None:
    vector = crown["time_anchor"]
    content = vector["content"]
    assert anchor_hash(content) == vector["anchored_content_hash"]
    assert anchor_hash(add_anchor(content, token=b"t", tsa="a")) == vector["anchored_content_hash"]
    imprint = "07f77008506d5b940435f54680d7b2907ea7a6051455117c5dbebd5b57092ab7"
    assert imprint_of(Digest(vector["anchored_content_hash"])).hex() == imprint


def test_what_is_anchored_is_everything_but_the_anchor(forge: Any) -> None:
    plain = forge.content()
    assert anchor_hash({**plain, "action_hash": "x", "time_anchor": {}}) == anchor_hash(plain)
    for change in ({"captured_at": "u"}, {"anchor_policy": "required"}, {"nonce": "n"}):
        assert anchor_hash(forge.content(**change)) != anchor_hash(plain)


def test_the_lenient_reader_anchors_the_doubles_that_it_hashes(forge: Any) -> None:
    """Where an integer is beyond a double, both the hash and the anchor are over what it becomes."""
    rounded = forge.content(action=forge.action(fields={"n": float(2**63)}))
    want = blake3(forge.canonical(rounded)).hexdigest()
    anchor = {
        "kind": "rfc3161",
        "token_b64": base64.b64encode(TOKEN).decode(),
        "tsa": "a",
        "anchored_hash": want,
    }
    text = forge.text(forge.l0({**rounded, "time_anchor": anchor}))
    large = text.replace(b'"n":9.223372036854776e+18', b'"n":9223372036854775807')
    assert large != text
    reader = Reader(sha256(bytes.fromhex(want)).digest())
    assert verify_receipt(large, time=reader, compat=True).trusted_time == NOW
    assert verify_receipt(large, time=reader).kind is Kind.MALFORMED
