"""Lifecycle links: each carries one signature, by the role and under the domain of its kind, and its own block."""

from itertools import product
from typing import Any

import pytest

from heso.core.strictness import StricterRule
from heso.core.verdict import Kind, Verdict
from heso.core.verify import verify_lifecycle_receipt, verify_receipt

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
    assert not verdict.is_valid
    assert (verdict.signers, verdict.trust_level) == ((), None)
    lenient = verify_receipt(forge.text(envelope), compat=True)
    assert (verdict.stricter is not None) == lenient.is_valid
    return verdict.kind


@pytest.mark.parametrize("name", SIGNED_BY)
@pytest.mark.parametrize("compat", [False, True])
def test_a_link_signed_by_its_role_is_valid(forge: Any, name: str, *, compat: bool) -> None:
    envelope = build(forge, name)
    role = SIGNED_BY[name][1]
    expected = Verdict(
        kind=Kind.VALID,
        trust_level="L1" if role == "approver" else "L0",
        action_hash=envelope["content"]["action_hash"],
        signers=(getattr(forge, role).public,),
    )
    assert verify_receipt(forge.text(envelope), compat=compat) == expected
    assert verify_lifecycle_receipt(forge.text(envelope), compat=compat) == expected


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
    assert refused(forge, claimed) in (Kind.INVALID_SIGNATURE, Kind.MALFORMED)


@pytest.mark.parametrize("name", SIGNED_BY)
def test_only_the_role_and_domain_of_a_kind_will_do(forge: Any, name: str) -> None:
    wanted_domain, wanted_role = SIGNED_BY[name]
    for domain, role in product(forge.domains, ("operator", "approver")):
        envelope = build(
            forge,
            name,
            domain=forge.domains[domain],
            role=role,
            trust_level="L1" if wanted_role == "approver" else "L0",
            key=getattr(forge, wanted_role),
        )
        if (domain, role) == (wanted_domain, wanted_role):
            assert verify_receipt(forge.text(envelope)).is_valid
            continue
        found = verify_lifecycle_receipt(forge.text(envelope))
        if wanted_domain == "decision" and domain == "operator":
            assert found.kind is Kind.ROLE_VIOLATION
            assert refused(forge, envelope) is Kind.MALFORMED
        elif domain == wanted_domain:
            assert (
                found.kind is Kind.MALFORMED
            )  # the right key and domain, in the other role's name
            assert found.stricter is StricterRule.LIFECYCLE
        else:
            assert found.kind is Kind.INVALID_SIGNATURE


# What is wrong with a link, and the rule that refuses it where the reference would not.
FAULTS: dict[str, tuple[Kind, StricterRule | None, Json]] = {
    "another version": (Kind.UNSUPPORTED, StricterRule.LIFECYCLE, {"action_version": "v3"}),
    "redacted in an unknown way": (
        Kind.MALFORMED_REDACTION,
        StricterRule.LIFECYCLE,
        {"redaction": BAD_REDACTION},
    ),
    "an anchor that is none": (
        Kind.TIME_ANCHOR_UNVERIFIABLE,
        StricterRule.LIFECYCLE,
        {"time_anchor": ANCHOR},
    ),
    "an anchor demanded": (
        Kind.ANCHOR_REQUIRED,
        StricterRule.LIFECYCLE,
        {"anchor_policy": "required"},
    ),
    "a quorum": (Kind.MALFORMED, StricterRule.LIFECYCLE, {"multi_approval": QUORUM}),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", SIGNED_BY)
def test_each_kind_goes_through_the_whole_list(forge: Any, name: str, fault: str) -> None:
    kind, rule, change = FAULTS[fault]
    verdict = verify_receipt(forge.text(build(forge, name, **change)))
    assert (verdict.kind, verdict.stricter) == (kind, rule)
    assert verify_receipt(forge.text(build(forge, name, **change)), compat=True).is_valid


@pytest.mark.parametrize("name", SIGNED_BY)
def test_a_link_of_another_algorithm_level_or_count_is_refused(forge: Any, name: str) -> None:
    link = build(forge, name)
    assert refused(forge, {**link, "alg": "x"}) is Kind.WRONG_ALGORITHM
    stale = {**link, "content": {**link["content"], "captured_at": "later"}}
    assert refused(forge, stale) is Kind.HASH_MISMATCH
    assert refused(forge, {**link, "signatures": []}) is Kind.MALFORMED
    assert refused(forge, {**link, "signatures": link["signatures"] * 2}) is Kind.MALFORMED
    witness = {**link["signatures"][0], "key_id": "witness"}
    assert refused(forge, {**link, "signatures": [witness]}) is Kind.MALFORMED
    if not name.startswith("key_rotation"):  # its level is as it is
        other = "L1" if SIGNED_BY[name][1] == "operator" else "L0"
        assert refused(forge, build(forge, name, trust_level=other)) is Kind.TRUST_LEVEL_MISMATCH


@pytest.mark.parametrize("kind", DECIDED)
@pytest.mark.parametrize("decision", [None, "approved", "rejected", "escalated"])
def test_a_decision_link_says_what_its_kind_says(
    forge: Any, kind: str, decision: str | None
) -> None:
    record = decision and forge.approval(decision=decision)
    verdict = verify_receipt(forge.text(build(forge, kind, approver_decision=record)))
    if decision == DECIDED[kind]:
        assert verdict.is_valid
    else:
        assert (verdict.kind, verdict.stricter) == (Kind.MALFORMED, StricterRule.DECISION_RECORD)


@pytest.mark.parametrize("kind", DECIDED)
def test_nobody_decides_with_the_operators_key_or_the_one_everybody_has(
    forge: Any, kind: str
) -> None:
    for key, rule in (
        (forge.operator, StricterRule.DECISION_KEY),
        (forge.placeholder, StricterRule.PLACEHOLDER_KEY),
    ):
        text = forge.text(build(forge, kind, key=key))
        verdict = verify_lifecycle_receipt(text)
        assert (verdict.kind, verdict.stricter) == (Kind.ROLE_VIOLATION, rule)
        assert verify_receipt(text).kind is Kind.MALFORMED
        assert verify_lifecycle_receipt(text, compat=True).is_valid


def test_a_rotation_is_signed_by_the_key_that_goes_and_has_its_block(forge: Any) -> None:
    for name in ("key_rotation producer", "key_rotation decision"):
        by_another = build(forge, name, key=forge.stranger)
        assert refused(forge, by_another) is Kind.MALFORMED
    assert (
        refused(forge, build(forge, "key_rotation producer", key_rotation=None)) is Kind.MALFORMED
    )


def test_a_block_of_another_kind_is_refused(forge: Any) -> None:
    block = parts_of(forge, "key_rotation producer")["key_rotation"]
    assert refused(forge, build(forge, "suspended", key_rotation=block)) is Kind.MALFORMED
    assert refused(forge, build(forge, "completed", suspension=SUSPENSION)) is Kind.MALFORMED
