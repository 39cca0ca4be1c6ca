"""The schema, walked cell by cell over a receipt that carries every block of the format.

Each place of that receipt is damaged in every way its type allows; the result is hashed and signed again, so
nothing but the schema can refuse it.
"""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from heso.core.verdict import Kind
from heso.core.verify import verify_receipt

Json = dict[str, Any]
Path = tuple[str | int, ...]

RECORD: Json = {
    "decision": "approved",
    "approver_identity": "x",
    "reason": "r",
    "decided_at": "d",
    "sla_minutes": 30,
}
FULL: Json = {
    "action_version": "heso-action/2.0",
    "captured_at": "2026-01-01T00:00:00Z",
    "agent_identity": "x",
    "action": {
        "verb": "tool_call",
        "tool_name": "t",
        "workflow": "w",
        "account": "a",
        "fields": {"free": None},
        "target_host": "h",
        "domain": "d",
        "action": "a",
        "result_hash": "r",
        "error": "e",
        "ert": {
            "observed_facts": {
                "host": "h",
                "path": "p",
                "realpath": "p",
                "mcp_server": "m",
                "method": "GET",
                "argv_tokens": ["ls"],
                "row_count_estimate": 7,
                "is_payment": True,
                "is_secret": True,
                "is_identity_change": True,
                "is_model_call": True,
                "effect_destructive": True,
                "is_local_compute": True,
                "has_file_body": True,
                "origin": "sdk",
                "observed_via": "fs_hook",
            },
            "resource_class": "c",
            "effect": "observe",
            "egress": "local",
            "observability": "wire",
            "taxonomy_hash": "t",
        },
        "mandate": {
            "mandate_id": "m",
            "mandate_hash": "h",
            "verdict": "valid",
            "payee": "p",
            "amount_minor": 1,
            "currency": "EUR",
        },
    },
    "policy": {
        "rule_id": "r",
        "rule_display": "d",
        "matched_conditions": [{"field": "f", "op": "o", "value": {"free": None}}],
        "decision_path": "allow",
    },
    "trust_level": "L0",
    "approver_decision": RECORD,
    "redaction": {
        "mode": "destructive",
        "markers": [{"field_path": "p", "algorithm": "drop/v1", "commitment": ""}],
        "merkle_root": "m",
    },
    "guardrail": {
        "findings": [
            {
                "category": "jailbreak",
                "surface": {"argument": {"path": "p"}},
                "pattern_id": "p",
                "severity": "malicious",
            }
        ],
        "decision": "block",
    },
    "session_id": "s",
    "seq": 3,
    "prev_receipt_hash": "h",
    "kind": "action",
    "suspension": {
        "resume_token_hash": "h",
        "context_ref": {"scheme": "none", "key": "k", "hash": "h"},
        "tool_binding_hash": "h",
        "policy": {"policy_id": "p", "policy_hash": "h", "rule": "r"},
        "approval": {
            "sla": "1h",
            "expires_at": "x",
            "on_timeout": "deny",
            "approver_pubkeys": ["k"],
            "escalation": {"after": "1h", "to": ["k"]},
        },
    },
    "key_rotation": {"role": "producer", "outgoing_public_key": "o", "incoming_public_key": "i"},
    "nonce": "n",
    "attestation": {"kind": "k", "evidence": "e", "bound_field": "b", "collateral": ["c"]},
    "metrics": {
        "duration_ms": 1,
        "status": "ok",
        "status_code": 200,
        "tokens_in": 1,
        "tokens_out": 1,
        "bytes_in": 1,
        "bytes_out": 1,
        "retries": 0,
        "token_source": "estimated",
        "rate_card_id": "r",
    },
}
QUORUM: Json = {"threshold": 1, "roster": ["k"], "approvers": [RECORD]}
ANCHOR: Json = {"kind": "k", "token_b64": "t", "tsa": "t", "anchored_hash": "h"}

