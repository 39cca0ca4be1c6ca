"""The floor by effect: whatever a call says of itself and wherever it goes, its floor only rises."""

import re
import time
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import heso
from heso.async_gate.effects import classify_call
from heso.core.encoding import Digest
from heso.core.receipt import Action, Verb
from heso.policy.scope import parse_host
from heso.project import create_project
from heso.taxonomy.bundle import BadTaxonomy, load_taxonomy, parse_taxonomy
from heso.taxonomy.classify import classify, glob_matches, stricter_verb
from heso.taxonomy.facts import Signal, observe
from heso.taxonomy.model import FLAGS, METHODS, ResourceClass, Taxonomy, hash_taxonomy

# As policy has it: a person always, a person unless a rule bounds it, whatever the policy says.
FLOOR = {
    Verb.DELETE: 2,
    Verb.ACCOUNT_CHANGE: 2,
    Verb.PAYMENT: 1,
    Verb.DATA_EXPORT: 1,
    Verb.LLM_CALL: 0,
    Verb.HTTP_REQUEST: 0,
    Verb.TOOL_CALL: 0,
}
HOSTS = (
    None,
    "example.com",
    "api.stripe.com",
    "iam.amazonaws.com",
    "x.vault.azure.net",
    "api.openai.com",
    "slack.com",
)
SIGNALS = (
    None,
    Signal(),
    Signal(method="DELETE"),
    Signal(method="POST", path="/v1/charges"),
    Signal(fs_path="/home/a/.ssh/id_rsa"),
    Signal(origin="payment_sdk"),
    Signal(origin="agent_protocol"),
    Signal(observed_via="sql_proxy"),
    Signal(argv_tokens=("DROP",)),
    Signal(row_count_estimate=10**9),
    Signal(mcp_server="m"),
)


def act(verb: Verb, host: str | None) -> Action:
    return Action(verb=verb, tool_name="t", workflow="w", account="a", fields={}, target_host=host)


@pytest.mark.parametrize("verb", Verb)
def test_no_place_and_no_signal_lowers_a_floor(verb: Verb) -> None:
    for host, signal in product(HOSTS, SIGNALS):
        found = classify_call(act(verb, host), signal)
        assert FLOOR[found.verb] >= FLOOR[verb], (host, signal)


def test_the_ladder_and_the_floors_of_policy_are_one_order() -> None:
    for one, other in product(Verb, Verb):
        stricter = stricter_verb(one, other)
        assert FLOOR[stricter] == max(FLOOR[one], FLOOR[other])


def test_a_classification_is_carried_only_when_it_derives_to_the_receipts_verb() -> None:
    taxonomy = load_taxonomy()
    carried = 0
    for verb, host, signal in product(Verb, HOSTS, SIGNALS):
        found = classify_call(act(verb, host), signal)
        if found.ert is None:
            continue
        carried += 1
        facts = found.ert["observed_facts"]
        assert isinstance(facts, dict)
        derived = classify(facts, taxonomy)
        assert (derived.verb, derived.resource_class, derived.effect, derived.egress) == (
            found.verb,
            found.ert["resource_class"],
            found.ert["effect"],
            found.ert["egress"],
        )
        assert found.ert["resource_class"] != "unresolved"
    assert carried > 50


HOST_SPELLINGS = (
    "API.STRIPE.COM",
    "api.stripe.com.",
    "api.stripe.com:443",
    "api.stripe.com.:443",
    "api.stripe.com:",
    "api.stripe.com.:",
    "Stripe.com:8443",
)


@pytest.mark.parametrize("host", HOST_SPELLINGS)
def test_a_host_that_the_gate_takes_is_known_however_it_is_spelt(host: str) -> None:
    assert parse_host(host) in ("api.stripe.com", "stripe.com")
    assert observe(Verb.TOOL_CALL, host)["host"] == parse_host(host)
    assert classify_call(act(Verb.TOOL_CALL, host)).verb is Verb.PAYMENT


