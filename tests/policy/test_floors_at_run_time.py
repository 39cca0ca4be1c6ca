"""Floors at run time: a rule for any verb blocks and asks, and never lets a floored verb through."""

import pytest

from heso.policy.model import Allow, ApprovalTerms, Block, Outcome, Redact, RequireApproval

DECISIONS = {
    "allow": Allow(),
    "redact": Redact(),
    "block": Block(),
    "require_approval": RequireApproval(ApprovalTerms()),
}
FLOORED = ("delete", "account_change", "payment", "data_export")
FREE = ("llm_call", "tool_call", "http_request")
HOLDING = {  # op: (the rule's value, a field it holds for)
    "gt": ("5", 6),
    "gte": ("5", 5),
    "lt": ("5", 4),
    "lte": ("5", 5),
    "eq": ("5", 5),
    "neq": ("5", 6),
    "in": ("[5]", 5),
    "not_in": ("[5]", 6),
    "exists": ("true", 5),
    "contains": ("'x'", "x"),
    "matches": ("'x'", "x"),
    "regex": ("'x'", "x"),
}


@pytest.mark.parametrize("op", [None, *HOLDING])
@pytest.mark.parametrize("verb", [*FLOORED, *FREE])
@pytest.mark.parametrize("decision", DECISIONS)
def test_a_rule_for_any_verb_never_lets_a_floored_verb_through(
    *, decision, verb, op, rule, when, decide
) -> None:
    value, field = HOLDING[op] if op else ("", 0)
    text = rule(decision, conditions=when(op, value) if op else "")
    outcome = decide(text, verb, fields={"f": field})
    if decision in ("allow", "redact") and verb in FLOORED:
        expected = (DECISIONS["require_approval"], f"policy.floor.{verb}")
    else:
        expected = (DECISIONS[decision], "r")
    assert (outcome.decision, outcome.rule_id) == expected


@pytest.mark.parametrize("op", ["lt", "lte", "eq", "in"])
@pytest.mark.parametrize("verb", ["payment", "data_export"])
@pytest.mark.parametrize("decision", ["allow", "redact"])
def test_a_bounded_rule_for_the_verb_itself_lets_it_through(
    *, decision, verb, op, rule, when, decide
) -> None:
    value, field = HOLDING[op]
    text = rule(decision, verb=f'"{verb}"', conditions=when(op, value))
    outcome = decide(text, verb, fields={"f": field})
    assert (outcome.decision, outcome.rule_id) == (DECISIONS[decision], "r")


@pytest.mark.parametrize("field", [6, "$4", "", None, True, [4], {"f": 4}])
@pytest.mark.parametrize("verb", ["payment", "data_export"])
def test_what_is_out_of_bounds_or_unreadable_goes_to_a_person(
    *, verb, field, rule, when, decide, asks_anyone
) -> None:
    text = rule("allow", verb=f'"{verb}"', conditions=when("lt", "5"))
    assert decide(text, verb, fields={"f": field}) == asks_anyone
    assert decide(text, verb, fields={}) == asks_anyone


def test_the_outcome_of_a_floor_tells_the_whole_story(rule, when, decide) -> None:
    text = rule("redact", conditions=when("eq", "5"))
    assert decide(text, "delete", fields={"f": 5}) == Outcome(
        decision=RequireApproval(ApprovalTerms()),
        rule_id="policy.floor.delete",
        display=(
            "The rule 'r' would let this through, but a delete always needs a person; "
            "use require_approval or block."
        ),
        matched=({"field": "f", "op": "eq", "value": 5},),
        redact=("secret",),
    )


@pytest.mark.parametrize("verb", FLOORED)
def test_a_block_passes_every_floor(verb, rule, decide) -> None:
    for about in ("any", verb):
        outcome = decide(rule("block", verb=f'"{about}"'), verb)
        assert (outcome.decision, outcome.rule_id) == (Block(), "r")


@pytest.mark.parametrize("verb", FLOORED)
def test_a_question_keeps_its_own_terms_at_the_floor(verb, rule, decide) -> None:
    terms = ApprovalTerms(approvers=("cfo",), threshold=2, sla_minutes=60)
    text = rule("require_approval", approvers='["cfo"]', threshold="2", sla_minutes="60")
    outcome = decide(text, verb)
    assert (outcome.decision, outcome.rule_id) == (RequireApproval(terms), "r")


@pytest.mark.parametrize("verb", [*FLOORED, *FREE])
@pytest.mark.parametrize("decision", ["allow", "redact"])
def test_a_rule_that_demands_a_trusted_time_is_never_answered_without_one(
    *, decision, verb, rule, decide
) -> None:
    """What people approve carries none, so a floor cannot ask them."""
    outcome = decide(rule(decision, anchor_policy="'required'"), verb)
    expected = (Block(), f"policy.floor.{verb}") if verb in FLOORED else (DECISIONS[decision], "r")
    assert (outcome.decision, outcome.rule_id) == expected
    assert outcome.needs_anchor
    assert ("carries no trusted time" in outcome.display) is (verb in FLOORED)
