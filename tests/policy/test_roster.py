"""The roster: people and their keys. A quorum counts people, so no two of them share a key."""

import base64

import pytest

from heso.policy.errors import PolicyError
from heso.policy.model import Approver
from heso.policy.reader import parse_policy

KEY, OTHER = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def _person(**changes: str | None) -> str:
    keys = {"id": "'ada'", "roles": "['finance']", "keys": f"['{KEY}']", **changes}
    return "[[approver]]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items() if v is not None)


def test_a_person_has_an_id_roles_and_keys() -> None:
    policy = parse_policy(
        (_person() + _person(id="'bo'", roles=None, keys=f"['{OTHER}']")).encode()
    )
    assert policy.approvers == (
        Approver(id="ada", roles=("finance",), keys=(KEY,)),
        Approver(id="bo", roles=(), keys=(OTHER,)),
    )


NAMED = "heso.toml, rule 'approver ada', key `{}`: {}"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": None}, "heso.toml, key `approver[0].id`: is missing"),
        ({"id": "''"}, "heso.toml, key `approver[0].id`: must not be empty"),
        ({"id": "7"}, "heso.toml, key `approver[0].id`: must be text"),
        ({"keys": None}, NAMED.format("keys", "a person needs at least one public key")),
        ({"keys": "[]"}, NAMED.format("keys", "a person needs at least one public key")),
        ({"keys": f"'{KEY}'"}, NAMED.format("keys", "must be a list of text")),
        ({"keys": "[5]"}, NAMED.format("keys", "must be a list of non-empty text")),
        ({"keys": "['x']"}, NAMED.format("keys", "malformed public key: not base64")),
        ({"keys": "['AAAA']"}, NAMED.format("keys", "malformed public key: 3 bytes, not 32")),
        ({"keys": f"['{KEY[:-1]}']"}, NAMED.format("keys", "malformed public key: not base64")),
        ({"roles": "'finance'"}, NAMED.format("roles", "must be a list of text")),
        ({"roles": "['']"}, NAMED.format("roles", "must be a list of non-empty text")),
        ({"role": "[]"}, NAMED.format("role", "is not a known key; did you mean `roles`?")),
        ({"key": "[]"}, NAMED.format("key", "is not a known key; did you mean `keys`?")),
        ({"threshold": "2"}, NAMED.format("threshold", "is not a known key")),
    ],
)
def test_a_fault_in_a_person_names_file_person_and_key(changes, said) -> None:
    with pytest.raises(PolicyError) as refused:
        parse_policy(_person(**changes).encode())
    assert str(refused.value) == said


def test_two_people_with_one_id_are_refused() -> None:
    with pytest.raises(PolicyError) as refused:
        parse_policy((_person() + _person(keys=f"['{OTHER}']")).encode())
    assert str(refused.value) == "heso.toml, rule 'ada', key `id`: two approvers have this id"


def test_two_people_with_one_key_are_refused() -> None:
    with pytest.raises(PolicyError) as refused:
        parse_policy((_person() + _person(id="'bo'", keys=f"['{OTHER}', '{KEY}']")).encode())
    assert (
        str(refused.value) == "heso.toml, rule 'approver bo', key `keys`: this key is already ada's"
    )


def test_one_person_may_have_several_keys() -> None:
    policy = parse_policy(_person(keys=f"['{KEY}', '{OTHER}']").encode())
    assert policy.approvers[0].keys == (KEY, OTHER)
