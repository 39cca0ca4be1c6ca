"""Floors at load: every verb, decision and operator; a rule that breaks its verb's floor is refused."""

import pytest

from heso.policy.errors import FloorBypass

CONDITIONS = {
    "gt": "5",
    "gte": "5",
    "lt": "5",
    "lte": "5",
    "eq": "5",
    "neq": "5",
    "in": "[5]",
    "not_in": "[5]",
    "exists": "true",
    "contains": "'x'",
    "matches": "'x'",
    "regex": "'x'",
}
BOUNDING = ("lt", "lte", "eq", "in")
ALWAYS_ASK = ("delete", "account_change")
BOUND_OR_ASK = ("payment", "data_export")
FREE = ("any", "llm_call", "tool_call", "http_request")
PASSING = ("allow", "redact")
STOPPING = ("block", "require_approval")


def _refused(read, text) -> FloorBypass | None:
    try:
        read(text)
    except FloorBypass as error:
        return error
    return None


@pytest.mark.parametrize("op", [None, *CONDITIONS])
@pytest.mark.parametrize("verb", [*ALWAYS_ASK, *BOUND_OR_ASK, *FREE])
@pytest.mark.parametrize("decision", [*PASSING, *STOPPING])
def test_a_rule_loads_exactly_when_it_keeps_its_verbs_floor(
    *, decision, verb, op, read, rule, when
) -> None:
    conditions = when(op, CONDITIONS[op]) if op else ""
    breaks = decision in PASSING and (
        verb in ALWAYS_ASK or (verb in BOUND_OR_ASK and op not in BOUNDING)
    )
    refused = _refused(read, rule(decision, verb=f'"{verb}"', conditions=conditions))
    assert (refused is not None) is breaks


@pytest.mark.parametrize("decision", PASSING)
@pytest.mark.parametrize("verb", ALWAYS_ASK)
def test_the_refusal_of_a_delete_says_what_would_be_accepted(
    decision, verb, read, rule, when
) -> None:
    refused = _refused(read, rule(decision, verb=f'"{verb}"', conditions=when("lte", "5")))
    assert (refused.code, refused.file, refused.rule, refused.key, refused.verb) == (
        "FLOOR_BYPASS",
        "heso.toml",
        "r",
        "decision",
        verb,
    )
    assert str(refused) == (
        "[FLOOR_BYPASS] heso.toml, rule 'r', key `decision`: "
        f"a {verb} always needs a person; use require_approval or block"
    )


@pytest.mark.parametrize("decision", PASSING)
@pytest.mark.parametrize("verb", BOUND_OR_ASK)
def test_the_refusal_of_an_unbounded_payment_says_what_would_be_accepted(
    decision, verb, read, rule, when
) -> None:
    refused = _refused(read, rule(decision, verb=f'"{verb}"', conditions=when("gt", "5")))
    assert (refused.code, refused.rule, refused.verb) == ("FLOOR_BYPASS", "r", verb)
    assert str(refused) == (
        "[FLOOR_BYPASS] heso.toml, rule 'r', key `decision`: "
        f"a {verb} passes without a person only by a rule for `{verb}` with a bounding condition (eq, in, lt, lte) "
        "on an argument; add one, or use require_approval or block"
    )


@pytest.mark.parametrize("name", ["verb", "tool_name", "target_host", "workflow", "account"])
@pytest.mark.parametrize("verb", BOUND_OR_ASK)
def test_a_condition_on_a_reserved_name_bounds_nothing(verb, name, read, rule, when) -> None:
    text = rule("allow", verb=f'"{verb}"', conditions=when("eq", "'x'", name))
    assert _refused(read, text) is not None


def test_one_bounding_condition_among_others_is_enough(read, rule, when) -> None:
    both = when("matches", "'*'", "memo") + ", " + when("lte", "5", "amount")
    assert _refused(read, rule("allow", verb='"payment"', conditions=both)) is None


def test_a_shadow_rule_keeps_the_floor_too(read, rule) -> None:
    assert _refused(read, rule("allow", verb='"delete"', mode='"shadow"')) is not None


def test_the_first_breach_is_named_among_good_rules(read, rule) -> None:
    good = rule("block", id='"good"')
    bad = rule("allow", id='"bad"', verb='"delete"', order="2")
    refused = _refused(read, good + bad)
    assert (refused.rule, refused.verb) == ("bad", "delete")
