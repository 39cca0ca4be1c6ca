"""Lifecycle links: a suspended one carries one signature, the operator's, under its own domain.

Every other kind, and every quorum, belongs to a later version: Unsupported, whatever it says and whoever signed it.
"""

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

# kind -> (domain, role written as key_id), as the format demands it
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


LATER = [name for name in SIGNED_BY if name != "suspended"]
ANCHOR = {"kind": "", "token_b64": "", "tsa": "", "anchored_hash": ""}
BAD_MARKER = {"field_path": "x", "algorithm": "md5", "commitment": ""}
BAD_REDACTION = {"mode": "commit_and_reveal", "markers": [BAD_MARKER]}
QUORUM: Json = {"threshold": 1, "roster": [], "approvers": []}


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


def is_unsupported(forge: Any, envelope: Json, detail: str) -> bool:
    return verify_receipt(forge.text(envelope)) == Verdict(
        kind=Kind.UNSUPPORTED, detail=detail, action_hash=envelope["content"]["action_hash"]
    )


def test_a_suspended_link_signed_by_its_operator_is_valid(forge: Any) -> None:
    envelope = build(forge, "suspended")
    assert verify_receipt(forge.text(envelope)) == Verdict(
        kind=Kind.VALID,
        trust_level="L0",
        action_hash=envelope["content"]["action_hash"],
        signers=(forge.operator.public,),
    )


@pytest.mark.parametrize("domain", ["operator", "approver", "decision"])
def test_a_signature_of_another_domain_is_refused(forge: Any, domain: str) -> None:
    envelope = build(forge, "suspended", domain=forge.domains[domain])
    assert refused(forge, envelope) is Kind.INVALID_SIGNATURE


def test_a_signature_of_the_other_role_is_malformed(forge: Any) -> None:
    assert refused(forge, build(forge, "suspended", role="approver")) is Kind.MALFORMED
    envelope = build(forge, "suspended")
    content = {k: v for k, v in envelope["content"].items() if k != "action_hash"}
    for domain in forge.domains.values():
        second = forge.entry("approver", forge.approver, content, domain)
        both = {**envelope, "signatures": [*envelope["signatures"], second]}
        assert refused(forge, both) is Kind.MALFORMED
    assert refused(forge, {**envelope, "signatures": []}) is Kind.MALFORMED
    twice = {**envelope, "signatures": envelope["signatures"] * 2}
    assert refused(forge, twice) is Kind.MALFORMED


def test_a_suspended_link_goes_through_the_whole_list(forge: Any) -> None:
    expected = {
        Kind.UNSUPPORTED: {"action_version": "heso-action/1.0"},
        Kind.TRUST_LEVEL_MISMATCH: {"trust_level": "L1"},
        Kind.MALFORMED_REDACTION: {"redaction": BAD_REDACTION},
        Kind.TIME_ANCHOR_UNVERIFIABLE: {"time_anchor": ANCHOR},
        Kind.ANCHOR_REQUIRED: {"anchor_policy": "required"},
    }
    assert {
        kind: refused(forge, build(forge, "suspended", **change))
        for kind, change in expected.items()
    } == {kind: kind for kind in expected}
    assert refused(forge, {**build(forge, "suspended"), "alg": "x"}) is Kind.WRONG_ALGORITHM
    stale = build(forge, "suspended")
    stale["content"]["captured_at"] = "later"
    assert refused(forge, stale) is Kind.HASH_MISMATCH


def test_a_suspended_link_without_its_block_is_malformed(forge: Any) -> None:
    assert refused(forge, build(forge, "suspended", suspension=None)) is Kind.MALFORMED


