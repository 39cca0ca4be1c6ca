"""Regular expressions run on RE2: linear, checked at load, and loaded only when a rule asks for them."""

import subprocess
import sys

import pytest

from heso.policy.errors import PolicyError

FIRST = "[[rule]]\nid = 'r'\norder = 1\nverb = 'any'\ndecision = 'block'\n"
PROBE = """
import sys
{before}
from heso.policy import diff, evaluate, lint, reader
try:
    reader.parse_policy({text!r}.encode())
except Exception as error:
    print(error)
print("re2" in sys.modules and sys.modules["re2"] is not None)
"""


def _run(text: str, before: str = "") -> list[str]:
    code = PROBE.format(text=text, before=before)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_the_engine_is_not_loaded_without_a_regex() -> None:
    conditions = "conditions = [{ field = 'f', op = 'matches', value = 'a*' }]\n"
    assert _run(FIRST + conditions) == ["False"]


def test_the_engine_is_loaded_with_a_regex() -> None:
    conditions = "conditions = [{ field = 'f', op = 'regex', value = 'a*' }]\n"
    assert _run(FIRST + conditions) == ["True"]


def test_a_regex_without_the_engine_says_what_to_install() -> None:
    conditions = "conditions = [{ field = 'f', op = 'regex', value = 'a*' }]\n"
    said, loaded = _run(FIRST + conditions, "sys.modules['re2'] = None")
    assert said == (
        "heso.toml, rule 'r', key `conditions[0].op`: "
        "the regex operator needs RE2: pip install 'heso[regex]'"
    )
    assert loaded == "False"


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        ")",
        "[a",
        "a{2,1}",
        "(?=a)",
        "(?!a)",
        "(?<=a)",
        "\\1",
        "(?P<n>a)(?P=n)",
        "\\Z",
        "a{1001}",
        "*",
        "a**",
    ],
)
def test_a_pattern_that_does_not_compile_is_an_error_at_load(
    pattern, read, rule, when, capfd
) -> None:
    with pytest.raises(PolicyError) as refused:
        read(rule(conditions=when("regex", f"'{pattern}'")))
    error = refused.value
    assert (error.file, error.rule, error.key) == ("heso.toml", "r", "conditions[0].value")
    assert error.why.startswith("not a pattern RE2 takes: ")
    assert capfd.readouterr() == ("", "")


def test_an_error_in_a_pattern_is_told_as_text(read, rule, when) -> None:
    with pytest.raises(PolicyError) as refused:
        read(rule(conditions=when("regex", "'(a'")))
    assert refused.value.why == "not a pattern RE2 takes: missing ): (a"


@pytest.mark.parametrize(
    ("pattern", "text", "said"),
    [
        ("b", "abc", True),
        ("^b", "abc", False),
        ("(?i)B", "abc", True),
        ("é+", "caféé", True),
        ("^.$", "é", True),
        ("x.y", "x\x00y", True),
        ("\\d", "\u0665", False),
        ("\\p{Greek}", "α", True),
        ("", "", True),
    ],
)
def test_a_regex_searches_text(pattern, text, said, truth) -> None:
    assert truth("regex", f"'{pattern}'", text) is said


@pytest.mark.parametrize("text", ["\ud800", "card \udfff 4242"])
def test_text_that_is_not_unicode_is_unknown(text, truth) -> None:
    assert truth("regex", "'42'", text) is None