U64_PLACES = {"seq", "row_count_estimate", "amount_minor"}
FREE = {("action", "fields"), ("policy", "matched_conditions", 0, "value")}
ENUMS = {
    *("verb", "method", "origin", "observed_via", "effect", "egress", "observability", "verdict"),
    *("decision_path", "trust_level", "decision", "mode", "category", "severity", "kind", "scheme"),
    *("on_timeout", "role", "status", "token_source", "anchor_policy"),
}
FREE_TEXT_KINDS = {("attestation", "kind"), ("time_anchor", "kind")}
OPTIONAL = {
    *("target_host", "domain", "action", "result_hash", "error", "ert", "mandate", "approver_decision"),
    *("redaction", "guardrail", "session_id", "seq", "prev_receipt_hash", "kind", "suspension"),
    *("key_rotation", "nonce", "attestation", "metrics", "merkle_root", "sla_minutes", "collateral"),
    *("tool_binding_hash", "escalation", "status_code", "tokens_in", "tokens_out", "bytes_in"),
    *("bytes_out", "retries", "token_source", "rate_card_id", "multi_approval", "time_anchor"),
}
BLOCKS: dict[str, tuple[Json, Kind]] = {
    "every block": (FULL, Kind.VALID),
    "with a quorum": (
        {**{k: v for k, v in FULL.items() if k != "approver_decision"}, "multi_approval": QUORUM},
        Kind.UNSUPPORTED,
    ),
    "with an anchor": ({**FULL, "time_anchor": ANCHOR}, Kind.TIME_ANCHOR_UNVERIFIABLE),
}


