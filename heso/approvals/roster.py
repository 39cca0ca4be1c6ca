"""Who a key belongs to, and whether that person may decide.

Rule 1: the roster is the project's own file, read now: a key that was taken off it decides nothing any more.
Rule 2: nobody decides what they asked for themselves, neither with the operator's key nor as the account it is for.
Rule 3: people count, not keys.
"""

from collections.abc import Iterable, Sequence

from heso.approvals.errors import MayNotDecide
from heso.approvals.terms import Terms
from heso.core.encoding import PublicKey
from heso.core.instant import Instant, format_instant
from heso.core.ticket import Ticket
from heso.policy.model import ApprovalTerms, Approver, PersonId, Policy


def find_person(policy: Policy, key: PublicKey) -> Approver | None:
    return next((person for person in policy.approvers if key in person.keys), None)


def fix_terms(
    asked: ApprovalTerms, policy: Policy, *, default_sla_minutes: int, default_grant_minutes: int
) -> Terms:
    """A rule's terms as they hold for one action from now on."""
    return Terms(
        approvers=asked.approvers,
        threshold=asked.threshold,
        on_timeout=asked.on_timeout,
        escalate_to=asked.escalate_to,
        roster=keys_of(policy, asked.approvers, asked.escalate_to),
        sla_minutes=asked.sla_minutes or default_sla_minutes,
        grant_minutes=asked.grant_minutes or default_grant_minutes,
    )


def keys_of(
    policy: Policy, names: Sequence[str], escalate_to: Sequence[str]
) -> tuple[PublicKey, ...]:
    """The keys of everybody who may come to decide, stand-ins too, sorted; no names means the whole roster."""
    wanted = {*names, *escalate_to}
    people = {p.id for p in policy.approvers if not names or not wanted.isdisjoint(_names(p))}
    people |= {d.taker for d in policy.delegations if d.giver in people}
    keys = [key for person in policy.approvers if person.id in people for key in person.keys]
    return tuple(sorted(keys))


def check_may_decide(
    key: PublicKey,
    ticket: Ticket,
    terms: Terms,
    policy: Policy,
    *,
    operator: PublicKey,
    at: Instant,
) -> PersonId:
    """The person behind a key, when they may decide this ticket now. Raises `MayNotDecide`."""
    if key == operator:
        raise MayNotDecide("the operator's key", "nobody approves their own action")
    person = find_person(policy, key)
    if person is None:
        raise MayNotDecide(f"the key {key}", "it is nobody's on the roster")
    if person.id == ticket.account:
        raise MayNotDecide(person.id, "the action is on their own behalf")
    if (why := _why_not_valid(person, at)) is not None:
        raise MayNotDecide(person.id, why)
    names = terms.names_at(ticket.rung)
    if names and not any(
        not set(names).isdisjoint(_names(one))
        for one in (person, *_stood_in_for(person, ticket, policy, at))
    ):
        raise MayNotDecide(person.id, f"it is for {' or '.join(names)}")
    if terms.threshold > 1 and key not in terms.roster:
        raise MayNotDecide(person.id, "this key was not on the roster when the action was asked")
    return person.id


def _why_not_valid(person: Approver, at: Instant) -> str | None:
    if person.valid_from is not None and at < person.valid_from:
        return f"their keys are valid from {format_instant(person.valid_from)}"
    if person.valid_until is not None and at >= person.valid_until:
        return f"their keys were valid until {format_instant(person.valid_until)}"
    return None


def _stood_in_for(
    person: Approver, ticket: Ticket, policy: Policy, at: Instant
) -> Iterable[Approver]:
    """Whom this person speaks for now. Nobody lends what they may not decide themselves."""
    givers = {d.giver for d in policy.delegations if d.taker == person.id and at < d.until}
    for one in policy.approvers:
        if one.id in givers and one.id != ticket.account and _why_not_valid(one, at) is None:
            yield one


def _names(person: Approver) -> tuple[str, ...]:
    return (person.id, *person.roles)
