"""Numbers are exact decimals: what is written is what is compared, at any size."""

import pytest

from heso.policy.errors import PolicyError

BEYOND = 2**53


@pytest.mark.parametrize(
    ("op", "limit", "field", "said"),
    [
        ("eq", "0.1", 0.1, True),
        ("eq", "0.1", "0.1", True),
        ("eq", "0.1", "0.1000", True),
        ("eq", "0.1", "0.1000000000000000000001", False),
        ("gt", "0.1", "0.1000000000000000000001", True),
        ("lte", "0.1", "0.1000000000000000000001", False),
        ("eq", "0.3", 0.1 + 0.2, False),
        ("gt", "0.3", 0.1 + 0.2, True),
        ("eq", "5000.10", 5000.1, True),
        ("eq", "5000.10", "5000.1", True),
        ("gt", "5000.10", 5000.10, False),
        ("gt", "5000.10", "5000.11", True),
        ("eq", "1e21", 10**21, True),
        ("eq", "1e21", 1e21, True),
        ("eq", "1e21", "1000000000000000000000", True),
        ("gt", "1e21", 10**21 + 1, True),
        ("eq", str(BEYOND), BEYOND, True),
        ("eq", str(BEYOND), str(BEYOND + 1), False),
        ("gt", str(BEYOND), str(BEYOND + 1), True),
        ("gt", str(BEYOND), BEYOND + 1, True),
        ("eq", str(BEYOND + 1), float(BEYOND), False),
        ("eq", str(BEYOND + 1), BEYOND + 1, True),
        ("lt", f'"{BEYOND + 1}"', BEYOND, True),
        ("eq", "0", -0.0, True),
        ("eq", "0", "-0", True),
        ("eq", "0.0", "0e999999", True),
        ("lt", "-1", "-1.5", True),
        ("lt", "0", 5e-324, False),
        ("gt", "0", 5e-324, True),
        ("gt", "0", "1e-999999", True),
        ("gt", "5000", "1e999999", True),
        ("lt", "-5000", "-1e999999", True),
        ("gt", "1e400", "1e401", True),
        ("gt", "1e400", 1e308, False),
        ("in", "[0.1, 1e21]", "1e21", True),
        ("in", "[0.1, 1e21]", "1e22", False),
    ],
)
def test_a_comparison_is_exact(op, limit, field, said, truth) -> None:
    assert truth(op, limit, field) is said


@pytest.mark.parametrize(
    ("written", "recorded"),
    [
        ("5000", 5000),
        ("5_000", 5000),
        ("0x10", 16),
        ("5000.10", 5000.1),
        ("0.1", 0.1),
        ("1e21", 1e21),
        ("9007199254740991", 9007199254740991),
        ("9007199254740993", "9007199254740993"),
        ("9007199254740993.0", "9007199254740993.0"),
        ("0.1000000000000000000001", "0.1000000000000000000001"),
        ("1e400", "1E+400"),
    ],
)
def test_a_receipt_shows_a_rule_value_without_changing_it(
    written, recorded, read, rule, when
) -> None:
    record = read(rule(conditions=when("gt", written))).rules[0].conditions[0].as_record()
    assert record == {"field": "f", "op": "gt", "value": recorded}
    assert type(record["value"]) is type(recorded)


def test_a_number_written_with_hundreds_of_leading_zeros_is_still_that_number(truth) -> None:
    assert truth("gt", "5", "0" * 500 + "6") is True
    assert truth("eq", "5", "0" * 500 + "5") is True


def test_a_number_with_a_long_exponent_is_still_that_number(truth) -> None:
    assert truth("eq", "50", "5e0000001") is True
    assert truth("neq", "50", "5e0000001") is False


@pytest.mark.parametrize("exponent", [30, 999_999, 999_999_999, 999_999_999_999_999])
def test_text_of_any_exponent_that_a_decimal_holds_is_a_number(exponent, truth) -> None:
    assert truth("gt", "5", f"1e{exponent}") is True
    assert truth("lt", "5", f"-1e+{exponent}") is True
    assert truth("gt", "5", f"1E-{exponent}") is False
    assert truth("gt", "0", f"0.1e-{exponent}") is True


@pytest.mark.parametrize("sign", ["", "-"])
def test_an_exponent_that_no_decimal_holds_is_unknown(sign, truth) -> None:
    for text in (f"{sign}1e{'9' * 30}", f"{sign}1e-{'9' * 30}"):
        assert [truth(op, "5", text) for op in ("gt", "gte", "lt", "lte")] == [None] * 4
        assert [truth("eq", "5", text), truth("neq", "5", text)] == [False, True]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_json_integer_above_100_000_bits_is_unknown(sign, truth) -> None:
    largest, beyond = sign * ((1 << 100_000) - 1), sign * (1 << 100_000)
    assert truth("gt", "5", largest) is (sign > 0)
    assert [truth(op, "5", beyond) for op in ("gt", "gte", "lt", "lte")] == [None] * 4
    assert [truth("eq", "5", beyond), truth("neq", "5", beyond)] == [False, True]
    assert [truth("in", "[5]", beyond), truth("not_in", "[5]", beyond)] == [False, True]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "[1.0, nan]", "{ x = inf }"])
@pytest.mark.parametrize("op", ["eq", "neq", "contains"])
def test_a_rule_value_that_is_not_finite_is_refused(op, value, read, rule, when) -> None:
    with pytest.raises(PolicyError) as refused:
        read(rule(conditions=when(op, value)))
    assert str(refused.value) == (
        "heso.toml, rule 'r', key `conditions[0].value`: must be a finite number"
    )
