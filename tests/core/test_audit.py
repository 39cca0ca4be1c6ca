"""The audit chain: cut, swapped, edited or spoiled anywhere, it says where."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785
from blake3 import blake3

from heso.core.audit import (
    START,
    AuditFacts,
    AuditTail,
    describe_receipt,
    extend_audit,
    format_audit_entry,
    verify_audit_chain,
)
from heso.core.encoding import Digest, PublicKey
from heso.core.errors import Malformed
from heso.core.verdict import ChainKind, ChainVerdict

Json = dict[str, Any]
SIGNER = PublicKey("O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik=")


def remember(
    *, decision: str = "allow", recorded_at: str = "2026-01-01T00:00:00Z", **action: str
) -> AuditFacts:
    """What is remembered of a plain receipt."""
    content = {
        "action_hash": "ab" * 32,
        "action": {"workflow": "w", "account": "a", **action},
        "policy": {"decision_path": decision},
        "trust_level": "L0",
    }
    return describe_receipt(content, recorded_at=recorded_at, signer=SIGNER)


FACTS = remember()


def entry_hash(entry: Json) -> str:
    body = {"audit_entry": {k: v for k, v in entry.items() if k != "entry_hash"}}
    return blake3(b"heso-audit/v1\0" + rfc8785.dumps(body)).hexdigest()


def build(length: int) -> list[bytes]:
    tail, entries = START, []
    for number in range(length):
        facts = remember(workflow=f"w{number}")
        entries.append(format_audit_entry(tail, facts))
        tail = extend_audit(tail, facts)
    return entries


def edit(at: int, change: Callable[[Json], None], *, rehash: bool = True) -> list[bytes]:
    """Four entries, one of them changed; with its hash made right again unless told not to."""
    entries = build(4)
    entry = json.loads(entries[at])
    change(entry)
    if rehash:
        entry["entry_hash"] = entry_hash(entry)
    entries[at] = json.dumps(entry).encode()
    return entries


def put(key: str, value: object) -> Callable[[Json], None]:
    return lambda entry: entry.update({key: value})


KEYS = tuple(json.loads(build(1)[0]))


def test_an_entry_holds_the_facts_and_hangs_on_the_one_before() -> None:
    entry = json.loads(format_audit_entry(START, FACTS))
    tail = extend_audit(START, FACTS)
    assert entry == {
        "seq": 0,
        "prev_hash": "0" * 64,
        "action_hash": "ab" * 32,
        "workflow": "w",
        "account": "a",
        "gate_decision": "allow",
        "trust_level": "L0",
        "redaction_count": 0,
        "recorded_at": "2026-01-01T00:00:00Z",
        "signing_key_id": SIGNER,
        "entry_hash": entry_hash(entry),
    }
    assert tail == AuditTail(1, Digest(entry["entry_hash"]))
    second = json.loads(format_audit_entry(tail, FACTS))
    assert (second["seq"], second["prev_hash"]) == (1, entry["entry_hash"])
    assert extend_audit(tail, FACTS) == AuditTail(2, Digest(second["entry_hash"]))


@pytest.mark.parametrize(
    "text", ["", "é😀\u2028", '"\\\n\x00\x1f\x7f', "x" * 10_000, "[redacted]", "\ue000\U00010000"]
)
def test_any_text_of_an_agent_makes_an_entry_that_verifies(text: str) -> None:
    facts = remember(workflow=text, account=text, decision=text, recorded_at=text)
    first = format_audit_entry(START, facts)
    second = format_audit_entry(extend_audit(START, facts), facts)
    assert json.loads(first)["entry_hash"] == entry_hash(json.loads(first))
    assert verify_audit_chain([first, second]) == ChainVerdict(kind=ChainKind.VALID, length=2)


@pytest.mark.parametrize("field", ["workflow", "account", "recorded_at"])
def test_text_that_is_not_unicode_is_refused_as_ours(field: str) -> None:
    facts = remember(**{field: "\ud800"})
    for write in (extend_audit, format_audit_entry):
        with pytest.raises(Malformed):
            write(START, facts)


def test_a_receipt_is_remembered_by_what_it_says(forge: Any) -> None:
    marker = {"field_path": "x", "algorithm": "drop/v1", "commitment": ""}
    redaction = {"mode": "destructive", "markers": [marker, marker]}
    content = forge.hashed(forge.content(redaction=redaction))
    facts: Json = {
        "seq": 0,
        "prev_hash": "0" * 64,
        "action_hash": content["action_hash"],
        "workflow": "w",
        "account": "a",
        "gate_decision": "allow",
        "trust_level": "L0",
        "redaction_count": 2,
        "recorded_at": "now",
        "signing_key_id": SIGNER,
    }

    def written(content: Json) -> Json:
        described = describe_receipt(content, recorded_at="now", signer=SIGNER)
        entry: Json = json.loads(format_audit_entry(START, described))
        assert entry.pop("entry_hash") == extend_audit(START, described).entry_hash
        return entry

    assert written(content) == facts
    assert written({**content, "kind": "suspended"}) == {**facts, "gate_decision": "suspended"}
    # A plain action may also say its kind; what policy decided is still what is remembered.
    assert written({**content, "kind": "action"}) == facts


@pytest.mark.parametrize("length", [1, 2, 10])
def test_a_whole_chain_is_valid_also_from_a_generator_and_pretty_printed(length: int) -> None:
    entries = build(length)
    valid = ChainVerdict(kind=ChainKind.VALID, length=length)
    assert verify_audit_chain(entries) == valid
    assert verify_audit_chain(iter(entries)) == valid
    assert verify_audit_chain([entry + b"\n" for entry in entries]) == valid
    pretty = [json.dumps(json.loads(entry), indent=2, sort_keys=True).encode() for entry in entries]
    assert verify_audit_chain(pretty) == valid


def test_nothing_is_empty_and_not_valid() -> None:
    assert verify_audit_chain([]) == ChainVerdict(kind=ChainKind.EMPTY)


def test_cutting_the_end_leaves_a_shorter_chain_and_only_its_length_tells() -> None:
    assert verify_audit_chain(build(4)[:3]) == ChainVerdict(kind=ChainKind.VALID, length=3)


@pytest.mark.parametrize(
    ("order", "at"),
    [((1, 2, 3), 0), ((0, 2, 3), 1), ((0, 2, 1, 3), 1), ((0, 1, 1), 2), ((0, 0), 1), ((3, 2), 0)],
)
def test_an_entry_out_of_its_place_breaks_the_chain_there(order: tuple[int, ...], at: int) -> None:
    entries = build(4)
    verdict = verify_audit_chain([entries[index] for index in order])
    assert verdict == ChainVerdict(
        kind=ChainKind.LINK_BROKEN,
        detail=f"entry {at} does not follow the entry before it",
        seq=at,
    )


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("key", [key for key in KEYS if key not in ("seq", "prev_hash")])
def test_an_edited_value_is_tampering_at_that_entry(at: int, key: str) -> None:
    value = 9 if key == "redaction_count" else "changed"
    verdict = verify_audit_chain(edit(at, put(key, value), rehash=False))
    assert verdict == ChainVerdict(
        kind=ChainKind.CONTENT_TAMPER, detail=f"entry {at} is not what was hashed", seq=at
    )


@pytest.mark.parametrize("at", range(3))
def test_an_edited_entry_hashed_again_breaks_the_next_one(at: int) -> None:
    verdict = verify_audit_chain(edit(at, put("gate_decision", "block")))
    assert (verdict.kind, verdict.seq) == (ChainKind.LINK_BROKEN, at + 1)


@pytest.mark.parametrize("prev", ["", "ab" * 32, "0" * 63, "x"])
def test_a_first_entry_hangs_on_sixty_four_zeros(prev: str) -> None:
    verdict = verify_audit_chain(edit(0, put("prev_hash", prev)))
    assert (verdict.kind, verdict.seq) == (ChainKind.LINK_BROKEN, 0)


def test_a_hash_in_capitals_is_another_hash() -> None:
    entries = edit(
        3, lambda entry: put("entry_hash", entry["entry_hash"].upper())(entry), rehash=False
    )
    assert verify_audit_chain(entries).kind is ChainKind.CONTENT_TAMPER


@pytest.mark.parametrize("at", [0, 3])
@pytest.mark.parametrize("key", KEYS)
def test_a_missing_null_or_wrongly_typed_value_is_malformed_there(at: int, key: str) -> None:
    changes: list[Callable[[Json], None]] = [lambda entry: entry.pop(key) and None]
    integers = key in ("seq", "redaction_count")
    wrong = ("0", True, 0.0, None, [], 2**53 + 1) if integers else (0, True, None, [], {})
    changes += [put(key, value) for value in wrong if not (key == "seq" and value == 2**53 + 1)]
    for change in changes:
        verdict = verify_audit_chain(edit(at, change, rehash=False))
        assert (verdict.kind, verdict.seq, verdict.length) == (ChainKind.MALFORMED, at, None)


def test_unknown_keys_are_malformed_and_an_approvers_decision_is_known() -> None:
    verdict = verify_audit_chain(edit(3, put("note", "x")))
    assert verdict == ChainVerdict(
        kind=ChainKind.MALFORMED, detail="malformed audit entry at note: unknown key", seq=3
    )
    assert verify_audit_chain(edit(3, put("approver_decision", "approved"))).is_valid
    assert verify_audit_chain(edit(3, put("approver_decision", None))).kind is ChainKind.MALFORMED


@pytest.mark.parametrize(
    "junk", [b"", b"null", b"[]", b"{", b'{"seq":0,"seq":0}', b"\xff", b"\xef\xbb\xbf{}"]
)
def test_an_entry_that_cannot_be_read_is_malformed_at_its_place(junk: bytes) -> None:
    verdict = verify_audit_chain([*build(2), junk])
    assert (verdict.kind, verdict.seq) == (ChainKind.MALFORMED, 2)


def test_two_entries_on_one_line_are_not_one_entry() -> None:
    first, second = build(2)
    assert verify_audit_chain([first + b"\n" + second]).kind is ChainKind.MALFORMED
