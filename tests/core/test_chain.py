"""Chains: every way in which receipts, each of them valid, can fail to be one session."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from heso.core.chain import (
    Head,
    link_hash,
    next_block,
    verify_action_chain,
)
from heso.core.encoding import Digest
from heso.core.receipt import ChainBlock, SessionId
from heso.core.session import verify_session_chain
from heso.core.verdict import ChainKind, ChainVerdict
from heso.core.verify import Terms

Json = dict[str, Any]
Build = Callable[[Any], list[Json]]


def texts(forge: Any, envelopes: list[Json]) -> list[bytes]:
    return [forge.text(envelope) for envelope in envelopes]


def changed(forge: Any, at: int, length: int = 4, **changes: Any) -> list[Json]:
    """A whole chain in which one receipt was made (and signed) otherwise; its successors still name it."""
    envelopes: list[Json] = []
    prev = None
    for seq in range(length):
        block = {"session_id": "s", "seq": seq, "prev_receipt_hash": prev}
        block |= changes if seq == at else {}
        envelopes.append(forge.l0(forge.content(**block)))
        action_hash = envelopes[-1]["content"]["action_hash"]
        prev = forge.link_hash(block["session_id"] or "", block["seq"] or 0, action_hash)
    return envelopes


def tampered(forge: Any) -> list[Json]:
    envelopes: list[Json] = forge.chain(4)
    envelopes[2]["content"]["captured_at"] = "later"
    return envelopes


def badly_signed(forge: Any) -> list[Json]:
    envelopes: list[Json] = forge.chain(4)
    envelopes[2]["signatures"][0]["signature"] = "A" * 86 + "=="
    return envelopes


def with_link(forge: Any, kind: str) -> list[Json]:
    envelopes: list[Json] = forge.chain(4)
    content = {**envelopes[1]["content"], "kind": kind}
    del content["action_hash"]
    envelopes[1] = forge.l0(content)
    return envelopes


def moved(*order: int) -> Build:
    return lambda forge: [forge.chain(4)[index] for index in order]


def other_session(forge: Any) -> list[Json]:
    return [*forge.chain(2), *forge.chain(4, "t")[2:]]


# name -> (kind, seq of the fault, the chain)
FAULTS: dict[str, tuple[ChainKind, int, Build]] = {
    "the first is missing": (ChainKind.LINK_BROKEN, 1, moved(1, 2, 3)),
    "one in the middle is missing": (ChainKind.LINK_BROKEN, 2, moved(0, 2, 3)),
    "two change places": (ChainKind.LINK_BROKEN, 2, moved(0, 2, 1, 3)),
    "one comes twice": (ChainKind.LINK_BROKEN, 1, moved(0, 1, 1, 2)),
    "the first comes twice": (ChainKind.LINK_BROKEN, 0, moved(0, 0)),
    "backwards": (ChainKind.LINK_BROKEN, 3, moved(3, 2, 1, 0)),
    "the end of another session": (ChainKind.LINK_BROKEN, 2, other_session),
    "no session": (ChainKind.LINK_BROKEN, 2, lambda f: changed(f, 2, session_id=None)),
    "no seq": (ChainKind.LINK_BROKEN, 2, lambda f: changed(f, 2, seq=None)),
    "no place at all": (ChainKind.LINK_BROKEN, 0, lambda f: [f.l0()]),
    "no session at the start": (ChainKind.LINK_BROKEN, 0, lambda f: changed(f, 0, session_id=None)),
    "no seq at the start": (ChainKind.LINK_BROKEN, 0, lambda f: changed(f, 0, seq=None)),
    "starts at one": (ChainKind.LINK_BROKEN, 1, lambda f: changed(f, 0, seq=1)),
    "the first names a predecessor": (
        ChainKind.LINK_BROKEN,
        0,
        lambda f: changed(f, 0, prev_receipt_hash="ab" * 32),
    ),
    "no predecessor": (ChainKind.LINK_BROKEN, 2, lambda f: changed(f, 2, prev_receipt_hash=None)),
    "an empty predecessor": (
        ChainKind.LINK_BROKEN,
        2,
        lambda f: changed(f, 2, prev_receipt_hash=""),
    ),
    "the predecessor's action hash": (
        ChainKind.LINK_BROKEN,
        2,
        lambda f: changed(f, 2, prev_receipt_hash=f.chain(2)[1]["content"]["action_hash"]),
    ),
    "the predecessor in capitals": (
        ChainKind.LINK_BROKEN,
        1,
        lambda f: changed(
            f, 1, prev_receipt_hash=f.chain(2)[1]["content"]["prev_receipt_hash"].upper()
        ),
    ),
    "another seq": (ChainKind.LINK_BROKEN, 7, lambda f: changed(f, 2, seq=7)),
    "a very large seq": (
        ChainKind.LINK_BROKEN,
        2**53 - 1,
        lambda f: [f.l0(f.content(session_id="s", seq=2**53 - 1))],
    ),
    "another session in the middle": (
        ChainKind.LINK_BROKEN,
        2,
        lambda f: changed(f, 2, session_id="S"),
    ),
    "a receipt changed": (ChainKind.CONTENT_TAMPER, 2, tampered),
    "a signature changed": (ChainKind.CONTENT_TAMPER, 2, badly_signed),
    "a lifecycle link": (ChainKind.WRONG_CHAIN_KIND, 1, lambda f: with_link(f, "completed")),
    "a key rotation": (ChainKind.WRONG_CHAIN_KIND, 1, lambda f: with_link(f, "key_rotation")),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_where_it_is(forge: Any, name: str) -> None:
    kind, seq, build = FAULTS[name]
    verdict = verify_action_chain(texts(forge, build(forge)))
    assert ChainVerdict(kind=verdict.kind, seq=verdict.seq) == ChainVerdict(kind=kind, seq=seq)
    assert verdict.length is None
    assert verdict.detail


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_whole_session_is_valid(forge: Any, length: int) -> None:
    chain = texts(forge, forge.chain(length))
    valid = ChainVerdict(kind=ChainKind.VALID, length=length, operators=(forge.operator.public,))
    assert verify_action_chain(chain) == valid
    assert verify_action_chain(chain, Terms(operator=forge.operator.public)) == valid
    assert verify_action_chain(texts(forge, forge.chain(length, ""))) == valid


def test_nothing_is_empty_and_not_valid() -> None:
    assert verify_action_chain([]) == ChainVerdict(kind=ChainKind.EMPTY)


def test_a_first_receipt_may_say_that_its_predecessor_is_empty_text(forge: Any) -> None:
    chain = texts(forge, changed(forge, 0, prev_receipt_hash=""))
    assert verify_action_chain(chain) == ChainVerdict(
        kind=ChainKind.VALID, length=4, operators=(forge.operator.public,)
    )


def test_a_plain_action_may_say_its_kind(forge: Any) -> None:
    envelope = forge.l0(forge.content(session_id="s", seq=0, kind="action"))
    assert verify_action_chain([forge.text(envelope)]).is_valid


def signed_by(forge: Any, *names: str) -> list[bytes]:
    """A session whose receipts were signed by these keys of the forge, one after the other."""
    envelopes: list[Json] = []
    prev = None
    for seq, name in enumerate(names):
        content = forge.content(session_id="s", seq=seq, prev_receipt_hash=prev)
        entry = forge.entry("operator", getattr(forge, name), content)
        envelopes.append(forge.envelope(content, entry))
        prev = forge.link_hash("s", seq, envelopes[-1]["content"]["action_hash"])
    return texts(forge, envelopes)


def test_a_valid_chain_names_its_operators_in_the_order_of_their_first_receipt(forge: Any) -> None:
    chain = signed_by(forge, "stranger", "operator", "stranger", "approver", "operator")
    assert verify_action_chain(chain) == ChainVerdict(
        kind=ChainKind.VALID,
        length=5,
        operators=(forge.stranger.public, forge.operator.public, forge.approver.public),
    )


def test_an_approver_is_not_an_operator_of_the_chain(forge: Any) -> None:
    envelope = forge.l1(forge.approved_content(session_id="s", seq=0))
    verdict = verify_action_chain([forge.text(envelope)])
    assert (verdict.is_valid, verdict.operators) == (True, (forge.operator.public,))


@pytest.mark.parametrize("name", FAULTS)
def test_a_chain_that_is_not_valid_names_no_operators(forge: Any, name: str) -> None:
    assert verify_action_chain(texts(forge, FAULTS[name][2](forge))).operators == ()


def test_an_unreadable_receipt_is_malformed_at_its_position(forge: Any) -> None:
    chain = texts(forge, forge.chain(3))
    for position in range(3):
        for junk in (b"", b"[]", chain[position][:-1], chain[position] + chain[position]):
            broken = [*chain[:position], junk, *chain[position + 1 :]]
            verdict = verify_action_chain(broken)
            assert (verdict.kind, verdict.seq) == (ChainKind.MALFORMED, position)


def test_a_changed_receipt_shows_as_changed_wherever_the_chain_is_broken(forge: Any) -> None:
    """The passes: every receipt for itself, then their order (fact sheet, section 3.4)."""
    envelopes = tampered(forge)
    late = verify_action_chain(texts(forge, envelopes[1:]))
    assert (late.kind, late.seq, late.detail) == (ChainKind.CONTENT_TAMPER, 2, "HashMismatch")
    cut = verify_action_chain(texts(forge, forge.chain(4)[1:]))
    assert (cut.kind, cut.seq) == (ChainKind.LINK_BROKEN, 1)


def test_a_pinned_operator_must_have_signed_every_receipt(forge: Any) -> None:
    envelopes = forge.chain(3)
    content = {k: v for k, v in envelopes[2]["content"].items() if k != "action_hash"}
    envelopes[2] = forge.envelope(content, forge.entry("operator", forge.stranger, content))
    chain = texts(forge, envelopes)
    verdict = verify_action_chain(chain, Terms(operator=forge.operator.public))
    assert verdict == ChainVerdict(kind=ChainKind.CONTENT_TAMPER, detail="InvalidSignature", seq=2)
    assert verify_action_chain(chain).is_valid  # without a pin nobody was asked who


def test_a_stranger_with_the_pinned_keys_approvals_is_not_the_pinned_operator(forge: Any) -> None:
    content = forge.approved_content(session_id="s", seq=0)
    envelope = forge.envelope(
        content,
        forge.entry("operator", forge.stranger, content),
        forge.entry("approver", forge.approver, content),
    )
    assert not verify_action_chain(
        [forge.text(envelope)], Terms(operator=forge.approver.public)
    ).is_valid


def test_any_order_preserving_map_will_do(forge: Any) -> None:
    whole, broken = texts(forge, forge.chain(20)), texts(forge, tampered(forge))
    with ThreadPoolExecutor(2) as pool:
        assert verify_action_chain(whole, each=pool.map) == verify_action_chain(whole)
        assert verify_action_chain(broken, each=pool.map) == verify_action_chain(broken)


def test_a_map_that_loses_receipts_does_not_make_a_chain_valid(forge: Any) -> None:
    """Also where what it lost was sound: that is a fault of the caller, not of the receipts."""
    for chain in (texts(forge, tampered(forge)), texts(forge, forge.chain(4))):
        for kept in (0, 1, 2):
            with pytest.raises(ValueError, match=f"`each` gave {kept} results for 4 receipts"):
                verify_action_chain(chain, each=lambda f, data, n=kept: map(f, data[:n]))  # type: ignore[misc]
    suspended = suspended_link(forge)
    with pytest.raises(ValueError, match="`each` gave 0 results for 1 receipts"):
        verify_session_chain([suspended], each=lambda f, data: map(f, data[:0]))


def test_a_map_that_loses_receipts_behind_a_fault_hides_nothing(forge: Any) -> None:
    verdict = verify_action_chain(
        texts(forge, tampered(forge)), each=lambda f, data: map(f, data[:3])
    )
    assert (verdict.kind, verdict.seq) == (ChainKind.CONTENT_TAMPER, 2)


SUSPENSION: Json = {
    "resume_token_hash": "ab" * 32,
    "context_ref": {"scheme": "none", "key": "k", "hash": "h"},
    "policy": {"policy_id": "p", "policy_hash": "h", "rule": "r"},
    "approval": {"sla": "1h", "expires_at": "x", "on_timeout": "deny", "approver_pubkeys": []},
}


def suspended_link(forge: Any, *, kind: str = "suspended", **changes: Any) -> bytes:
    """The text of the link that opens a lifecycle."""
    parts = {"session_id": "life", "seq": 0, "suspension": SUSPENSION, **changes}
    options = {"key": forge.operator, "role": "operator", "domain": forge.domains["suspend"]}
    return bytes(forge.text(forge.link(kind, **{**options, **parts})))


def test_a_lifecycle_is_its_one_opening_link(forge: Any) -> None:
    valid = ChainVerdict(kind=ChainKind.VALID, length=1, operators=(forge.operator.public,))
    chain = [suspended_link(forge)]
    assert verify_session_chain(chain) == valid
    assert verify_session_chain(chain, Terms(operator=forge.operator.public)) == valid
    assert verify_session_chain([suspended_link(forge, prev_receipt_hash="")]) == valid
    assert verify_session_chain([]) == ChainVerdict(kind=ChainKind.EMPTY)


LIFECYCLE_FAULTS: dict[str, tuple[ChainKind, int, Callable[[Any], bytes]]] = {
    "unreadable": (ChainKind.MALFORMED, 0, lambda f: suspended_link(f)[:-1]),
    "changed": (
        ChainKind.CONTENT_TAMPER,
        0,
        lambda f: suspended_link(f).replace(b'"rooms":2', b'"rooms":3'),
    ),
    "signed as an action": (
        ChainKind.CONTENT_TAMPER,
        0,
        lambda f: suspended_link(f, domain=f.domains["operator"]),
    ),
    "without its block": (
        ChainKind.CONTENT_TAMPER,
        0,
        lambda f: suspended_link(f, suspension=None),
    ),
    "not the first": (ChainKind.LINK_BROKEN, 1, lambda f: suspended_link(f, seq=1)),
    "no seq": (ChainKind.LINK_BROKEN, 0, lambda f: suspended_link(f, seq=None)),
    "no session": (ChainKind.LINK_BROKEN, 0, lambda f: suspended_link(f, session_id=None)),
    "a predecessor": (
        ChainKind.LINK_BROKEN,
        0,
        lambda f: suspended_link(f, prev_receipt_hash="ab" * 32),
    ),
}


@pytest.mark.parametrize("name", LIFECYCLE_FAULTS)
def test_each_fault_of_an_opening_link_is_found(forge: Any, name: str) -> None:
    kind, seq, build = LIFECYCLE_FAULTS[name]
    verdict = verify_session_chain([build(forge)])
    assert (verdict.kind, verdict.seq, verdict.length) == (kind, seq, None)
    assert verdict.detail


def test_a_lifecycle_of_another_operator_than_the_pinned_one_is_refused(forge: Any) -> None:
    chain = [suspended_link(forge, key=forge.stranger)]
    verdict = verify_session_chain(chain, Terms(operator=forge.operator.public))
    assert verdict == ChainVerdict(kind=ChainKind.CONTENT_TAMPER, detail="InvalidSignature", seq=0)
    assert verify_session_chain(chain).operators == (forge.stranger.public,)


def test_a_link_hash_frames_its_parts(forge: Any) -> None:
    seen = set()
    for session, seq, action_hash in (
        ("s", 0, "ab" * 32),
        ("s", 1, "ab" * 32),
        ("s\x00", 0, "ab" * 32),
        ("", 0, "ab" * 32),
        ("é", 2**64 - 1, "ab" * 32),
        ("s", 0, ""),
        ("sa", 0, "b"),
        ("s", 0, "ab"),
    ):
        link = link_hash(session, seq, action_hash)
        assert link == forge.link_hash(session, seq, action_hash)
        seen.add(link)
    assert len(seen) == 8


def test_the_next_place_follows_the_head() -> None:
    session = SessionId("s")
    assert next_block(session, None) == ChainBlock(session_id=session, seq=0, prev=None)
    assert next_block(session, Head(6, Digest("ab" * 32))) == ChainBlock(
        session_id=session, seq=7, prev=Digest("ab" * 32)
    )
