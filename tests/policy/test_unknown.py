"""A value that cannot be compared makes a call stricter, never laxer, and the receipt says which one it was."""

import pytest

from heso.policy.model import Allow, ApprovalTerms, Block, Outcome, Redact, RequireApproval

DECISIONS = {
    "allow": Allow(),
    "redact": Redact(),
    "block": Block(),
    "require_approval": RequireApproval(ApprovalTerms()),
}
STRICT = ("block", "require_approval")
LAX = ("allow", "redact")
UNKNOWABLE = [  # op, the rule's value, how a receipt shows it, a field it cannot be compared with
    ("gt", "5", 5, "$6"),
    ("gte", "5", 5, ["6"]),
    ("lt", "5", 5, "4 USD"),
    ("lte", "5", 5, True),
    ("lte", "5", 5, None),
    ("contains", "'x'", "x", 5),
    ("contains", "'x'", "x", {"x": 1}),
    ("matches", "'*'", "*", ["x"]),
    ("regex", "''", "", 5),
]


@pytest.mark.parametrize(("op", "value", "shown", "field"), UNKNOWABLE)
@pytest.mark.parametrize("decision", STRICT)
def test_a_stricter_rule_matches_what_it_cannot_compare(
    *, decision, op, value, shown, field, rule, when, decide, read
) -> None:
    text = rule(decision, conditions=when(op, value))
    assert decide(text, fields={"f": field}) == Outcome(
        decision=DECISIONS[decision],
        rule_id="r",
        display=read(text).rules[0].display,
        matched=({"field": "f", "op": f"unknown:{op}", "value": shown},),
    )


@pytest.mark.parametrize(("op", "value", "shown", "field"), UNKNOWABLE)
@pytest.mark.parametrize("decision", LAX)
def test_a_laxer_rule_does_not_match_what_it_cannot_compare(
    *, decision, op, value, shown, field, rule, when, decide, asks_anyone
) -> None:
    assert decide(rule(decision, conditions=when(op, value)), fields={"f": field}) == asks_anyone


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_missing_field_is_false_and_not_unknown(
    decision, rule, when, decide, asks_anyone
) -> None:
    for op, value, _, _ in UNKNOWABLE:
        assert decide(rule(decision, conditions=when(op, value))) == asks_anyone


@pytest.mark.parametrize("decision", DECISIONS)
@pytest.mark.parametrize("first", [True, False], ids=["unknown first", "false first"])
def test_a_false_condition_outweighs_an_unknown_one(
    *, decision, first, rule, when, decide, asks_anyone
) -> None:
    both = [when("gt", "5"), when("eq", "'no'", "g")]
    text = rule(decision, conditions=", ".join(both if first else both[::-1]))
    assert decide(text, fields={"f": "$6", "g": "yes"}) == asks_anyone


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_true_condition_leaves_an_unknown_one_to_the_decision(
    decision, rule, when, decide, asks_anyone
) -> None:
    text = rule(decision, conditions=when("eq", "'yes'", "g") + ", " + when("gt", "5"))
    outcome = decide(text, fields={"f": "$6", "g": "yes"})
    if decision in LAX:
        assert outcome == asks_anyone
    else:
        assert (outcome.decision, outcome.matched) == (
            DECISIONS[decision],
            (
                {"field": "g", "op": "eq", "value": "yes"},
                {"field": "f", "op": "unknown:gt", "value": 5},
            ),
        )


def test_a_rule_that_could_be_read_takes_over_from_a_laxer_one_that_could_not(
    rule, when, decide
) -> None:
    lax = rule("allow", id='"small"', conditions=when("lt", "100"))
    strict = rule("block", id='"rest"', order="2")
    assert decide(lax + strict, fields={"f": 5}).rule_id == "small"
    assert decide(lax + strict, fields={"f": "5 "}).rule_id == "rest"


def test_a_known_condition_is_recorded_under_its_plain_name(rule, when, decide) -> None:
    outcome = decide(rule(conditions=when("gt", "5")), fields={"f": 6})
    assert outcome.matched == ({"field": "f", "op": "gt", "value": 5},)
