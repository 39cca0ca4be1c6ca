"""What a condition's field names: a literal argument, else a path into the arguments, else a reserved name."""

from types import MappingProxyType

import pytest

from heso.policy.evaluate import explain_action
from heso.policy.model import Block

RESERVED = {
    "verb": "tool_call",
    "tool_name": "tool",
    "target_host": "api.stripe.com",
    "workflow": "billing",
    "account": "ops",
}


@pytest.fixture
def finds(rule, when, read, act):
    """Whether the field of that name is surely `value` in an action with these fields."""

    def found(name, value, fields, **changes):
        policy = read(rule(conditions=when("eq", value, name)))
        (trial,) = explain_action(act(fields=fields, **changes), policy)
        return trial.truth is True

    return found


@pytest.mark.parametrize(
    ("name", "fields", "value"),
    [
        ("amount", {"amount": 5}, "5"),
        ("card.number", {"card": {"number": "4242"}}, "'4242'"),
        ("a.b.c", {"a": {"b": {"c": True}}}, "true"),
        ("a.b", {"a.b": "literal"}, "'literal'"),
        ("a.b", {"a.b": "literal", "a": {"c": "path"}}, "'literal'"),
        ("a.b", {"a.b": "literal", "a": None}, "'literal'"),
        ("a.b", {"b": 5, "a": {"b": "path"}}, "'path'"),
        ("a.b.c", {"a.b": {"c": 1}, "a": {"b": {"c": "path"}}}, "'path'"),
        ("verb", {"verb": "mine"}, "'mine'"),
        ("verb.x", {"verb": {"x": "mine"}}, "'mine'"),
        ("a b", {"a b": 5}, "5"),
        (".", {".": 5}, "5"),
        (".", {"": {"": 5}}, "5"),
        ("a.", {"a": {"": 5}}, "5"),
        ("__class__", {"__class__": 5}, "5"),
    ],
)
def test_a_field_is_found_where_the_law_looks_first(name, fields, value, finds) -> None:
    assert finds(name, value, fields)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("amount", {}),
        ("Amount", {"amount": 5}),
        ("card.number", {"card": {"cvc": 5}}),
        ("card.number", {"card": None}),
        ("card.number.digits", {"card": {"number": None}}),
        ("card.number.digits", {"card": {}}),
        ("a.b.c", {"a": {"b.c": 5}}),
        ("fields", {}),
        ("fields.amount", {"amount": 5}),
        ("__class__", {}),
        ("verb.name", {}),
        ("tool", {}),
    ],
)
def test_a_field_that_is_nowhere_is_missing(*, name, fields, rule, when, read, act) -> None:
    policy = read(rule(conditions=when("exists", "false", name)))
    (trial,) = explain_action(act(fields=fields), policy)
    assert trial.truth is True


UNREADABLE = [  # in two ways, or in none that a rule's author thought of
    ("card.number", {"card": "text"}),
    ("card.number", {"card": ""}),
    ("card.number", {"card": 5}),
    ("card.number", {"card": False}),
    ("card.number", {"card": []}),
    ("card.number", {"card": [{"number": 5}]}),
    ("card.0", {"card": [5]}),
    ("card.number.digits", {"card": {"number": 5}}),
    ("card.number.digits", {"card": {"number": [{"digits": 5}]}}),
    ("verb.name", {"verb": "mine"}),
    ("a.b", {"a.b": 5, "a": {"b": 5}}),
    ("a.b", {"a.b": 5, "a": {"b": None}}),
    ("a.b", {"a.b": None, "a": {"b": 5}}),
    ("a.b", {"a.b": 5, "a": "text"}),
    (".", {".": 5, "": {"": 5}}),
]
EVERY_TEST = [
    *(("gt", "1"), ("gte", "5"), ("lt", "9"), ("lte", "5"), ("eq", "5"), ("neq", "5")),
    *(("in", "[5]"), ("not_in", "[5]"), ("exists", "true"), ("exists", "false")),
    *(("contains", "'x'"), ("matches", "'*'"), ("regex", "''")),
]


@pytest.mark.parametrize(("name", "fields"), UNREADABLE)
def test_a_field_that_can_be_read_in_two_ways_or_in_none_is_unknown_to_every_operator(
    *, name, fields, rule, when, read, act
) -> None:
    for op, value in EVERY_TEST:
        policy = read(rule(conditions=when(op, value, name)))
        (trial,) = explain_action(act(fields=fields), policy)
        assert [truth for _, truth in trial.truths] == [None]
        assert trial.truth is None


@pytest.mark.parametrize(("name", "fields"), UNREADABLE)
def test_wrapping_or_doubling_an_argument_makes_nothing_laxer(
    *, name, fields, rule, when, decide, asks_anyone
) -> None:
    condition = when("lte", "5", name)
    assert decide(rule("allow", conditions=condition), fields=fields) == asks_anyone
    outcome = decide(rule("block", conditions=condition), fields=fields)
    assert (outcome.decision, outcome.matched) == (
        Block(),
        ({"field": name, "op": "unknown:lte", "value": 5},),
    )


@pytest.mark.parametrize("name", RESERVED)
def test_a_reserved_name_is_the_actions_own_where_no_argument_has_that_name(name, finds) -> None:
    host = {"target_host": "api.stripe.com"}
    assert finds(name, f"'{RESERVED[name]}'", {}, **host)
    assert finds(name, f"'{RESERVED[name]}'", {"other": 1}, **host)


@pytest.mark.parametrize("name", RESERVED)
def test_an_argument_goes_before_a_reserved_name_even_when_it_is_null(
    name, finds, rule, when, decide
) -> None:
    host = {"target_host": "api.stripe.com"}
    assert finds(name, "5", {name: 5}, **host)
    assert (
        decide(rule(conditions=when("exists", "false", name)), fields={name: None}, **host).rule_id
        == "r"
    )


def test_the_host_of_a_hostless_action_is_missing(rule, when, decide) -> None:
    assert decide(rule(conditions=when("exists", "false", "target_host"))).rule_id == "r"


def test_a_redacted_field_is_matched_on_its_real_value(rule, when, decide) -> None:
    text = rule(
        "redact", redact='["card.number"]', conditions=when("matches", "'4*'", "card.number")
    )
    outcome = decide(text, fields={"card": {"number": "4242"}})
    assert (outcome.rule_id, outcome.redact) == ("r", ("card.number",))


def test_a_path_leads_into_arguments_that_are_any_kind_of_mapping(rule, when, decide) -> None:
    text = rule(conditions=when("eq", "5", "a.b"))
    assert decide(text, fields=MappingProxyType({"a": {"b": 5}})).rule_id == "r"
