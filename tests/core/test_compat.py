"""Where this verifier is stricter than the format's reference, row by row: our verdict, its verdict, and the rule."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from heso.core.strictness import StricterRule
from heso.core.verdict import Kind
from heso.core.verify import verify_receipt

Json = dict[str, Any]
V, M, H = Kind.VALID, Kind.MALFORMED, Kind.HASH_MISMATCH
R = StricterRule
ERT: Json = {
    "observed_facts": {},
    "resource_class": "c",
    "effect": "observe",
    "egress": "local",
    "observability": "wire",
    "taxonomy_hash": "t",
}
METRICS: Json = {"duration_ms": 1, "status": "ok"}


def hashed_in(**changes: Any) -> Callable[[Any], bytes]:
    """A receipt whose producer hashed and signed this too, nulls and all."""

    def build(forge: Any) -> bytes:
        content = {**forge.content(), **changes}
        return bytes(forge.text(forge.l0(content)))

    return build


def in_action(**changes: Any) -> Callable[[Any], bytes]:
    return lambda forge: hashed_in(action={**forge.action(), **changes})(forge)


def in_facts(**facts: Any) -> Callable[[Any], bytes]:
    return in_action(ert={**ERT, "observed_facts": facts})


def decorated(*path: str, **more: Any) -> Callable[[Any], bytes]:
    """A sound receipt with something added afterwards, outside the hash."""

    def build(forge: Any) -> bytes:
        content = forge.content(action=forge.action(ert=ERT), metrics=METRICS)
        envelope = copy.deepcopy(forge.l0(content))
        spot = envelope
        for step in path:
            spot = spot[int(step) if step.isdigit() else step]
        spot.update(more)
        return bytes(forge.text(envelope))

    return build


def rewritten(old: bytes, new: bytes) -> Callable[[Any], bytes]:
    def build(forge: Any) -> bytes:
        text = forge.text(forge.l0(forge.content(session_id="s", seq=7)))
        assert text.count(old) == 1
        return bytes(text.replace(old, new))

    return build


ROWS: dict[str, tuple[Kind, Kind, StricterRule | None, Callable[[Any], bytes]]] = {
    # section 1.9: unknown keys
    "unknown key in the envelope": (M, M, None, decorated(x=1)),
    "unknown key in the content": (M, M, None, decorated("content", x=1)),
    "unknown key in the metrics": (M, M, None, decorated("content", "metrics", x=1)),
    **{
        f"unknown key beside the hash in {'.'.join(path)}": (
            M,
            V,
            R.UNKNOWN_KEYS,
            decorated(*path, x=1),
        )
        for path in (
            ("signatures", "0"),
            ("content", "action"),
            ("content", "policy"),
            ("content", "policy", "matched_conditions", "0"),
            ("content", "action", "ert"),
            ("content", "action", "ert", "observed_facts"),
        )
    },
    "unknown key hashed in": (M, H, None, in_action(x=1)),
    "unknown key in free JSON": (V, V, None, in_action(fields={"x": None, "y": False, "z": []})),
    "free JSON changed afterwards": (H, H, None, decorated("content", "action", "fields", x=1)),
    # nulls
    "optional null beside the hash": (M, V, R.NULLS, decorated("content", nonce=None)),
    "optional null beside the hash, inside": (
        M,
        V,
        R.NULLS,
        decorated("content", "action", error=None),
    ),
    "optional null hashed in": (M, H, None, hashed_in(nonce=None)),
    "required null": (M, M, None, decorated("content", captured_at=None)),
    "transparency null": (M, M, None, decorated(transparency=None)),
    "validity null": (M, V, R.NULLS, decorated("signatures", "0", valid_from=None)),
    # defaults
    "false flag hashed in": (M, H, None, in_facts(is_payment=False)),
    "empty words hashed in": (M, H, None, in_facts(argv_tokens=[])),
    "false flag beside the hash": (
        M,
        V,
        R.DEFAULTS,
        decorated("content", "action", "ert", "observed_facts", is_secret=False),
    ),
    "true flag": (V, V, None, in_facts(is_payment=True)),
    "some words": (V, V, None, in_facts(argv_tokens=["rm"])),
    "empty collateral hashed in": (
        M,
        H,
        None,
        hashed_in(attestation={"kind": "k", "evidence": "e", "bound_field": "b", "collateral": []}),
    ),
    # section 1.10: duplicates and numbers
    "known key twice": (
        M,
        M,
        None,
        rewritten(b'"tool_name":"t"', b'"tool_name":"t","tool_name":"t"'),
    ),
    "unknown key twice": (
        M,
        V,
        R.DUPLICATE_KEYS,
        rewritten(b'"tool_name":"t"', b'"tool_name":"t","x":1,"x":2'),
    ),
    "free key twice, the last as signed": (
        M,
        V,
        R.DUPLICATE_KEYS,
        rewritten(b'"rooms":2', b'"rooms":1,"rooms":2'),
    ),
    "free key twice, the first as signed": (
        M,
        H,
        None,
        rewritten(b'"rooms":2', b'"rooms":2,"rooms":1'),
    ),
    "seq as a fraction": (M, M, None, rewritten(b'"seq":7', b'"seq":7.0')),
    "seq with an exponent": (M, M, None, rewritten(b'"seq":7', b'"seq":7e0')),
    "seq as text": (M, M, None, rewritten(b'"seq":7', b'"seq":"7"')),
    "seq below zero": (M, M, None, rewritten(b'"seq":7', b'"seq":-7')),
    "seq beyond 64 bits": (M, M, None, rewritten(b'"seq":7', b'"seq":18446744073709551616')),
    "seq changed": (H, H, None, rewritten(b'"seq":7', b'"seq":8')),
    "free number written otherwise": (V, V, None, rewritten(b'"rooms":2', b'"rooms":2.0')),
}


@pytest.mark.parametrize("name", ROWS)
def test_each_row_has_both_verdicts_and_names_the_rule(forge: Any, name: str) -> None:
    ours, theirs, rule, build = ROWS[name]
    text = build(forge)
    verdict = verify_receipt(text)
    assert (verdict.kind, verdict.stricter) == (ours, rule)
    assert verify_receipt(text, compat=True).kind is theirs


@pytest.mark.parametrize("number", [2**53 + 1, 2**64, 2**63 + 7])
def test_numbers_that_a_double_changes_share_a_hash_with_others_and_are_refused(
    forge: Any, number: int
) -> None:
    """Hashed as the double they become, as the reference does."""
    content = forge.content(action=forge.action(fields={"n": float(number)}))
    envelope = forge.l0(content)
    envelope["content"]["action"]["fields"]["n"] = number
    text = json.dumps(envelope).encode()
    strict = verify_receipt(text)
    lenient = verify_receipt(text, compat=True)
    assert lenient.kind is V
    if float(number) == number and str(number) == "18446744073709552000":
        assert strict.kind is V
    else:
        assert (strict.kind, strict.stricter) == (M, R.EXACT_NUMBERS)


def test_a_large_seq_is_read_leniently_as_the_double_it_becomes(forge: Any) -> None:
    content = forge.content(session_id="s", seq=float(2**60))
    envelope = forge.l0(content)
    envelope["content"]["seq"] = 2**60
    text = json.dumps(envelope).encode()
    assert verify_receipt(text, compat=True).kind is V
    verdict = verify_receipt(text)
    assert (verdict.kind, verdict.stricter) == (M, R.EXACT_NUMBERS)


@pytest.mark.parametrize(
    "junk",
    [
        b"\xef\xbb\xbf{}",
        b"{} x",
        b"{,}",
        b'{"a":NaN}',
        b'{"a":1e400}',
        b'{"a":"\\ud800"}',
        b'{"a":01}',
        b'"\x01"',
        b"\xff",
        b"[" * 128 + b"]" * 128,
        b"",
    ],
)
def test_what_is_no_json_is_malformed_to_both(junk: bytes) -> None:
    for compat in (False, True):
        verdict = verify_receipt(junk, compat=compat)
        assert (verdict.kind, verdict.stricter) == (M, None)


def test_more_bytes_than_are_read_is_a_rule_of_its_own(forge: Any) -> None:
    text = forge.text(forge.l0()) + b" " * (2 * 1024 * 1024)
    verdict = verify_receipt(text)
    assert verdict.kind is M
    assert "at most" in verdict.detail
