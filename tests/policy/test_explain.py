"""Why: every rule that was asked, which condition said what, and why the others did not decide."""

from heso.policy.evaluate import decision_path, evaluate_action, explain_action
from heso.policy.model import Allow, ApprovalTerms, Block, Redact, RequireApproval


def _told(policy, action) -> list[tuple[str, bool | None, str, list[bool | None]]]:
    return [
        (t.rule.id, t.truth, t.why_not, [truth for _, truth in t.truths])
        for t in explain_action(action, policy)
    ]


def test_every_rule_up_to_the_one_that_decides_says_why_not(read, rule, when, act) -> None:
    policy = read(
        rule(id="'verb'", verb="'payment'"),
        rule(id="'workflow'", order="2", subject="{ kind = 'workflow', value = 'x' }"),
        rule(id="'account'", order="3", subject="{ kind = 'account', value = 'y' }"),
        rule(id="'scope'", order="4", scope="'*.stripe.com'"),
        rule(id="'condition'", order="5", conditions=when("eq", "1") + ", " + when("gt", "5")),
        rule(id="'shadow'", order="6", mode="'shadow'", conditions=when("gt", "1")),
        rule("allow", id="'lax'", order="7", conditions=when("lt", "9", "g")),
        rule(id="'decides'", order="8", conditions=when("lt", "9", "g") + ", " + when("eq", "3")),
        rule(id="'never asked'", order="9"),
    )
    assert _told(policy, act(fields={"f": 3, "g": "?"})) == [
        ("verb", False, "it is about payment", []),
        ("workflow", False, "it is about the workflow x", []),
        ("account", False, "it is about the account y", []),
        ("scope", False, "it is about stripe.com", []),
        ("condition", False, "a condition does not hold", [False, False]),
        ("shadow", True, "", [True]),
        ("lax", None, "", [None]),
        ("decides", None, "", [None, True]),
    ]


def test_a_rule_that_may_match_is_told_as_such_and_only_a_block_ends_the_asking(
    read, rule, when, act
) -> None:
    maybe = when("gt", "5")
    policy = read(
        rule("allow", id="'allow'", conditions=maybe),
        rule("redact", id="'redact'", order="2", conditions=maybe),
        rule("require_approval", id="'ask'", order="3", conditions=maybe),
        rule("block", id="'shadow'", order="4", conditions=maybe, mode="'shadow'"),
        rule("block", id="'host'", order="5", scope="'stripe.com'"),
        rule("block", id="'never asked'", order="6"),
    )
    action = act(fields={"f": "$6"}, target_host="a/b")
    assert _told(policy, action) == [
        ("allow", None, "", [None]),
        ("redact", None, "", [None]),
        ("ask", None, "", [None]),
        ("shadow", None, "", [None]),
        ("host", None, "", []),
    ]
    assert evaluate_action(action, policy).rule_id == "host"


def test_a_question_that_may_be_asked_is_followed_by_what_could_overrule_it(
    read, rule, when, act
) -> None:
    policy = read(
        rule("require_approval", id="'ask'", conditions=when("gt", "5")),
        rule("allow", id="'allow'", order="2"),
        rule("block", id="'never asked'", order="3"),
    )
    action = act(fields={"f": "$6"})
    assert _told(policy, action) == [("ask", None, "", [None]), ("allow", True, "", [])]
    assert evaluate_action(action, policy).rule_id == "ask"


def test_a_false_condition_beside_an_unknown_one_does_not_hold(read, rule, when, act) -> None:
    policy = read(rule(conditions=when("gt", "5") + ", " + when("eq", "1", "g")))
    assert _told(policy, act(fields={"f": "?", "g": 2})) == [
        ("r", False, "a condition does not hold", [None, False])
    ]


def test_where_no_rule_decides_every_rule_says_why_not(read, rule, when, act) -> None:
    policy = read(
        rule(id="'a'", verb="'delete'"), rule(id="'b'", conditions=when("exists", "true"))
    )
    assert _told(policy, act()) == [
        ("a", False, "it is about delete", []),
        ("b", False, "a condition does not hold", [False]),
    ]


def test_a_rule_held_at_its_floor_is_the_last_one_asked(read, rule, act) -> None:
    policy = read(rule("allow"), rule("block", id="'x'", order="2"))
    assert _told(policy, act("delete")) == [("r", True, "", [])]


def test_every_decision_has_its_word_on_the_wire() -> None:
    decisions = [Allow(), Redact(), Block(), RequireApproval(ApprovalTerms())]
    assert [str(decision_path(d)) for d in decisions] == [
        "allow",
        "redact",
        "block",
        "require_approval",
    ]
