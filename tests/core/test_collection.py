"""A heap of receipts: every session judged as the chain it is, everything else one by one."""

from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from typing import Any

import pytest

from heso.core.collection import Session, Standalone, verify_collection
from heso.core.verdict import ChainKind, ChainVerdict, Kind
from heso.core.verify import Terms, verify_receipt

Json = dict[str, Any]

SUSPENSION: Json = {
    "resume_token_hash": "ab" * 32,
    "context_ref": {"scheme": "none", "key": "k", "hash": "h"},
    "policy": {"policy_id": "p", "policy_hash": "h", "rule": "r"},
    "approval": {"sla": "1h", "expires_at": "x", "on_timeout": "deny", "approver_pubkeys": []},
}
UNREADABLE = [
    *(b"", b"\n", b"{", b"null", b"1", b"[]", b'"content"', b"{}", b"\xff", b"[" * 5000),
    *(b'{"content":null}', b'{"content":[]}', b'{"content":"x"}', b'{"content":{}}'),
    *(b'{"content":{"session_id":null}}', b'{"content":{"session_id":7,"kind":"suspended"}}'),
]


def session(forge: Any, name: str, length: int) -> list[bytes]:
    return [forge.text(envelope) for envelope in forge.chain(length, name)]


def suspended(forge: Any, session_id: str, kind: str = "suspended", **changes: Any) -> bytes:
    parts = {"session_id": session_id, "seq": 0, "suspension": SUSPENSION, **changes}
    options = {"key": forge.operator, "role": "operator", "domain": forge.domains["suspend"]}
    return bytes(forge.text(forge.link(kind, **options, **parts)))


def valid(forge: Any, length: int) -> ChainVerdict:
    return ChainVerdict(kind=ChainKind.VALID, length=length, operators=(forge.operator.public,))


def mixed(*sessions: list[bytes]) -> list[bytes]:
    """One receipt of each session in turn."""
    return [text for row in zip_longest(*sessions) for text in row if text is not None]


def test_nothing_is_neither_a_session_nor_a_receipt() -> None:
    assert verify_collection([]) == ((), ())


def test_interleaved_sessions_are_judged_apart_in_the_order_they_begin(forge: Any) -> None:
    heap = mixed(session(forge, "b", 2), session(forge, "a", 4), session(forge, "", 1))
    expected = (
        Session("b", 2, is_lifecycle=False, verdict=valid(forge, 2)),
        Session("a", 4, is_lifecycle=False, verdict=valid(forge, 4)),
        Session("", 1, is_lifecycle=False, verdict=valid(forge, 1)),
    )
    assert verify_collection(heap) == (expected, ())
    assert verify_collection(iter(heap)) == (expected, ())
    assert verify_collection(heap, Terms(operator=forge.operator.public)) == (expected, ())


def test_a_fault_in_one_session_leaves_the_others_alone(forge: Any) -> None:
    first, second = session(forge, "a", 3), session(forge, "b", 3)
    heap = mixed([first[0], first[2], first[1]], second)
    (broken, whole), standalone = verify_collection(heap)
    assert (broken.session_id, broken.receipts) == ("a", 3)
    assert (broken.verdict.kind, broken.verdict.seq) == (ChainKind.LINK_BROKEN, 2)
    assert whole == Session("b", 3, is_lifecycle=False, verdict=valid(forge, 3))
    assert standalone == ()


def test_a_missing_receipt_of_a_session_breaks_it(forge: Any) -> None:
    for missing in (0, 1):
        chain = session(forge, "a", 3)
        del chain[missing]
        ((one,), _) = verify_collection(chain)
        assert one.verdict.kind is ChainKind.LINK_BROKEN


def test_a_lifecycle_is_judged_as_one_beside_the_session_that_asked(forge: Any) -> None:
    heap = mixed(session(forge, "s", 2), [suspended(forge, "life")])
    assert verify_collection(heap) == (
        (
            Session("s", 2, is_lifecycle=False, verdict=valid(forge, 2)),
            Session("life", 1, is_lifecycle=True, verdict=valid(forge, 1)),
        ),
        (),
    )


