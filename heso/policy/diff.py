"""What changed between two policies: rules in the order of the newer one, then the roster."""

from dataclasses import dataclass
from typing import Literal

import orjson

from heso.policy.model import Approver, Policy, Rule

Kind = Literal["added", "removed", "changed", "reordered"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference, in words. `before` is empty for what was added, `after` for what was removed."""

    what: str
    kind: Kind
    before: str
    after: str


def diff_policies(old: Policy, new: Policy) -> tuple[Change, ...]:
    """Compare rules and people by id. A disabled rule counts as absent: it decides nothing."""
    return (*_diff_rules(old, new), *_diff_roster(old, new))


def _diff_rules(old: Policy, new: Policy) -> list[Change]:
    before = {rule.id: rule for rule in old.rules}
    after = {rule.id: rule for rule in new.rules}
    old_places = _places([rule_id for rule_id in before if rule_id in after])
    new_places = _places([rule_id for rule_id in after if rule_id in before])
    changes: list[Change] = []
    for rule_id, rule in after.items():
        earlier = before.get(rule_id)
        if earlier is None:
            changes.append(Change(rule_id, "added", "", _describe(rule)))
        elif _meaning(earlier) != _meaning(rule):
            changes.append(Change(rule_id, "changed", _describe(earlier), _describe(rule)))
        elif old_places[rule_id] != new_places[rule_id]:
            changes.append(Change(rule_id, "reordered", _describe(earlier), _describe(rule)))
    changes += [
        Change(rule_id, "removed", _describe(rule), "")
        for rule_id, rule in before.items()
        if rule_id not in after
    ]
    return changes


def _diff_roster(old: Policy, new: Policy) -> list[Change]:
    before = {person.id: person for person in old.approvers}
    after = {person.id: person for person in new.approvers}
    changes: list[Change] = []
    for person_id in {**before, **after}:
        earlier, person = before.get(person_id), after.get(person_id)
        if earlier == person:
            continue
        kind: Kind = "added" if earlier is None else "removed" if person is None else "changed"
        changes.append(Change(f"approver {person_id}", kind, _present(earlier), _present(person)))
    return changes


def _places(ids: list[str]) -> dict[str, int]:
    return {rule_id: place for place, rule_id in enumerate(ids)}


def _meaning(rule: Rule) -> tuple[object, ...]:
    """Everything about a rule but its place. Values as JSON text, which tells true from 1."""
    conditions = [(c.field, c.op, orjson.dumps(c.value), c.display) for c in rule.conditions]
    return (
        rule.subject,
        rule.verb,
        rule.scope,
        conditions,
        rule.decision,
        rule.redact,
        rule.is_shadow,
        rule.needs_anchor,
    )


def _describe(rule: Rule) -> str:
    return f"{rule.display} (order {rule.order})"


def _present(person: Approver | None) -> str:
    if person is None:
        return ""
    return f"{', '.join(person.roles) or 'no role'}; keys {', '.join(person.keys)}"
