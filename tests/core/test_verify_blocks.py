"""The optional blocks of a receipt, each made wrong alone: redaction, time anchor, mandate, classification.

The rest of the mutation table (HESO/1 fact sheet, section 2.7) is in test_verify_mutations.py.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from heso.core.verdict import Kind, Verdict
from heso.core.verify import verify_receipt

Json = dict[str, Any]
Build = Callable[[Any], Json]  # from the forge of conftest.py to an envelope


def redacted(forge: Any, mode: str = "commit_and_reveal", **marker: object) -> Json:
    scheme = "salted-blake3/v1" if mode == "commit_and_reveal" else "drop/v1"
    commitment = "ab" * 32 if mode == "commit_and_reveal" else ""
    row = {"field_path": "city", "algorithm": scheme, "commitment": commitment, **marker}
    return forge.l0(forge.content(redaction={"mode": mode, "markers": [row]}))


def anchored(forge: Any, **changes: str) -> Json:
    anchor = {"kind": "rfc3161", "token_b64": "AAAA", "tsa": "x", "anchored_hash": "ab" * 32}
    return forge.l0(forge.content(time_anchor={**anchor, **changes}))


def paying(forge: Any, verdict: str | None, verb: str = "payment") -> Json:
    mandate = {
        "mandate_id": "m",
        "mandate_hash": "h",
        "verdict": verdict,
        "payee": "p",
        "amount_minor": 100,
        "currency": "EUR",
    }
    action = forge.action(verb=verb, **({"mandate": mandate} if verdict else {}))
    return forge.l0(forge.content(action=action))


def signed_again(forge: Any, **changes: object) -> Json:
    return forge.l0(forge.content(**changes))


ERT = {
    "observed_facts": {"host": "h"},
    "resource_class": "none_such",
    "effect": "observe",
    "egress": "local",
    "observability": "args",
    "taxonomy_hash": "other",
}

TABLE: dict[str, tuple[Kind, Build]] = {
    "commitment in another scheme": (
        Kind.MALFORMED_REDACTION,
        lambda f: redacted(f, algorithm="blake3"),
    ),
    "commitment in capitals": (
        Kind.MALFORMED_REDACTION,
        lambda f: redacted(f, commitment="AB" * 32),
    ),
    "commitment short": (Kind.MALFORMED_REDACTION, lambda f: redacted(f, commitment="ab" * 31)),
    "commitment empty": (Kind.MALFORMED_REDACTION, lambda f: redacted(f, commitment="")),
    "dropped in the commit scheme": (
        Kind.MALFORMED_REDACTION,
        lambda f: redacted(f, "destructive", algorithm="salted-blake3/v1"),
    ),
    "dropped with a commitment": (
        Kind.MALFORMED_REDACTION,
        lambda f: redacted(f, "destructive", commitment="ab" * 32),
    ),
    "dropped in any other scheme": (
        Kind.VALID,
        lambda f: redacted(f, "destructive", algorithm="x"),
    ),
    "dropped": (Kind.VALID, lambda f: redacted(f, "destructive")),
    "committed without a root": (Kind.VALID, redacted),
    "commit record without markers": (
        Kind.VALID,
        lambda f: signed_again(f, redaction={"mode": "commit_and_reveal", "markers": []}),
    ),
    "time anchor junk": (Kind.TIME_ANCHOR_UNVERIFIABLE, anchored),
    "time anchor of another kind": (Kind.TIME_ANCHOR_UNVERIFIABLE, lambda f: anchored(f, kind="x")),
    "time anchor empty": (Kind.TIME_ANCHOR_UNVERIFIABLE, lambda f: anchored(f, token_b64="")),
    "anchor required and absent": (
        Kind.ANCHOR_REQUIRED,
        lambda f: signed_again(f, anchor_policy="required"),
    ),
    "payment, mandate invalid": (Kind.MANDATE_REJECTED, lambda f: paying(f, "invalid")),
    "payment, mandate absent": (Kind.MANDATE_REJECTED, lambda f: paying(f, "absent")),
    "payment, mandate valid": (Kind.VALID, lambda f: paying(f, "valid")),
    "payment without mandate": (Kind.VALID, lambda f: paying(f, None)),
    "no payment, mandate invalid": (Kind.VALID, lambda f: paying(f, "invalid", "tool_call")),
    "classification lie": (Kind.VALID, lambda f: signed_again(f, action=f.action(ert=ERT))),
}


@pytest.mark.parametrize("name", TABLE)
def test_each_block_gets_its_verdict(forge: Any, name: str) -> None:
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
        assert replace(verdict, detail="", action_hash=None) == Verdict(kind=kind)
