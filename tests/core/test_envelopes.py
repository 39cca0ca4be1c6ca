"""DSSE envelopes and commitments: published bytes, and everything that is not to be trusted."""

import base64
import json
from typing import Any

import pytest

from heso.core.commitment import (
    CommitmentKind,
    draft_commitment,
    sign_commitment,
    verify_commitment,
)
from heso.core.dsse import (
    Untrusted,
    format_statement,
    open_envelope,
    parse_statement,
    pre_authentication,
    seal_statement,
    state_receipt,
)
from heso.core.errors import Malformed
from heso.core.keys import SigningKey
from heso.core.verify import verify_receipt

Json = dict[str, Any]
OPERATOR, STRANGER = (SigningKey.from_seed(bytes([seed]) * 32) for seed in (0, 8))
TRUSTED = (OPERATOR.public_key,)


def test_the_published_envelope_is_opened_and_made_again_to_the_byte(crown: Json) -> None:
    vector = crown["dsse_pae"]
    opened = open_envelope(json.dumps(vector["envelope_json"]).encode(), trusted=TRUSTED)
    body = bytes.fromhex(vector["body_bytes_hex"])
    assert pre_authentication(body).hex() == vector["pae_hex"]
    assert format_statement(opened.statement) == body
    assert json.loads(seal_statement(opened.statement, OPERATOR)) == vector["envelope_json"]
    assert (opened.signed_by, opened.unknown) == (TRUSTED, ())


def test_the_worked_envelope_has_the_published_length_and_lead(worked: Json, crown: Json) -> None:
    lead = worked["dsse"]["pae_prefix"].encode()
    body = bytes(worked["dsse"]["body_len"])
    assert pre_authentication(body) == lead + body
    assert crown["dsse_pae"]["pae_hex"].startswith(b"DSSEv1 28 ".hex())


def sealed(forge: Any) -> Json:
    made: Json = json.loads(seal_statement(state_receipt(forge.l0()), OPERATOR))
    return made


def open_it(envelope: object) -> object:
    return open_envelope(json.dumps(envelope).encode(), trusted=TRUSTED)


def test_the_receipt_comes_out_as_it_went_in(forge: Any) -> None:
    receipt = forge.l0(forge.content(action=forge.action(fields={"n": 1.5, "deep": [[["x"]]]})))
    opened = open_envelope(seal_statement(state_receipt(receipt), OPERATOR), trusted=TRUSTED)
    inside: Any = opened.statement.predicate["receipt"]
    assert inside == receipt
    assert verify_receipt(json.dumps(inside).encode()).is_valid
    assert opened.statement.action_hash == receipt["content"]["action_hash"]


def test_a_changed_payload_is_not_trusted(forge: Any) -> None:
    envelope = sealed(forge)
    body = base64.b64decode(envelope["payload"]).replace(b'"L0"', b'"L1"')
    with pytest.raises(Untrusted, match="does not hold"):
        open_it({**envelope, "payload": base64.b64encode(body).decode()})


def test_keys_that_nobody_vouched_for_are_kept_apart(forge: Any) -> None:
    envelope = sealed(forge)
    body = base64.b64decode(envelope["payload"])
    other = {
        "keyid": STRANGER.public_key,
        "sig": base64.b64encode(STRANGER.sign(pre_authentication(body))).decode(),
    }
    opened: Any = open_it({**envelope, "signatures": [*envelope["signatures"], other]})
    assert (opened.signed_by, opened.unknown) == (TRUSTED, (STRANGER.public_key,))
    with pytest.raises(Untrusted, match="no trusted key"):
        open_it({**envelope, "signatures": [other]})
    bad = {**envelope["signatures"][0], "sig": other["sig"]}
    with pytest.raises(Untrusted, match="does not hold"):
        open_it({**envelope, "signatures": [*envelope["signatures"], bad]})


@pytest.mark.parametrize(
    "change",
    [
        {"payloadType": "text/plain"},
        {"payload": "a"},
        {"payload": "YQ"},
        {"payload": "YR=="},
        {"payload": None},
        {"signatures": []},
        {"signatures": [{"keyid": "k"}]},
        {"signatures": [{"keyid": "k", "sig": "x"}]},
        {"signatures": [{}] * 101},
        {"more": 1},
    ],
    ids=str,
)
def test_an_envelope_of_another_shape_is_malformed(forge: Any, change: Json) -> None:
    with pytest.raises(Malformed):
        open_it({**sealed(forge), **change})


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"predicateType": "https://hesohq.dev/ActionReceipt/v1"},
        {"predicate": []},
        {"subject": []},
        {"subject": [{"name": "n", "digest": {"blake3": "AB" * 32}}]},
        {"subject": [{"name": "n", "digest": {"sha256": "ab" * 32}}]},
        {"subject": [{"name": "n", "digest": {"blake3": "ab" * 32}}] * 2},
        {"subject": [{"name": "n", "digest": {"blake3": "ab" * 32}}]},
        {"x": 1},
    ],
    ids=str,
)
def test_a_statement_about_anything_else_is_malformed(forge: Any, change: Json) -> None:
    body = json.loads(format_statement(state_receipt(forge.l0())))
    with pytest.raises(Malformed):
        parse_statement(json.dumps({**body, **change}).encode())


