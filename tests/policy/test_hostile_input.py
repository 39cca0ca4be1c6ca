"""Arguments written by somebody who wants the gate to hang: every test stays fast."""

import threading

import pytest

PATIENCE_SECONDS = 1.0
LONG = 50_000


@pytest.fixture
def soon(truth):
    """The truth of a condition, or a failure when it takes longer than anybody should wait."""

    def ask(op, value, field):
        said = []
        worker = threading.Thread(target=lambda: said.append(truth(op, value, field)), daemon=True)
        worker.start()
        worker.join(PATIENCE_SECONDS)
        assert said, f"{op} took longer than {PATIENCE_SECONDS} s"
        return said[0]

    return ask


@pytest.mark.parametrize(
    ("op", "value", "field", "said"),
    [
        ("matches", "'a*a*a*a*b'", "a" * LONG, False),
        ("matches", "'*a*a*a*a*a*a*a*a*b'", "a" * LONG, False),
        ("matches", "'a*a*a*a*b'", "a" * LONG + "b", True),
        ("matches", "'*?*?*?*?*?*b'", "a" * LONG, False),
        ("matches", "'*[ab]*[ab]*[ab]*c'", "ab" * LONG, False),
        ("matches", "'*a*b'", "ab" * LONG + "c", False),
        ("matches", f"'{'*a' * 500}b'", "a" * LONG, False),
        ("regex", "'(a+)+$'", "a" * LONG + "!", False),
        ("regex", "'(a|aa)+$'", "a" * LONG + "!", False),
        ("regex", "'(.*)(.*)(.*)(.*)(.*)x$'", "a" * LONG, False),
        ("regex", "'(a?){100}a{100}$'", "a" * LONG + "!", False),
        ("regex", "'(x+x+)+y'", "x" * LONG, False),
        ("contains", f"'{'a' * 500}b'", "a" * LONG, False),
        ("contains", "5", ["5.0000001"] * LONG, False),
        ("gt", "5", "9" * LONG, True),
        ("gt", "5", "9" * LONG + "x", None),
        ("gt", "5", "1e" + "9" * LONG, None),
        ("gt", "5", "1e999999999999", True),
        ("gt", "5", "1e-999999999999", False),
        ("gt", "5", "1e999999", True),
        ("gt", "1e999999", "1e999998", False),
        ("eq", "1e999999", "1e999999", True),
        ("eq", "1e999999", "1", False),
        ("eq", "5", "5." + "0" * LONG + "1", False),
        ("lt", "5", "-" + "9" * LONG, True),
        ("eq", "5", "0" * LONG + "5", True),
        ("eq", "5", "5." + "0" * LONG, True),
        ("gt", "5", "9" * 1_000_000, True),
        ("lt", "5", "0." + "0" * 1_000_000 + "1", True),
        ("eq", "1e999999999999", "10e999999999998", True),
        ("gt", "1e999999999999", "1e999999999998", False),
        ("gt", "5", "1e-" + "9" * LONG, None),
        ("gt", "5", "1." * LONG, None),
        ("gt", "5", "-" * LONG, None),
    ],
)
def test_no_value_makes_an_operator_slow(op, value, field, said, soon) -> None:
    assert soon(op, value, field) is said


def test_a_whole_number_of_any_size_is_compared_at_once(soon) -> None:
    assert soon("gt", "5", 1 << 1_000_000) is None
    assert soon("gt", "5", -(1 << 100_000_000)) is None
    assert soon("eq", "5", 1 << 1_000_000) is False
    assert soon("gt", "5", 1 << 99_999) is True
    assert soon("lt", "5", -(1 << 99_999)) is True


def test_a_deeply_nested_value_is_only_read_as_deep_as_the_rule_is(soon) -> None:
    deep: object = "x"
    for _ in range(5000):
        deep = [deep]
    assert soon("eq", "[['x']]", deep) is False
    assert soon("contains", "'x'", deep) is None
    assert soon("gt", "5", deep) is None


def test_a_long_path_into_nothing_is_missing(rule, when, decide) -> None:
    text = rule(conditions=when("exists", "false", "a" + ".a" * LONG))
    assert decide(text, fields={"a": {"a": {"a": {}}}}).matched[0]["op"] == "exists"
    assert decide(text, fields={"a": {"a": {"a": 5}}}).matched[0]["op"] == "unknown:exists"


def test_a_host_of_any_length_is_compared_at_once(rule, decide) -> None:
    text = rule(scope='"stripe.com"')
    for host in ("a." * LONG + "stripe.com", "[" + ":" * LONG, "1" * LONG, "a" * LONG + "!"):
        assert decide(text, target_host=host).rule_id == "r"  # no host: unknown, so a block matches
        lax = rule("allow", scope='"stripe.com"')
        assert decide(lax, target_host=host).rule_id == "policy.default.deny_unknown"
