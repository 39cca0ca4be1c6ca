"""A chain is Valid only as a whole beginning of itself: any other choice or order of its receipts is broken."""

from hypothesis import given, settings
from hypothesis import strategies as st

from heso.core.audit import (
    START,
    describe_receipt,
    extend_audit,
    format_audit_entry,
    verify_audit_chain,
)
from heso.core.chain import Head, link_hash, next_block, verify_action_chain
from heso.core.keys import SigningKey
from heso.core.receipt import (
    Action,
    DecisionPath,
    PolicyRecord,
    SessionId,
    Verb,
    draft_content,
    seal_receipt,
)
from heso.core.verdict import ChainKind, ChainVerdict

QUICK = settings(derandomize=True, deadline=None, max_examples=150)
OPERATOR = SigningKey.from_seed(b"\x00" * 32)
LENGTH = 5


def build() -> tuple[list[bytes], list[bytes]]:
    """A session of equal actions, and the audit chain over it."""
    head, tail = None, START
    receipts, entries = [], []
    for seq in range(LENGTH):
        content = draft_content(
            Action(verb=Verb.TOOL_CALL, tool_name="t", workflow="w", account="a", fields={}),
            PolicyRecord(
                rule_id="r",
                rule_display="d",
                matched_conditions=[],
                decision_path=DecisionPath.ALLOW,
            ),
            captured_at="",
            operator=OPERATOR.public_key,
            chain=next_block(SessionId("s"), head),
        )
        receipt = seal_receipt(content, OPERATOR)
        head = Head(seq, link_hash("s", seq, receipt.action_hash))
        facts = describe_receipt(receipt.content, recorded_at="", signer=receipt.signer)
        entries.append(format_audit_entry(tail, facts))
        tail = extend_audit(tail, facts)
        receipts.append(receipt.body)
    return receipts, entries


RECEIPTS, ENTRIES = build()


@given(st.lists(st.integers(0, LENGTH - 1), max_size=LENGTH + 2))
@QUICK
def test_only_a_beginning_of_a_chain_is_a_chain(order: list[int]) -> None:
    is_beginning = order == list(range(len(order)))
    for verdict, operators in (
        (verify_action_chain([RECEIPTS[index] for index in order]), (OPERATOR.public_key,)),
        (verify_audit_chain([ENTRIES[index] for index in order]), ()),
    ):
        if not order:
            assert verdict == ChainVerdict(kind=ChainKind.EMPTY)
        elif is_beginning:
            assert verdict == ChainVerdict(
                kind=ChainKind.VALID, length=len(order), operators=operators
            )
        else:
            assert (verdict.kind, verdict.operators) == (ChainKind.LINK_BROKEN, ())


def test_every_beginning_is_valid() -> None:
    for length in range(1, LENGTH + 1):
        assert verify_action_chain(RECEIPTS[:length]) == ChainVerdict(
            kind=ChainKind.VALID, length=length, operators=(OPERATOR.public_key,)
        )
        assert verify_audit_chain(ENTRIES[:length]) == ChainVerdict(
            kind=ChainKind.VALID, length=length
        )