@pytest.mark.parametrize("lifecycle_first", [True, False])
def test_a_session_with_any_link_in_it_is_judged_by_what_may_follow_what(
    forge: Any, *, lifecycle_first: bool
) -> None:
    heap = [suspended(forge, "s"), *session(forge, "s", 1)]
    ((one,), standalone) = verify_collection(heap if lifecycle_first else heap[::-1])
    assert (one.session_id, one.receipts, one.is_lifecycle) == ("s", 2, True)
    assert one.verdict.kind is ChainKind.LINK_BROKEN
    assert standalone == ()


def test_a_session_of_plain_actions_that_say_their_kind_is_an_action_chain(forge: Any) -> None:
    """No `kind` and the kind `action` mean the same (fact sheet, section 1.2)."""
    content = forge.content(session_id="s", seq=0, kind="action")
    assert verify_collection([forge.text(forge.l0(content))]) == (
        (Session("s", 1, is_lifecycle=False, verdict=valid(forge, 1)),),
        (),
    )


def test_receipts_outside_any_session_stand_alone_with_their_place(forge: Any) -> None:
    plain, approved = forge.text(forge.l0()), forge.text(forge.l1())
    wrong = forge.text({**forge.l0(), "alg": "x"})
    heap = [plain, *session(forge, "s", 1), approved, wrong]
    sessions, standalone = verify_collection(heap)
    assert sessions == (Session("s", 1, is_lifecycle=False, verdict=valid(forge, 1)),)
    assert standalone == (
        Standalone(0, verify_receipt(plain)),
        Standalone(2, verify_receipt(approved)),
        Standalone(3, verify_receipt(wrong)),
    )
    assert [one.verdict.kind for one in standalone] == [
        Kind.VALID,
        Kind.VALID,
        Kind.WRONG_ALGORITHM,
    ]


def test_a_line_that_cannot_be_read_stands_alone_as_malformed(forge: Any) -> None:
    chain = session(forge, "s", 2)
    sessions, standalone = verify_collection([chain[0], *UNREADABLE, chain[1]])
    assert sessions == (Session("s", 2, is_lifecycle=False, verdict=valid(forge, 2)),)
    assert [one.place for one in standalone] == list(range(1, len(UNREADABLE) + 1))
    assert {one.verdict.kind for one in standalone} == {Kind.MALFORMED}


def test_what_names_a_session_and_is_no_receipt_spoils_that_session(forge: Any) -> None:
    """The lenient look only sorts: a duplicate key or an unknown one is found by the strict reading."""
    chain = session(forge, "s", 2)
    for junk in (
        b'{"content":{"session_id":"s"}}',
        chain[1].replace(b'"seq":1', b'"seq":1,"seq":1'),
        chain[1].replace(b'"session_id":"s"', b'"session_id":"x","session_id":"s"'),
        chain[1].replace(b'"seq":1', b'"seq":1,"extra":1'),
    ):
        assert verify_receipt(junk).kind is Kind.MALFORMED
        ((one,), standalone) = verify_collection([chain[0], junk])
        assert (one.receipts, one.verdict.kind) == (2, ChainKind.MALFORMED)
        assert one.verdict.seq == 1
        assert standalone == ()


def test_the_pin_is_for_every_receipt_of_the_heap(forge: Any) -> None:
    heap = [*session(forge, "s", 2), suspended(forge, "life"), forge.text(forge.l0())]
    sessions, standalone = verify_collection(heap, Terms(operator=forge.stranger.public))
    assert [one.verdict.kind for one in sessions] == [ChainKind.CONTENT_TAMPER] * 2
    assert [one.verdict.kind for one in standalone] == [Kind.INVALID_SIGNATURE]


def test_any_order_preserving_map_will_do_and_one_that_loses_receipts_will_not(forge: Any) -> None:
    heap = mixed(session(forge, "a", 5), session(forge, "b", 5), [suspended(forge, "life")])
    with ThreadPoolExecutor(2) as pool:
        assert verify_collection(heap, each=pool.map) == verify_collection(heap)
    with pytest.raises(ValueError, match="`each` gave"):
        verify_collection(heap, each=lambda f, data: map(f, data[:-1]))
