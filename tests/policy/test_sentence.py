"""Every rule as one plain English sentence."""

import pytest

SENTENCES = [
    ({"decision": "allow"}, "When any agent does anything, then allow it."),
    ({"decision": "block"}, "When any agent does anything, then block it."),
    ({"decision": "redact"}, "When any agent does anything, then redact secret and allow it."),
    (
        {"decision": "redact", "redact": "['a', 'b.c', 'd']"},
        "When any agent does anything, then redact a, b.c and d and allow it.",
    ),
    ({"verb": "'llm_call'"}, "When any agent calls a model, then block it."),
    ({"verb": "'tool_call'"}, "When any agent calls a tool, then block it."),
    ({"verb": "'http_request'"}, "When any agent makes an HTTP request, then block it."),
    ({"verb": "'payment'"}, "When any agent pays, then block it."),
    ({"verb": "'data_export'"}, "When any agent exports data, then block it."),
    ({"verb": "'account_change'"}, "When any agent changes an account, then block it."),
    ({"verb": "'delete'"}, "When any agent deletes, then block it."),
    (
        {"subject": "{ kind = 'workflow', value = 'billing' }", "verb": "'payment'"},
        "When the workflow billing pays, then block it.",
    ),
    (
        {"subject": "{ kind = 'account', value = 'ops' }", "scope": "'Stripe.com:443'"},
        "When the account ops does anything on stripe.com, then block it.",
    ),
    (
        {"redact": "['card.number']"},
        "When any agent does anything, then block it and redact card.number.",
    ),
    (
        {"decision": "allow", "redact": "['a', 'b']"},
        "When any agent does anything, then allow it and redact a and b.",
    ),
    ({"decision": "require_approval"}, "When any agent does anything, then require approval."),
    (
        {"decision": "require_approval", "approvers": "['a', 'b', 'c']", "threshold": "2"},
        "When any agent does anything, then require approval from a, b or c by 2 people.",
    ),
    (
        {"decision": "require_approval", "sla_minutes": "1"},
        "When any agent does anything, then require approval within 1 minute.",
    ),
    (
        {
            "decision": "require_approval",
            "sla_minutes": "30",
            "on_timeout": "'escalate'",
            "escalate_to": "['cfo', 'ceo']",
        },
        "When any agent does anything, then require approval within 30 minutes, else escalate to cfo or ceo.",
    ),
]
CONDITIONS = [
    ("gt", "5", "f is over 5"),
    ("gte", "5.50", "f is at least 5.5"),
    ("lt", "-1", "f is under -1"),
    ("lte", "9007199254740991", "f is at most 9007199254740991"),
    ("lte", "9007199254740993", 'f is at most "9007199254740993"'),
    ("gt", "'5'", 'f is over "5"'),
    ("eq", "'5.0'", 'f is "5.0"'),
    ("eq", "'-1e5'", 'f is "-1e5"'),
    ("eq", "'true'", 'f is "true"'),
    ("neq", "'false'", 'f is not "false"'),
    ("eq", "'null'", 'f is "null"'),
    ("contains", "''", 'f contains ""'),
    ("eq", "'True'", "f is True"),
    ("eq", "'truely'", "f is truely"),
    ("eq", "'-x'", "f is -x"),
    ("eq", "true", "f is true"),
    ("neq", "'EUR'", "f is not EUR"),
    ("in", "['EUR', 5]", 'f is one of ["EUR",5]'),
    ("not_in", "[]", "f is none of []"),
    ("exists", "true", "f is given"),
    ("exists", "false", "f is not given"),
    ("contains", "'x'", "f contains x"),
    ("matches", "'*.pdf'", "f matches *.pdf"),
    ("regex", "'^a+$'", "f matches the pattern ^a+$"),
    ("eq", "{ a = [1] }", 'f is {"a":[1]}'),
]


@pytest.mark.parametrize(("keys", "sentence"), SENTENCES)
def test_a_rule_reads_as_a_sentence(keys, sentence, read, rule) -> None:
    changes = dict(keys)
    assert read(rule(changes.pop("decision", "block"), **changes)).rules[0].display == sentence


@pytest.mark.parametrize(("op", "value", "phrase"), CONDITIONS)
def test_a_condition_reads_as_a_phrase(op, value, phrase, *, read, rule, when) -> None:
    display = read(rule(conditions=when(op, value))).rules[0].display
    assert display == f"When any agent does anything and {phrase}, then block it."


@pytest.mark.parametrize(
    ("text", "other"),
    [("'5'", "5"), ("'true'", "true"), ("'false'", "false"), ("'-0.5'", "-0.5")],
)
def test_text_never_reads_like_a_value_that_is_not_text(text, other, read, rule, when) -> None:
    one, two = (read(rule(conditions=when("eq", v))).rules[0].display for v in (text, other))
    assert one != two
    assert one.replace('"', "") == two


@pytest.mark.parametrize(("keys", "sentence"), SENTENCES)
def test_a_shadow_rule_says_that_it_is_not_enforced(keys, sentence, read, rule) -> None:
    changes = {**keys, "mode": "'shadow'"}
    display = read(rule(changes.pop("decision", "block"), **changes)).rules[0].display
    assert display == f"{sentence.removesuffix('.')} (recorded only, not enforced)."


def test_the_laws_own_example(read, rule) -> None:
    text = rule(
        "require_approval",
        verb="'payment'",
        conditions="{ field = 'amount', op = 'gt', value = 5000, display = 'amount is over $5,000' }",
        approvers="['finance-lead']",
        sla_minutes="60",
    )
    assert read(text).rules[0].display == (
        "When any agent pays and amount is over $5,000, "
        "then require approval from finance-lead within 60 minutes."
    )


def test_conditions_are_told_in_the_order_of_the_file(read, rule, when) -> None:
    text = rule("allow", conditions=when("eq", "1", "a") + ", " + when("exists", "false", "b.c"))
    assert read(text).rules[0].display == (
        "When any agent does anything and a is 1 and b.c is not given, then allow it."
    )


def test_the_outcome_repeats_the_sentence(read, rule, decide) -> None:
    assert decide(rule()).display == read(rule()).rules[0].display
