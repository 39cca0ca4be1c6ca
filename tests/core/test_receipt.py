"""Making receipts: what is drafted is what is signed, and what is sealed always verifies."""

import json
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import pytest

from heso.core.canonical import canonical_bytes
from heso.core.encoding import Digest
from heso.core.errors import HesoError, Malformed
from heso.core.keys import SigningKey
from heso.core.links import draft_suspension
from heso.core.receipt import (
    Action,
    ChainBlock,
    DecisionPath,
    PolicyRecord,
    Receipt,
    SessionId,
    Verb,
    draft_content,
    seal_receipt,
    signature_entry,
)
from heso.core.strict_json import MAX_BYTES
from heso.core.verdict import Kind, Verdict
from heso.core.verify import verify_receipt

OPERATOR = SigningKey.from_seed(b"\x00" * 32)
ACTION = Action(verb=Verb.TOOL_CALL, tool_name="t", workflow="w", account="a", fields={"n": 1})
POLICY = PolicyRecord(
    rule_id="r",
    rule_display="d",
    matched_conditions=[{"field": "verb", "op": "eq", "value": None}],
    decision_path=DecisionPath.ALLOW,
)
AT = "2026-01-01T00:00:00Z"
BLOCK = ChainBlock(session_id=SessionId("s"), seq=4, prev=Digest("ab" * 32))


def draft(action: Action = ACTION, policy: PolicyRecord = POLICY, **more: Any) -> dict[str, object]:
    return draft_content(action, policy, captured_at=AT, operator=OPERATOR.public_key, **more)


def seal(fields: Any) -> Receipt:
    return seal_receipt(draft(replace(ACTION, fields=fields)), OPERATOR)


def nested(depth: int) -> object:
    value: object = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_a_draft_is_the_wires_own_shape() -> None:
    assert draft() == {
        "action_version": "heso-action/2.0",
        "captured_at": AT,
        "agent_identity": OPERATOR.public_key,
        "action": {
            "verb": "tool_call",
            "tool_name": "t",
            "workflow": "w",
            "account": "a",
            "fields": {"n": 1},
        },
        "policy": {
            "rule_id": "r",
            "rule_display": "d",
            "matched_conditions": [{"field": "verb", "op": "eq", "value": None}],
            "decision_path": "allow",
        },
        "trust_level": "L0",
    }


def test_what_is_not_there_is_left_out_and_what_is_there_is_put_in() -> None:
    record: dict[str, object] = {"mode": "destructive", "markers": []}
    whole = draft(replace(ACTION, target_host="h"), chain=BLOCK, redaction=record)
    plain = draft()
    added = {key: value for key, value in whole.items() if key not in plain}
    assert added == {
        "redaction": record,
        "session_id": "s",
        "seq": 4,
        "prev_receipt_hash": "ab" * 32,
    }
    assert whole["action"] == {**plain["action"], "target_host": "h"}  # type: ignore[dict-item]
    genesis = draft(chain=ChainBlock(session_id=SessionId(""), seq=0, prev=None))
    assert {k: v for k, v in genesis.items() if k not in plain} == {"session_id": "", "seq": 0}


def test_a_sealed_receipt_verifies_as_what_it_says_it_is() -> None:
    for content in (draft(), draft(chain=BLOCK), draft(replace(ACTION, target_host=""))):
        receipt = seal_receipt(content, OPERATOR)
        envelope = json.loads(receipt.body)
        assert verify_receipt(receipt.body, operator=OPERATOR.public_key) == Verdict(
            kind=Kind.VALID,
            trust_level="L0",
            action_hash=receipt.action_hash,
            signers=(receipt.signer,),
        )
        assert (
            envelope["content"]
            == receipt.content
            == {**content, "action_hash": receipt.action_hash}
        )
        assert list(envelope) == ["alg", "content", "signatures"]


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("path", DecisionPath)
def test_every_verb_and_decision_makes_a_valid_receipt(verb: Verb, path: DecisionPath) -> None:
    content = draft(replace(ACTION, verb=verb), replace(POLICY, decision_path=path))
    assert verify_receipt(seal_receipt(content, OPERATOR).body).is_valid


def test_sealing_leaves_the_draft_alone_and_is_the_same_every_time() -> None:
    content = draft(chain=BLOCK)
    before = json.dumps(content)
    assert seal_receipt(content, OPERATOR) == seal_receipt(content, OPERATOR)
    assert json.dumps(content) == before


def test_a_suspension_repeats_the_asked_action_in_a_chain_of_its_own() -> None:
    suspension: dict[str, object] = {
        "resume_token_hash": "ab" * 32,
        "context_ref": {"scheme": "none", "key": "k", "hash": "h"},
        "policy": {"policy_id": "p", "policy_hash": "h", "rule": "r"},
        "approval": {"sla": "1h", "expires_at": "x", "on_timeout": "deny", "approver_pubkeys": []},
    }
    asked = seal_receipt(draft(chain=BLOCK), OPERATOR).content
    genesis = ChainBlock(session_id=SessionId("life"), seq=0, prev=None)
    content = draft_suspension(asked, chain=genesis, suspension=suspension)
    assert content == {
        **draft(),
        "kind": "suspended",
        "suspension": suspension,
        "session_id": "life",
        "seq": 0,
    }
    assert asked["session_id"] == "s"
    receipt = seal_receipt(content, OPERATOR)
    assert verify_receipt(receipt.body) == Verdict(
        kind=Kind.VALID,
        trust_level="L0",
        action_hash=receipt.action_hash,
        signers=(OPERATOR.public_key,),
    )


