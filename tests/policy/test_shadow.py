"""Shadow rules: recorded as what would have happened, and nothing happens."""

import pytest

from heso.policy.model import Allow, Block


def _would(rule_id: str, decision: str) -> dict[str, object]:
    return {
        "field": "policy.shadow",
        "op": "would",
        "value": {"rule_id": rule_id, "decision": decision},
    }


@pytest.mark.parametrize("decision", ["allow", "redact", "require_approval"])
def test_a_shadow_rule_is_recorded_and_the_next_rule_decides(decision, rule, decide) -> None:
    text = rule(decision, id='"s"', mode="'shadow'", redact="['secret']") + rule("block", order="2")
    outcome = decide(text)
    assert (outcome.decision, outcome.rule_id, outcome.redact) == (Block(), "r", ())
    assert outcome.matched == (_would("s", decision),)


def test_a_shadow_rule_that_would_have_decided_alone_leaves_the_default(
    rule, decide, asks_anyone
) -> None:
    outcome = decide(rule("block", mode="'shadow'"))
    assert (outcome.decision, outcome.rule_id) == (asks_anyone.decision, asks_anyone.rule_id)
    assert outcome.matched == (_would("r", "block"),)


def test_shadow_records_come_after_the_conditions_of_the_rule_that_decided(
    rule, when, decide
) -> None:
    text = (
        rule("block", id='"s1"', mode="'shadow'")
        + rule("block", id='"s2"', mode="'shadow'", order="2", conditions=when("gt", "100"))
        + rule(
            "require_approval", id='"s3"', mode="'shadow'", order="3", conditions=when("gt", "1")
        )
        + rule("allow", id='"last"', order="4", conditions=when("lt", "10"))
    )
    outcome = decide(text, fields={"f": 5})
    assert (outcome.decision, outcome.rule_id) == (Allow(), "last")
    assert outcome.matched[0] == {"field": "f", "op": "lt", "value": 10}
    assert _would("s1", "block") in outcome.matched
    assert "s2" not in str(outcome.matched)


def test_a_shadow_rule_after_the_one_that_decides_is_never_asked(rule, decide) -> None:
    outcome = decide(rule("block") + rule("allow", id='"s"', order="2", mode="'shadow'"))
    assert (outcome.decision, outcome.matched) == (Block(), ())


def test_enforce_is_what_a_rule_does_without_a_mode(rule, read) -> None:
    assert read(rule()).rules == read(rule(mode="'enforce'")).rules


@pytest.mark.parametrize("verb", ["delete", "account_change", "payment", "data_export"])
@pytest.mark.parametrize("decision", ["allow", "redact"])
def test_a_shadow_rule_is_never_said_to_let_a_floored_verb_through(
    decision, verb, rule, decide
) -> None:
    outcome = decide(rule(decision, mode="'shadow'") + rule("block", id='"b"', order="2"), verb)
    said = [record["value"]["decision"] for record in outcome.matched]
    assert decision not in said


@pytest.mark.parametrize("decision", ["allow", "redact", "require_approval", "block"])
def test_a_shadow_rule_that_may_match_is_recorded_when_it_is_strict_and_never_decides(
    decision, rule, when, decide
) -> None:
    text = rule(decision, id='"s"', mode="'shadow'", conditions=when("gt", "5"), redact="['x']")
    text += rule("allow", id='"last"', order="2", redact="['y']")
    outcome = decide(text, fields={"f": "$6"})
    recorded = (_would("s", decision),) if decision in ("block", "require_approval") else ()
    assert (outcome.decision, outcome.rule_id) == (Allow(), "last")
    assert (outcome.matched, outcome.redact) == (recorded, ("y",))


@pytest.mark.parametrize("decision", ["block", "require_approval"])
def test_a_shadow_rule_whose_host_is_none_is_recorded_when_it_is_strict(
    decision, rule, decide
) -> None:
    text = rule(decision, mode="'shadow'", scope="'stripe.com'") + rule(
        "allow", id='"last"', order="2"
    )
    outcome = decide(text, target_host="a/b")
    assert (outcome.rule_id, outcome.matched) == ("last", (_would("r", decision),))


def test_shadow_records_stay_with_a_remembered_question(rule, when, decide) -> None:
    maybe = when("gt", "5")
    text = (
        rule("block", id='"s1"', mode="'shadow'", conditions=maybe)
        + rule("require_approval", id='"asked"', order="2", conditions=maybe)
        + rule("allow", id='"s2"', order="3", mode="'shadow'")
        + rule("allow", id='"last"', order="4", conditions=when("exists", "true"))
    )
    outcome = decide(text, fields={"f": "$6"})
    assert outcome.rule_id == "asked"
    assert outcome.matched == (
        {"field": "f", "op": "unknown:gt", "value": 5},
        _would("s1", "block"),
        _would("s2", "allow"),
    )


@pytest.mark.parametrize("verb", ["delete", "account_change", "payment", "data_export"])
@pytest.mark.parametrize("decision", ["allow", "redact", "block", "require_approval"])
def test_a_shadow_rule_is_recorded_with_what_it_would_have_led_to_at_the_floor(
    decision, verb, rule, decide
) -> None:
    outcome = decide(rule(decision, mode="'shadow'") + rule("block", id='"b"', order="2"), verb)
    led_to = "block" if decision == "block" else "require_approval"
    assert outcome.matched == (_would("r", led_to),)


def test_a_shadow_rule_says_in_its_sentence_that_it_is_not_enforced(rule, read) -> None:
    assert read(rule(mode="'shadow'")).rules[0].display == (
        "When any agent does anything, then block it (recorded only, not enforced)."
    )