@given(
    st.sampled_from(["api.stripe.com", "a.okta.com", "s.vault.azure.net", "example.com"]),
    st.lists(st.sampled_from([".", ":", ":443", ":٤", "[", "]", "a.", "-", " ", "@", "/"]), max_size=3),
    st.booleans(),
    st.booleans(),
)  # fmt: skip
@settings(deadline=None)
def test_a_host_is_for_the_taxonomy_what_it_is_for_the_policy(
    name: str, extra: list[str], is_upper: bool, in_front: bool
) -> None:
    """Hosts that the policy's scopes cannot read are refused before; the others must be read alike."""
    spoilt = "".join((*extra, name) if in_front else (name, *extra))
    host = spoilt.upper() if is_upper else spoilt
    if parse_host(host) is not None:
        assert observe(Verb.TOOL_CALL, host)["host"] == parse_host(host)


def test_a_deletion_does_not_become_a_payment_that_nobody_is_asked_about(tmp_path: Path) -> None:
    """The agent chooses the host: it must not choose a verb with a lower floor by it."""
    (tmp_path / "heso.toml").write_text(
        """
[[rule]]
id = "small"
order = 1
verb = "payment"
conditions = [{ field = "amount", op = "lte", value = 100 }]
decision = "allow"

[[rule]]
id = "never"
order = 2
verb = "delete"
decision = "block"
"""
    )
    create_project(tmp_path, None)
    erased: list[str] = []

    @heso.tool(verb="delete", target_host=lambda fields: str(fields["host"]))
    def erase(host: str, amount: int) -> None:
        erased.append(f"{host} {amount}")

    with heso.init(tmp_path):
        for host in ("example.com", "api.stripe.com", "api.stripe.com:", "iam.amazonaws.com"):
            with pytest.raises(heso.HesoError):
                erase(host, 5)
    assert erased == []


def test_no_order_of_segments_makes_a_glob_slow() -> None:
    """The places that `x` leaves behind come out of a set from the last to the first, all in one segment."""
    places, spread = 300, 1024
    path = ["a"] * (places * spread + places)
    for number in range(places):
        path[(places - number) * spread + number - 1] = "x"
    hostile = "".join(path)
    usual = "x" + hostile.replace("x", "a")

    def seconds(text: str) -> float:
        start = time.perf_counter()
        assert not glob_matches("**x*zz", text)
        return time.perf_counter() - start

    assert seconds(hostile) < 8 * max(seconds(usual), 0.005)


CLASS = '[[class]]\nid = "a"\ncoarse_verb = "payment"\neffect = "spend"\n[[class.predicate]]\n'
END = '[[class]]\nid = "unresolved"\ncoarse_verb = "tool_call"\neffect = "effect_unknown"\n[[class.predicate]]\nkind = "always"\n'

ROWS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    'kind = "host_set"\nhosts = ["Pay.example"]\nhost_suffixes = [".Pay.Example"]': (
        [{"host": "pay.example"}, {"host": "a.pay.example"}],
        [{"host": "xpay.example"}, {}],
    ),
    'kind = "path_glob"\npath_globs = ["/pay/**"]': (
        [{"path": "/pay/1"}, {"realpath": "/pay/"}],
        [{"path": "/pay"}, {}],
    ),
    'kind = "method_set"\nmethods = ["post"]': ([{"method": "POST"}], [{"method": "GET"}, {}]),
    'kind = "argv_token"\ntokens = ["PAY"]': (
        [{"argv_tokens": ["a", "pay"]}],
        [{"argv_tokens": ["pays"]}, {}],
    ),
    'kind = "row_threshold"\nthreshold = 9': (
        [{"row_count_estimate": 9}, {"row_count_estimate": 10}],
        [{"row_count_estimate": 8}, {}],
    ),
    'kind = "fact_flag"\nflag = "has_host"': ([{"host": ""}], [{}]),
    'kind = "fact_flag"\nflag = "is_payment"': ([{"is_payment": True}], [{"is_payment": False}, {}]),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_each_kind_of_row_matches_what_it_says(row: str) -> None:
    taxonomy = parse_taxonomy((CLASS + row + "\n" + END).encode())
    yes, no = ROWS[row]
    assert [classify(facts, taxonomy).resource_class for facts in yes] == ["a"] * len(yes)
    assert [classify(facts, taxonomy).resource_class for facts in no] == ["unresolved"] * len(no)


BAD_ROWS = (
    'kind = "row_threshold"\nthreshold = 9007199254740993',
    'kind = "row_threshold"\nthreshold = true',
    'kind = "row_threshold"\nthreshold = 1.5',
    'kind = "row_threshold"',
    'kind = "host_set"',
    'kind = "host_set"\nhosts = "a"',
    'kind = "host_set"\nhosts = [1]',
    'kind = "path_glob"\npath_globs = []',
    'kind = "argv_token"\ntokens = []',
    'kind = "method_set"\nmethods = ["BREW"]',
    'kind = "always"',
    'kind = ["always"]',
    'kind = "fact_flag"\nflag = ["is_payment"]',
)


