"""What is legal and still probably not meant: rules that never decide, approvers nobody knows."""

import base64

import pytest

from heso.core.receipt import Verb
from heso.policy.evaluate import evaluate_action
from heso.policy.lint import Finding, lint_policy, verbs_without_rule

ASKED_FIRST = "never decides: 'a' is asked first and matches everything it does"
PEOPLE = "".join(
    f"[[approver]]\nid = '{name}'\nroles = ['{role}']\nkeys = ['{base64.b64encode(bytes([n]) * 32).decode()}']\n"
    for n, (name, role) in enumerate([("ada", "finance"), ("bo", "finance"), ("cy", "legal")])
)


@pytest.fixture
def lint_pair(read, rule):
    """What lint says about rule `b` behind rule `a`; each is (decision, changes)."""

    def lint(first, later):
        a, b = (
            rule(d, **{"id": f"'{n}'", **c}) for n, (d, c) in zip("ab", (first, later), strict=True)
        )
        return list(lint_policy(read(PEOPLE, a, b)))

    return lint


NARROW = {"conditions": "{ field = 'f', op = 'eq', value = 5 }"}
NARROWER = {"conditions": NARROW["conditions"] + ", { field = 'g', op = 'exists' }"}


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ({}, {}),
        ({}, {"verb": "'payment'"}),
        ({}, {"scope": "'stripe.com'"}),
        ({}, {"subject": "{ kind = 'account', value = 'x' }"}),
        ({}, NARROW),
        ({"verb": "'payment'"}, {"verb": "'payment'"}),
        ({"scope": "'stripe.com'"}, {"scope": "'api.stripe.com'"}),
        ({"scope": "'*.stripe.com'"}, {"scope": "'STRIPE.com:443'"}),
        (NARROW, NARROW),
        (NARROW, NARROWER),
        (
            {"subject": "{ kind = 'account', value = 'x' }"},
            {"subject": "{ kind = 'account', value = 'x' }"},
        ),
    ],
)
def test_a_rule_behind_one_that_matches_all_it_does_never_decides(first, later, lint_pair) -> None:
    assert lint_pair(("block", first), ("block", later)) == [
        Finding("b", ASKED_FIRST, is_error=False)
    ]


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ({"verb": "'payment'"}, {}),
        ({"verb": "'payment'"}, {"verb": "'delete'"}),
        ({"scope": "'stripe.com'"}, {}),
        ({"scope": "'api.stripe.com'"}, {"scope": "'stripe.com'"}),
        ({"scope": "'stripe.com'"}, {"scope": "'evilstripe.com'"}),
        ({"subject": "{ kind = 'account', value = 'x' }"}, {}),
        (
            {"subject": "{ kind = 'account', value = 'x' }"},
            {"subject": "{ kind = 'workflow', value = 'x' }"},
        ),
        (NARROW, {}),
        (NARROWER, NARROW),
        (NARROW, {"conditions": "{ field = 'f', op = 'eq', value = 6 }"}),
        ({"mode": "'shadow'"}, {}),
        ({"enabled": "false"}, {}),
        ({"order": "2"}, {"verb": "'payment'"}),
        (
            {"conditions": "{ field = 'f', op = 'eq', value = 1 }"},
            {"conditions": "{ field = 'f', op = 'eq', value = true }"},
        ),
    ],
)
def test_a_rule_that_may_still_decide_is_not_reported(first, later, lint_pair) -> None:
    assert lint_pair(("block", first), ("block", later)) == []


UNDER_DOUBT = [  # the first rule, the later one, whether the later one never decides
    ("allow", "allow", True),
    ("allow", "block", False),
    ("redact", "block", False),
    ("block", "allow", True),
    ("block", "block", True),
    ("require_approval", "block", False),  # what may match is remembered, and a block then wins
    ("require_approval", "require_approval", True),
    ("require_approval", "allow", True),
    ("require_approval", "redact", True),
    ("redact", "allow", True),
    ("redact", "redact", True),
    ("redact", "require_approval", False),
    ("allow", "require_approval", False),
    ("allow", "redact", True),
]


