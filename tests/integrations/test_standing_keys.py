"""Keys that stand in the environment: told by name and kind, never by a byte of what they are."""

from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heso.integrations.standing_keys import KINDS, find_standing_keys

QUICK = settings(derandomize=True, deadline=None, max_examples=150)

KEYS = [
    ("sk_live_" + "a1B2c3D4", "a live payment key"),
    ("rk_live_" + "a1B2c3D4e5", "a live payment key"),
    ("AKIA" + "ABCDEFGH1234", "a cloud access key"),
    ("ASIA" + "ABCDEFGH12345678", "a cloud access key"),
    *((f"gh{kind}_" + "a1" * 8, "a code host's token") for kind in "pousr"),
    ("github_pat_11AAA", "a code host's token"),
    ("glpat-abc", "a code host's token"),
    ("xoxb-1-2", "a chat token"),
    ("xapp-1-2", "a chat token"),
    ("whsec_abc", "a webhook's secret"),
    ("npm_0123456789abcdef", "a package registry's token"),
    ("SG.0123456789abcdef", "a mail service's key"),
    ("hf_0123456789abcdef", "a model hub's token"),
    ("AIza0123456789abcdef", "a maps or cloud key"),
    ("xoxp-1-2", "a chat token"),
    ("sk-" + "a1" * 8, "a model provider's key"),
    ("sk-proj-" + "a_" * 8, "a model provider's key"),
    ("sk-ant-api03-" + "a-" * 8, "a model provider's key"),
    ("sk-svcacct-" + "a1" * 8, "a model provider's key"),
    ("-----BEGIN PRIVATE KEY-----\nMII", "a private key"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMII", "a private key"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3B", "a private key"),
]
HARMLESS = [
    "",
    " ",
    "sk",
    "sk-",
    "sk-short",
    "sk_test_a1B2c3D4e5",
    "sk_live_",
    "AKIA",
    "akiaabcdefgh1234",
    "AKIA-IS-NO-KEY-HERE",
    "ghp_short",
    "xoxz-1",
    "-----BEGIN PUBLIC KEY-----",
    "-----BEGIN CERTIFICATE-----",
    "task-sk-a1a1a1a1a1a1a1a1",
    "/usr/bin:/bin",
]


@pytest.mark.parametrize(("key", "kind"), KEYS)
def test_a_key_is_found_by_how_it_begins(key: str, kind: str) -> None:
    assert find_standing_keys({"A": key}) == [("A", kind)]


@pytest.mark.parametrize(
    "around", ["'{}'", '"{}"', "  {} ", " '{}'", "{}\n", "\n{}", "\t{}"], ids=repr
)
def test_a_key_is_found_in_quotes_and_spaces(around: str) -> None:
    environment = {f"V{index:02}": around.format(key) for index, (key, _) in enumerate(KEYS)}
    assert [kind for _, kind in find_standing_keys(environment)] == [kind for _, kind in KEYS]


@pytest.mark.parametrize("value", HARMLESS)
def test_what_is_no_key_is_not_named(value: str) -> None:
    assert find_standing_keys({"SK_LIVE_KEY": value}) == []


def test_every_kind_has_a_key_here() -> None:
    assert {kind for _, kind in KEYS} == set(KINDS)


@given(
    st.dictionaries(
        st.text("ABC_", min_size=1, max_size=5),
        st.sampled_from([key for key, _ in KEYS] + HARMLESS) | st.text(max_size=20),
        max_size=6,
    ),
    st.text("xyz0123456789", min_size=8, max_size=30),
)
@QUICK
def test_no_byte_of_a_value_is_told_nor_its_length(
    environment: dict[str, str], secret: str
) -> None:
    found = find_standing_keys(environment)
    assert [name for name, _ in found] == sorted({name for name, _ in found})
    assert {name for name, _ in found} <= environment.keys()
    assert {kind for _, kind in found} <= KINDS.keys()
    longer = {name: value and value + secret for name, value in environment.items()}
    told = find_standing_keys(longer)
    assert secret not in str(told)
    assert set(found) <= set(told)


def test_a_long_value_takes_no_time() -> None:
    values = [
        "-----BEGIN " + "PRIVATE KEY-----"[:-1] * 100_000,
        "-----BEGIN " + "A " * 500_000,
        " " * 1_000_000,
        "sk-" * 500_000,
    ]
    began = perf_counter()
    find_standing_keys({str(index): value for index, value in enumerate(values)})
    assert perf_counter() - began < 0.5
