"""What changed between two policies, rule by rule."""

import pytest

from heso.policy.diff import RuleChange, diff_policies


@pytest.fixture
def changes(read):
    def diff(old: str, new: str) -> list[tuple[str, str]]:
        return [(c.rule, c.change) for c in diff_policies(read(old), read(new))]

    return diff


def test_a_policy_does_not_differ_from_itself(rule, when, changes) -> None:
    text = rule(conditions=when("gt", "5")) + rule("allow", id="'x'", order="2")
    assert changes(text, text) == []
    assert changes(text, "# a comment\n" + text) == []


def test_changes_carry_both_sides_in_the_order_of_the_newer_policy(rule, read) -> None:
    old = read(rule(id="'gone'"), rule(id="'same'", order="2"), rule(id="'other'", order="3"))
    new = read(
        rule(id="'new'"), rule(id="'same'", order="2"), rule("allow", id="'other'", order="3")
    )
    assert diff_policies(old, new) == (
        RuleChange("new", "added", None, new.rules[0]),
        RuleChange("other", "changed", old.rules[2], new.rules[2]),
        RuleChange("gone", "removed", old.rules[0], None),
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"verb": "'payment'"}),
        ({}, {"scope": "'stripe.com'"}),
        ({}, {"subject": "{ kind = 'account', value = 'x' }"}),
        ({}, {"mode": "'shadow'"}),
        ({}, {"redact": "['a']"}),
        ({"redact": "['a']"}, {"redact": "['b']"}),
        ({}, {"conditions": "{ field = 'f', op = 'exists' }"}),
        (
            {"conditions": "{ field = 'f', op = 'gt', value = 5, display = 'd' }"},
            {"conditions": "{ field = 'f', op = 'gt', value = 500, display = 'd' }"},
        ),
        (
            {"conditions": "{ field = 'f', op = 'eq', value = 1, display = 'd' }"},
            {"conditions": "{ field = 'f', op = 'eq', value = true, display = 'd' }"},
        ),
        ({"redact": "['a and b']"}, {"redact": "['a', 'b']"}),
    ],
)
def test_a_rule_that_says_something_else_is_changed(before, after, rule, changes) -> None:
    assert changes(rule(**before), rule(**after)) == [("r", "changed")]
    assert changes(rule(**before), rule(**{**after, "order": "9"})) == [("r", "changed")]


@pytest.mark.parametrize(
    "terms",
    [
        {"approvers": "['a']"},
        {"threshold": "2"},
        {"sla_minutes": "5"},
        {"sla_minutes": "5", "on_timeout": "'escalate'", "escalate_to": "['a']"},
    ],
)
def test_other_terms_of_approval_are_a_change(terms, rule, changes) -> None:
    old, new = rule("require_approval"), rule("require_approval", **terms)
    assert changes(old, new) == [("r", "changed")]


def test_a_rule_that_only_moved_is_reordered(rule, changes) -> None:
    assert changes(rule(), rule(order="2")) == [("r", "reordered")]


def test_rules_that_swap_places_under_one_order_are_reordered(rule, changes, decide) -> None:
    block, allow = rule("block", id="'no'"), rule("allow", id="'yes'")
    assert [decide(block + allow).rule_id, decide(allow + block).rule_id] == ["no", "yes"]
    assert changes(block + allow, allow + block) != []


def test_a_disabled_rule_counts_as_absent(rule, changes) -> None:
    assert changes(rule(), rule(enabled="false")) == [("r", "removed")]
    assert changes(rule(enabled="false"), rule()) == [("r", "added")]
    assert changes(rule(enabled="false"), "") == []
