"""Approval tokens and delegations: published bytes, the format's order of checks, and every byte changed."""

from collections.abc import Callable
from typing import Any

import pytest

from heso.core.approval_token import (
    Answer,
    TokenFault,
    TokenRefused,
    check_token,
    parse_token,
    write_token,
)
from heso.core.delegation import (
    DelegationFault,
    DelegationRefused,
    check_delegation,
    parse_delegation,
    write_delegation,
)
from heso.core.keys import SigningKey
from heso.stores.memory import MemoryNonces

Json = dict[str, Any]
OPERATOR, APPROVER, DELEGATE, STRANGER = (
    SigningKey.from_seed(bytes([seed]) * 32) for seed in (0, 5, 7, 8)
)
ACTION = b'{"an":"action"}'
HASH = "ab" * 32


def token(**changes: Any) -> bytes:
    made: Json = {
        "action": ACTION,
        "answer": Answer.APPROVE,
        "scope": "payment",
        "expiry_seconds": 2000,
        "nonce": bytes(range(32)),
        "signer": APPROVER,
        **changes,
    }
    return write_token(**made)


def check(wire: bytes, **changes: Any) -> object:
    how: Json = {
        "action": ACTION,
        "registered": (APPROVER.public_key,),
        "now_seconds": 2000,
        "scope": "payment",
        "answer": Answer.APPROVE,
        "spend": MemoryNonces().spend,
        **changes,
    }
    return check_token(wire, **how)


def with_byte(wire: bytes, at: int, value: int) -> bytes:
    return wire[:at] + bytes([value]) + wire[at + 1 :]


def never(_nonce: bytes, _until: int) -> bool:
    return False


def test_the_published_token_is_written_and_read_to_the_byte(worked: Json) -> None:
    vector = worked["token"]
    action = worked["l0"]["canonical"].encode()
    made = token(action=action, nonce=bytes.fromhex(vector["nonce"]))
    assert (made.hex(), len(made)) == (vector["token_hex"], vector["len"])
    check(made, action=action)


# Each row breaks one thing; together with the row before it, the earlier one speaks.
TOKEN_ORDER: list[tuple[TokenFault, Callable[[bytes], bytes], Json]] = [
    (TokenFault.MALFORMED, lambda w: w[:140], {}),
    (TokenFault.INVALID_DECISION, lambda w: with_byte(w, 40, 3), {}),
    (TokenFault.MALFORMED, lambda w: w + b"\0", {}),
    (TokenFault.UNREGISTERED_KEY, lambda w: w, {"registered": (STRANGER.public_key,)}),
    (TokenFault.INVALID_SIGNATURE, lambda w: w, {"action": b"another"}),
    (TokenFault.EXPIRED, lambda w: w, {"now_seconds": 2001}),
    (TokenFault.REPLAYED_NONCE, lambda w: w, {"spend": never}),
    (TokenFault.OUT_OF_SCOPE, lambda w: w, {"scope": "payments"}),
    (TokenFault.OUT_OF_DECISION, lambda w: w, {"answer": Answer.REJECT}),
]


@pytest.mark.parametrize("row", range(len(TOKEN_ORDER)))
def test_a_token_is_checked_in_the_formats_order(row: int) -> None:
    fault, change, options = TOKEN_ORDER[row]
    with pytest.raises(TokenRefused) as refused:
        check(change(token()), **options)
    assert refused.value.fault is fault
    wire, together = token(), {}
    for _, later, more in reversed(TOKEN_ORDER[row:]):
        wire = later(wire)
        together = {**together, **more}
    with pytest.raises(TokenRefused) as refused:
        check(wire, **together)
    assert refused.value.fault is fault


def test_a_token_is_good_in_its_last_second_and_once() -> None:
    spend = MemoryNonces().spend
    check(token(), spend=spend)
    with pytest.raises(TokenRefused) as refused:
        check(token(), spend=spend)
    assert refused.value.fault is TokenFault.REPLAYED_NONCE


def test_a_token_that_is_not_genuine_spends_nothing() -> None:
    spend = MemoryNonces().spend
    for options in ({"action": b"other"}, {"now_seconds": 2001}, {"registered": ()}):
        with pytest.raises(TokenRefused):
            check(token(), spend=spend, **options)
    with pytest.raises(TokenRefused) as refused:
        check(token(), spend=spend, scope="other")
    assert refused.value.fault is TokenFault.OUT_OF_SCOPE
    with pytest.raises(TokenRefused) as refused:
        check(token(), spend=spend)  # found out of scope once, it is good nowhere
    assert refused.value.fault is TokenFault.REPLAYED_NONCE


def test_no_byte_of_a_token_can_be_changed_added_or_cut() -> None:
    wire = token()
    for at in range(len(wire)):
        for changed in (with_byte(wire, at, wire[at] ^ 1), wire[:at], wire[:at] + wire[at + 1 :]):
            with pytest.raises(TokenRefused):
                check(changed)


def test_a_token_that_no_reader_would_take_is_not_written() -> None:
    for bad in ({"nonce": b"short"}, {"expiry_seconds": 2**64}, {"scope": "x" * 5000}):
        with pytest.raises(ValueError, match=r"nonce|scope"):
            token(**bad)