@pytest.mark.parametrize("name", SIGNED_BY)
def test_an_action_receipt_does_not_become_a_link_nor_a_link_an_action(
    forge: Any, name: str
) -> None:
    """The kind is inside the signed bytes; taking a signature over to another kind does not work."""
    link = build(forge, name)
    content = {k: v for k, v in link["content"].items() if k not in ("action_hash", "kind")}
    moved = {**link, "content": forge.hashed(content)}
    assert refused(forge, moved) in (Kind.INVALID_SIGNATURE, Kind.MALFORMED)
    plain = forge.l0(content)
    claimed = {**plain, "content": forge.hashed({**content, "kind": name.partition(" ")[0]})}
    kind = Kind.INVALID_SIGNATURE if name == "suspended" else Kind.UNSUPPORTED
    assert refused(forge, claimed) is kind


@pytest.mark.parametrize("name", LATER)
def test_a_kind_of_a_later_version_is_unsupported_however_it_is_signed(
    forge: Any, name: str
) -> None:
    kind = name.partition(" ")[0]
    assert is_unsupported(forge, build(forge, name), f"lifecycle links of kind {kind}")
    for domain, role, key in product(
        forge.domains.values(),
        ("operator", "approver"),
        (forge.operator, forge.approver, forge.stranger, forge.placeholder),
    ):
        envelope = build(forge, name, domain=domain, role=role, key=key)
        assert is_unsupported(forge, envelope, f"lifecycle links of kind {kind}")
    unsigned = {**build(forge, name), "signatures": []}
    assert is_unsupported(forge, unsigned, f"lifecycle links of kind {kind}")


@pytest.mark.parametrize("name", LATER)
def test_a_kind_of_a_later_version_is_told_at_the_signatures_and_not_before(
    forge: Any, name: str
) -> None:
    link = build(forge, name)
    stale = {**link, "content": {**link["content"], "captured_at": "later"}}
    entry = link["signatures"][0]
    earlier = {
        Kind.WRONG_ALGORITHM: {**link, "alg": "x"},
        Kind.HASH_MISMATCH: stale,
        Kind.MALFORMED: {**link, "signatures": [{**entry, "key_id": "witness"}]},
    }
    assert {kind: refused(forge, envelope) for kind, envelope in earlier.items()} == {
        kind: kind for kind in earlier
    }
    old = build(forge, name, action_version="heso-action/1.0")
    assert is_unsupported(forge, old, "heso-action/1.0")
    detail = f"lifecycle links of kind {name.partition(' ')[0]}"
    other_level = "L1" if SIGNED_BY[name][1] == "operator" else "L0"
    for later in (
        {"trust_level": other_level},
        {"redaction": BAD_REDACTION},
        {"time_anchor": ANCHOR},
        {"anchor_policy": "required"},
    ):
        assert is_unsupported(forge, build(forge, name, **later), detail)


@pytest.mark.parametrize("kind", DECIDED)
@pytest.mark.parametrize("decision", [None, "approved", "rejected", "escalated"])
def test_what_a_decision_link_says_and_whom_it_names_changes_nothing(
    forge: Any, kind: str, decision: str | None
) -> None:
    for named in (forge.operator, forge.approver, forge.stranger, forge.placeholder):
        record = decision and forge.approval(decision=decision, approver_identity=named.public)
        envelope = build(forge, kind, key=named, approver_decision=record)
        assert is_unsupported(forge, envelope, f"lifecycle links of kind {kind}")


def test_a_rotation_is_unsupported_also_without_its_block(forge: Any) -> None:
    envelope = build(forge, "key_rotation producer", key_rotation=None)
    assert is_unsupported(forge, envelope, "lifecycle links of kind key_rotation")


@pytest.mark.parametrize("approvers", [0, 1, 2])
def test_a_quorum_is_unsupported_however_many_signed(forge: Any, approvers: int) -> None:
    content = forge.content(trust_level="L1", multi_approval=QUORUM)
    signed = [forge.entry("operator", forge.operator, content)]
    for key in (forge.approver, forge.stranger)[:approvers]:
        signed.append(forge.entry("approver", key, content))
    assert is_unsupported(forge, forge.envelope(content, *signed), "quorum receipts")


def test_a_quorum_is_unsupported_in_a_suspended_link_as_well(forge: Any) -> None:
    envelope = build(forge, "suspended", multi_approval=QUORUM)
    assert is_unsupported(forge, envelope, "quorum receipts")
