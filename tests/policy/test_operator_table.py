"""Every operator against every kind of value, cell by cell: T holds, F does not, ? cannot be compared."""

import pytest

COLUMNS = {
    "null": None,
    "true": True,
    "false": False,
    "4": 4,
    "5": 5,
    "5.0": 5.0,
    "6.5": 6.5,
    "'5'": "5",
    "'5.00'": "5.00",
    "'x'": "x",
    "''": "",
    "'axb'": "axb",
    "'X'": "X",
    "[]": [],
    "['x',5]": ["x", 5],
    "{}": {},
    "{x:5}": {"x": 5},
}
# missing, then the columns above
TABLE = """
op       | value      | missing null true false 4 5 5.0 6.5 '5' '5.00' 'x' '' 'axb' 'X' [] ['x',5] {} {x:5}
gt       | 5          | F       ?    ?    ?     F F F   T   F   F      ?   ?  ?     ?   ?  ?       ?  ?
gt       | 5.0        | F       ?    ?    ?     F F F   T   F   F      ?   ?  ?     ?   ?  ?       ?  ?
gt       | "5"        | F       ?    ?    ?     F F F   T   F   F      ?   ?  ?     ?   ?  ?       ?  ?
gte      | 5          | F       ?    ?    ?     F T T   T   T   T      ?   ?  ?     ?   ?  ?       ?  ?
lt       | 5          | F       ?    ?    ?     T F F   F   F   F      ?   ?  ?     ?   ?  ?       ?  ?
lte      | 5          | F       ?    ?    ?     T T T   F   T   T      ?   ?  ?     ?   ?  ?       ?  ?
eq       | 5          | F       F    F    F     F T T   F   T   T      F   F  F     F   F  F       F  F
eq       | 5.0        | F       F    F    F     F T T   F   T   T      F   F  F     F   F  F       F  F
eq       | "5"        | F       F    F    F     F T T   F   T   F      F   F  F     F   F  F       F  F
eq       | 1          | F       F    F    F     F F F   F   F   F      F   F  F     F   F  F       F  F
eq       | true       | F       F    T    F     F F F   F   F   F      F   F  F     F   F  F       F  F
eq       | false      | F       F    F    T     F F F   F   F   F      F   F  F     F   F  F       F  F
eq       | "x"        | F       F    F    F     F F F   F   F   F      T   F  F     F   F  F       F  F
eq       | ""         | F       F    F    F     F F F   F   F   F      F   T  F     F   F  F       F  F
eq       | []         | F       F    F    F     F F F   F   F   F      F   F  F     F   T  F       F  F
eq       | ["x",5.0]  | F       F    F    F     F F F   F   F   F      F   F  F     F   F  T       F  F
eq       | [5,"x"]    | F       F    F    F     F F F   F   F   F      F   F  F     F   F  F       F  F
eq       | {}         | F       F    F    F     F F F   F   F   F      F   F  F     F   F  F       T  F
eq       | {x=5.0}    | F       F    F    F     F F F   F   F   F      F   F  F     F   F  F       F  T
neq      | 5          | F       T    T    T     T F F   T   F   F      T   T  T     T   T  T       T  T
neq      | "5"        | F       T    T    T     T F F   T   F   T      T   T  T     T   T  T       T  T
neq      | true       | F       T    F    T     T T T   T   T   T      T   T  T     T   T  T       T  T
neq      | "x"        | F       T    T    T     T T T   T   T   T      F   T  T     T   T  T       T  T
neq      | []         | F       T    T    T     T T T   T   T   T      T   T  T     T   F  T       T  T
in       | [5,"x"]    | F       F    F    F     F T T   F   T   T      T   F  F     F   F  F       F  F
in       | []         | F       F    F    F     F F F   F   F   F      F   F  F     F   F  F       F  F
in       | [true,[]]  | F       F    T    F     F F F   F   F   F      F   F  F     F   T  F       F  F
not_in   | [5,"x"]    | F       T    T    T     T F F   T   F   F      F   T  T     T   T  T       T  T
not_in   | []         | F       T    T    T     T T T   T   T   T      T   T  T     T   T  T       T  T
exists   | true       | F       F    T    T     T T T   T   T   T      T   T  T     T   T  T       T  T
exists   | false      | T       T    F    F     F F F   F   F   F      F   F  F     F   F  F       F  F
contains | "x"        | F       ?    ?    ?     ? ? ?   ?   F   F      T   F  T     F   F  T       ?  ?
contains | ""         | F       ?    ?    ?     ? ? ?   ?   T   T      T   T  T     T   F  F       ?  ?
contains | 5          | F       ?    ?    ?     ? ? ?   ?   ?   ?      ?   ?  ?     ?   F  T       ?  ?
contains | true       | F       ?    ?    ?     ? ? ?   ?   ?   ?      ?   ?  ?     ?   F  F       ?  ?
matches  | "*x*"      | F       ?    ?    ?     ? ? ?   ?   F   F      T   F  T     F   ?  ?       ?  ?
matches  | "x"        | F       ?    ?    ?     ? ? ?   ?   F   F      T   F  F     F   ?  ?       ?  ?
matches  | "?"        | F       ?    ?    ?     ? ? ?   ?   T   F      T   F  F     T   ?  ?       ?  ?
matches  | "[w-y]"    | F       ?    ?    ?     ? ? ?   ?   F   F      T   F  F     F   ?  ?       ?  ?
matches  | "[!w-y]"   | F       ?    ?    ?     ? ? ?   ?   T   F      F   F  F     T   ?  ?       ?  ?
matches  | "*"        | F       ?    ?    ?     ? ? ?   ?   T   T      T   T  T     T   ?  ?       ?  ?
matches  | ""         | F       ?    ?    ?     ? ? ?   ?   F   F      F   T  F     F   ?  ?       ?  ?
regex    | "x"        | F       ?    ?    ?     ? ? ?   ?   F   F      T   F  T     F   ?  ?       ?  ?
regex    | "^x$"      | F       ?    ?    ?     ? ? ?   ?   F   F      T   F  F     F   ?  ?       ?  ?
regex    | "(?i)^x"   | F       ?    ?    ?     ? ? ?   ?   F   F      T   F  F     T   ?  ?       ?  ?
regex    | ""         | F       ?    ?    ?     ? ? ?   ?   T   T      T   T  T     T   ?  ?       ?  ?
"""
HEADER, *ROWS = ([part.strip() for part in line.split("|")] for line in TABLE.strip().splitlines())
NOT_NUMBERS = [
    *("$5", "5,000", "5 ", " 5", "5\n", "+5", ".5", "5.", "0x5", "5_0", "1e", "e5", "--5", "5e1.5"),
    *("1e+", "NaN", "nan", "Infinity", "-inf", "5\x00", "5 USD", "1.2.3"),
    *("\u0665", "\uff15", "\u00bd", "\u22125"),  # digits and a minus that are not ASCII
]
LETTERS = {True: "T", False: "F", None: "?"}


