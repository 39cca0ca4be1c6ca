"""Whatever the bytes are, reading gives a policy or a `PolicyError`, and it gives it soon."""

import pytest

from heso.policy.errors import PolicyError
from heso.policy.reader import parse_policy

GLOBS = [
    *(
        "",
        "[",
        "[]",
        "[!]",
        "[a",
        "a]",
        "[[]",
        "[a[b]",
        "[z-a]",
        "[--9]",
        "[a&&b]",
        "[a||b]",
        "[a~~b]",
    ),
    *("[^a]", "[!!]", "\\", "(", "{2}", "*" * 2000, "[a-" * 500),
]


def _refuse(text: str) -> str:
    with pytest.raises(PolicyError) as refused:
        parse_policy(text.encode())
    return str(refused.value)


@pytest.mark.parametrize(
    "text", ["[" * 5000, "a = " + "[" * 5000, "a = " + "{a=" * 5000, "a = '''"]
)
def test_nesting_that_never_closes_is_not_toml(text) -> None:
    assert "is not TOML" in _refuse(text)


@pytest.mark.parametrize("digits", [5000, 100_000])
def test_an_order_of_thousands_of_digits_is_refused(digits, rule) -> None:
    assert "heso.toml" in _refuse(rule(order="9" * digits))
    assert "key `order`" in _refuse(rule(order="0x" + "f" * digits))


def test_a_value_of_thousands_of_hexadecimal_digits_is_refused(rule, when) -> None:
    assert "key `conditions[0].value`" in _refuse(rule(conditions=when("eq", "0x" + "f" * 5000)))


@pytest.mark.parametrize("where", ["value", "file"])
def test_a_number_with_an_exponent_beyond_all_bounds_is_refused(where, rule, when) -> None:
    number = "1e99999999999999999999999"
    text = rule(conditions=when("gt", number)) if where == "value" else f"colour = {number}"
    assert "heso.toml" in _refuse(text)


def test_a_value_nested_by_a_long_dotted_key_is_refused(rule) -> None:
    text = rule() + "[[rule.conditions]]\nfield = 'f'\nop = 'eq'\nvalue" + ".a" * 1500 + " = 1\n"
    assert "key `conditions[0].value" in _refuse(text)


def test_a_value_nested_deeper_than_a_sentence_can_show_is_refused(rule, when) -> None:
    assert "key `conditions[0].value" in _refuse(rule(conditions=when("eq", "[" * 300 + "]" * 300)))


NESTS = [("[", "]"), ("{ a = ", " }"), ("[{ a = ", " }]")]


@pytest.mark.parametrize(("opening", "closing"), NESTS)
@pytest.mark.parametrize("inner", ["'x'", "5", "[]"])
def test_a_value_is_nested_at_most_sixteen_deep(
    *, opening, closing, inner, read, rule, when
) -> None:
    """Containers are counted, as JSON's depth is; what stands in the innermost one does not count."""
    room = 15 if inner == "[]" else 16
    count = room // 2 if opening == "[{ a = " else room
    read(rule(conditions=when("eq", opening * count + inner + closing * count)))
    over = opening * (count + 1) + inner + closing * (count + 1)
    said = _refuse(rule(conditions=when("eq", over)))
    assert said == ("heso.toml, rule 'r', key `conditions[0].value`: is nested deeper than 16")


@pytest.mark.parametrize("sign", ["", "-"])
def test_an_integer_has_at_most_4096_bits(sign, read, rule, when) -> None:
    largest = (1 << 4096) - 1
    shown = read(rule(conditions=when("eq", f"{sign}{largest}"))).rules[0].conditions[0].value
    assert shown == f"{sign}{largest}"
    said = _refuse(rule(conditions=when("eq", f"{sign}{largest + 1}")))
    assert said == "heso.toml, rule 'r', key `conditions[0].value`: is too large a number"
    assert "is too large a number" in _refuse(
        rule(conditions=when("in", f"[1, [{sign}{largest + 1}]]"))
    )


@pytest.mark.parametrize("pattern", GLOBS)
def test_every_text_is_a_glob(pattern, read, rule, when) -> None:
    condition = read(rule(conditions=when("matches", f"'{pattern}'"))).rules[0].conditions[0]
    assert condition.as_record() == {"field": "f", "op": "matches", "value": pattern}
