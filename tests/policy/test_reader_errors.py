"""What is wrong with a policy file: always the file, the rule and the key, in one line."""

import pytest

from heso.policy.errors import PolicyError
from heso.policy.reader import parse_policy

VERBS = "any, llm_call, tool_call, http_request, payment, data_export, account_change, delete"
OPERATORS = "gt, gte, lt, lte, eq, neq, in, not_in, exists, contains, matches, regex"
NOT_JSON = "must be text, a number, true or false, or a list of them; write dates as text"
RULE = [  # changed keys, the key the error names, why
    ({"scpoe": "'*'"}, "scpoe", "is not a known key; did you mean `scope`?"),
    ({"colour": "5"}, "colour", "is not a known key"),
    ({"condition": "[]"}, "condition", "is not a known key; did you mean `conditions`?"),
    ({"Verb": "'any'"}, "Verb", "is not a known key; did you mean `verb`?"),
    ({"subjet": "{}"}, "subjet", "is not a known key; did you mean `subject`?"),
    ({"conditons": "[]"}, "conditons", "is not a known key; did you mean `conditions`?"),
    ({"enabeld": "true"}, "enabeld", "is not a known key; did you mean `enabled`?"),
    ({"redcat": "['a']"}, "redcat", "is not a known key; did you mean `redact`?"),
    ({"mod": "'shadow'"}, "mod", "is not a known key; did you mean `mode`?"),
    ({"treshold": "2"}, "treshold", "is not a known key; did you mean `threshold`?"),
    ({"sla_minuts": "2"}, "sla_minuts", "is not a known key; did you mean `sla_minutes`?"),
    ({"order": None}, "order", "is missing"),
    ({"verb": None}, "verb", "is missing"),
    ({"decision": None}, "decision", "is missing"),
    ({"order": "'1'"}, "order", "must be a whole number"),
    ({"order": "1.0"}, "order", "must be a whole number"),
    ({"order": "true"}, "order", "must be a whole number"),
    ({"order": "9007199254740992"}, "order", "is too large"),
    ({"order": "-9007199254740992"}, "order", "is too large"),
    ({"enabled": "1"}, "enabled", "must be true or false"),
    ({"enabled": "'false'"}, "enabled", "must be true or false"),
    ({"verb": "1"}, "verb", "must be text"),
    ({"verb": "'pay'"}, "verb", f"'pay' is not one of {VERBS}"),
    ({"verb": "'Payment'"}, "verb", f"'Payment' is not one of {VERBS}"),
    ({"verb": "''"}, "verb", f"'' is not one of {VERBS}"),
    ({"verb": "['payment']"}, "verb", "must be text"),
    ({"scope": "1"}, "scope", "must be text"),
    ({"scope": "''"}, "scope", "must be `*`, a host, or `*.` and a host"),
    ({"decision": "true"}, "decision", "must be text"),
    (
        {"decision": "'deny'"},
        "decision",
        "'deny' is not one of allow, block, redact, require_approval",
    ),
    ({"mode": "true"}, "mode", "must be text"),
    ({"mode": "'observe'"}, "mode", "'observe' is not one of enforce, shadow"),
    ({"redact": "'a'"}, "redact", "must be a list of text"),
    ({"redact": "[1]"}, "redact", "must be a list of non-empty text"),
    ({"redact": "['']"}, "redact", "must be a list of non-empty text"),
    (
        {"decision": "'require_approval'", "anchor_policy": "'required'"},
        "anchor_policy",
        "what people approve carries no trusted time: leave it out",
    ),
    ({"decision": "'redact'"}, "redact", "a redact rule must say what to redact"),
    ({"decision": "'redact'", "redact": "[]"}, "redact", "a redact rule must say what to redact"),
    ({"subject": "'any'"}, "subject", "must be a table"),
    ({"subject": "[]"}, "subject", "must be a table"),
    ({"subject": "{}"}, "subject.kind", "is missing"),
    ({"subject": "{ kind = 1 }"}, "subject.kind", "must be text"),
    (
        {"subject": "{ kind = 'agent' }"},
        "subject.kind",
        "'agent' is not one of any, workflow, account",
    ),
    ({"subject": "{ kind = 'account' }"}, "subject.value", "is missing"),
    ({"subject": "{ kind = 'account', value = 1 }"}, "subject.value", "must be text"),
    (
        {"subject": "{ kind = 'account', value = 'a', vlaue = 'b' }"},
        "subject.vlaue",
        "is not a known key; did you mean `value`?",
    ),
    ({"subject": "{ kind = 'any', value = 'x' }"}, "subject.value", "is not a known key"),
    ({"approvers": "['a']"}, "approvers", "belongs to a rule with decision = require_approval"),
    ({"threshold": "2"}, "threshold", "belongs to a rule with decision = require_approval"),
    ({"sla_minutes": "5"}, "sla_minutes", "belongs to a rule with decision = require_approval"),
    ({"on_timeout": "'deny'"}, "on_timeout", "belongs to a rule with decision = require_approval"),
    ({"escalate_to": "['a']"}, "escalate_to", "belongs to a rule with decision = require_approval"),
]
TERMS = [
    ({"approvers": "'cfo'"}, "approvers", "must be a list of text"),
    ({"approvers": "[1]"}, "approvers", "must be a list of non-empty text"),
    ({"approvers": "['']"}, "approvers", "must be a list of non-empty text"),
    ({"threshold": "'2'"}, "threshold", "must be a whole number"),
    ({"threshold": "2.0"}, "threshold", "must be a whole number"),
    ({"threshold": "true"}, "threshold", "must be a whole number"),
    ({"threshold": "0"}, "threshold", "must be at least 1"),
    ({"threshold": "-1"}, "threshold", "must be at least 1"),
    ({"sla_minutes": "0"}, "sla_minutes", "must be at least 1"),
    ({"sla_minutes": "0.5"}, "sla_minutes", "must be a whole number"),
    ({"sla_minutes": "'60'"}, "sla_minutes", "must be a whole number"),
    ({"on_timeout": "'allow'"}, "on_timeout", "'allow' is not one of deny, escalate"),
    ({"on_timeout": "1"}, "on_timeout", "must be text"),
    ({"escalate_to": "'cfo'"}, "escalate_to", "must be a list of text"),
    ({"escalate_to": "['cfo']"}, "escalate_to", "has no effect unless on_timeout = escalate"),
    (
        {"on_timeout": "'escalate'", "sla_minutes": "5"},
        "escalate_to",
        "on_timeout = escalate needs somebody to escalate to",
    ),
    (
        {"on_timeout": "'escalate'", "escalate_to": "['cfo']"},
        "sla_minutes",
        "on_timeout = escalate needs a deadline",
    ),
    ({"sla_minuts": "5"}, "sla_minuts", "is not a known key; did you mean `sla_minutes`?"),
    ({"treshold": "2"}, "treshold", "is not a known key; did you mean `threshold`?"),
    ({"on_timout": "'deny'"}, "on_timout", "is not a known key; did you mean `on_timeout`?"),
    ({"escalate_too": "[]"}, "escalate_too", "is not a known key; did you mean `escalate_to`?"),
    ({"aprovers": "[]"}, "aprovers", "is not a known key; did you mean `approvers`?"),
]
CONDITION = [
    ("{ op = 'eq', value = 1 }", "field", "is missing"),
    ("{ field = '', op = 'eq', value = 1 }", "field", "must not be empty"),
    ("{ field = 1, op = 'eq', value = 1 }", "field", "must be text"),
    ("{ field = 'f', value = 1 }", "op", "is missing"),
    ("{ field = 'f', op = 1, value = 1 }", "op", "must be text"),
    (
        "{ field = 'f', op = '>', value = 1 }",
        "op",
        f"unknown operator '>'; known are {OPERATORS}",
    ),
    (
        "{ field = 'f', op = 'GT', value = 1 }",
        "op",
        f"unknown operator 'GT'; known are {OPERATORS}",
    ),
    ("{ field = 'f', op = 'eq' }", "value", "is missing"),
    ("{ field = 'f', op = 'gt', value = '$5' }", "value", "needs a number to compare with"),
    ("{ field = 'f', op = 'gt', value = true }", "value", "needs a number to compare with"),
    ("{ field = 'f', op = 'lte', value = inf }", "value", "must be a finite number"),
    ("{ field = 'f', op = 'lt', value = nan }", "value", "must be a finite number"),
    ("{ field = 'f', op = '>', value = -inf }", "value", "must be a finite number"),
    ("{ field = 'f', op = 'regex', value = [1, nan] }", "value", "must be a finite number"),
    ("{ field = 'f', op = '>', value = 2026-01-01 }", "value", NOT_JSON),
    ("{ field = 'f', op = 'in', value = 07:32:00 }", "value", NOT_JSON),
    ("{ field = 'f', op = 'exists', value = { x = 1979-05-27T07:32:00Z } }", "value", NOT_JSON),
    (f"{{ field = 'f', op = '>', value = {1 << 4096:#x} }}", "value", "is too large a number"),
    ("{ field = 'f', op = 'gte', value = [5] }", "value", "needs a number to compare with"),
    ("{ field = 'f', op = 'in', value = 'x' }", "value", "needs a list"),
    ("{ field = 'f', op = 'not_in', value = 5 }", "value", "needs a list"),
    ("{ field = 'f', op = 'exists', value = 'false' }", "value", "needs true or false"),
    ("{ field = 'f', op = 'exists', value = 0 }", "value", "needs true or false"),
    ("{ field = 'f', op = 'matches', value = 5 }", "value", "needs a glob pattern as text"),
    ("{ field = 'f', op = 'regex', value = 5 }", "value", "needs a pattern as text"),
    (
        "{ field = 'f', op = 'eq', value = 2026-01-01 }",
        "value",
        NOT_JSON,
    ),
    ("{ field = 'f', op = 'eq', value = 1, display = 5 }", "display", "must be text"),
    ("{ field = 'f', op = 'eq', value = 1, dispaly = 'x' }", "dispaly", "is not a known key; did you mean `display`?"),
    ("{ field = 'f', op = 'eq', value = 1, not = true }", "not", "is not a known key"),
]  # fmt: skip


