"""What changed between two policies, rule by rule."""

import base64

import pytest

from heso.policy.diff import Change, diff_policies


@pytest.fixture
def changes(read):
    def diff(old: str, new: str) -> list[tuple[str, str]]:
        return [(c.what, c.kind) for c in diff_policies(read(old), read(new))]

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
    blocks, allows = (
        f"When any agent does anything, then {verb} it. (order {{}})" for verb in ("block", "allow")
    )
    assert diff_policies(old, new) == (
        Change("new", "added", "", blocks.format(1)),
        Change("other", "changed", blocks.format(3), allows.format(3)),
        Change("gone", "removed", blocks.format(1), ""),
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
    a, b, c = (rule(id=f"'{name}'", order=order) for name, order in zip("abc", "246", strict=True))
    moved = rule(id="'a'", order="5")
    assert changes(a + b, moved + b) == [("b", "reordered"), ("a", "reordered")]
    assert ("a", "reordered") in changes(a + b + c, moved + b + c)
    assert ("c", "reordered") not in changes(a + b + c, moved + b + c)


def test_a_reordered_rule_shows_both_of_its_orders(rule, read) -> None:
    old = read(rule(id="'a'", order="1"), rule(id="'b'", order="2"))
    new = read(rule(id="'a'", order="3"), rule(id="'b'", order="2"))
    says = "When any agent does anything, then block it. (order {})"
    assert diff_policies(old, new) == (
        Change("b", "reordered", says.format(2), says.format(2)),
        Change("a", "reordered", says.format(1), says.format(3)),
    )


def test_other_numbers_that_keep_the_order_are_no_change(rule, changes) -> None:
    """Only who is asked before whom decides anything."""
    a, b = rule(id="'a'", order="1"), rule(id="'b'", order="2")
    assert changes(rule(), rule(order="2")) == []
    assert changes(a + b, rule(id="'a'", order="10") + rule(id="'b'", order="20")) == []
    assert changes(a + b, b + a) == []


def test_a_rule_put_in_or_taken_out_moves_no_other(rule, changes) -> None:
    a, b = rule(id="'a'", order="1"), rule(id="'b'", order="3")
    between = rule(id="'x'", order="2")
    assert changes(a + b, a + between + b) == [("x", "added")]
    assert changes(a + between + b, a + b) == [("x", "removed")]
    assert changes(a + between + b, a + rule(id="'y'", order="2") + b) == [
        ("y", "added"),
        ("x", "removed"),
    ]


def test_a_rule_that_changed_and_moved_is_changed(rule, changes) -> None:
    a, b = rule(id="'a'", order="1"), rule(id="'b'", order="2")
    assert changes(a + b, rule("allow", id="'a'", order="3") + b) == [
        ("b", "reordered"),
        ("a", "changed"),
    ]


def test_rules_that_swap_places_under_one_order_are_reordered(rule, changes, decide) -> None:
    block, allow = rule("block", id="'no'"), rule("allow", id="'yes'")
    assert [decide(block + allow).rule_id, decide(allow + block).rule_id] == ["no", "yes"]
    assert changes(block + allow, allow + block) == [("yes", "reordered"), ("no", "reordered")]


def test_a_disabled_rule_counts_as_absent(rule, changes) -> None:
    assert changes(rule(), rule(enabled="false")) == [("r", "removed")]
    assert changes(rule(enabled="false"), rule()) == [("r", "added")]
    assert changes(rule(enabled="false"), "") == []


KEY, OTHER = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def _person(name: str = "ada", *, roles: str = "['finance']", keys: str = KEY) -> str:
    return f"[[approver]]\nid = '{name}'\nroles = {roles}\nkeys = ['{keys}']\n"


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (
            "",
            _person(),
            Change("approver ada", "added", "", f"finance; keys {KEY}"),
        ),
        (
            _person(),
            "",
            Change("approver ada", "removed", f"finance; keys {KEY}", ""),
        ),
        (
            _person(),
            _person(keys=OTHER),
            Change("approver ada", "changed", f"finance; keys {KEY}", f"finance; keys {OTHER}"),
        ),
        (
            _person(),
            _person(roles="['finance', 'legal']"),
            Change(
                "approver ada", "changed", f"finance; keys {KEY}", f"finance, legal; keys {KEY}"
            ),
        ),
        (
            _person(),
            _person(roles="[]"),
            Change("approver ada", "changed", f"finance; keys {KEY}", f"no role; keys {KEY}"),
        ),
    ],
)
def test_a_person_who_came_left_or_changed_is_told(before, after, change, read) -> None:
    assert diff_policies(read(before), read(after)) == (change,)


def test_people_are_told_after_the_rules_and_never_as_reordered(read, rule) -> None:
    ada, bo = _person(), _person("bo", keys=OTHER)
    assert diff_policies(read(ada + bo), read(bo + ada)) == ()
    told = diff_policies(read(ada, rule()), read(rule(id="'x'"), bo.replace(OTHER, KEY)))
    assert [(c.what, c.kind) for c in told] == [
        ("x", "added"),
        ("r", "removed"),
        ("approver ada", "removed"),
        ("approver bo", "added"),
    ]


def test_a_rule_and_a_person_of_one_name_are_told_apart(read, rule) -> None:
    told = diff_policies(read(""), read(rule(id="'ada'"), _person()))
    assert [(c.what, c.kind) for c in told] == [("ada", "added"), ("approver ada", "added")]
