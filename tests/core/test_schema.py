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

RECORD: Json = {"decision": "approved", "approver_identity": "x", "reason": "", "decided_at": ""}
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
    *(
        "target_host",
        "domain",
        "action",
        "result_hash",
        "error",
        "ert",
        "mandate",
        "approver_decision",
    ),
    *("redaction", "guardrail", "session_id", "seq", "prev_receipt_hash", "kind", "suspension"),
    *(
        "key_rotation",
        "nonce",
        "attestation",
        "metrics",
        "merkle_root",
        "sla_minutes",
        "collateral",
    ),
    *("tool_binding_hash", "escalation", "status_code", "tokens_in", "tokens_out", "bytes_in"),
    *("bytes_out", "retries", "token_source", "rate_card_id", "multi_approval", "time_anchor"),
}
KINDS = {
    "every block": Kind.VALID,
    "with a quorum": Kind.INVALID_SIGNATURE,
    "with an anchor": Kind.TIME_ANCHOR_UNVERIFIABLE,
}


@pytest.fixture(params=KINDS)
def block(request: pytest.FixtureRequest, every_block: Json) -> tuple[Json, Kind]:
    """A content that carries as many blocks as fit together, and the verdict on it."""
    content = copy.deepcopy(every_block)
    if request.param == "with a quorum":
        del content["approver_decision"]
        content["multi_approval"] = QUORUM
    if request.param == "with an anchor":
        content["time_anchor"] = ANCHOR
    return content, KINDS[request.param]


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
        yield from (
            "",
            "nonsense",
            value.upper() if value.islower() else value.lower(),
            value + " ",
        )
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


def test_a_receipt_with_every_block_of_the_format_is_read(forge: Any, block: Any) -> None:
    content, kind = block
    envelope = {**forge.l0(content), "transparency": ENVELOPE["transparency"]}
    assert verify_receipt(forge.text(envelope)).kind is kind


def test_every_place_refuses_null_other_types_unknown_names_and_unknown_keys(
    forge: Any, block: Any
) -> None:
    content, _ = block
    let_through = []
    for path, value in places(content):
        for damage in damages(path, value):
            if path in FREE and path[-1] == "value":
                continue
            if verdict_on(forge, put(content, path, damage)) is not Kind.MALFORMED:
                let_through.append((path, damage))
    assert let_through == []


def test_every_required_key_is_missed_and_every_optional_one_is_not(forge: Any, block: Any) -> None:
    content, _ = block
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
        if path == ("action",):
            required = True
        if path[-1] == "kind" and len(path) > 1:
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


def test_integers_are_read_up_to_their_width(forge: Any, every_block: Json) -> None:
    fits = {("metrics", "duration_ms"): 2**32 - 1, ("seq",): 2**64 - 1}
    for path, largest in fits.items():
        for value in (0, largest):
            assert verdict_on(forge, put(every_block, path, value)) in (
                Kind.HASH_MISMATCH,
                Kind.MALFORMED,
            )
        assert verdict_on(forge, put(every_block, path, largest + 1)) is Kind.MALFORMED


@pytest.mark.parametrize("spelling", ["3.0", "3e0", "30e-1", "-3", "-0.0", '"3"', "03"])
def test_an_integer_is_a_plain_integer_literal(
    forge: Any, every_block: Json, spelling: str
) -> None:
    text = forge.text({**ENVELOPE, "content": {**every_block, "action_hash": ""}})
    assert text.count(b'"seq":3') == 1
    verdict = verify_receipt(text.replace(b'"seq":3', f'"seq":{spelling}'.encode()))
    assert verdict.kind is Kind.MALFORMED


def test_the_error_names_the_place_and_stays_short(forge: Any, every_block: Json) -> None:
    content = put(every_block, ("policy", "matched_conditions", 0, "op"), 1)
    text = forge.text({**ENVELOPE, "content": {**content, "action_hash": ""}})
    assert verify_receipt(text).detail == (
        "malformed receipt at content.policy.matched_conditions.0.op: must be text"
    )
    content = {**every_block, "x" * 10_000: 1, "action_hash": ""}
    assert len(verify_receipt(forge.text({**ENVELOPE, "content": content})).detail) < 200
    for root in ("[]", "null", "1", '"x"', "[{}]"):
        assert verify_receipt(root.encode()).detail == "malformed receipt: must be an object"
