"""Lifecycle links: one signature, by the role and in the domain of the kind, and a decision that says so."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from heso.core.verdict import Kind, Verdict
from heso.core.verify import verify_receipt

Json = dict[str, Any]

SUSPENSION: Json = {
    "resume_token_hash": "ab" * 32,
    "context_ref": {"scheme": "none", "key": "k", "hash": "h"},
    "policy": {"policy_id": "p", "policy_hash": "h", "rule": "r"},
    "approval": {"sla": "1h", "expires_at": "x", "on_timeout": "deny", "approver_pubkeys": []},
}
DECIDED = {
    "approved": "approved",
    "denied": "rejected",
    "expired": "rejected",
    "escalated": "escalated",
}

# kind -> (domain, role written as key_id)
SIGNED_BY = {
    "suspended": ("suspend", "operator"),
    "approved": ("decision", "approver"),
    "denied": ("decision", "approver"),
    "expired": ("decision", "approver"),
    "escalated": ("decision", "approver"),
    "completed": ("operator", "operator"),
    "key_rotation producer": ("operator", "operator"),
    "key_rotation decision": ("decision", "approver"),
}


def parts_of(forge: Any, name: str) -> Json:
    """What a link of this kind carries beside the action."""
    kind, _, role = name.partition(" ")
    parts: Json = {"kind": kind, "session_id": "life", "seq": 1, "prev_receipt_hash": "ab" * 32}
    if kind == "suspended":
        parts["suspension"] = SUSPENSION
    if kind in DECIDED:
        parts["approver_decision"] = forge.approval(decision=DECIDED[kind])
    if role:
        outgoing = forge.operator if role == "producer" else forge.approver
        parts["key_rotation"] = {
            "role": role,
            "outgoing_public_key": outgoing.public,
            "incoming_public_key": forge.stranger.public,
        }
    return parts


def build(forge: Any, name: str, **changes: Any) -> Json:
    domain, role = SIGNED_BY[name]
    options = {"key": getattr(forge, role), "role": role, "domain": forge.domains[domain]}
    return forge.link(**{**parts_of(forge, name), **options, **changes})


def refused(forge: Any, envelope: Json) -> Kind:
    verdict = verify_receipt(forge.text(envelope))
    assert replace(verdict, detail="", action_hash=None) == Verdict(kind=verdict.kind)
    return verdict.kind


@pytest.mark.parametrize("name", SIGNED_BY)
def test_a_link_signed_as_its_kind_demands_is_valid(forge: Any, name: str) -> None:
    _, role = SIGNED_BY[name]
    envelope = build(forge, name)
    assert verify_receipt(forge.text(envelope)) == Verdict(
        kind=Kind.VALID,
        trust_level="L0" if role == "operator" else "L1",
        action_hash=envelope["content"]["action_hash"],
        signers=(getattr(forge, role).public,),
    )


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        (n, d)
        for n, d in product(SIGNED_BY, ("operator", "approver", "suspend", "decision"))
        if d != SIGNED_BY[n][0]
    ],
)
def test_a_signature_of_another_domain_is_refused(forge: Any, name: str, domain: str) -> None:
    envelope = build(forge, name, domain=forge.domains[domain])
    assert refused(forge, envelope) is Kind.INVALID_SIGNATURE


@pytest.mark.parametrize("name", SIGNED_BY)
def test_a_signature_of_the_other_role_is_malformed(forge: Any, name: str) -> None:
    domain, role = SIGNED_BY[name]
    other = "approver" if role == "operator" else "operator"
    assert refused(forge, build(forge, name, role=other)) is Kind.MALFORMED
    envelope = build(forge, name)
    content = {k: v for k, v in envelope["content"].items() if k != "action_hash"}
    second = forge.entry(other, getattr(forge, other), content, forge.domains[domain])
    envelope["signatures"].append(second)
    assert refused(forge, envelope) is Kind.MALFORMED
    envelope["signatures"] = []
    assert refused(forge, envelope) is Kind.MALFORMED


@pytest.mark.parametrize("name", SIGNED_BY)
def test_every_kind_goes_through_the_whole_list(forge: Any, name: str) -> None:
    other_level = "L1" if SIGNED_BY[name][1] == "operator" else "L0"
    marker = {"field_path": "x", "algorithm": "md5", "commitment": ""}
    anchor = {"kind": "", "token_b64": "", "tsa": "", "anchored_hash": ""}
    expected = {
        Kind.UNSUPPORTED: {"action_version": "heso-action/1.0"},
        Kind.TRUST_LEVEL_MISMATCH: {"trust_level": other_level},
        Kind.MALFORMED_REDACTION: {"redaction": {"mode": "commit_and_reveal", "markers": [marker]}},
        Kind.TIME_ANCHOR_UNVERIFIABLE: {"time_anchor": anchor},
        Kind.ANCHOR_REQUIRED: {"anchor_policy": "required"},
    }
    assert {
        kind: refused(forge, build(forge, name, **change)) for kind, change in expected.items()
    } == {kind: kind for kind in expected}
    assert refused(forge, {**build(forge, name), "alg": "x"}) is Kind.WRONG_ALGORITHM
    stale = build(forge, name)
    stale["content"]["captured_at"] = "later"
    assert refused(forge, stale) is Kind.HASH_MISMATCH


@pytest.mark.parametrize("name", SIGNED_BY)
def test_an_action_receipt_does_not_become_a_link_nor_a_link_an_action(
    forge: Any, name: str
) -> None:
    """The kind is inside the signed bytes; taking a signature over to another kind does not work."""
    link = build(forge, name)
    content = {k: v for k, v in link["content"].items() if k not in ("action_hash", "kind")}
    moved = {**link, "content": forge.hashed(content)}
    assert refused(forge, moved) in (Kind.INVALID_SIGNATURE, Kind.MALFORMED)


def test_a_rotation_without_its_block_is_malformed(forge: Any) -> None:
    envelope = build(forge, "key_rotation producer", key_rotation=None)
    assert refused(forge, envelope) is Kind.MALFORMED


def test_a_suspended_link_without_its_block_is_refused(forge: Any) -> None:
    assert not verify_receipt(forge.text(build(forge, "suspended", suspension=None))).is_valid


# A decision link is the one receipt that says "a person decided". What follows must never be Valid.


def test_an_approved_link_whose_record_says_no_is_refused(forge: Any) -> None:
    for decision in ("rejected", "escalated"):
        record = forge.approval(decision=decision)
        envelope = build(forge, "approved", approver_decision=record)
        assert not verify_receipt(forge.text(envelope)).is_valid


def test_a_denied_or_expired_link_whose_record_says_yes_is_refused(forge: Any) -> None:
    for name in ("denied", "expired", "escalated"):
        envelope = build(forge, name, approver_decision=forge.approval(decision="approved"))
        assert not verify_receipt(forge.text(envelope)).is_valid


def test_a_decision_link_without_a_record_is_refused(forge: Any) -> None:
    for name in DECIDED:
        envelope = build(forge, name, approver_decision=None)
        assert not verify_receipt(forge.text(envelope)).is_valid


def test_an_approved_link_whose_record_names_another_key_is_refused(forge: Any) -> None:
    record = forge.approval(approver_identity=forge.stranger.public)
    envelope = build(forge, "approved", approver_decision=record)
    assert not verify_receipt(forge.text(envelope)).is_valid


def test_a_decision_signed_with_the_agents_own_key_is_refused(forge: Any) -> None:
    record = forge.approval(approver_identity=forge.operator.public)
    envelope = build(forge, "approved", key=forge.operator, approver_decision=record)
    assert envelope["content"]["agent_identity"] == forge.operator.public
    assert not verify_receipt(forge.text(envelope)).is_valid


def test_a_decision_signed_with_the_public_placeholder_key_is_refused(forge: Any) -> None:
    record = forge.approval(approver_identity=forge.placeholder.public)
    envelope = build(forge, "approved", key=forge.placeholder, approver_decision=record)
    assert not verify_receipt(forge.text(envelope)).is_valid
