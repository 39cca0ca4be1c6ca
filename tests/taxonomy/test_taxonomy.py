"""The published bundles and their cases; where a host, a path and a threshold begin to count; deriving it again."""

from typing import Any

import pytest

from heso.core.keys import SigningKey
from heso.core.receipt import (
    Action,
    DecisionPath,
    PolicyRecord,
    Verb,
    draft_content,
    seal_receipt,
)
from heso.core.verdict import Kind
from heso.taxonomy.bundle import BadTaxonomy, load_taxonomy, parse_taxonomy
from heso.taxonomy.classify import classify, glob_matches, stricter_verb
from heso.taxonomy.facts import Signal, classify_action, observe
from heso.taxonomy.model import PRIMITIVES
from heso.taxonomy.rederive import verify_receipt_rederiving

CURRENT = "7e4ff89dc8efa5447c4d08282bb92952d6256a391b8f9844478839ed04ff63a1"
LEGACY = "9f3bbaafbef92384427a25e7e7004f7a73d30faba68f183a82102b8e92f3d20b"
TINY = "3a79bb6e77fe074ba9c0e38ce13d260070228b34d937b6fc4d2779ad6648508b"
END = '[[class]]\nid = "unresolved"\ncoarse_verb = "tool_call"\neffect = "effect_unknown"\n[[class.predicate]]\nkind = "always"\n'
KEY = SigningKey.from_seed(b"\x00" * 32)


def test_both_published_bundles_have_their_published_hashes() -> None:
    assert (load_taxonomy("current").hash, load_taxonomy("legacy").hash) == (CURRENT, LEGACY)
    assert parse_taxonomy(END.encode(), form="legacy").hash == TINY


def test_every_published_case_comes_out_as_published(crown: dict[str, Any]) -> None:
    taxonomy = load_taxonomy("current")
    cases = crown["taxonomy_classify"]["cases"]
    assert len(cases) >= 10
    for case in cases:
        found = classify(case["facts"], taxonomy)
        got = (found.resource_class, found.effect, str(found.verb), PRIMITIVES[found.verb])
        names = ("expected_class", "expected_effect", "expected_verb", "expected_primitive")
        assert got == tuple(case[name] for name in names), case["id"]


@pytest.mark.parametrize(
    ("facts", "resource_class", "egress"),
    [
        ({}, "unresolved", "crosses_unknown"),
        ({"host": "api.stripe.com"}, "payment_endpoint", "crosses_trust_boundary"),
        ({"host": "stripe.com"}, "payment_endpoint", "crosses_trust_boundary"),
        ({"host": "API.STRIPE.COM"}, "generic_network", "crosses_trust_boundary"),
        ({"host": "notstripe.com"}, "generic_network", "crosses_trust_boundary"),
        ({"host": "api.stripe.com."}, "generic_network", "crosses_trust_boundary"),
        ({"host": ""}, "generic_network", "crosses_trust_boundary"),
        ({"method": "DELETE"}, "destructive_op", "crosses_unknown"),
        ({"is_payment": True}, "payment_endpoint", "crosses_unknown"),
        ({"is_payment": False}, "unresolved", "crosses_unknown"),
        ({"row_count_estimate": 0}, "unresolved", "crosses_unknown"),
        ({"path": "/home/a/.ssh/id_rsa"}, "secret_store", "crosses_unknown"),
        ({"realpath": "/home/a/.ssh/id_rsa"}, "secret_store", "crosses_unknown"),
        ({"argv_tokens": ["psql", "drop"]}, "destructive_op", "local"),
        ({"argv_tokens": ["psql", "DROP"]}, "unresolved", "crosses_unknown"),
    ],
)
def test_where_a_call_belongs(facts: dict[str, Any], resource_class: str, egress: str) -> None:
    found = classify(facts, load_taxonomy("current"))
    assert (found.resource_class, found.egress) == (resource_class, egress)


@pytest.mark.parametrize(
    ("glob", "path", "matches"),
    [
        ("/payments/**", "/payments/a/b", True),
        ("/payments/**", "/payments", False),
        ("/payments/**", "/payments/", True),
        ("**/.env", "/a/.env", True),
        ("**/.env", ".env", False),
        ("/v*/charges*", "/v1/charges", True),
        ("/v*/charges*", "/v1/charges/1", False),
        ("/a/*", "/a/", True),
        ("/a/**", "/a/x\ny", True),
        ("/a?", "/ab", False),
        ("/a?", "/a?", True),
        ("/[a]", "/a", False),
        ("/A", "/a", False),
        ("", "", True),
    ],
)
def test_a_glob_is_anchored_and_knows_two_stars_and_nothing_else(
    glob: str, path: str, matches: bool
) -> None:
    assert glob_matches(glob, path) is matches


def test_no_path_takes_long_to_match() -> None:
    assert not glob_matches("/**/a**/b**/c**/d*", "/" + "a/b/c/" * 20_000)


