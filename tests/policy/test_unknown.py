"""A value that cannot be compared makes a call stricter, never laxer, and the receipt says which one it was.

Where a rule may or may not match: `block` decides; `require_approval` stands unless a later rule blocks; `redact`
hides whatever decides; `allow` does not match.
"""

from dataclasses import replace

import pytest

from heso.policy.model import Allow, ApprovalTerms, Block, Outcome, Redact, RequireApproval

DECISIONS = {
    "allow": Allow(),
    "redact": Redact(),
    "block": Block(),
    "require_approval": RequireApproval(ApprovalTerms()),
}
HIDES = {"allow": (), "redact": ("secret",)}
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
def test_a_laxer_rule_does_not_decide_what_it_cannot_compare(
    *, decision, op, value, shown, field, rule, when, decide, asks_anyone
) -> None:
    outcome = decide(rule(decision, conditions=when(op, value)), fields={"f": field})
    assert outcome == replace(asks_anyone, redact=HIDES[decision])


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
        assert outcome == replace(asks_anyone, redact=HIDES[decision])
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


@pytest.fixture
def decide_pair(rule, when, decide):
    """The outcome of rule `a`, which may or may not match, before rule `b`, which does; each hides its own."""

    def outcome(first: str, later: str, *, doubt: str = "condition", **changes: object) -> Outcome:
        unsure = {"scope": "'stripe.com'"} if doubt == "host" else {"conditions": when("gt", "5")}
        text = rule(first, **{"id": "'a'", "redact": "['x']", **unsure})
        text += rule(later, id="'b'", order="2", redact="['y']", **changes)
        return decide(text, fields={"f": "$6"}, target_host="evil.com/.stripe.com")

    return outcome


DOUBTS = ["condition", "host"]
PAIRS = [  # the rule that may match, the later one that does, whose decision stands, what is hidden
    ("block", "allow", "a", ("x",)),
    ("block", "redact", "a", ("x",)),
    ("block", "require_approval", "a", ("x",)),
    ("block", "block", "a", ("x",)),
    ("require_approval", "allow", "a", ("x", "y")),
    ("require_approval", "redact", "a", ("x", "y")),
    ("require_approval", "require_approval", "a", ("x", "y")),
    ("require_approval", "block", "b", ("y", "x")),
    ("redact", "allow", "b", ("y", "x")),
    ("redact", "redact", "b", ("y", "x")),
    ("redact", "require_approval", "b", ("y", "x")),
    ("redact", "block", "b", ("y", "x")),
    ("allow", "allow", "b", ("y", "x")),
    ("allow", "redact", "b", ("y", "x")),
    ("allow", "require_approval", "b", ("y", "x")),
    ("allow", "block", "b", ("y", "x")),
]


@pytest.mark.parametrize(("first", "later", "stands", "hidden"), PAIRS)
@pytest.mark.parametrize("doubt", DOUBTS)
def test_of_a_rule_that_may_match_and_one_that_does_the_table_says_which_stands(
    *, doubt, first, later, stands, hidden, decide_pair
) -> None:
    outcome = decide_pair(first, later, doubt=doubt)
    decision = DECISIONS[first if stands == "a" else later]
    assert (outcome.rule_id, outcome.decision, outcome.redact) == (stands, decision, hidden)
    unsure = {"field": "f", "op": "unknown:gt", "value": 5}
    has_unsure = stands == "a" and doubt == "condition"
    assert outcome.matched == ((unsure,) if has_unsure else ())


def test_a_remembered_question_stands_where_nothing_else_matches(decide_pair, asks_anyone) -> None:
    outcome = decide_pair("require_approval", "block", verb="'delete'")
    assert (outcome.rule_id, outcome.redact) == ("a", ("x",))
    assert outcome.decision == asks_anyone.decision


@pytest.mark.parametrize("first", LAX)
def test_where_nothing_else_matches_a_person_decides_and_what_may_be_secret_is_hidden(
    first, decide_pair, asks_anyone
) -> None:
    outcome = decide_pair(first, "block", verb="'delete'")
    assert outcome == replace(asks_anyone, redact=("x",))


def test_the_first_of_two_remembered_questions_stands_with_its_own_terms(
    rule, when, decide
) -> None:
    maybe = when("gt", "5")
    text = (
        rule("require_approval", id="'a'", conditions=maybe, approvers="['ada']", redact="['x']")
        + rule("redact", id="'b'", order="2", conditions=maybe, redact="['y']")
        + rule("require_approval", id="'c'", order="3", conditions=maybe, approvers="['bo']")
        + rule("allow", id="'d'", order="4", redact="['z']")
        + rule("block", id="'e'", order="5")
    )
    outcome = decide(text, fields={"f": "$6"})
    assert outcome.rule_id == "a"
    assert outcome.decision == RequireApproval(ApprovalTerms(approvers=("ada",)))
    assert sorted(outcome.redact) == ["x", "y", "z"]
    assert outcome.redact[0] == "x"


def test_a_block_that_may_match_wins_over_a_remembered_question(rule, when, decide) -> None:
    maybe = when("gt", "5")
    text = rule("require_approval", id="'a'", conditions=maybe)
    text += rule("block", id="'b'", order="2", conditions=maybe)
    outcome = decide(text, fields={"f": "$6"})
    assert (outcome.rule_id, outcome.decision) == ("b", Block())


def test_a_block_behind_the_rule_that_decides_is_not_asked(rule, when, decide) -> None:
    """A question that stands is not answered by a rule that would never have been reached."""
    text = rule("require_approval", id="'a'", conditions=when("gt", "5"))
    text += rule("allow", id="'b'", order="2") + rule("block", id="'c'", order="3")
    assert decide(text, fields={"f": "$6"}).rule_id == "a"


@pytest.mark.parametrize("decision", DECISIONS)
def test_a_false_condition_or_another_subject_outweighs_an_unknown_host(
    decision, rule, when, decide, asks_anyone
) -> None:
    for changes in (
        {"conditions": when("eq", "'no'", "g")},
        {"subject": "{ kind = 'account', value = 'other' }"},
        {"verb": "'http_request'"},
    ):
        text = rule(decision, scope="'stripe.com'", **changes)
        assert decide(text, target_host="a/b", fields={"g": "yes"}) == asks_anyone


@pytest.mark.parametrize("field", ["$6", ["6"], {"x": 6}, None, True, 6])
def test_equality_and_membership_are_never_unknown(field, truth) -> None:
    for op, value in (("eq", "5"), ("neq", "5"), ("in", "[5]"), ("not_in", "[5]")):
        assert truth(op, value, field) is (op in ("neq", "not_in"))


@pytest.mark.parametrize("verb", ["delete", "account_change", "payment", "data_export"])
def test_a_question_that_may_be_asked_stands_before_a_floor(verb, rule, when, decide) -> None:
    text = rule("require_approval", id="'a'", conditions=when("gt", "5"), approvers="['cfo']")
    text += rule("redact", id="'b'", order="2")
    outcome = decide(text, verb, fields={"f": "$6"})
    assert (outcome.rule_id, outcome.redact) == ("a", ("secret",))
    assert outcome.decision == RequireApproval(ApprovalTerms(approvers=("cfo",)))
