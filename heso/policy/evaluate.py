"""One action in, one outcome out.

Rules are asked in ascending order; the first whose subject, verb, scope and all conditions match decides. Nothing
matched: a person is asked. An unknown condition counts as holding for `block` and `require_approval` and as not
holding for `allow` and `redact`, so a malformed argument can make a call stricter and never laxer.
A shadow rule is noted and does not decide.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import assert_never

from heso.core.receipt import Action, DecisionPath, Json, Verb
from heso.policy.fields import MISSING, find_field
from heso.policy.floors import find_breach
from heso.policy.model import (
    Allow,
    ApprovalTerms,
    Block,
    Candidate,
    Condition,
    Decision,
    Outcome,
    Policy,
    Redact,
    RequireApproval,
    Rule,
    Subject,
    Truth,
)
from heso.policy.scope import covers

DEFAULT_RULE = "policy.default.deny_unknown"
FLOOR_RULE = "policy.floor."

_DEFAULT_DISPLAY = "No rule is about this action, so a person decides."
_ANYONE = RequireApproval(ApprovalTerms())
_UNKNOWN = Outcome(decision=_ANYONE, rule_id=DEFAULT_RULE, display=_DEFAULT_DISPLAY)


@dataclass(frozen=True, slots=True)
class Trial:
    """How one rule fared against one action, for people who ask why."""

    rule: Rule
    why_not: str
    truths: tuple[tuple[Condition, Truth], ...]


def evaluate_action(action: Action, policy: Policy) -> Outcome:
    """What `policy` says about `action`. Pure; never raises for any JSON fields."""
    facts: dict[str, object] = {}
    shadows: list[Json] = []
    for candidate in policy.by_verb[action.verb]:
        rule = candidate.rule
        if not _is_about(rule, action) or not _all_hold(rule, action, facts):
            continue
        if rule.is_shadow:
            shadows.append(_shadow_record(rule))
        elif rule.conditions or shadows:
            matched = [_record(c, _truth(c, action, facts)) for c in rule.conditions]
            return replace(candidate.outcome, matched=(*matched, *shadows))
        else:
            return candidate.outcome
    return replace(_UNKNOWN, matched=tuple(shadows)) if shadows else _UNKNOWN


def make_candidate(rule: Rule, verb: Verb) -> Candidate:
    """What `rule` says about an action of `verb`. A floor it would break speaks in its place."""
    breach = None if rule.is_shadow else find_breach(rule, verb)
    if breach is None:
        outcome = Outcome(
            decision=rule.decision, rule_id=rule.id, display=rule.display, redact=rule.redact
        )
    else:
        outcome = Outcome(
            decision=_ANYONE,
            rule_id=FLOOR_RULE + verb,
            display=f"The rule {rule.id!r} would let this through, but {breach}.",
            redact=rule.redact,
        )
    return Candidate(rule, outcome)


def explain_action(action: Action, policy: Policy) -> Iterator[Trial]:
    """Every rule that was asked, in order, up to and including the one that decided."""
    facts: dict[str, object] = {}
    for rule in policy.rules:
        why_not = _why_not_about(rule, action)
        truths = tuple((c, _truth(c, action, facts)) for c in rule.conditions)
        if not why_not and not _all_hold(rule, action, facts):
            why_not = "a condition does not hold"
        yield Trial(rule, why_not, truths)
        if not why_not and not rule.is_shadow:
            return


def decision_path(decision: Decision) -> DecisionPath:
    """The wire's word for a decision."""
    match decision:
        case Allow():
            return DecisionPath.ALLOW
        case Redact():
            return DecisionPath.REDACT
        case Block():
            return DecisionPath.BLOCK
        case RequireApproval():
            return DecisionPath.REQUIRE_APPROVAL
        case _:
            assert_never(decision)


def _is_about(rule: Rule, action: Action) -> bool:
    return (rule.scope == "*" or covers(rule.scope, action.target_host)) and _subject_matches(
        rule.subject, action
    )


def _why_not_about(rule: Rule, action: Action) -> str:
    if rule.verb is not None and rule.verb is not action.verb:
        return f"it is about {rule.verb}"
    if not _subject_matches(rule.subject, action):
        return f"it is about the {rule.subject.kind} {rule.subject.value}"
    if not covers(rule.scope, action.target_host):
        return f"it is about {rule.scope}"
    return ""


def _subject_matches(subject: Subject, action: Action) -> bool:
    match subject.kind:
        case "any":
            return True
        case "workflow":
            return action.workflow == subject.value
        case "account":
            return action.account == subject.value
        case _:
            assert_never(subject.kind)


def _all_hold(rule: Rule, action: Action, facts: dict[str, object]) -> bool:
    for condition in rule.conditions:
        truth = _truth(condition, action, facts)
        if truth is None:
            truth = _is_strict(rule.decision)
        if not truth:
            return False
    return True


def _truth(condition: Condition, action: Action, facts: dict[str, object]) -> Truth:
    name = condition.field
    value = facts.get(name, facts)
    if value is facts:
        value = facts[name] = find_field(action, name)
    if value is MISSING:
        return condition.op == "exists" and condition.value is False
    return condition.holds(value)


def _is_strict(decision: Decision) -> bool:
    match decision:
        case Block() | RequireApproval():
            return True
        case Allow() | Redact():
            return False
        case _:
            assert_never(decision)


def _record(condition: Condition, truth: Truth) -> Json:
    record = condition.as_record()
    if truth is None:
        record["op"] = f"unknown:{condition.op}"
    return record


def _shadow_record(rule: Rule) -> Json:
    return {
        "field": "policy.shadow",
        "op": "would",
        "value": {"rule_id": rule.id, "decision": decision_path(rule.decision)},
    }