@pytest.mark.parametrize(
    ("verb", "host", "signal", "facts"),
    [
        (Verb.TOOL_CALL, None, Signal(), {}),
        (Verb.TOOL_CALL, "API.Stripe.com:443.", Signal(), {"host": "api.stripe.com:443"}),
        (Verb.TOOL_CALL, "API.Stripe.com.", Signal(), {"host": "api.stripe.com"}),
        (Verb.TOOL_CALL, "api.stripe.com:443", Signal(), {"host": "api.stripe.com"}),
        (Verb.LLM_CALL, None, Signal(), {"is_model_call": True}),
        (Verb.PAYMENT, None, Signal(), {"is_payment": True}),
        (Verb.DELETE, None, Signal(), {"effect_destructive": True}),
        (Verb.ACCOUNT_CHANGE, None, Signal(), {"is_identity_change": True}),
        (Verb.DATA_EXPORT, None, Signal(), {"is_secret": True}),
        (Verb.HTTP_REQUEST, None, Signal(method="get", path="/a?k=s#f"), {"method": "GET", "path": "/a"}),
        (Verb.HTTP_REQUEST, None, Signal(method="BREW"), {}),
        (Verb.HTTP_REQUEST, None, Signal(method="DELETE"), {"method": "DELETE", "effect_destructive": True}),
        (Verb.TOOL_CALL, None, Signal(fs_path="/a"), {"realpath": "/a", "is_local_compute": True}),
        (Verb.TOOL_CALL, None, Signal(row_count_estimate=0), {"row_count_estimate": 0, "is_local_compute": True}),
        (Verb.TOOL_CALL, None, Signal(argv_tokens=("RM",)), {"argv_tokens": ["rm"]}),
        (Verb.TOOL_CALL, None, Signal(origin="payment_sdk"), {"origin": "payment_sdk", "is_payment": True}),
        (Verb.TOOL_CALL, None, Signal(origin="agent_protocol"), {"origin": "agent_protocol", "is_model_call": True}),
        (Verb.TOOL_CALL, None, Signal(observed_via="sql_proxy"), {"observed_via": "sql_proxy", "effect_destructive": True}),
        (Verb.TOOL_CALL, None, Signal(mcp_server="s"), {"mcp_server": "s"}),
    ],
)  # fmt: skip
def test_what_is_observed_of_a_call(
    verb: Verb, host: str | None, signal: Signal, facts: dict[str, Any]
) -> None:
    assert observe(verb, host, signal) == facts


def test_the_stricter_of_two_verbs_never_depends_on_their_order() -> None:
    for one in Verb:
        for other in Verb:
            assert stricter_verb(one, other) is stricter_verb(other, one)
        assert stricter_verb(one, Verb.TOOL_CALL) is one
        assert stricter_verb(one, Verb.DELETE) is Verb.DELETE


def _receipt(ert: dict[str, Any] | None, verb: Verb = Verb.PAYMENT) -> bytes:
    action = Action(verb=verb, tool_name="t", workflow="w", account="a", fields={}, ert=ert)
    record = PolicyRecord(
        rule_id="r", rule_display="d", matched_conditions=(), decision_path=DecisionPath.ALLOW
    )
    content = draft_content(
        action, record, captured_at="2026-01-01T00:00:00Z", operator=KEY.public_key
    )
    return seal_receipt(content, KEY).body


TRUE = classify_action(
    Action(
        verb=Verb.PAYMENT, tool_name="t", workflow="w", account="a", fields={}, target_host="stripe.com"
    ),
    load_taxonomy(),
)  # fmt: skip


@pytest.mark.parametrize(
    ("ert", "verb", "kind"),
    [
        (TRUE, Verb.PAYMENT, Kind.VALID),
        (None, Verb.PAYMENT, Kind.VALID),
        ({**TRUE, "taxonomy_hash": LEGACY}, Verb.PAYMENT, Kind.TAXONOMY_UNAVAILABLE),
        ({**TRUE, "resource_class": "unresolved"}, Verb.PAYMENT, Kind.CLASSIFICATION_MISMATCH),
        ({**TRUE, "effect": "observe"}, Verb.PAYMENT, Kind.CLASSIFICATION_MISMATCH),
        ({**TRUE, "egress": "local"}, Verb.PAYMENT, Kind.CLASSIFICATION_MISMATCH),
        (TRUE, Verb.TOOL_CALL, Kind.CLASSIFICATION_MISMATCH),
        ({**TRUE, "observed_facts": {}}, Verb.PAYMENT, Kind.CLASSIFICATION_MISMATCH),
        ({**TRUE, "observability": "blind"}, Verb.PAYMENT, Kind.VALID),
    ],
)
def test_a_classification_is_derived_again(
    ert: dict[str, Any] | None, verb: Verb, kind: Kind
) -> None:
    assert verify_receipt_rederiving(_receipt(ert, verb), load_taxonomy()).kind is kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not toml [",
        END.replace("unresolved", "other"),
        END + END,
        END.replace('kind = "always"', 'kind = "sometimes"'),
        END.replace("tool_call", "bribe"),
        END.replace("effect_unknown", "magic"),
        END.replace("[[class.predicate]]", "[[class.row]]"),
        END.replace('kind = "always"', 'kind = "always"\nextra = 1'),
        '[[class]]\nid = "a"\ncoarse_verb = "payment"\neffect = "spend"\n' + END,
        '[[class]]\nid = "a"\ncoarse_verb = "payment"\neffect = "spend"\n'
        '[[class.predicate]]\nkind = "row_threshold"\nthreshold = 0\n' + END,
        '[[class]]\nid = "a"\ncoarse_verb = "payment"\neffect = "spend"\n'
        '[[class.predicate]]\nkind = "fact_flag"\nflag = "is_nice"\n' + END,
        '[[class]]\nid = "a"\ncoarse_verb = "payment"\neffect = "spend"\n'
        '[[class.predicate]]\nkind = "method_set"\nmethods = []\n' + END,
    ],
)
def test_a_taxonomy_with_a_hole_is_refused(text: str) -> None:
    with pytest.raises(BadTaxonomy):
        parse_taxonomy(text.encode())
