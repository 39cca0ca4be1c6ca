"""The roster's times: from when until when somebody decides, and who stands in for whom."""

import base64

import pytest

from heso.policy.errors import PolicyError
from heso.policy.model import Approver, Delegation
from heso.policy.reader import parse_policy

KEYS = {name: base64.b64encode(bytes([n]) * 32).decode() for n, name in enumerate("abc", 1)}
SECOND = 1_000_000_000
DAY = 86_400 * SECOND
NEW_YEAR = 1_767_225_600 * SECOND


def person(name: str, **more: str) -> str:
    lines = {"id": f"'{name}'", "keys": f"['{KEYS[name]}']", **more}
    return "[[approver]]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items())


def lends(giver: str, taker: str, until: str | None = "2026-01-02T00:00:00Z", **more: str) -> str:
    lines = {"from": f"'{giver}'", "to": f"'{taker}'", "until": until, **more}
    text = "".join(f"{key} = {value}\n" for key, value in lines.items() if value is not None)
    return "[[delegation]]\n" + text


ALL = "".join(map(person, "abc"))


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({}, (None, None)),
        ({"valid_from": "2026-01-01T00:00:00Z"}, (NEW_YEAR, None)),
        ({"valid_until": "2026-01-02T00:00:00Z"}, (None, NEW_YEAR + DAY)),
        ({"valid_from": "2026-01-01 01:00:00+01:00"}, (NEW_YEAR, None)),
        ({"valid_from": "1969-12-31T23:59:59Z"}, (-SECOND, None)),
    ],
)
def test_a_validity_is_two_instants_either_of_which_may_be_missing(more, wanted) -> None:
    (found,) = parse_policy(person("a", **more).encode()).approvers
    assert found == Approver(
        id="a", roles=(), keys=(KEYS["a"],), valid_from=wanted[0], valid_until=wanted[1]
    )


BOTH = (
    "heso.toml, rule 'delegation a', key `to`: b stands in for somebody and is stood in for as well"
)
QUOTED = "must be a time without quotes, such as 2026-12-01T00:00:00Z"
ZONE = "needs a time zone: write Z or an offset"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("valid_from", "'2026-01-01T00:00:00Z'", QUOTED),
        ("valid_from", "2026", QUOTED),
        ("valid_from", "true", QUOTED),
        ("valid_from", "2026-01-01", QUOTED),
        ("valid_until", "00:00:00", QUOTED),
        ("valid_from", "2026-01-01T00:00:00", ZONE),
        ("valid_until", "2026-01-01T00:00:00", ZONE),
        ("valid_to", "2026-01-01T00:00:00Z", "is not a known key; did you mean `valid_from`?"),
    ],
)
def test_a_time_that_is_none_is_refused_with_its_key(key: str, value: str, said: str) -> None:
    with pytest.raises(PolicyError) as refused:
        parse_policy(person("a", **{key: value}).encode())
    assert str(refused.value).startswith(f"heso.toml, rule 'approver a', key `{key}`: ")
    assert str(refused.value).endswith(said) or key == "valid_to"


@pytest.mark.parametrize("until", ["2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z"])
def test_a_validity_that_is_over_before_it_begins_is_refused(until: str) -> None:
    text = person("a", valid_from="2026-01-01T00:00:00Z", valid_until=until)
    with pytest.raises(PolicyError) as refused:
        parse_policy(text.encode())
    said = "heso.toml, rule 'approver a', key `valid_until`: is not after valid_from"
    assert str(refused.value) == said


def test_a_validity_around_1970_is_compared_as_well() -> None:
    text = person("a", valid_from="1970-01-01T00:00:00Z", valid_until="1969-12-31T00:00:00Z")
    with pytest.raises(PolicyError):
        parse_policy(text.encode())


def test_a_delegation_is_who_for_whom_until_when() -> None:
    policy = parse_policy(
        (ALL + lends("a", "b") + lends("c", "b", "2026-01-03T00:00:00Z")).encode()
    )
    assert policy.delegations == (
        Delegation(giver="a", taker="b", until=NEW_YEAR + DAY),
        Delegation(giver="c", taker="b", until=NEW_YEAR + 2 * DAY),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (lends("a", "x"), "heso.toml, key `delegation[0].to`: 'x' is not an approver of this file"),
        (
            lends("x", "a"),
            "heso.toml, key `delegation[0].from`: 'x' is not an approver of this file",
        ),
        (lends("a", "a"), "heso.toml, key `delegation[0].to`: nobody stands in for themselves"),
        (
            lends("a", "b", None),
            "heso.toml, key `delegation[0].until`: is missing: a delegation ends",
        ),
        (lends("a", "b", "'soon'"), f"heso.toml, key `delegation[0].until`: {QUOTED}"),
        (lends("a", "b", "2026-01-01T00:00:00"), f"heso.toml, key `delegation[0].until`: {ZONE}"),
        (lends("a", "b", role="'x'"), "heso.toml, key `delegation[0].role`: is not a known key"),
        (
            lends("a", "b") + lends("b", "a"),
            BOTH,
        ),
        (
            lends("a", "b") + lends("b", "c"),
            BOTH,
        ),
        (
            lends("a", "b") + lends("b", "c") + lends("c", "a"),
            BOTH,
        ),
    ],
    ids=["taker", "giver", "self", "no end", "text", "no zone", "key", "two", "chain", "three"],
)
def test_a_delegation_that_makes_no_sense_is_refused(text: str, said: str) -> None:
    with pytest.raises(PolicyError) as refused:
        parse_policy((ALL + text).encode())
    assert str(refused.value) == said