def _error(text: str | bytes) -> str:
    with pytest.raises(PolicyError) as refused:
        parse_policy(text if isinstance(text, bytes) else text.encode(), file="team/heso.toml")
    return str(refused.value)


@pytest.mark.parametrize(("changes", "key", "why"), RULE)
def test_a_fault_in_a_rule_names_file_rule_and_key(changes, key, why, rule) -> None:
    assert _error(rule(**{"id": '"pay-cap"', **changes})) == (
        f"team/heso.toml, rule 'pay-cap', key `{key}`: {why}"
    )


@pytest.mark.parametrize(("changes", "key", "why"), TERMS)
def test_a_fault_in_the_terms_of_approval_names_file_rule_and_key(changes, key, why, rule) -> None:
    text = rule("require_approval", id='"pay-cap"', **changes)
    assert _error(text) == f"team/heso.toml, rule 'pay-cap', key `{key}`: {why}"


@pytest.mark.parametrize(("condition", "key", "why"), CONDITION)
def test_a_fault_in_a_condition_names_its_place_as_well(condition, key, why, rule, when) -> None:
    text = rule(id='"pay-cap"', conditions=f"{when('exists', 'true')}, {condition}")
    assert _error(text) == f"team/heso.toml, rule 'pay-cap', key `conditions[1].{key}`: {why}"


