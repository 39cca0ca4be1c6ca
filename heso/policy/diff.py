"""What changed between two policies, rule by rule, in the order of the newer one."""

from dataclasses import dataclass
from typing import Literal

from heso.policy.model import Policy, Rule

Change = Literal["added", "removed", "changed", "reordered"]


@dataclass(frozen=True, slots=True)
class RuleChange:
    """`before` is None for an added rule, `after` for a removed one."""

    rule: str
    change: Change
    before: Rule | None
    after: Rule | None


def diff_policies(old: Policy, new: Policy) -> tuple[RuleChange, ...]:
    """Compare by rule id. A disabled rule counts as absent: it decides nothing."""
    before = {rule.id: rule for rule in old.rules}
    after = {rule.id: rule for rule in new.rules}
    changes = [
        RuleChange(rule_id, _kind(before.get(rule_id), rule), before.get(rule_id), rule)
        for rule_id, rule in after.items()
        if before.get(rule_id) != rule
    ]
    changes += [
        RuleChange(rule_id, "removed", rule, None)
        for rule_id, rule in before.items()
        if rule_id not in after
    ]
    return tuple(changes)


def _kind(before: Rule | None, after: Rule) -> Change:
    if before is None:
        return "added"
    same_but_order = (
        before.display == after.display
        and before.conditions == after.conditions
        and before.decision == after.decision
        and before.is_shadow == after.is_shadow
    )
    return "reordered" if same_but_order else "changed"