def test_a_scope_may_be_empty_or_any_text() -> None:
    for scope in ("", "zahlung 💶"):
        assert parse_token(token(scope=scope)).scope == scope


def delegation(**changes: Any) -> bytes:
    made: Json = {
        "action_hash": HASH,
        "delegate": DELEGATE.public_key,
        "subject": "alice",
        "scope": "payment",
        "not_before_seconds": 500,
        "expiry_seconds": 2000,
        "nonce": bytes(range(32)),
        "signer": OPERATOR,
        **changes,
    }
    return write_delegation(**made)


def check_both(wire: bytes, **changes: Any) -> object:
    answer = token(action=bytes.fromhex(HASH), signer=changes.pop("by", DELEGATE))
    how: Json = {
        "operator": OPERATOR.public_key,
        "action_hash": HASH,
        "scope": "payment",
        "answer": Answer.APPROVE,
        "now_seconds": 1000,
        "spend": MemoryNonces().spend,
        **changes,
    }
    return check_delegation(wire, answer, **how)


def test_the_published_delegation_is_written_and_read_to_the_byte(worked: Json) -> None:
    vector = worked["delegation"]
    wire = bytes.fromhex(vector["wire_hex"])
    read = parse_delegation(wire)
    assert delegation(action_hash=read.action_hash, nonce=read.nonce) == wire
    done = check_delegation(
        wire,
        bytes.fromhex(vector["cosign_token_hex"]),
        operator=OPERATOR.public_key,
        action_hash=worked["l0"]["action_hash"],
        scope="payment",
        answer=Answer.APPROVE,
        now_seconds=1999,
        spend=MemoryNonces().spend,
    )
    assert (done.delegation.subject, done.token.public_key) == ("alice", DELEGATE.public_key)


def to_itself(_: bytes) -> bytes:
    """The one envelope that `write_delegation` refuses to make."""

    class Disguised:
        public_key = STRANGER.public_key

        def sign(self, message: bytes) -> bytes:
            return OPERATOR.sign(message)

    made = delegation(delegate=OPERATOR.public_key, signer=Disguised())
    return made[:-32] + delegation()[-32:]


DELEGATION_ORDER: list[tuple[DelegationFault, Callable[[bytes], bytes], Json]] = [
    (DelegationFault.MALFORMED, lambda w: w[:216], {}),
    (DelegationFault.UNSUPPORTED_VERSION, lambda w: with_byte(w, 0, 2), {}),
    (DelegationFault.MALFORMED, lambda w: w + b"\0", {}),
    (DelegationFault.OPERATOR_KEY_MISMATCH, lambda w: w, {"operator": STRANGER.public_key}),
    (DelegationFault.INVALID_SIGNATURE, lambda w: with_byte(w, 1, w[1] ^ 1), {}),
    (DelegationFault.SELF_DELEGATION, to_itself, {}),
    (DelegationFault.ACTION_HASH_MISMATCH, lambda w: w, {"action_hash": "cd" * 32}),
    (DelegationFault.SCOPE_MISMATCH, lambda w: w, {"scope": "other"}),
    (DelegationFault.NOT_YET_VALID, lambda w: w, {"now_seconds": 499}),
    (DelegationFault.EXPIRED, lambda w: w, {"now_seconds": 2000}),
    (DelegationFault.CO_SIGN, lambda w: w, {"by": STRANGER}),
]


@pytest.mark.parametrize("row", range(len(DELEGATION_ORDER)))
def test_a_delegation_is_checked_in_the_formats_order(row: int) -> None:
    fault, change, options = DELEGATION_ORDER[row]
    with pytest.raises(DelegationRefused) as refused:
        check_both(change(delegation()), **options)
    assert refused.value.fault is fault
    wire: bytes = delegation()
    together: Json = {}
    for later_fault, later, more in reversed(DELEGATION_ORDER[row:]):
        wire = later(wire)
        both_times = later_fault is DelegationFault.NOT_YET_VALID  # expired and not yet valid
        together = {**together, **({} if both_times and row < 8 else more)}
    with pytest.raises(DelegationRefused) as refused:
        check_both(wire, **together)
    assert refused.value.fault is fault


def test_a_delegation_holds_from_its_first_second_to_the_one_before_its_last() -> None:
    check_both(delegation(), now_seconds=500)
    check_both(delegation(), now_seconds=1999)


def test_what_the_delegate_says_wrong_is_told() -> None:
    with pytest.raises(DelegationRefused) as refused:
        check_both(delegation(), spend=never)
    assert refused.value.cause is not None
    assert refused.value.cause.fault is TokenFault.REPLAYED_NONCE


def test_no_byte_of_a_delegation_can_be_changed_added_or_cut() -> None:
    wire = delegation()
    for at in range(len(wire)):
        for changed in (with_byte(wire, at, wire[at] ^ 1), wire[:at], wire[:at] + wire[at + 1 :]):
            with pytest.raises(DelegationRefused):
                check_both(changed)


def test_an_operator_does_not_delegate_to_itself() -> None:
    with pytest.raises(ValueError, match="itself"):
        delegation(delegate=OPERATOR.public_key)