@pytest.mark.parametrize("row", BAD_ROWS)
def test_a_row_that_means_nothing_is_refused(row: str) -> None:
    with pytest.raises(BadTaxonomy) as refused:
        parse_taxonomy((CLASS + row + "\n" + END).encode())
    assert str(refused.value).startswith("the taxonomy is not sound")


@pytest.mark.parametrize(
    "text",
    [
        "class = 1",
        "class = []",
        "class = [1]",
        '[[class]]\nid = 1\neffect = "spend"\n' + END,
        '[[class]]\nid = "a"\ncoarse_verb = "payment"\neffect = "spend"\npredicate = []\n' + END,
        '[[class]]\nid = "a"\ncoarse_verb = "payment"\neffect = "spend"\npredicate = [1]\n' + END,
        '[[class]]\nid = "a"\ncoarse_verb = "payment"\neffect = "spend"\nextra = 1\n' + END,
        CLASS + 'kind = "always"\n' + END,
        END + "extra = 1\n",
        "title = 1\n" + END,
    ],
)
def test_a_text_that_is_no_taxonomy_is_refused(text: str) -> None:
    with pytest.raises(BadTaxonomy):
        parse_taxonomy(text.encode())


FACTS = st.fixed_dictionaries(
    {},
    optional={
        "host": st.sampled_from(["", "stripe.com", "API.stripe.com", "x.okta.com", "localhost"]),
        "path": st.sampled_from(["", "/", "/v1/charges", "/payments/1", "/.env", "/a/.ssh/b"]),
        "realpath": st.sampled_from(["/etc/passwd", "/a/.env"]),
        "method": st.sampled_from(METHODS),
        "argv_tokens": st.lists(st.sampled_from(["rm", "drop", "ls", "-rf", ""]), max_size=3),
        "row_count_estimate": st.integers(0, 2**64 - 1),
        **dict.fromkeys(FLAGS[:7], st.booleans()),
    },
)


@given(FACTS)
def test_any_facts_have_exactly_one_class_in_both_bundles(facts: dict[str, object]) -> None:
    for name in ("current", "legacy"):
        taxonomy = load_taxonomy(name)
        found = classify(facts, taxonomy)
        (one,) = (one for one in taxonomy.classes if one.id == found.resource_class)
        assert (one.verb, one.effect) == (found.verb, found.effect)
        if "host" in facts:
            assert found.egress == "crosses_trust_boundary"


@given(st.text("a/*", max_size=8), st.text("a/", max_size=8))
def test_any_glob_matches_as_its_regular_expression_does(glob: str, path: str) -> None:
    pattern = "".join(
        {"**": ".*", "*": "[^/]*"}.get(part, re.escape(part))
        for part in re.findall(r"\*\*|\*|[^*]", glob)
    )
    assert glob_matches(glob, path) is bool(re.fullmatch(pattern, path, re.DOTALL))


@pytest.mark.parametrize(
    ("host", "bare"),
    [
        ("[::1]:443", "[::1]:443"),
        ("[::1]", "[::1]"),
        ("::1", "::1"),
        ("a:b", "a:b"),
        ("a:٤", "a:٤"),
        ("", ""),
        (":", ""),
    ],
)
def test_what_is_no_name_with_a_port_stays_as_it_is(host: str, bare: str) -> None:
    assert observe(Verb.TOOL_CALL, host) == {"host": bare}


def test_an_origin_that_says_nothing_about_the_effect_is_only_told() -> None:
    assert observe(Verb.TOOL_CALL, None, Signal(origin="proxy")) == {"origin": "proxy"}
    assert observe(Verb.TOOL_CALL, None, Signal(origin="payment_sdk"))["is_payment"] is True


def test_a_row_of_no_kind_is_no_row() -> None:
    nothing: Any = object()
    broken = ResourceClass("a", Verb.PAYMENT, "spend", (nothing,))
    with pytest.raises(AssertionError):
        hash_taxonomy((broken,), "current")
    with pytest.raises(AssertionError):
        classify({}, Taxonomy((broken,), Digest("0" * 64)))
