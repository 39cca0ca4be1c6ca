"""Who somebody is today: keys that are valid for a while, and people who stand in for others for a while."""

import pytest

import heso
from heso.approvals.errors import MayNotDecide
from heso.policy.reader import parse_policy
from tests.approvals.shop import ADA, BO, CY, DI, EVE, MINUTE, ROSTER, RULES, Shop

FROM, UNTIL = "2026-01-01T00:10:00Z", "2026-01-01T00:20:00Z"
CY_FOR_ADA = f'[[delegation]]\nfrom = "ada"\nto = "cy"\nuntil = {UNTIL}\n'
ADA_UNTIL = ROSTER.replace(
    'roles = ["finance"]\n', f'roles = ["finance"]\nvalid_until = {UNTIL}\n', 1
)


def refused(shop: Shop, action_hash: str, who: object) -> str:
    before = shop.snapshot(action_hash)
    with pytest.raises(MayNotDecide) as error:
        shop.vote(action_hash, who)
    assert shop.snapshot(action_hash) == before
    return str(error.value)


@pytest.mark.parametrize(
    ("seconds", "why"),
    [
        (0, f"ada may not decide this: their keys are valid from {FROM}"),
        (599.999999, f"ada may not decide this: their keys are valid from {FROM}"),
        (600, None),
        (1199.999999, None),
        (1200, f"ada may not decide this: their keys were valid until {UNTIL}"),
    ],
)
def test_a_person_decides_from_the_first_instant_to_before_the_last(
    shop: Shop, seconds: float, why: str | None
) -> None:
    ada = f'roles = ["finance"]\nvalid_from = {FROM}\nvalid_until = {UNTIL}\n'
    shop.rule(RULES + ROSTER.replace('roles = ["finance"]\n', ada, 1))
    action_hash = shop.ask(shop.pay(), "o-1", 500)
    shop.clock.advance(seconds)
    if why is None:
        assert shop.vote(action_hash, ADA).state == "approved"
    else:
        assert refused(shop, action_hash, ADA) == why


def test_a_stand_in_decides_until_the_delegation_ends(shop: Shop) -> None:
    shop.rule(RULES + ROSTER + CY_FOR_ADA)
    first, second = (shop.ask(shop.pay(), order, 500) for order in ("o-1", "o-2"))
    shop.clock.advance(20 * MINUTE - 0.001)
    assert shop.vote(first, CY).state == "approved"
    shop.clock.advance(0.001)
    assert refused(shop, second, CY) == "cy may not decide this: it is for finance"


def test_a_delegation_runs_one_way_and_for_one_person(shop: Shop) -> None:
    shop.rule(RULES.replace('approvers = ["finance"]', 'approvers = ["cfo"]') + ROSTER + CY_FOR_ADA)
    action_hash = shop.ask(shop.pay(), "o-1", 500)
    assert refused(shop, action_hash, ADA) == "ada may not decide this: it is for cfo"
    assert refused(shop, action_hash, DI) == "di may not decide this: it is for cfo"


def test_whoever_stands_in_is_one_person_of_a_quorum_and_the_giver_another(shop: Shop) -> None:
    shop.rule(RULES + ROSTER + CY_FOR_ADA)
    action_hash = shop.ask(shop.pay(), "o-1", 50_000)
    assert shop.vote(action_hash, CY).state == "suspended"
    assert shop.vote(action_hash, ADA).state == "approved"


def test_nobody_stands_in_with_what_the_giver_may_not_decide(shop: Shop) -> None:
    shop.rule(RULES + ROSTER + CY_FOR_ADA)
    with heso.step(account="ada"):
        theirs = shop.ask(shop.pay(), "o-1", 500)
    assert refused(shop, theirs, CY) == "cy may not decide this: it is for finance"
    assert shop.vote(theirs, BO).state == "approved"


def test_nobody_stands_in_for_somebody_whose_own_time_is_over(shop: Shop) -> None:
    longer = CY_FOR_ADA.replace(UNTIL, "2027-01-01T00:00:00Z")
    shop.rule(RULES + ADA_UNTIL + longer)
    action_hash = shop.ask(shop.pay(), "o-1", 500)
    shop.clock.advance(20 * MINUTE)
    assert refused(shop, action_hash, CY) == "cy may not decide this: it is for finance"


def test_who_may_decide_is_read_today_and_not_when_it_was_asked(shop: Shop) -> None:
    action_hash = shop.ask(shop.pay(), "o-1", 500)
    shop.rule(RULES + ROSTER.replace(ADA.public_key, EVE.public_key))
    assert refused(shop, action_hash, ADA) == (
        f"the key {ADA.public_key} may not decide this: it is nobody's on the roster"
    )
    assert shop.vote(action_hash, EVE).state == "approved"


def test_a_quorum_takes_no_key_that_its_signers_did_not_name(shop: Shop) -> None:
    action_hash = shop.ask(shop.pay(), "o-1", 50_000)
    shop.rule(RULES + ROSTER.replace(ADA.public_key, EVE.public_key))
    assert refused(shop, action_hash, EVE) == (
        "ada may not decide this: this key was not on the roster when the action was asked"
    )


def test_a_rule_for_nobody_in_particular_is_for_anybody_on_the_roster(shop: Shop) -> None:
    @heso.tool(verb="delete", name="erase")
    def erase(table: str) -> None: ...

    for who in (ADA, BO, CY, DI):
        action_hash = shop.ask(erase, f"t{who.signed}{who.public_key[:4]}")
        assert shop.vote(action_hash, who).state == "approved"
    assert "nobody's on the roster" in refused(shop, shop.ask(erase, "t"), EVE)


def test_the_key_of_the_project_on_its_own_roster_decides_nothing(shop: Shop) -> None:
    operator = shop.gate.signer
    shop.rule(
        RULES + ROSTER.replace(EVE.public_key, "").replace(BO.public_key, operator.public_key)
    )
    assert parse_policy(shop.policy_text.encode()).approvers[1].keys == (operator.public_key,)
    action_hash = shop.ask(shop.pay(), "o-1", 500)
    before = shop.snapshot(action_hash)
    with pytest.raises(heso.HesoError):
        shop.vote(action_hash, operator)
    assert shop.snapshot(action_hash) == before
