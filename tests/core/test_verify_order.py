"""A receipt with two faults gets the verdict of the earlier step (HESO/1 fact sheet, section 2.4).

Each fault below can be put on top of any other. Every pair is tried.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pytest

from heso.core.verdict import Kind
from heso.core.verify import verify_receipt

Json = dict[str, Any]


def keep(_forge: Any, _value: Json) -> None:
    pass


@dataclass(frozen=True)
class Fault:
    """What is wrong: before hashing (`content`), or on the finished envelope (`envelope`)."""

    kind: Kind
    content: Callable[[Any, Json], None] = keep
    envelope: Callable[[Any, Json], None] = keep


def stale_hash(_forge: Any, envelope: Json) -> None:
    envelope["content"]["action_hash"] = "0" * 64


def unknown_role(_forge: Any, envelope: Json) -> None:
    envelope["signatures"].append({**envelope["signatures"][0], "key_id": "witness"})


def bad_signature(_forge: Any, envelope: Json) -> None:
    envelope["signatures"][0]["signature"] = "A" * 86 + "=="


def second_operator(_forge: Any, envelope: Json) -> None:
    envelope["signatures"].append(envelope["signatures"][0])


def approve_oneself(forge: Any, content: Json) -> None:
    content["trust_level"] = "L1"
    content["approver_decision"] = forge.approval(approver_identity=forge.operator.public)


def claim_the_other_level(_forge: Any, content: Json) -> None:
    content["trust_level"] = "L0" if content["trust_level"] == "L1" else "L1"


def bad_marker(_forge: Any, content: Json) -> None:
    marker = {"field_path": "x", "algorithm": "md5", "commitment": ""}
    content["redaction"] = {"mode": "commit_and_reveal", "markers": [marker]}


def junk_anchor(_forge: Any, content: Json) -> None:
    content["time_anchor"] = {"kind": "", "token_b64": "", "tsa": "", "anchored_hash": ""}


def refused_mandate(_forge: Any, content: Json) -> None:
    content["action"]["verb"] = "payment"
    content["action"]["mandate"] = {
        "mandate_id": "m",
        "mandate_hash": "h",
        "verdict": "invalid",
        "payee": "p",
        "amount_minor": 1,
        "currency": "EUR",
    }


IN_ORDER: dict[str, Fault] = {
    "unknown key": Fault(Kind.MALFORMED, lambda _, content: content.update(extra=1)),
    "algorithm": Fault(
        Kind.WRONG_ALGORITHM,
        envelope=lambda _, envelope: envelope.update(alg="heso-action/v1+ed25519"),
    ),
    "version": Fault(
        Kind.UNSUPPORTED, lambda _, content: content.update(action_version="heso-action/1.0")
    ),
    "hash": Fault(Kind.HASH_MISMATCH, envelope=stale_hash),
    "unknown role": Fault(Kind.MALFORMED, envelope=unknown_role),
    "second operator": Fault(Kind.MALFORMED, envelope=second_operator),
    "signature": Fault(Kind.INVALID_SIGNATURE, envelope=bad_signature),
    "self-approval": Fault(Kind.SELF_APPROVAL, approve_oneself),
    "level": Fault(Kind.TRUST_LEVEL_MISMATCH, claim_the_other_level),
    "redaction": Fault(Kind.MALFORMED_REDACTION, bad_marker),
    "anchor": Fault(Kind.TIME_ANCHOR_UNVERIFIABLE, junk_anchor),
    "anchor policy": Fault(
        Kind.ANCHOR_REQUIRED, lambda _, content: content.update(anchor_policy="required")
    ),
    "mandate": Fault(Kind.MANDATE_REJECTED, refused_mandate),
}


def build(forge: Any, *names: str) -> bytes:
    content = forge.content(action=forge.action())
    for name in names:
        IN_ORDER[name].content(forge, content)
    entries = [forge.entry("operator", forge.operator, content)]
    if "self-approval" in names:
        entries.append(forge.entry("approver", forge.operator, content))
    envelope = forge.envelope(content, *entries)
    for name in names:
        IN_ORDER[name].envelope(forge, envelope)
    return forge.text(envelope)


@pytest.mark.parametrize("name", IN_ORDER)
def test_a_fault_alone_is_found(forge: Any, name: str) -> None:
    assert verify_receipt(build(forge, name)).kind is IN_ORDER[name].kind


@pytest.mark.parametrize(("earlier", "later"), list(combinations(IN_ORDER, 2)))
def test_of_two_faults_the_earlier_is_the_verdict(forge: Any, earlier: str, later: str) -> None:
    assert verify_receipt(build(forge, earlier, later)).kind is IN_ORDER[earlier].kind


def test_with_every_fault_at_once_mending_them_in_order_shows_each_in_turn(forge: Any) -> None:
    names = list(IN_ORDER)
    shown = [verify_receipt(build(forge, *names[start:])).kind for start in range(len(names))]
    assert shown == [fault.kind for fault in IN_ORDER.values()]
    assert verify_receipt(build(forge)).kind is Kind.VALID


@pytest.mark.parametrize("name", IN_ORDER)
def test_a_wrong_pin_counts_as_a_wrong_signature(forge: Any, name: str) -> None:
    before_pin = list(IN_ORDER).index(name) <= list(IN_ORDER).index("self-approval")
    kind = IN_ORDER[name].kind if before_pin else Kind.INVALID_SIGNATURE
    assert verify_receipt(build(forge, name), operator=forge.stranger.public).kind is kind