def test_the_table_has_a_column_for_every_kind_of_value_and_a_row_for_every_operator() -> None:
    assert HEADER[2].split() == ["missing", *COLUMNS]
    names = ("gt", "gte", "lt", "lte", "eq", "neq", "in", "not_in", "exists", "contains")
    assert {row[0] for row in ROWS} == {*names, "matches", "regex"}


@pytest.mark.parametrize(("op", "value", "cells"), ROWS, ids=[f"{r[0]} {r[1]}" for r in ROWS])
def test_an_operator_says_of_every_kind_of_value_what_the_table_says(
    op, value, cells, truth
) -> None:
    said = [truth(op, value), *(truth(op, value, field) for field in COLUMNS.values())]
    assert dict(zip(HEADER[2].split(), (LETTERS[t] for t in said), strict=True)) == dict(
        zip(HEADER[2].split(), cells.split(), strict=True)
    )


def test_exists_asks_for_presence_when_it_names_no_value(read, act, rule) -> None:
    policy = read(rule(conditions="{ field = 'f', op = 'exists' }"))
    assert policy.rules[0].conditions[0].as_record() == {
        "field": "f",
        "op": "exists",
        "value": True,
    }


@pytest.mark.parametrize("text", NOT_NUMBERS)
@pytest.mark.parametrize("op", ["gt", "gte", "lt", "lte"])
def test_text_that_is_not_wholly_a_number_is_unknown(op, text, truth) -> None:
    assert truth(op, "5", text) is None


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_float_that_is_not_finite_is_unknown_and_equal_to_nothing(number, truth) -> None:
    assert [truth(op, "5", number) for op in ("gt", "gte", "lt", "lte")] == [None] * 4
    assert [truth("eq", "5", number), truth("neq", "5", number)] == [False, True]
    assert [truth("eq", "'x'", number), truth("in", "['x', []]", number)] == [False, False]


@pytest.mark.parametrize(
    "text", ["5", "5.0", "05", "5e0", "5E0", "5e+0", "50e-1", "0.5e1", "5.000"]
)
def test_text_that_is_wholly_a_number_is_that_number(text, truth) -> None:
    said = [truth(op, "5", text) for op in ("gt", "gte", "lt", "lte", "eq", "neq")]
    assert said == [False, True, False, True, True, False]


def test_equality_of_nested_values_compares_numbers_as_decimals_and_never_booleans(truth) -> None:
    wanted = "{ a = [1, { b = 2.50 }], c = 'x' }"
    assert truth("eq", wanted, {"c": "x", "a": [1.0, {"b": "2.5"}]}) is True
    assert truth("eq", wanted, {"c": "x", "a": [True, {"b": 2.5}]}) is False
    assert truth("eq", wanted, {"c": "x", "a": [1, {"b": 2.5}], "d": None}) is False
    assert truth("eq", wanted, {"c": "x", "a": [1, {"b": 2.5}, 3]}) is False


def test_glob_and_regex_see_through_line_breaks_as_their_law_says(truth) -> None:
    assert truth("matches", "'a*b'", "a\nb") is True
    assert truth("matches", "'a'", "a\n") is False
    assert truth("regex", "'a$'", "a\n") is False
    assert truth("regex", "'^b'", "a\nb") is False
