"""Scopes: which hosts a rule is about, and which ones only look as if they were."""

import pytest

from heso.policy.errors import PolicyError

INSIDE = [
    ("stripe.com", "stripe.com"),
    ("stripe.com", "api.stripe.com"),
    ("stripe.com", "a.b.c.stripe.com"),
    ("stripe.com", "STRIPE.Com"),
    ("stripe.com", "API.STRIPE.COM."),
    ("stripe.com", "stripe.com."),
    ("stripe.com", "stripe.com:443"),
    ("stripe.com", "api.stripe.com.:8443"),
    ("Stripe.COM", "stripe.com"),
    ("stripe.com.", "stripe.com"),
    ("stripe.com:443", "stripe.com"),
    ("stripe.com:443", "stripe.com:80"),
    ("*.stripe.com", "stripe.com"),
    ("*.stripe.com", "api.stripe.com"),
    ("*.stripe.com", "a.b.stripe.com:1"),
    ("*.STRIPE.com.", "api.stripe.com"),
    ("api.stripe.com", "v2.api.stripe.com"),
    ("localhost", "localhost:8080"),
    ("127.0.0.1", "127.0.0.1:80"),
    ("[::1]", "[::1]"),
    ("[::1]", "[::1]:443"),
    ("[::1]:443", "[::1]"),
    ("[2001:DB8::1]", "[2001:db8::1]:8443"),
    ("xn--mnchen-3ya.de", "XN--MNCHEN-3YA.de"),
]
OUTSIDE = [
    ("stripe.com", "evilstripe.com"),
    ("stripe.com", "evil-stripe.com"),
    ("stripe.com", "stripe.com.evil.com"),
    ("stripe.com", "stripe.comx"),
    ("stripe.com", "stripe.co"),
    ("stripe.com", "com"),
    ("stripe.com", "stripe-com"),
    ("stripe.com", "stripexcom"),
    ("stripe.com", "api.stripe.com.evil.com:443"),
    ("stripe.com", "stripe.com:443@evil.com"),
    ("stripe.com", "stripe.com@evil.com"),
    ("*.stripe.com", "evilstripe.com"),
    ("*.stripe.com", "*"),
    ("api.stripe.com", "stripe.com"),
    ("api.stripe.com", "www.stripe.com"),
    ("[::1]", "[::2]"),
    ("[::1]", "[::1]1"),
    ("stripe.com", ""),
    ("stripe.com", "."),
    ("stripe.com", " "),
    ("stripe.com", ":443"),
]
NOT_A_HOST = [
    "evil.com/.stripe.com",
    "evil.com#.stripe.com",
    "evil.com?.stripe.com",
    "evil.com\\.stripe.com",
    "evil.com:80/.stripe.com",
    "evil.com\n.stripe.com",
    "evil.com\x00.stripe.com",
    "evil.com .stripe.com",
    "evil.com%2f.stripe.com",
]

NOT_A_SCOPE = [
    *("", " ", ".", "*.", "**", "*.*", "a.*.com", "*stripe.com", "*.*.com", "a..b", ".stripe.com"),
    *("https://stripe.com", "stripe.com/v1", "user@stripe.com", "a b.com", "münchen.de", "*:443"),
    *("stripe.com,paypal.com", "stripe.com:http", "*.[::1]"),
]


@pytest.mark.parametrize(("scope", "host"), INSIDE)
def test_a_scope_covers_its_host_and_the_hosts_below_it(scope, host, rule, decide) -> None:
    assert decide(rule(scope=f'"{scope}"'), target_host=host).rule_id == "r"


@pytest.mark.parametrize(("scope", "host"), OUTSIDE)
def test_a_scope_does_not_cover_its_neighbours(scope, host, rule, decide, asks_anyone) -> None:
    assert decide(rule(scope=f'"{scope}"'), target_host=host) == asks_anyone


@pytest.mark.parametrize("host", NOT_A_HOST)
def test_text_that_is_not_a_host_is_in_no_host_that_is_allowed(
    host, rule, decide, asks_anyone
) -> None:
    assert decide(rule("allow", scope='"stripe.com"'), target_host=host) == asks_anyone


def test_an_empty_port_is_ignored_like_any_other(rule, decide) -> None:
    assert decide(rule(scope='"evil.com"'), target_host="evil.com:").rule_id == "r"


@pytest.mark.parametrize("host", ["::1", "2001:db8::1"])
def test_an_ipv6_host_is_the_same_host_without_its_brackets(host, rule, decide) -> None:
    assert decide(rule(scope=f'"[{host}]"'), target_host=host).rule_id == "r"


@pytest.mark.parametrize("host", [None, "", "stripe.com", "[::1]:80", "anything at all"])
def test_the_scope_of_everything_covers_every_action(host, rule, decide) -> None:
    assert decide(rule(), target_host=host).rule_id == "r"
    assert decide(rule(scope='"*"'), target_host=host).rule_id == "r"


@pytest.mark.parametrize("scope", ["stripe.com", "*.stripe.com", "localhost", "[::1]"])
@pytest.mark.parametrize("decision", ["allow", "redact", "block", "require_approval"])
def test_a_scope_of_hosts_never_covers_an_action_without_one(
    decision, scope, rule, decide, asks_anyone
) -> None:
    assert decide(rule(decision, scope=f'"{scope}"'), target_host=None) == asks_anyone


@pytest.mark.parametrize("scope", NOT_A_SCOPE)
def test_a_scope_that_is_neither_everything_nor_a_host_is_refused(scope, read, rule) -> None:
    with pytest.raises(PolicyError) as refused:
        read(rule(scope=f'"{scope}"'))
    assert str(refused.value) == (
        "heso.toml, rule 'r', key `scope`: must be `*`, a host, or `*.` and a host"
    )
