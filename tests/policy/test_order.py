"""Which rule decides: ascending order, ties by place in the file, only enabled ones, only about this subject."""

import itertools

import pytest

from heso.core.hashing import digest
from heso.policy.model import ApprovalTerms, Outcome, RequireApproval

DEFAULT = Outcome(
    decision=RequireApproval(ApprovalTerms()),
    rule_id="policy.default.deny_unknown",
    display="No rule is about this action, so a person decides.",
)


@pytest.mark.parametrize("places", list(itertools.permutations(range(3))))
def test_the_lowest_order_decides_wherever_it_stands_in_the_file(
    places, rule, decide, read
) -> None:
    rules = [rule(id=f'"r{n}"', order=str(n)) for n in (-7, 2, 10)]
    text = "".join(rules[place] for place in places)
    assert decide(text).rule_id == "r-7"
    assert [r.id for r in read(text).rules] == ["r-7", "r2", "r10"]


@pytest.mark.parametrize("decisions", list(itertools.permutations(["allow", "block", "redact"])))
def test_of_two_rules_with_one_order_the_first_in_the_file_decides(decisions, rule, decide) -> None:
    text = "".join(rule(name, id=f'"{name}"', order="5") for name in decisions)
    assert decide(text).rule_id == decisions[0]


def test_a_rule_with_a_false_condition_leaves_it_to_the_next(rule, when, decide) -> None:
    first = rule(id='"first"', conditions=when("eq", "1") + ", " + when("eq", "2", "g"))
    then = rule("allow", id='"then"', order="2")
    assert decide(first + then, fields={"f": 1, "g": 3}).rule_id == "then"
    assert decide(first + then, fields={"f": 1, "g": 2}).rule_id == "first"


def test_a_disabled_rule_decides_nothing_and_is_kept(rule, decide, read) -> None:
    text = rule(id='"off"', enabled="false") + rule("allow", id='"on"', order="2", enabled="true")
    assert decide(text).rule_id == "on"
    policy = read(text)
    assert ([r.id for r in policy.rules], [r.id for r in policy.disabled]) == (["on"], ["off"])


@pytest.mark.parametrize("text", ["", "# nothing\n", "[project]\nname = 'x'\n"])
def test_an_action_that_no_rule_is_about_goes_to_a_person(text, decide) -> None:
    assert decide(text) == DEFAULT


@pytest.mark.parametrize(
    "verb", ["llm_call", "tool_call", "http_request", "payment", "data_export"]
)
def test_a_rule_is_about_its_verb_and_no_other(verb, rule, decide) -> None:
    verbs = [
        "llm_call",
        "tool_call",
        "http_request",
        "payment",
        "data_export",
        "account_change",
        "delete",
    ]
    text = rule(verb=f'"{verb}"')
    assert [v for v in verbs if decide(text, v) != DEFAULT] == [verb]


@pytest.mark.parametrize(
    ("subject", "matches"),
    [
        ("{ kind = 'any' }", True),
        ("{ kind = 'workflow', value = 'billing' }", True),
        ("{ kind = 'workflow', value = 'Billing' }", False),
        ("{ kind = 'workflow', value = 'bill' }", False),
        ("{ kind = 'workflow', value = 'billing ' }", False),
        ("{ kind = 'workflow', value = '*' }", False),
        ("{ kind = 'workflow', value = 'ops' }", False),
        ("{ kind = 'account', value = 'ops' }", True),
        ("{ kind = 'account', value = 'OPS' }", False),
        ("{ kind = 'account', value = 'billing' }", False),
    ],
)
def test_a_subject_is_the_exact_workflow_or_account(subject, matches, rule, decide) -> None:
    assert (decide(rule(subject=subject)).rule_id == "r") is matches


def test_no_argument_can_pose_as_the_subject(rule, decide) -> None:
    text = rule(subject="{ kind = 'account', value = 'root' }")
    assert decide(text, fields={"account": "root", "workflow": "root"}) == DEFAULT


def test_a_policy_is_known_by_the_hash_of_its_exact_bytes(read, rule) -> None:
    text = rule()
    assert (read(text).hash, read(text).text) == (digest(text.encode()), text.encode())
    assert read(text).hash != read(text + "\n").hash


def test_an_outcome_carries_what_the_rule_says(rule, when, decide) -> None:
    text = rule(
        "require_approval",
        conditions=when("gt", "5000", "amount"),
        approvers="['finance-lead']",
        threshold="2",
        sla_minutes="60",
        on_timeout="'escalate'",
        escalate_to="['cfo']",
        redact="['card.number']",
    )
    assert decide(text, fields={"amount": "5000.01"}) == Outcome(
        decision=RequireApproval(
            ApprovalTerms(
                approvers=("finance-lead",),
                threshold=2,
                sla_minutes=60,
                on_timeout="escalate",
                escalate_to=("cfo",),
            )
        ),
        rule_id="r",
        display=(
            "When any agent does anything and amount is over 5000, then require approval from finance-lead "
            "by 2 people within 60 minutes, else escalate to cfo and redact card.number."
        ),
        matched=({"field": "amount", "op": "gt", "value": 5000},),
        redact=("card.number",),
    )
