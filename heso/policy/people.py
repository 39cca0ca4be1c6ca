"""The roster: `[[approver]]` and `[[delegation]]` of a policy file.

Rule 1: a person is not a key. Several keys may be one person's; no key may be two persons'.
Rule 2: a delegation lends what a person may decide to another person of the roster, until a set time. It is not passed
        on: whoever stands in for somebody may not be stood in for, so there are no circles.
"""

from datetime import datetime

from heso.core.encoding import PublicKey, parse_public_key
from heso.core.errors import Malformed
from heso.core.instant import Instant, instant_of
from heso.policy.errors import PolicyError
from heso.policy.model import Approver, Delegation, PersonId
from heso.policy.table import Table


def parse_people(document: Table) -> tuple[tuple[Approver, ...], tuple[Delegation, ...]]:
    """The roster of a policy. Raises `PolicyError`."""
    approvers = tuple(_parse_approver(table) for table in document.tables("approver"))
    known = frozenset(person.id for person in approvers)
    delegations = tuple(_parse_delegation(table, known) for table in document.tables("delegation"))
    _refuse_shared_keys(document.file, approvers)
    _refuse_circles(document.file, delegations)
    return approvers, delegations


def _parse_approver(table: Table) -> Approver:
    person = table.text("id")
    if not person:
        raise table.fault("id", "must not be empty")
    table.name_rule(f"approver {person}")
    keys = table.texts("keys")
    for key in keys:
        try:
            parse_public_key(key)
        except Malformed as error:
            raise table.fault("keys", str(error)) from None
    approver = Approver(
        id=PersonId(person),
        roles=table.texts("roles"),
        keys=tuple(PublicKey(key) for key in keys),
        valid_from=_parse_moment(table, "valid_from"),
        valid_until=_parse_moment(table, "valid_until"),
    )
    if not approver.keys:
        raise table.fault("keys", "a person needs at least one public key")
    if None not in (approver.valid_from, approver.valid_until) and (
        (approver.valid_from or 0) >= (approver.valid_until or 0)
    ):
        raise table.fault("valid_until", "is not after valid_from")
    table.finish()
    return approver


def _parse_delegation(table: Table, known: frozenset[PersonId]) -> Delegation:
    people: dict[str, PersonId] = {}
    for key in ("from", "to"):
        person = PersonId(table.text(key))
        if person not in known:
            raise table.fault(key, f"{person!r} is not an approver of this file")
        people[key] = person
    if people["from"] == people["to"]:
        raise table.fault("to", "nobody stands in for themselves")
    until = _parse_moment(table, "until")
    if until is None:
        raise table.fault("until", "is missing: a delegation ends")
    table.finish()
    return Delegation(giver=people["from"], taker=people["to"], until=until)


def _parse_moment(table: Table, key: str) -> Instant | None:
    if not table.has(key):
        return None
    value = table.raw(key)
    if not isinstance(value, datetime):
        raise table.fault(key, "must be a time without quotes, such as 2026-12-01T00:00:00Z")
    try:
        return instant_of(value)
    except (Malformed, OverflowError, ValueError):
        raise table.fault(key, "needs a time zone: write Z or an offset") from None


def _refuse_shared_keys(file: str, approvers: tuple[Approver, ...]) -> None:
    """Quorum counts people; a key that two of them share would make one person two."""
    owner: dict[str, str] = {}
    for person in approvers:
        for key in person.keys:
            if key in owner:
                raise PolicyError(
                    file, f"this key is already {owner[key]}'s", f"approver {person.id}", "keys"
                )
            owner[key] = person.id


def _refuse_circles(file: str, delegations: tuple[Delegation, ...]) -> None:
    givers = {delegation.giver for delegation in delegations}
    for delegation in delegations:
        if delegation.taker in givers:
            why = f"{delegation.taker} stands in for somebody and is stood in for as well"
            raise PolicyError(file, why, f"delegation {delegation.giver}", "to")
