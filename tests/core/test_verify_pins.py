"""A pinned operator key: it must have signed as the operator, nothing less."""

from dataclasses import replace
from typing import Any

import pytest

from heso.core.verdict import Kind, Verdict
from heso.core.verify import verify_receipt


def test_the_pinned_key_signed_and_the_verdict_is_as_without_the_pin(forge: Any) -> None:
    for envelope in (forge.l0(), forge.l1()):
        text = forge.text(envelope)
        verdict = verify_receipt(text, operator=forge.operator.public)
        assert verdict == verify_receipt(text)
        assert verdict.is_valid


@pytest.mark.parametrize("pin", ["stranger", "approver", "placeholder"])
def test_another_operator_than_the_pinned_one_is_an_invalid_signature(forge: Any, pin: str) -> None:
    text = forge.text(forge.l0())
    verdict = verify_receipt(text, operator=getattr(forge, pin).public)
    assert replace(verdict, detail="", action_hash=None) == Verdict(kind=Kind.INVALID_SIGNATURE)


def test_having_signed_as_approver_is_not_having_signed_as_operator(forge: Any) -> None:
    """A stranger runs the agent; the pinned key only said yes to it."""
    text = forge.text(forge.l1())
    verdict = verify_receipt(text, operator=forge.approver.public)
    assert verdict.kind is Kind.INVALID_SIGNATURE


def test_a_pin_that_is_no_key_matches_nobody(forge: Any) -> None:
    for pin in ("", "operator", forge.operator.public.rstrip("="), forge.operator.public + "\n"):
        assert verify_receipt(forge.text(forge.l0()), operator=pin).kind is Kind.INVALID_SIGNATURE


def test_an_identity_written_into_the_receipt_is_not_a_signature(forge: Any) -> None:
    content = forge.content(agent_identity=forge.operator.public)
    envelope = forge.envelope(content, forge.entry("operator", forge.stranger, content))
    text = forge.text(envelope)
    assert verify_receipt(text).signers == (forge.stranger.public,)
    assert verify_receipt(text, operator=forge.operator.public).kind is Kind.INVALID_SIGNATURE


def test_a_decision_link_signed_by_the_pinned_operator_is_not_let_through_by_the_pin(
    forge: Any,
) -> None:
    """The pin asks who ran the agent; a decision made with that same key is nobody else's decision."""
    link = forge.link(
        "approved",
        key=forge.operator,
        role="approver",
        domain=forge.domains["decision"],
        approver_decision=forge.approval(approver_identity=forge.operator.public),
    )
    verdict = verify_receipt(forge.text(link), operator=forge.operator.public)
    assert verdict.kind is Kind.MALFORMED
    assert verdict.detail == "the decision is signed by the operator's own key"


def test_the_pin_is_the_first_of_the_signers_whatever_the_order_of_the_entries(forge: Any) -> None:
    envelope = forge.l1()
    envelope["signatures"].reverse()
    text = forge.text(envelope)
    verdict = verify_receipt(text, operator=forge.operator.public)
    assert verdict.signers == (forge.operator.public, forge.approver.public)
    assert verify_receipt(text, operator=forge.approver.public).kind is Kind.INVALID_SIGNATURE


def test_a_suspended_link_is_pinned_like_any_receipt(forge: Any, every_block: Any) -> None:
    parts = {
        "key": forge.operator,
        "role": "operator",
        "domain": forge.domains["suspend"],
        "suspension": every_block["suspension"],
    }
    text = forge.text(forge.link("suspended", **parts))
    assert verify_receipt(text, operator=forge.operator.public).is_valid
    assert verify_receipt(text, operator=forge.stranger.public).kind is Kind.INVALID_SIGNATURE