def test_a_statement_may_carry_no_receipt_and_be_about_any_action(forge: Any) -> None:
    body = json.loads(format_statement(state_receipt(forge.l0())))
    subject = [{"name": "n", "digest": {"blake3": "ab" * 32}}]
    found = parse_statement(json.dumps({**body, "predicate": {}, "subject": subject}).encode())
    assert (found.action_hash, found.predicate) == ("ab" * 32, {})


def verdict(envelope: object, **changes: Any) -> CommitmentKind:
    signed = sign_commitment({**COMMITMENT}, OPERATOR)
    how = {
        "public_key": signed.public_key,
        "signature": signed.signature,
        "signer_fpr": signed.signer_fpr,
        **changes,
    }
    text = envelope if isinstance(envelope, bytes) else json.dumps(envelope).encode()
    return verify_commitment(text, **how)


COMMITMENT: Json = {
    "action_hash": "ab" * 32,
    "chain_head": "0" * 64,
    "primitive": "execute",
    "coarse_verb": "tool_call",
    "trust_level": "L0",
    "decision": "allow",
    "occurred_at": "2026-01-01T00:00:00Z",
}


def test_the_published_commitment_is_signed_to_the_byte(worked: Json) -> None:
    vector = worked["commitment"]
    signed = sign_commitment(json.loads(vector["canonical"]), OPERATOR)
    assert (signed.signature, signed.signer_fpr) == (vector["signature"], vector["signer_fpr"])
    assert (
        verify_commitment(
            vector["canonical"].encode(),
            public_key=OPERATOR.public_key,
            signature=vector["signature"],
            signer_fpr=vector["signer_fpr"],
        )
        is CommitmentKind.VALID
    )


K = CommitmentKind
COMMITMENT_ORDER: list[tuple[CommitmentKind, Any, Json]] = [
    (K.MALFORMED, {**COMMITMENT, "x": 1}, {}),
    (K.MALFORMED, {**COMMITMENT, "session_id": None}, {}),
    (K.MALFORMED, {k: v for k, v in COMMITMENT.items() if k != "decision"}, {}),
    (K.MALFORMED, b"{", {}),
    (K.WRONG_ALGORITHM, COMMITMENT, {"public_key": "x"}),
    (K.WRONG_ALGORITHM, COMMITMENT, {"signature": "x"}),
    (K.INVALID_SIGNATURE, {**COMMITMENT, "decision": "block"}, {}),
    (K.INVALID_SIGNATURE, COMMITMENT, {"public_key": STRANGER.public_key}),
    (K.FINGERPRINT_MISMATCH, COMMITMENT, {"signer_fpr": "ab" * 32}),
    (K.VALID, COMMITMENT, {}),
]


@pytest.mark.parametrize("row", range(len(COMMITMENT_ORDER)))
def test_a_commitment_is_checked_in_the_formats_order(row: int) -> None:
    kind, envelope, changes = COMMITMENT_ORDER[row]
    assert verdict(envelope, **changes) is kind


def test_a_commitment_of_a_receipt_says_what_it_is_about(forge: Any) -> None:
    content = forge.hashed(forge.content(session_id="s", seq=1, prev_receipt_hash="cd" * 32))
    drafted = draft_commitment(content, chain_head="cd" * 32, taxonomy_hash="ef" * 32)
    signed = sign_commitment(drafted, OPERATOR)
    assert drafted["action_hash"] == content["action_hash"]
    assert (drafted["chain_prev"], drafted["seq"]) == ("cd" * 32, 1)
    assert (
        verify_commitment(
            json.dumps(drafted).encode(),
            public_key=signed.public_key,
            signature=signed.signature,
            signer_fpr=signed.signer_fpr,
        )
        is K.VALID
    )
    with pytest.raises(Malformed):
        sign_commitment({**drafted, "chain_prev": None}, OPERATOR)
