"""One receipt, one fault, one verdict: the format's mutation table (HESO/1 fact sheet, section 2.7), cell by cell."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import rfc8785

from heso.core.strictness import StricterRule
from heso.core.verdict import Kind, Verdict
from heso.core.verify import verify_receipt

Json = dict[str, Any]
Build = Callable[[Any], Json]  # from the forge of conftest.py to an envelope


def edited(envelope: Json, *path: str | int, to: object) -> Json:
    """The envelope with one leaf changed and nothing signed again."""
    spot: Any = envelope
    for step in path[:-1]:
        spot = spot[step]
    assert path[-1] in spot or isinstance(path[-1], int)
    spot[path[-1]] = to
    return envelope


def without(envelope: Json, *path: str | int) -> Json:
    spot: Any = envelope
    for step in path[:-1]:
        spot = spot[step]
    del spot[path[-1]]
    return envelope


def rehashed(forge: Any, envelope: Json) -> Json:
    """The hash set right again, the signatures left as they were."""
    return {**envelope, "content": forge.hashed(envelope["content"])}


def signed_again(forge: Any, **changes: object) -> Json:
    return forge.l0(forge.content(**changes))


def operator_only(forge: Any, **entry: object) -> Json:
    content = forge.content()
    return forge.envelope(content, {**forge.entry("operator", forge.operator, content), **entry})


def roles(forge: Any, *pairs: tuple[str, str]) -> Json:
    """An approved content with these (role written, key and domain used)."""
    content = forge.approved_content()
    entries = []
    for role, made_as in pairs:
        made = forge.entry(made_as, getattr(forge, made_as), content)
        entries.append({**made, "key_id": role})
    return forge.envelope(content, *entries)


def swapped_signatures(forge: Any) -> Json:
    envelope = forge.l1()
    first, second = envelope["signatures"]
    first["signature"], second["signature"] = second["signature"], first["signature"]
    return envelope


def over_content_with_its_hash(forge: Any) -> Json:
    content = forge.content()
    signature = forge.operator.sign(
        forge.domains["operator"] + rfc8785.dumps(forge.hashed(content))
    )
    return operator_only(forge, signature=signature)


def in_domain(forge: Any, domain: bytes) -> Json:
    content = forge.content()
    return forge.envelope(content, forge.entry("operator", forge.operator, content, domain))


def self_approved(forge: Any, **entry: object) -> Json:
    content = forge.content(
        trust_level="L1",
        approver_decision=forge.approval(approver_identity=forge.operator.public),
    )
    return forge.envelope(
        content,
        forge.entry("operator", forge.operator, content),
        {**forge.entry("approver", forge.operator, content), **entry},
    )


def with_record(forge: Any, record: Json | None) -> Json:
    return forge.l1(forge.content(trust_level="L1", approver_decision=record))


BAD_SIGNATURE = "A" * 86 + "=="
TABLE: dict[str, tuple[Kind, Build]] = {
    "signed leaf changed": (
        Kind.HASH_MISMATCH,
        lambda f: edited(f.l0(), "content", "action", "tool_name", to="u"),
    ),
    "signed free leaf changed": (
        Kind.HASH_MISMATCH,
        lambda f: edited(f.l0(), "content", "action", "fields", "rooms", to=3),
    ),
    "free key renamed": (
        Kind.HASH_MISMATCH,
        lambda f: edited(f.l0(), "content", "action", "fields", to={"town": "Łódź", "rooms": 2}),
    ),
    "signed leaf changed and rehashed": (
        Kind.INVALID_SIGNATURE,
        lambda f: rehashed(f, edited(f.l0(), "content", "captured_at", to="later")),
    ),
    "signed leaf changed and signed again": (
        Kind.VALID,
        lambda f: signed_again(f, captured_at="garbage"),
    ),
    "required null, signed": (
        Kind.MALFORMED,
        lambda f: edited(f.l0(), "content", "policy", "rule_id", to=None),
    ),
    "required gone": (Kind.MALFORMED, lambda f: without(f.l0(), "content", "policy")),
    "optional gone": (
        Kind.HASH_MISMATCH,
        lambda f: without(
            f.l1(f.content(trust_level="L1", approver_decision=f.approval(sla_minutes=30))),
            *("content", "approver_decision", "sla_minutes"),
        ),
    ),
    "hash upper case": (
        Kind.HASH_MISMATCH,
        lambda f: edited(
            f.l0(), "content", "action_hash", to=f.l0()["content"]["action_hash"].upper()
        ),
    ),
    "hash empty": (Kind.HASH_MISMATCH, lambda f: edited(f.l0(), "content", "action_hash", to="")),
    "hash with a space": (
        Kind.HASH_MISMATCH,
        lambda f: edited(
            f.l0(), "content", "action_hash", to=f.l0()["content"]["action_hash"] + " "
        ),
    ),
    "hash missing": (Kind.MALFORMED, lambda f: without(f.l0(), "content", "action_hash")),
    "hash null": (Kind.MALFORMED, lambda f: edited(f.l0(), "content", "action_hash", to=None)),
    **{
        f"alg {alg!r}": (Kind.WRONG_ALGORITHM, lambda f, alg=alg: edited(f.l0(), "alg", to=alg))
        for alg in (
            "heso-action/v1+ed25519",
            "heso-plat/v1+ed25519",
            "",
            "HESO-ACTION/V2+ED25519",
            "none",
        )
    },
    **{
        f"version {version!r}": (
            Kind.UNSUPPORTED,
            lambda f, v=version: signed_again(f, action_version=v),
        )
        for version in ("heso-action/1.0", "heso-action/2.1", "", "heso-action/2.0 ")
    },
    "version wrong and hash stale": (
        Kind.UNSUPPORTED,
        lambda f: edited(f.l0(), "content", "action_version", to="heso-action/1.0"),
    ),
    "unknown verb": (Kind.MALFORMED, lambda f: signed_again(f, action=f.action(verb="dance"))),
    "unknown level": (Kind.MALFORMED, lambda f: signed_again(f, trust_level="L2")),
    "anchor policy capital": (Kind.MALFORMED, lambda f: signed_again(f, anchor_policy="Required")),
    "L1 claimed by the operator alone": (
        Kind.TRUST_LEVEL_MISMATCH,
        lambda f: signed_again(f, trust_level="L1"),
    ),
    "no signatures": (Kind.MALFORMED, lambda f: f.envelope(f.content())),
    "approver only": (Kind.MALFORMED, lambda f: roles(f, ("approver", "approver"))),
    "two operators": (
        Kind.MALFORMED,
        lambda f: roles(f, ("operator", "operator"), ("operator", "operator")),
    ),
    "two approvers": (
        Kind.MALFORMED,
        lambda f: roles(
            f, ("operator", "operator"), ("approver", "approver"), ("approver", "approver")
        ),
    ),
    "unknown role": (
        Kind.MALFORMED,
        lambda f: roles(f, ("operator", "operator"), ("witness", "approver")),
    ),
    "role in capitals": (Kind.MALFORMED, lambda f: operator_only(f, key_id="Operator")),
    "unknown role beside a bad signature": (
        Kind.MALFORMED,
        lambda f: edited(
            roles(f, ("operator", "operator"), ("witness", "approver")),
            *("signatures", 0, "signature"),
            to=BAD_SIGNATURE,
        ),
    ),
    "roles swapped": (
        Kind.INVALID_SIGNATURE,
        lambda f: roles(f, ("approver", "operator"), ("operator", "approver")),
    ),
    "signatures swapped": (Kind.INVALID_SIGNATURE, swapped_signatures),
    "no domain": (Kind.INVALID_SIGNATURE, lambda f: in_domain(f, b"")),
    "domain without its nul": (Kind.INVALID_SIGNATURE, lambda f: in_domain(f, b"heso-action/v1")),
    "signed over its own hash": (Kind.INVALID_SIGNATURE, over_content_with_its_hash),
    "approver removed": (
        Kind.TRUST_LEVEL_MISMATCH,
        lambda f: without(f.l1(f.approved_content()), "signatures", 1),
    ),
    "approver is the operator": (Kind.SELF_APPROVAL, self_approved),
    "approver is the operator, badly signed": (
        Kind.INVALID_SIGNATURE,
        lambda f: self_approved(f, signature=BAD_SIGNATURE),
    ),
    "L1 signatures under L0": (
        Kind.TRUST_LEVEL_MISMATCH,
        lambda f: f.l1(f.content(approver_decision=f.approval())),
    ),
    **{
        f"signature {name}": (Kind.INVALID_SIGNATURE, lambda f, c=change: operator_only(f, **c))
        for name, change in {
            "algorithm in small letters": {"algorithm": "ed25519"},
            "algorithm empty": {"algorithm": ""},
            "empty": {"signature": ""},
            "not base64": {"signature": "!" * 88},
            "all zero": {"signature": BAD_SIGNATURE},
            "key empty": {"public_key": ""},
            "key prefixed": {"public_key": "ed25519:O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik="},
            "key of another": {"public_key": "bnoc3Smwt4/ROvTFWY/v9O8qlxZuPKby5Pv8zYBQW/E="},
            "key of small order": {"public_key": "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
            "key not on the curve": {"public_key": "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        }.items()
    },
    "approver's record says rejected": (
        Kind.MALFORMED,
        lambda f: with_record(f, f.approval(decision="rejected")),
    ),
    "approver's record says escalated": (
        Kind.MALFORMED,
        lambda f: with_record(f, f.approval(decision="escalated")),
    ),
    "approver's record names another": (
        Kind.MALFORMED,
        lambda f: with_record(f, f.approval(approver_identity=f.stranger.public)),
    ),
    "approver without a record": (Kind.MALFORMED, lambda f: with_record(f, None)),
    "record without an approver": (
        Kind.VALID,
        lambda f: signed_again(f, approver_decision=f.approval()),
    ),
    "both approval blocks": (
        Kind.MALFORMED,
        lambda f: f.l1(
            f.approved_content(multi_approval={"threshold": 1, "roster": [], "approvers": []})
        ),
    ),
    "a quorum that nobody joined": (
        Kind.THRESHOLD_NOT_MET,
        lambda f: signed_again(f, multi_approval={"threshold": 1, "roster": [], "approvers": []}),
    ),
    "integer beyond a double": (
        Kind.MALFORMED,
        lambda f: edited(f.l0(), "content", "action", "fields", "rooms", to=2**53 + 1),
    ),
}


# What the format's reference takes, and the rule of ours that does not.
TAKEN: dict[str, tuple[str, StricterRule]] = {
    "approver's record says rejected": ("L1", StricterRule.APPROVAL_RECORD),
    "approver's record says escalated": ("L1", StricterRule.APPROVAL_RECORD),
    "approver's record names another": ("L1", StricterRule.APPROVAL_RECORD),
    "approver without a record": ("L1", StricterRule.APPROVAL_RECORD),
}
# Where both refuse, in other words: a number that is none of ours is a changed one to the reference.
OTHERWISE = {"integer beyond a double": Kind.HASH_MISMATCH}


@pytest.mark.parametrize("name", TABLE)
def test_each_mutation_gets_its_verdict(forge: Any, name: str) -> None:
    kind, build = TABLE[name]
    envelope = build(forge)
    verdict = verify_receipt(forge.text(envelope))
    if kind is Kind.VALID:
        expected = Verdict(
            kind=kind,
            trust_level="L0",
            action_hash=envelope["content"]["action_hash"],
            signers=(forge.operator.public,),
        )
        assert verdict == expected
    else:
        rule = TAKEN[name][1] if name in TAKEN else None
        assert replace(verdict, detail="", action_hash=None) == Verdict(kind=kind, stricter=rule)


@pytest.mark.parametrize("name", TABLE)
def test_each_mutation_gets_the_references_verdict_when_asked_for_it(forge: Any, name: str) -> None:
    kind, build = TABLE[name]
    verdict = verify_receipt(forge.text(build(forge)), compat=True)
    if name in TAKEN:
        assert (verdict.kind, verdict.trust_level) == (Kind.VALID, TAKEN[name][0])
    else:
        assert verdict.kind is OTHERWISE.get(name, kind)
    assert verdict.stricter is None