@pytest.mark.parametrize(("first", "later", "reported"), UNDER_DOUBT)
def test_an_unknown_condition_may_pass_a_laxer_rule_and_stop_at_a_stricter_one(
    first, later, reported, lint_pair
) -> None:
    expected = [Finding("b", ASKED_FIRST, is_error=False)] if reported else []
    maybe = {"conditions": "{ field = 'f', op = 'gt', value = 5 }"}
    assert lint_pair((first, maybe), (later, maybe)) == expected


@pytest.mark.parametrize(("first", "later", "reported"), UNDER_DOUBT)
def test_a_host_that_is_none_may_pass_a_laxer_rule_and_stop_at_a_stricter_one(
    first, later, reported, lint_pair
) -> None:
    """A scope other than `*` is unknown for text that is no host, as a condition may be."""
    expected = [Finding("b", ASKED_FIRST, is_error=False)] if reported else []
    scoped = {"scope": "'stripe.com'"}
    assert lint_pair((first, scoped), (later, scoped)) == expected
    below = {"scope": "'api.stripe.com'"}
    assert lint_pair((first, scoped), (later, below)) == expected


@pytest.mark.parametrize(("first", "later", "reported"), UNDER_DOUBT)
def test_what_lint_says_never_decides_does_not_and_what_it_leaves_out_does(
    first, later, reported, *, read, rule, when, act
) -> None:
    for changes, action in (
        ({"conditions": when("gt", "5")}, act(fields={"f": "$6"})),
        ({"scope": "'stripe.com'"}, act(target_host="evil.com/.stripe.com")),
    ):
        policy = read(rule(first, id="'a'", **changes), rule(later, id="'b'", **changes))
        assert (evaluate_action(action, policy).rule_id == "b") is not reported


def test_a_rule_about_everything_leaves_no_doubt(lint_pair) -> None:
    for first in ("allow", "redact", "require_approval", "block"):
        scoped = {"scope": "'stripe.com'"}
        assert lint_pair((first, {}), ("block", scoped)) == [
            Finding("b", ASKED_FIRST, is_error=False)
        ]


@pytest.mark.parametrize(
    ("terms", "says", "is_error"),
    [
        (
            {"approvers": "['finanse']"},
            "'finanse' is neither a person nor a role of the roster",
            True,
        ),
        ({"approvers": "['Ada']"}, "'Ada' is neither a person nor a role of the roster", True),
        (
            {"on_timeout": "'escalate'", "escalate_to": "['cfo']", "sla_minutes": "5"},
            "'cfo' is neither a person nor a role of the roster",
            True,
        ),
        (
            {"approvers": "['finance']", "threshold": "3"},
            "asks 3 to approve, and 2 on the roster may; add an [[approver]]",
            True,
        ),
        (
            {"approvers": "['ada', 'finance']", "threshold": "3"},
            "asks 3 to approve, and 2 on the roster may; add an [[approver]]",
            True,
        ),
        (
            {"threshold": "4"},
            "asks 4 to approve, and 3 on the roster may; add an [[approver]]",
            False,
        ),
    ],
)
def test_a_question_that_nobody_can_answer_is_reported(terms, says, is_error, read, rule) -> None:
    policy = read(PEOPLE, rule("require_approval", **terms))
    assert lint_policy(policy) == (Finding("r", says, is_error=is_error),)


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"threshold": "3"},
        {"approvers": "['ada']"},
        {"approvers": "['finance']", "threshold": "2"},
        {"approvers": "['finance', 'legal']", "threshold": "3"},
        {"on_timeout": "'escalate'", "escalate_to": "['legal', 'bo']", "sla_minutes": "5"},
    ],
)
def test_a_question_that_enough_people_can_answer_is_fine(terms, read, rule) -> None:
    assert lint_policy(read(PEOPLE, rule("require_approval", **terms))) == ()


def test_every_unknown_name_is_reported(read, rule) -> None:
    policy = read(PEOPLE, rule("require_approval", approvers="['x', 'ada', 'y']"))
    assert [f.says.split()[0] for f in lint_policy(policy)] == ["'x'", "'y'"]


def test_verbs_that_no_rule_is_about_are_told(read, rule) -> None:
    assert verbs_without_rule(read("")) == tuple(Verb)
    assert verbs_without_rule(read(rule())) == ()
    left = verbs_without_rule(read(rule(verb="'payment'"), rule(id="'x'", enabled="false")))
    assert left == tuple(verb for verb in Verb if verb is not Verb.PAYMENT)
