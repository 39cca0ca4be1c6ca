"""What a condition's field names: a literal argument, else a path into the arguments, else a reserved name."""

from types import MappingProxyType

import pytest

RESERVED = {
    "verb": "tool_call",
    "tool_name": "tool",
    "target_host": "api.stripe.com",
    "workflow": "billing",
    "account": "ops",
}


@pytest.fixture
def finds(rule, when, decide):
    """Whether the field of that name is `value` in an action with these fields."""

    def found(name, value, fields, **changes):
        text = rule(conditions=when("eq", value, name))
        return decide(text, fields=fields, **changes).rule_id == "r"

    return found


@pytest.mark.parametrize(
    ("name", "fields", "value"),
    [
        ("amount", {"amount": 5}, "5"),
        ("card.number", {"card": {"number": "4242"}}, "'4242'"),
        ("a.b.c", {"a": {"b": {"c": True}}}, "true"),
        ("a.b", {"a.b": "literal", "a": {"b": "path"}}, "'literal'"),
        ("a.b", {"a.b": "literal"}, "'literal'"),
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
        ("card.number", {"card": "text"}),
        ("card.number.digits", {"card": {"number": 5}}),
        ("a.b.c", {"a": {"b.c": 5}}),
        ("fields", {}),
        ("fields.amount", {"amount": 5}),
        ("__class__", {}),
        ("verb.name", {}),
        ("tool", {}),
    ],
)
def test_a_field_that_is_nowhere_is_missing(name, fields, rule, when, decide) -> None:
    text = rule(conditions=when("exists", "false", name))
    assert decide(text, fields=fields).rule_id == "r"


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
