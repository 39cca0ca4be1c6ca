"""Why: every rule that was asked, which condition said what, and why the others did not decide."""

from heso.policy.evaluate import decision_path, explain_action
from heso.policy.model import Allow, ApprovalTerms, Block, Redact, RequireApproval


def _told(policy, action) -> list[tuple[str, str, list[bool | None]]]:
    return [
        (t.rule.id, t.why_not, [truth for _, truth in t.truths])
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
        ("verb", "it is about payment", []),
        ("workflow", "it is about the workflow x", []),
        ("account", "it is about the account y", []),
        ("scope", "it is about stripe.com", []),
        ("condition", "a condition does not hold", [False, False]),
        ("shadow", "", [True]),
        ("lax", "a condition does not hold", [None]),
        ("decides", "", [None, True]),
    ]


def test_where_no_rule_decides_every_rule_says_why_not(read, rule, when, act) -> None:
    policy = read(
        rule(id="'a'", verb="'delete'"), rule(id="'b'", conditions=when("exists", "true"))
    )
    assert _told(policy, act()) == [
        ("a", "it is about delete", []),
        ("b", "a condition does not hold", [False]),
    ]


def test_a_rule_held_at_its_floor_is_the_last_one_asked(read, rule, act) -> None:
    policy = read(rule("allow"), rule("block", id="'x'", order="2"))
    assert _told(policy, act("delete")) == [("r", "", [])]


def test_every_decision_has_its_word_on_the_wire() -> None:
    decisions = [Allow(), Redact(), Block(), RequireApproval(ApprovalTerms())]
    assert [str(decision_path(d)) for d in decisions] == [
        "allow",
        "redact",
        "block",
        "require_approval",
    ]