@pytest.mark.parametrize(
    ("value", "key", "why"),
    [
        ("{}", "conditions", "must be a list of tables"),
        ("'x'", "conditions", "must be a list of tables"),
        ("['x']", "conditions[0]", "must be a table"),
        ("[[]]", "conditions[0]", "must be a table"),
    ],
)
def test_conditions_that_are_no_list_of_tables_are_refused(value, key, why, rule) -> None:
    assert (
        _error(rule() + f"conditions = {value}\n")
        == f"team/heso.toml, rule 'r', key `{key}`: {why}"
    )


@pytest.mark.parametrize(
    ("name", "key", "why"),
    [
        (None, "rule[1].id", "is missing"),
        ("''", "rule[1].id", "must not be empty"),
        ("5", "rule[1].id", "must be text"),
        (
            "'policy.floor.delete'",
            "rule[1].id",
            "names that begin with `policy.` are the built-in ones",
        ),
    ],
)
def test_a_rule_without_a_usable_id_is_named_by_its_place(name, key, why, rule) -> None:
    assert _error(rule() + rule(id=name)) == f"team/heso.toml, key `{key}`: {why}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules = []", ", key `rules`: is not a known key; did you mean `rule`?"),
        ("[[aprover]]\nid = 'a'", ", key `aprover`: is not a known key; did you mean `approver`?"),
        ("[projct]", ", key `projct`: is not a known key; did you mean `project`?"),
        ("colour = 1", ", key `colour`: is not a known key"),
        ("[rule]\nid = 'a'", ", key `rule`: must be a list of tables"),
        ("rule = 'x'", ", key `rule`: must be a list of tables"),
        ("rule = [1]", ", key `rule[0]`: must be a table"),
        ("approver = {}", ", key `approver`: must be a list of tables"),
        (b"\xff\xfe", ": is not UTF-8 text"),
        (b"# caf\xe9", ": is not UTF-8 text"),
        (b"#" * (1024 * 1024 + 1), ": is larger than 1048576 bytes"),
    ],
)
def test_a_fault_in_the_file_names_the_file(text, said) -> None:
    assert _error(text) == "team/heso.toml" + said


def test_a_file_of_exactly_a_mebibyte_is_read(rule) -> None:
    text = rule().encode()
    padded = text + b"#" * (1024 * 1024 - len(text))
    assert [r.id for r in parse_policy(padded).rules] == ["r"]
    assert _error(padded + b"#") == "team/heso.toml: is larger than 1048576 bytes"


@pytest.mark.parametrize(
    "text",
    [
        "rule = ",
        "id = 1\nid = 2",
        "[[rule]]\nid = 'a'\nid = 'b'",
        "[rule",
        "\ufeff",
        "a = '\x00'",
        "a = 1979-13-01",
    ],
)
def test_text_that_is_not_toml_is_told_with_the_readers_words(text) -> None:
    said = _error(text)
    assert said.startswith("team/heso.toml: is not TOML: ")
    assert "\n" not in said


@pytest.mark.parametrize("enabled", ["true", "false"])
def test_two_rules_with_one_id_are_refused_even_if_one_is_disabled(enabled, rule) -> None:
    twin = rule("allow", order="2", enabled=enabled)
    assert _error(rule() + twin) == "team/heso.toml, rule 'r', key `id`: two rules have this id"


def test_a_disabled_rule_is_read_as_strictly_as_any_other(rule) -> None:
    assert _error(rule(enabled="false", scpoe="'*'")) == (
        "team/heso.toml, rule 'r', key `scpoe`: is not a known key; did you mean `scope`?"
    )


def test_an_error_says_what_to_do_next() -> None:
    assert PolicyError("f", "w").next_step == "mend the file and run `heso policy check`"