def places(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every typed place below the content, and what stands there."""
    if path in FREE:
        return
    items: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, item in items:
        yield (*path, key), item
        yield from places(item, (*path, key))


def damages(path: Path, value: Any) -> Iterator[object]:
    """What must not stand at a place where `value` may."""
    yield None
    if path in FREE:
        if path[-1] == "fields":
            yield from ("x", [], 1, True)
        return
    wrong: dict[type, tuple[object, ...]] = {
        str: (1, True, [], {}, ["x"], {"x": None}, 1.5),
        bool: (1, 0, "true", [], {}),
        int: (-1, 1.5, "1", True, [], {}, 2**64, -(2**63)),
        list: ({}, "x", 1, [None], [[]], True),
        dict: ([], "x", 1, ["x"], True),
    }
    yield from wrong[type(value)]
    if type(value) is int and path[-1] not in U64_PLACES:
        yield 2**32
    if path[-1] in ENUMS and path[-2:] not in FREE_TEXT_KINDS and type(value) is str:
        yield from ("", "nonsense", value.upper() if value.islower() else value.lower(), value + " ")
    if type(value) is dict:
        yield {**value, "unknown": "x"}
        yield {**value, "": "x"}
        yield {**value, "unknown": None}


def put(content: Json, path: Path, value: object) -> Json:
    changed = copy.deepcopy(content)
    spot: Any = changed
    for step in path[:-1]:
        spot = spot[step]
    spot[path[-1]] = value
    return changed


def verdict_on(forge: Any, content: Json) -> Kind:
    """Schema faults come before the hash, so a stale one is enough to tell them from everything else."""
    return verify_receipt(forge.text({**ENVELOPE, "content": {**content, "action_hash": ""}})).kind


ENVELOPE: Json = {
    "alg": "heso-action/v2+ed25519",
    "signatures": [
        {
            "algorithm": "Ed25519",
            "key_id": "operator",
            "public_key": "k",
            "signature": "s",
            "valid_from": "x",
            "valid_until": "y",
        }
    ],
    "transparency": [
        {
            "log_id": "l",
            "leaf_index": 0,
            "inclusion_proof": ["h"],
            "checkpoint": "c",
            "org_root": "r",
            "org_tree_size": 1,
            "epoch": 1,
            "org_id": "o",
            "top_leaf_index": 1,
            "top_inclusion_proof": ["h"],
            "cosignatures": [{"witness_key": "w", "signature": "s"}],
        }
    ],
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_receipt_with_every_block_of_the_format_is_read(forge: Any, name: str) -> None:
    content, kind = BLOCKS[name]
    envelope = {**forge.l0(content), "transparency": ENVELOPE["transparency"]}
    assert verify_receipt(forge.text(envelope)).kind is kind


@pytest.mark.parametrize("name", BLOCKS)
def test_every_place_refuses_null_other_types_unknown_names_and_unknown_keys(
    forge: Any, name: str
) -> None:
    content, _ = BLOCKS[name]
    let_through = []
    for path, value in places(content):
        for damage in damages(path, value):
            if path in FREE and path[-1] == "value":
                continue
            if verdict_on(forge, put(content, path, damage)) is not Kind.MALFORMED:
                let_through.append((path, damage))
    assert let_through == []


@pytest.mark.parametrize("name", BLOCKS)
def test_every_required_key_is_missed_and_every_optional_one_is_not(forge: Any, name: str) -> None:
    content, _ = BLOCKS[name]
    wrong = []
    for path, _value in places(content):
        if type(path[-1]) is int:
            continue
        cut = copy.deepcopy(content)
        spot: Any = cut
        for step in path[:-1]:
            spot = spot[step]
        del spot[path[-1]]
        required = path[-1] not in OPTIONAL and path[-2:-1] != ("observed_facts",)
        if path in {("action",)}:
            required = True
        if path[-1] in {"kind"} and len(path) > 1:
            required = True
        kind = verdict_on(forge, cut)
        if kind is not (Kind.MALFORMED if required else Kind.HASH_MISMATCH):
            wrong.append((path, kind))
    assert wrong == []


def test_the_envelope_outside_the_signed_bytes_is_typed_as_well(forge: Any) -> None:
    let_through = []
    good = {**forge.l0(), **{k: v for k, v in ENVELOPE.items() if k == "transparency"}}
    good["signatures"] = [{**good["signatures"][0], "valid_from": "x", "valid_until": "y"}]
    assert verify_receipt(forge.text(good)).kind is Kind.VALID
    for path, value in places(good):
        if path[0] == "content":
            continue
        for damage in damages((*path[:-1], "seq") if type(value) is int else path, value):
            if verify_receipt(forge.text(put(good, path, damage))).kind is not Kind.MALFORMED:
                let_through.append((path, damage))
    assert let_through == []
    for extra in ("commitment", "content_hash", ""):
        assert verify_receipt(forge.text({**good, extra: "x"})).kind is Kind.MALFORMED


def test_integers_are_read_up_to_their_width(forge: Any) -> None:
    fits = {("metrics", "duration_ms"): 2**32 - 1, ("seq",): 2**64 - 1}
    for path, largest in fits.items():
        for value in (0, largest):
            assert verdict_on(forge, put(FULL, path, value)) in (Kind.HASH_MISMATCH, Kind.MALFORMED)
        assert verdict_on(forge, put(FULL, path, largest + 1)) is Kind.MALFORMED


@pytest.mark.parametrize("spelling", ["3.0", "3e0", "30e-1", "-3", "-0.0", '"3"', "03"])
def test_an_integer_is_a_plain_integer_literal(forge: Any, spelling: str) -> None:
    text = forge.text({**ENVELOPE, "content": {**FULL, "action_hash": ""}})
    assert text.count(b'"seq":3') == 1
    verdict = verify_receipt(text.replace(b'"seq":3', f'"seq":{spelling}'.encode()))
    assert verdict.kind is Kind.MALFORMED


def test_the_error_names_the_place_and_stays_short(forge: Any) -> None:
    content = put(FULL, ("policy", "matched_conditions", 0, "op"), 1)
    text = forge.text({**ENVELOPE, "content": {**content, "action_hash": ""}})
    assert verify_receipt(text).detail == (
        "malformed receipt at content.policy.matched_conditions.0.op: must be text"
    )
    content = {**FULL, "x" * 10_000: 1, "action_hash": ""}
    assert len(verify_receipt(forge.text({**ENVELOPE, "content": content})).detail) < 200
    for root in ("[]", "null", "1", '"x"', "[{}]"):
        assert verify_receipt(root.encode()).detail == "malformed receipt: must be an object"
