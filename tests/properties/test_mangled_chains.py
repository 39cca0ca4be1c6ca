"""Approvals, proofs and whole sessions, mangled: refused, or everything that was signed is still what it was."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heso.core.checkpoint import Checkpoint, sign_checkpoint
from heso.core.dsse import Untrusted, open_envelope, seal_statement, state_receipt
from heso.core.errors import Malformed
from heso.core.keys import SigningKey
from heso.core.merkle import Frontier, grow, hash_leaf, leaf_of, prove_inclusion
from heso.core.note import parse_note
from heso.core.session import Roots, verify_session_chain
from heso.core.strict_json import split_array
from heso.core.transparency import PinnedLog, add_proof, write_proof
from heso.core.verify import Terms, examine_receipt, verify_receipt
from tests.core.conftest import Forge

Json = dict[str, Any]
FORGE = Forge()
LOG, WITNESS = (SigningKey.from_seed(bytes([seed]) * 32) for seed in (1, 9))
QUICK = settings(derandomize=True, deadline=None, max_examples=300)


def quorum() -> Json:
    people = (FORGE.approver, FORGE.stranger)
    roster = [person.public for person in people]
    records = [FORGE.approval(approver_identity=person.public) for person in people]

    def content(approvers: list[Json]) -> Json:
        block = {"threshold": 2, "roster": roster, "approvers": approvers}
        return FORGE.content(trust_level="L1", multi_approval=block)

    legs = [
        FORGE.entry("approver", person, content([record]))
        for person, record in zip(people, records, strict=True)
    ]
    operator = FORGE.entry("operator", FORGE.operator, content([]))
    return FORGE.envelope(content(records), operator, *legs)


def logged() -> Json:
    """A receipt with a proof that the log signed and a witness cosigned."""
    envelope = FORGE.l0()
    others = [hash_leaf(bytes([number]) * 32) for number in range(6)]
    leaves = [*others[:3], hash_leaf(leaf_of(envelope["content"]["action_hash"])), *others[3:]]
    root = grow(Frontier(), leaves).root()
    note = sign_checkpoint(Checkpoint("log", len(leaves), root), LOG)
    cosignature = WITNESS.sign(parse_note(note).text.encode())
    proof = write_proof(
        origin="log",
        index=3,
        proof=prove_inclusion(leaves, index=3, size=len(leaves)),
        checkpoint=note,
        cosignatures=[(WITNESS.public_key, cosignature)],
    )
    return add_proof(envelope, proof)


PINNED = Terms(
    operator=None,
    log=PinnedLog(
        origin="log",
        key=LOG.public_key,
        witnesses=frozenset({WITNESS.public_key}),
        is_required=True,
    ),
)
RECEIPTS = {
    "approved": (FORGE.text(FORGE.l1()), Terms()),
    "by a quorum": (FORGE.text(quorum()), Terms()),
    "in the log": (FORGE.text(logged()), PINNED),
}


def life() -> list[bytes]:
    """Suspended, handed on, approved, done."""
    suspension = {
        "resume_token_hash": "ab" * 32,
        "context_ref": {"scheme": "none", "key": "k", "hash": "h"},
        "policy": {"policy_id": "p", "policy_hash": "h", "rule": "r"},
        "approval": {"sla": "1h", "expires_at": "x", "on_timeout": "deny", "approver_pubkeys": []},
    }
    steps: list[tuple[str, Any, str, str, Json]] = [
        ("suspended", FORGE.operator, "operator", "suspend", {"suspension": suspension}),
        ("escalated", FORGE.approver, "approver", "decision", {}),
        ("approved", FORGE.approver, "approver", "decision", {}),
        ("completed", FORGE.operator, "operator", "operator", {}),
    ]
    texts: list[bytes] = []
    prev = None
    for seq, (kind, key, role, domain, more) in enumerate(steps):
        block: Json = {"session_id": "s", "seq": seq, "prev_receipt_hash": prev, **more}
        if role == "approver":
            block["approver_decision"] = FORGE.approval(decision=kind)
        link = FORGE.link(kind, key=key, role=role, domain=FORGE.domains[domain], **block)
        prev = FORGE.link_hash("s", seq, link["content"]["action_hash"])
        texts.append(FORGE.text(link))
    return texts


LIFE = life()
ROOTS = Roots(producer=FORGE.operator.public, decision=FORGE.approver.public)  # type: ignore[arg-type]  # keys as text


def bumps(byte: int) -> set[int]:
    return {byte ^ 0x01, byte ^ 0x20, byte ^ 0x80, 0x00, 0x20, 0x22, 0x2C, 0x30} - {byte}


@pytest.mark.parametrize("name", RECEIPTS)
def test_any_byte_changed_is_refused_or_changes_nothing_that_was_signed(name: str) -> None:
    text, terms = RECEIPTS[name]
    whole = examine_receipt(text, terms).verdict
    assert whole.is_valid
    harmful = []
    for place in range(len(text)):
        for byte in bumps(text[place]):
            mangled = text[:place] + bytes([byte]) + text[place + 1 :]
            verdict = examine_receipt(mangled, terms).verdict
            if verdict.is_valid and (verdict != whole or json.loads(mangled) != json.loads(text)):
                harmful.append((place, byte, text[place - 30 : place + 10]))
    assert harmful == []


@pytest.mark.parametrize("compat", [False, True])
def test_any_byte_of_a_session_changed_is_refused_or_changes_nothing(*, compat: bool) -> None:
    terms = Terms(compat=compat)
    whole = verify_session_chain(LIFE, terms, roots=ROOTS)
    assert whole.is_valid
    harmful = []
    for at, text in enumerate(LIFE):
        for place in range(len(text)):
            byte = text[place] ^ (0x01 if place % 2 else 0x20)
            mangled = text[:place] + bytes([byte]) + text[place + 1 :]
            chain = [*LIFE[:at], mangled, *LIFE[at + 1 :]]
            verdict = verify_session_chain(chain, terms, roots=ROOTS)
            if verdict.is_valid and not _is_unsigned(text, mangled, compat=compat):
                harmful.append((at, place, byte))
    assert harmful == []


def _is_unsigned(text: bytes, mangled: bytes, *, compat: bool) -> bool:
    """Only the spelling changed; or, to the reference, what it does not look at on a lifecycle link."""
    before, after = json.loads(text), json.loads(mangled)
    if compat:
        for envelope in (before, after):
            envelope["alg"] = ""
            envelope["signatures"][0]["key_id"] = ""
    return bool(before == after)


@given(st.permutations(range(4)), st.integers(0, 4))
@QUICK
def test_any_other_order_or_selection_of_a_life_is_no_life(order: list[int], length: int) -> None:
    chosen = order[:length]
    verdict = verify_session_chain([LIFE[at] for at in chosen], roots=ROOTS)
    assert verdict.is_valid is (chosen == list(range(len(chosen))) and chosen != [])


@given(
    st.sampled_from([text for text, _ in RECEIPTS.values()] + LIFE),
    st.lists(
        st.tuples(st.integers(0, 5000), st.sampled_from(["cut", "put", "twice"]), st.binary(max_size=4)),
        min_size=1,
        max_size=3,
    ),
)  # fmt: skip
@QUICK
def test_any_mangling_gets_a_verdict_of_both_and_strict_is_never_the_laxer(
    text: bytes, changes: list[tuple[int, str, bytes]]
) -> None:
    for place, how, piece in changes:
        at = place % (len(text) + 1)
        match how:
            case "cut":
                text = text[:at] + text[at + 1 + len(piece) :]
            case "put":
                text = text[:at] + piece + text[at:]
            case _:
                text = text[:at] + text[max(0, at - 8) : at] + text[at:]
    strict, lenient = verify_receipt(text), verify_receipt(text, compat=True)
    assert lenient.is_valid or not strict.is_valid
    assert (strict.stricter is not None) == (lenient.is_valid and not strict.is_valid)


@given(st.integers(0, 10_000), st.integers(1, 255))
@QUICK
def test_any_byte_of_an_envelope_changed_gives_no_other_statement(place: int, flip: int) -> None:
    signer = SigningKey.from_seed(b"\x00" * 32)
    data = seal_statement(state_receipt(FORGE.l0()), signer)
    at = place % len(data)
    mangled = data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
    whole = open_envelope(data, trusted=[signer.public_key])
    try:
        assert open_envelope(mangled, trusted=[signer.public_key]) == whole
    except (Malformed, Untrusted):
        return


@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=8,
        ),
        max_size=5,
    ),
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)  # fmt: skip
def test_any_array_is_cut_where_its_items_are(
    items: list[Any], indent: Any, is_ascii: bool
) -> None:
    text = json.dumps(items, indent=indent, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    assert [json.loads(item) for item in split_array(text)] == items
