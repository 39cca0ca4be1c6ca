"""Scopes: which hosts a rule is about, and which ones only look as if they were."""

from dataclasses import replace

import pytest

from heso.policy.errors import PolicyError
from heso.policy.evaluate import explain_action
from heso.policy.scope import covers, parse_host, parse_scope

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
    ("::1", "[::1]:443"),
    ("::1", "0:0:0:0:0:0:0:1"),
    ("[2001:db8:0::1]", "2001:DB8::0:1"),
    ("127.0.0.1:8080", "127.0.0.1"),
    ("127.0.0.1.", "127.0.0.1"),
    ("_dmarc.stripe.com", "_dmarc.stripe.com"),
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
    ("*.stripe.com", "evilstripe.com"),
    ("api.stripe.com", "stripe.com"),
    ("api.stripe.com", "www.stripe.com"),
    ("stripe.com", "127.0.0.1"),
    ("[::1]", "[::2]"),
    ("[::1]", "127.0.0.1"),
    ("127.0.0.1", "127.0.0.2"),
    ("com.stripe", "stripe.com"),
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
    "stripe.com:443@evil.com",
    "stripe.com@evil.com",
    "https://stripe.com",
    "stripe.com/",
    "*",
    "*.stripe.com",
    "",
    ".",
    " ",
    ":443",
    " stripe.com",
    "stripe.com ",
    "stripe..com",
    ".stripe.com",
    "stripe.com..",
    "-stripe.com",
    "stripe-.com",
    "stripe.com:http",
    "stripe.com:443:80x",
    "str\u00edpe.com",
    "stripe\u3002com",
    "\u212aelvin.stripe.com",
    "stripe.com:\u0664",
    "[::1]1",
    "[::1",
    "::1]",
    "[stripe.com]",
    "[::1%eth0]",
    "1:2:3",
    "127.1",
    "2130706433",
    "0x7f000001",
    "127.0.0.0x1",
    "127.0.0.01",
    "256.0.0.1",
    "a.1.2.3.4",
    "a." * 130 + "com",
    "\ud800",
]

NOT_A_SCOPE = [
    *("", " ", ".", "*.", "**", "*.*", "a.*.com", "*stripe.com", "*.*.com", "a..b", ".stripe.com"),
    *("https://stripe.com", "stripe.com/v1", "user@stripe.com", "a b.com", "münchen.de", "*:443"),
    *("stripe.com,paypal.com", "stripe.com:http", "127.1", "0x7f.1", "[::1", "[stripe.com]"),
    *("*.[::1]", "*.::1", "*.127.0.0.1"),  # an address has no hosts below it
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


@pytest.mark.parametrize("host", NOT_A_HOST)
@pytest.mark.parametrize("scope", ["stripe.com", "*.evil.com", "localhost", "127.0.0.1", "::1"])
def test_whether_a_scope_covers_text_that_is_not_a_host_is_unknown(
    *, scope, host, rule, decide, read, act, asks_anyone
) -> None:
    assert parse_host(host) is None
    assert covers(parse_scope(scope), host) is None
    text = f'"{scope}"'
    action = act(target_host=host)
    for decision in ("allow", "block", "redact", "require_approval"):
        (trial,) = explain_action(action, read(rule(decision, scope=text)))
        assert (trial.truth, trial.why_not) == (None, "")
    assert decide(rule("block", scope=text), target_host=host).rule_id == "r"
    assert decide(rule("require_approval", scope=text), target_host=host).rule_id == "r"
    hidden = decide(rule("redact", scope=text), target_host=host)
    assert hidden == replace(asks_anyone, redact=("secret",))


@pytest.mark.parametrize("host", NOT_A_HOST)
def test_text_that_is_not_a_host_lies_within_everything(host, rule, decide) -> None:
    assert decide(rule("allow", scope='"*"'), target_host=host).rule_id == "r"


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("STRIPE.com.:443", "stripe.com"),
        ("localhost", "localhost"),
        ("a_b-c.d0", "a_b-c.d0"),
        ("stripe.com:", "stripe.com"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[2001:DB8:0:0::1]:8443", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("a" * 253, "a" * 253),
    ],
)
def test_a_host_has_one_normal_form(text, host) -> None:
    assert parse_host(text) == host
    assert parse_host(host) == host
    assert parse_scope(text) == host
    assert covers(host, text) is True


def test_a_host_of_more_than_253_characters_is_none() -> None:
    assert parse_host("a" * 254) is None
    assert parse_host("a" * 252 + ".:443") == "a" * 252


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