def test_a_suspended_links_signature_is_of_no_use_elsewhere() -> None:
    suspended = json.loads(seal_receipt({**draft(), "kind": "suspended"}, OPERATOR).body)
    plain = json.loads(seal_receipt(draft(), OPERATOR).body)
    plain["signatures"] = suspended["signatures"]
    assert verify_receipt(json.dumps(plain).encode()).kind is Kind.INVALID_SIGNATURE


def test_a_signature_entry_has_one_of_two_roles() -> None:
    assert signature_entry("approver", OPERATOR.public_key, b"\x00" * 64) == {
        "algorithm": "Ed25519",
        "key_id": "approver",
        "public_key": OPERATOR.public_key,
        "signature": "A" * 86 + "==",
    }
    with pytest.raises(ValueError, match="witness"):
        signature_entry("witness", OPERATOR.public_key, b"\x00" * 64)


class Name(StrEnum):
    A = "a"


class Measured(float):
    pass


# An agent chooses its arguments. Whatever it chooses, it gets a receipt that verifies, or a refusal; a receipt
# that is signed, appended and then Malformed would break its session's chain for good.
ARGUMENTS: dict[str, Callable[[], object]] = {
    "null": lambda: None,
    "a float that is whole": lambda: 1.0,
    "minus zero": lambda: -0.0,
    "a tiny float": lambda: 5e-324,
    "a huge float": lambda: 1.7976931348623157e308,
    "2^53": lambda: 2**53,
    "ten to the nineteenth": lambda: 10**19,
    "ten to the twentieth": lambda: 10**20,
    "minus ten to the nineteenth": lambda: -(10**19),
    "2^63": lambda: 2**63,
    "an enum": lambda: Name.A,
    "an enum as a key": lambda: {Name.A: 1},
    "a subclass of float": lambda: Measured(1.5),
    "every control character": lambda: "".join(map(chr, range(0x21))) + "\x7f\u2028\u2029\ufeff",
    "astral keys": lambda: {"\U0001f600": 1, "\ue000": 2},
    "the empty key": lambda: {"": {"": ""}},
    "a nested action_hash": lambda: {"action_hash": "x", "kind": "approved"},
    "nested 122 deep": lambda: nested(122),
    "nested 123 deep": lambda: nested(123),
    "nested 124 deep": lambda: nested(124),
    "nested 125 deep": lambda: nested(125),
    "nested 1000 deep": lambda: nested(1000),
    "more bytes than the verifier reads": lambda: "x" * MAX_BYTES,
    "a megabyte of whole floats": lambda: [1.0] * 520_000,
    "a megabyte of minus zeros": lambda: [-0.0] * 500_000,
    "an integer beyond 64 bits beside a double that prints as another integer": lambda: [
        10**20,
        2.702159776422295e16,
    ],
    "nan": lambda: float("nan"),
    "bytes": lambda: b"x",
    "a lone surrogate": lambda: "\ud800",
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_whatever_the_argument_the_receipt_verifies_or_is_never_made(name: str) -> None:
    try:
        receipt = seal({"x": ARGUMENTS[name]()})
    except HesoError:
        return
    assert verify_receipt(receipt.body, operator=OPERATOR.public_key) == Verdict(
        kind=Kind.VALID,
        trust_level="L0",
        action_hash=receipt.action_hash,
        signers=(OPERATOR.public_key,),
    )


@pytest.mark.parametrize(
    ("action", "policy"),
    [
        (replace(ACTION, fields=MappingProxyType({"n": 1})), POLICY),
        (ACTION, replace(POLICY, matched_conditions=tuple(POLICY.matched_conditions))),
    ],
    ids=["fields as a read-only mapping", "conditions as a tuple"],
)
def test_what_the_types_allow_can_be_sealed(action: Action, policy: PolicyRecord) -> None:
    assert verify_receipt(seal_receipt(draft(action, policy), OPERATOR).body).is_valid


def test_a_content_that_was_sealed_already_is_refused() -> None:
    sealed = seal_receipt(draft(), OPERATOR)
    for content in (
        sealed.content,
        {**draft(), "action_hash": "x"},
        {**draft(), "action_hash": None},
    ):
        with pytest.raises(Malformed, match="is sealed already") as caught:
            seal_receipt(content, OPERATOR)
        assert caught.value.where == "action_hash"


def test_the_deepest_content_that_is_sealed_is_the_deepest_that_is_read() -> None:
    """The envelope, the content, the action, its fields: 123 containers are left below an argument."""
    assert verify_receipt(seal({"x": nested(123)}).body).is_valid
    with pytest.raises(Malformed, match="nested too deep"):
        seal({"x": nested(124)})


def test_a_content_over_a_mebibyte_is_refused() -> None:
    mebibyte = 1024 * 1024
    room = mebibyte - len(canonical_bytes(draft(replace(ACTION, fields={"x": ""}))))
    assert verify_receipt(seal({"x": "x" * room}).body).is_valid
    with pytest.raises(Malformed, match=f"larger than {mebibyte} bytes"):
        seal({"x": "x" * (room + 1)})


def test_an_integer_beyond_64_bits_is_sealed_exactly() -> None:
    receipt = seal({"x": 10**20})
    assert b":100000000000000000000}" in receipt.body
    assert verify_receipt(receipt.body).is_valid


def test_a_refused_argument_is_never_quoted() -> None:
    with pytest.raises(Malformed) as caught:
        seal({"password": b"hunter2"})
    assert str(caught.value) == "malformed JSON value: bytes is not a JSON type"
