"""Approvals put together from detached signatures: the published vectors, and every way the pieces do not fit."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heso.core.approval import (
    ApprovalFault,
    ApprovalRefused,
    ApproverRecord,
    Leg,
    Vote,
    approver_payload,
    assemble_approval,
    assemble_quorum,
    draft_approval,
    draft_quorum,
    operator_payload,
    sign_leg,
)
from heso.core.hashing import digest
from heso.core.keys import SigningKey
from heso.core.receipt import canonical_content
from heso.core.verdict import Kind
from heso.core.verify import verify_receipt

Json = dict[str, Any]
OPERATOR, *PEOPLE = (SigningKey.from_seed(bytes([seed]) * 32) for seed in (0, 5, 7, 8, 9, 10, 11))
ASKED: Json = {
    "action_version": "heso-action/2.0",
    "captured_at": "2026-01-01T00:00:00Z",
    "agent_identity": OPERATOR.public_key,
    "action": {
        "verb": "tool_call",
        "tool_name": "t",
        "workflow": "w",
        "account": "a",
        "fields": {},
    },
    "policy": {
        "rule_id": "r",
        "rule_display": "d",
        "matched_conditions": [],
        "decision_path": "require_approval",
    },
    "trust_level": "L0",
}


def said(key: SigningKey, **changes: Any) -> ApproverRecord:
    record = ApproverRecord(
        approver_identity=key.public_key,
        decision="approved",
        reason="ok",
        decided_at="2026-01-01T00:01:00Z",
    )
    return replace(record, **changes)


def single(key: SigningKey = PEOPLE[0], **record: Any) -> tuple[Json, ApproverRecord, Leg]:
    spoken = said(key, **record)
    content = draft_approval(ASKED, spoken)
    return content, spoken, sign_leg(operator_payload(content), OPERATOR)


def vote(base: Json, key: SigningKey, **record: Any) -> Vote:
    spoken = said(key, **record)
    return Vote(spoken, sign_leg(approver_payload(base, spoken), key))


def quorum(threshold: int = 2, people: int = 3) -> tuple[Json, Leg]:
    roster = [key.public_key for key in PEOPLE[:people]]
    base = draft_quorum(ASKED, threshold=threshold, roster=roster)
    return base, sign_leg(operator_payload(base), OPERATOR)


def test_the_published_single_approval_is_made_to_the_byte(worked: Json) -> None:
    content, record, operator = single()
    approver = sign_leg(approver_payload(content, record), PEOPLE[0])
    receipt = assemble_approval(content, operator=operator, approver=approver)
    made = json.loads(receipt.body)["signatures"]
    assert receipt.action_hash == worked["l1"]["action_hash"]
    assert [entry["signature"] for entry in made] == [
        worked["l1"]["operator_signature"],
        worked["l1"]["approver_signature"],
    ]
    assert verify_receipt(receipt.body).trust_level == "L1"


def test_the_published_quorum_is_made_to_the_byte(worked: Json) -> None:
    vector = worked["quorum"]
    base, operator = quorum(2, 2)
    votes = [vote(base, key) for key in PEOPLE[:2]]
    by_name = sorted(votes, key=lambda one: one.leg.public_key)
    legs = [digest(approver_payload(base, one.record)) for one in by_name]
    receipt = assemble_quorum(base, operator=operator, votes=votes)
    assert digest(canonical_content(base)) == vector["base_action_hash"]
    assert legs == vector["leg_payload_blake3"]
    assert receipt.action_hash == vector["final_action_hash"]
    made = [entry["signature"] for entry in json.loads(receipt.body)["signatures"]]
    assert made == vector["signatures"]


def assemble_single(
    operator: SigningKey = OPERATOR, approver: SigningKey = PEOPLE[0], payload: bytes = b""
) -> object:
    content, record, _ = single()
    return assemble_approval(
        content,
        operator=sign_leg(operator_payload(content), operator),
        approver=sign_leg(payload or approver_payload(content, record), approver),
    )


def assemble_votes(*make: Callable[[Json], Vote], threshold: int = 2) -> object:
    base, operator = quorum(threshold)
    return assemble_quorum(base, operator=operator, votes=[one(base) for one in make])


def by(key: SigningKey, **record: Any) -> Callable[[Json], Vote]:
    return lambda base: vote(base, key, **record)


def in_anothers_name(base: Json) -> Vote:
    record = said(PEOPLE[1])
    return Vote(record, sign_leg(approver_payload(base, record), PEOPLE[0]))


F = ApprovalFault
FAULTS: dict[str, tuple[ApprovalFault, Callable[[], object]]] = {
    "decided already": (
        F.ALREADY_DECIDED,
        lambda: draft_approval(single()[0], said(PEOPLE[0])),
    ),
    "a quorum decided already": (
        F.ALREADY_DECIDED,
        lambda: draft_approval(quorum()[0], said(PEOPLE[0])),
    ),
    "anchored": (
        F.ALREADY_ANCHORED,
        lambda: draft_approval({**ASKED, "time_anchor": {}}, said(PEOPLE[0])),
    ),
    "nobody was asked": (
        F.NOT_ASKED,
        lambda: draft_approval(
            {**ASKED, "policy": {**ASKED["policy"], "decision_path": "allow"}}, said(PEOPLE[0])
        ),
    ),
    "a lifecycle link": (
        F.NOT_ASKED,
        lambda: draft_approval({**ASKED, "kind": "suspended"}, said(PEOPLE[0])),
    ),
    "a no": (F.NOT_APPROVED, lambda: single(decision="rejected")),
    "neither": (F.NOT_APPROVED, lambda: single(decision="escalated")),
    "the operator itself": (F.APPROVER_IS_OPERATOR, lambda: assemble_single(approver=OPERATOR)),
    "another approver than the record's": (
        F.APPROVER_COSIGN_INVALID,
        lambda: assemble_single(approver=PEOPLE[1]),
    ),
    "other bytes": (F.APPROVER_COSIGN_INVALID, lambda: assemble_single(payload=b"other")),
    "another operator key": (
        F.OPERATOR_KEY_MISMATCH,
        lambda: assemble_single(operator=PEOPLE[2]),
    ),
    "the operator on the roster": (
        F.APPROVER_IS_OPERATOR,
        lambda: draft_quorum(ASKED, threshold=1, roster=[OPERATOR.public_key]),
    ),
    "a threshold of nobody": (
        F.THRESHOLD_NOT_MET,
        lambda: draft_quorum(ASKED, threshold=0, roster=[PEOPLE[0].public_key]),
    ),
    "a threshold nobody can meet": (
        F.THRESHOLD_NOT_MET,
        lambda: draft_quorum(ASKED, threshold=2, roster=[PEOPLE[0].public_key] * 2),
    ),
    "an empty roster": (
        F.THRESHOLD_NOT_MET,
        lambda: draft_quorum(ASKED, threshold=1, roster=[]),
    ),
    "too few votes": (F.THRESHOLD_NOT_MET, lambda: assemble_votes(by(PEOPLE[0]))),
    "one key, two votes": (
        F.DUPLICATE_APPROVER_KEY,
        lambda: assemble_votes(by(PEOPLE[0]), by(PEOPLE[0], reason="again")),
    ),
    "not on the roster": (
        F.APPROVER_NOT_ON_ROSTER,
        lambda: assemble_votes(by(PEOPLE[0]), by(PEOPLE[5])),
    ),
    "a no among the votes": (
        F.NOT_APPROVED,
        lambda: assemble_votes(by(PEOPLE[0]), by(PEOPLE[1], decision="rejected")),
    ),
    "a vote in another's name": (
        F.APPROVER_COSIGN_INVALID,
        lambda: assemble_votes(in_anothers_name),
    ),
    "a vote for another base": (
        F.APPROVER_COSIGN_INVALID,
        lambda: assemble_votes(lambda _: vote(quorum(1)[0], PEOPLE[0]), by(PEOPLE[1])),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_pieces_that_do_not_fit_are_refused_by_name(name: str) -> None:
    fault, attempt = FAULTS[name]
    with pytest.raises(ApprovalRefused) as refused:
        attempt()
    assert refused.value.fault is fault
    assert str(refused.value).startswith(f"{fault}: ")
    assert refused.value.next_step


def test_an_operators_signature_over_other_bytes_is_refused() -> None:
    content, record, _ = single()
    approver = sign_leg(approver_payload(content, record), PEOPLE[0])
    with pytest.raises(ApprovalRefused) as refused:
        assemble_approval(content, operator=sign_leg(b"other", OPERATOR), approver=approver)
    assert refused.value.fault is F.OPERATOR_SIGN_INVALID


def test_the_question_leaves_its_chain_behind() -> None:
    chained = {**ASKED, "session_id": "s", "seq": 3, "prev_receipt_hash": "ab", "action_hash": "x"}
    assert draft_approval(chained, said(PEOPLE[0])) == draft_approval(ASKED, said(PEOPLE[0]))


@given(st.integers(1, 6), st.data())
def test_whatever_is_assembled_verifies(people: int, data: st.DataObject) -> None:
    threshold = data.draw(st.integers(1, people))
    base, operator = quorum(threshold, people)
    voters = data.draw(st.permutations(PEOPLE[:people]))[
        : data.draw(st.integers(threshold, people))
    ]
    receipt = assemble_quorum(base, operator=operator, votes=[vote(base, key) for key in voters])
    verdict = verify_receipt(receipt.body)
    assert (verdict.kind, verdict.trust_level) == (Kind.VALID, "L1")
    assert set(verdict.signers) == {OPERATOR.public_key, *(key.public_key for key in voters)}
    assert verify_receipt(receipt.body, compat=True).kind is Kind.VALID


def test_an_approval_for_one_action_fits_no_other() -> None:
    content, record, operator = single()
    leg = sign_leg(approver_payload(content, record), PEOPLE[0])
    other = {**content, "action": {**content["action"], "fields": {"amount": 1}}}
    with pytest.raises(ApprovalRefused):
        assemble_approval(other, operator=operator, approver=leg)
