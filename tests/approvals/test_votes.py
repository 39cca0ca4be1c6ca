"""Who decides what: votes that count, votes that do not, and that one which does not leaves everything as it was."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from heso.approvals.errors import MayNotDecide, NoSuchTicket, TooLate
from heso.approvals.request import request_of, sign_answer
from heso.core.approval import ApprovalRefused, Leg, Vote
from heso.core.errors import HesoError
from heso.core.ticket import WrongState
from tests.approvals.shop import (
    ADA,
    ADA_PHONE,
    BO,
    CY,
    DECIDER,
    DI,
    EVE,
    MINUTE,
    OPERATOR,
    ROSTER,
    RULES,
    Shop,
)


def refuse(shop: Shop, action_hash: str, act: Callable[[], object]) -> HesoError:
    """The refusal; it changed nothing and says the next step."""
    before = shop.snapshot(action_hash)
    with pytest.raises(HesoError) as refused:
        act()
    assert shop.snapshot(action_hash) == before
    assert refused.value.next_step
    return refused.value


def test_one_yes_is_an_approval_signed_by_operator_and_approver(shop: Shop) -> None:
    action_hash = shop.approved(shop.pay(), "o-1", 500)
    assert shop.kinds(action_hash) == ["suspended", "approved"]
    ticket = shop.desk.read(action_hash)
    assert ticket.due == shop.clock.now() + 30 * MINUTE * 10**9
    assert shop.life(action_hash)[1]["approver_decision"] == {
        "decision": "approved",
        "approver_identity": ADA.public_key,
        "reason": "",
        "decided_at": "2026-01-01T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (OPERATOR, "the operator's key may not decide this: nobody approves their own action"),
        (EVE, f"the key {EVE.public_key} may not decide this: it is nobody's on the roster"),
        (DECIDER, f"the key {DECIDER.public_key} may not decide this: it is nobody's on the"),
        (CY, "cy may not decide this: it is for finance"),
        (DI, "di may not decide this: it is for finance"),
    ],
    ids=["operator", "stranger", "decision key", "another role", "board"],
)
@pytest.mark.parametrize("said", ["approved", "rejected", "escalated"])
def test_only_the_people_that_the_rule_names_decide(shop: Shop, who, why: str, said) -> None:
    action_hash = shop.ask(shop.pay(), "o-1", 500)
    vote = shop.sign(action_hash, ADA)
    record = replace(shop.record(who, said))
    if who is not OPERATOR:
        vote = shop.sign(action_hash, who, said)
    else:
        vote = Vote(record, Leg(who.public_key, bytes(64)))
    error = refuse(shop, action_hash, lambda: shop.desk.vote(action_hash, vote))
    assert isinstance(error, MayNotDecide)
    assert str(error).startswith(why)


def test_whoever_it_is_for_does_not_decide_it(shop: Shop) -> None:
    import heso

    with heso.step(account="ada"):
        action_hash = shop.ask(shop.pay(), "o-1", 500)
    for key in (ADA, ADA_PHONE):
        error = refuse(shop, action_hash, lambda key=key: shop.vote(action_hash, key))
        assert str(error) == "ada may not decide this: the action is on their own behalf"
    assert shop.vote(action_hash, BO).state == "approved"


def test_a_quorum_counts_people_and_not_keys(shop: Shop) -> None:
    action_hash = shop.ask(shop.pay(), "o-1", 50_000)
    assert shop.vote(action_hash, ADA).state == "suspended"
    for key in (ADA, ADA_PHONE):
        error = refuse(shop, action_hash, lambda key=key: shop.vote(action_hash, key))
        assert isinstance(error, ApprovalRefused)
        assert "already" in str(error)
    assert shop.vote(action_hash, BO).state == "approved"
    assert shop.kinds(action_hash) == ["suspended", "approved"]


def test_one_no_ends_a_quorum_also_by_somebody_who_said_yes(shop: Shop) -> None:
    for second in (BO, ADA):
        action_hash = shop.ask(shop.pay(), f"o-{second.signed}", 50_000)
        shop.vote(action_hash, ADA)
        assert shop.vote(action_hash, second, "rejected", "no").state == "rejected"
        assert shop.kinds(action_hash) == ["suspended", "denied"]


def test_somebody_who_escalated_may_still_say_yes(shop: Shop) -> None:
    action_hash = shop.ask(shop.change(), "admin")
    shop.vote(action_hash, ADA, "escalated", "not mine alone")
    assert shop.vote(action_hash, ADA).state == "approved"


def test_a_yes_of_somebody_who_left_the_roster_meanwhile_does_not_count(shop: Shop) -> None:
    action_hash = shop.ask(shop.pay(), "o-1", 50_000)
    assert shop.vote(action_hash, ADA).state == "suspended"
    gone = ROSTER.replace(f'"{ADA.public_key}", "{ADA_PHONE.public_key}"', f'"{EVE.public_key}"')
    shop.rule(RULES + gone)
    assert shop.vote(action_hash, BO).state == "suspended"
    assert shop.kinds(action_hash) == ["suspended"]


WRONG_VOTES: dict[str, Callable[[Shop, str, str], Vote]] = {
    "of another action": lambda shop, _, other: shop.sign(other, ADA),
    "signed by another key than it names": lambda shop, this, _: Vote(
        shop.record(ADA), Leg(ADA.public_key, shop.sign(this, BO).leg.signature)
    ),
    "whose record names another key": lambda shop, this, _: Vote(
        shop.record(BO), shop.sign(this, ADA).leg
    ),
    "for another reason": lambda shop, this, _: Vote(
        shop.record(ADA, reason="changed"), shop.sign(this, ADA).leg
    ),
    "that said no and was turned into a yes": lambda shop, this, _: Vote(
        shop.record(ADA), shop.sign(this, ADA, "rejected").leg
    ),
    "that said yes and was turned into a no": lambda shop, this, _: Vote(
        shop.record(ADA, "rejected"), shop.sign(this, ADA).leg
    ),
    "with a cut signature": lambda shop, this, _: Vote(
        shop.record(ADA), Leg(ADA.public_key, shop.sign(this, ADA).leg.signature[:-1])
    ),
    "with no signature": lambda shop, *_: Vote(shop.record(ADA), Leg(ADA.public_key, b"")),
    "for another threshold": lambda shop, this, _: _sign_for(shop, this, threshold=2),
}


def _sign_for(shop: Shop, action_hash: str, **terms: object) -> Vote:
    request = request_of(shop.desk.read(action_hash))
    request = replace(request, terms=replace(request.terms, **terms))
    return sign_answer(request, shop.record(ADA), ADA)


@pytest.mark.parametrize("make", WRONG_VOTES.values(), ids=WRONG_VOTES)
def test_a_signature_is_good_for_one_answer_to_one_question(shop: Shop, make) -> None:
    action_hash, other = shop.ask(shop.pay(), "o-1", 500), shop.ask(shop.pay(), "o-2", 500)
    vote = make(shop, action_hash, other)
    error = refuse(shop, action_hash, lambda: shop.desk.vote(action_hash, vote))
    assert isinstance(error, ApprovalRefused)


@pytest.mark.parametrize("terms", [{"threshold": 1}, {"threshold": 3}, {"roster": ()}], ids=str)
def test_a_leg_of_a_quorum_is_good_for_that_quorum_only(shop: Shop, terms) -> None:
    action_hash = shop.ask(shop.pay(), "o-1", 50_000)
    with_cy = {"roster": tuple(sorted((ADA.public_key, BO.public_key, CY.public_key)))}
    vote = _sign_for(shop, action_hash, **(with_cy if "roster" in terms else terms))
    error = refuse(shop, action_hash, lambda: shop.desk.vote(action_hash, vote))
    assert isinstance(error, ApprovalRefused)


def test_the_same_escalation_handed_in_twice_is_one(shop: Shop) -> None:
    action_hash = shop.ask(shop.change(), "admin")
    vote = shop.sign(action_hash, ADA, "escalated")
    assert shop.desk.vote(action_hash, vote).rung == 1
    error = refuse(shop, action_hash, lambda: shop.desk.vote(action_hash, vote))
    assert isinstance(error, ApprovalRefused)
    assert shop.kinds(action_hash) == ["suspended", "escalated"]


def test_nobody_escalates_beyond_the_last_rung(shop: Shop) -> None:
    action_hash = shop.ask(shop.change(), "admin")
    for rung in (1, 2):
        assert shop.vote(action_hash, ADA, "escalated", f"to {rung}").rung == rung
    error = refuse(shop, action_hash, lambda: shop.vote(action_hash, ADA, "escalated", "on"))
    assert "there is nobody left to escalate to" in str(error)


def test_a_rung_lets_more_people_decide_and_nobody_less(shop: Shop) -> None:
    for who, rung in ((CY, 1), (DI, 2)):
        action_hash = shop.ask(shop.change(), f"admin {rung}")
        for reached in range(rung):
            error = refuse(shop, action_hash, lambda: shop.vote(action_hash, who))  # noqa: B023
            assert isinstance(error, MayNotDecide)
            shop.vote(action_hash, ADA, "escalated", str(reached))
        assert shop.vote(action_hash, who).state == "approved"


ENDED: dict[str, Callable[[Shop, str], object]] = {
    "approved": lambda shop, h: shop.vote(h, ADA),
    "rejected": lambda shop, h: shop.vote(h, ADA, "rejected"),
    "cancelled": lambda shop, h: shop.desk.cancel(h),
    "expired": lambda shop, h: (shop.clock.advance(60 * MINUTE), shop.desk.look_at(h)),
    "done": lambda shop, h: (shop.vote(h, ADA), shop.resume(h)),
}


@pytest.mark.parametrize("state", ENDED)
@pytest.mark.parametrize("said", ["approved", "rejected", "escalated"])
def test_what_is_decided_is_decided(shop: Shop, state: str, said) -> None:
    action_hash = shop.ask(shop.pay(), "o-1", 500)
    vote = shop.sign(action_hash, BO, said)
    ENDED[state](shop, action_hash)
    error = refuse(shop, action_hash, lambda: shop.desk.vote(action_hash, vote))
    assert (type(error), str(error)) == (
        WrongState,
        f"{action_hash[:12]} is {state}: it cannot be decided",
    )


@pytest.mark.parametrize("said", ["approved", "rejected", "escalated"])
def test_after_the_deadline_nobody_decides_although_nobody_swept(shop: Shop, said) -> None:
    action_hash = shop.ask(shop.pay(), "o-1", 500)
    vote = shop.sign(action_hash, ADA, said)
    shop.clock.advance(60 * MINUTE)
    error = refuse(shop, action_hash, lambda: shop.desk.vote(action_hash, vote))
    assert (type(error), str(error)) == (
        TooLate,
        f"{action_hash[:12]} could be decided until 2026-01-01T01:00:00Z",
    )


def test_what_never_waited_here_is_refused(shop: Shop) -> None:
    action_hash = shop.ask(shop.pay(), "o-1", 500)
    vote = shop.sign(action_hash, ADA)
    error = refuse(shop, action_hash, lambda: shop.desk.vote("0" * 64, vote))
    assert isinstance(error, NoSuchTicket)


@pytest.mark.parametrize("decided_at", ["", "yesterday", "2026-01-01", "\x1b[2J", "9" * 5000])
def test_what_an_approver_says_never_makes_a_receipt_that_nobody_can_verify(
    shop: Shop, decided_at: str
) -> None:
    action_hash = shop.ask(shop.pay(), "o-1", 500)
    record = replace(shop.record(ADA, reason="\u202e\x00\U0001f600" * 50), decided_at=decided_at)
    vote = sign_answer(request_of(shop.desk.read(action_hash)), record, ADA)
    before = shop.snapshot(action_hash)
    try:
        shop.desk.vote(action_hash, vote)
    except HesoError:
        assert shop.snapshot(action_hash) == before
