"""What is legal in a policy and still probably not meant."""

from dataclasses import dataclass

import orjson

from heso.core.receipt import Verb
from heso.policy.model import Block, Condition, Policy, RequireApproval, Rule


@dataclass(frozen=True, slots=True)
class Finding:
    """`is_error` findings make `heso policy check` fail."""

    rule: str
    says: str
    is_error: bool


def lint_policy(policy: Policy) -> tuple[Finding, ...]:
    """Unknown approvers and quorums nobody can meet (errors); rules that can never decide (warnings)."""
    findings: list[Finding] = []
    for index, rule in enumerate(policy.rules):
        findings.extend(_lint_approvers(rule, policy))
        shadowing = next((r for r in policy.rules[:index] if _covers_all_of(r, rule)), None)
        if shadowing is not None:
            says = f"never decides: {shadowing.id!r} is asked first and matches everything it does"
            findings.append(Finding(rule.id, says, is_error=False))
    return tuple(findings)


def _lint_approvers(rule: Rule, policy: Policy) -> list[Finding]:
    if not isinstance(rule.decision, RequireApproval):
        return []
    terms = rule.decision.terms
    known = {name for person in policy.approvers for name in (person.id, *person.roles)}
    findings = [
        Finding(rule.id, f"{name!r} is neither a person nor a role of the roster", is_error=True)
        for name in (*terms.approvers, *terms.escalate_to)
        if name not in known
    ]
    people = [
        person
        for person in policy.approvers
        if not terms.approvers or not {person.id, *person.roles}.isdisjoint(terms.approvers)
    ]
    if not findings and terms.threshold > len(people):
        says = f"needs {terms.threshold} people, and only {len(people)} could say yes"
        findings.append(Finding(rule.id, says, is_error=bool(terms.approvers)))
    return findings


def _covers_all_of(first: Rule, later: Rule) -> bool:
    """Whether every action that `later` matches is surely decided by `first`."""
    if first.is_shadow:
        return False
    subject = first.subject.kind == "any" or first.subject == later.subject
    verb = first.verb is None or first.verb == later.verb
    scope = first.scope in ("*", later.scope) or later.scope.endswith("." + first.scope)
    return subject and verb and scope and _conditions_follow(first, later)


def _conditions_follow(first: Rule, later: Rule) -> bool:
    """Every condition of `first` is also one of `later`, word for word.

    Where both decisions treat an unknown condition alike, matching `later` then implies matching `first`.
    """
    theirs = [_spelling(c) for c in later.conditions]
    if any(_spelling(c) not in theirs for c in first.conditions):
        return False
    return not first.conditions or _reads_doubt_strictly(first) >= _reads_doubt_strictly(later)


def _spelling(condition: Condition) -> tuple[str, str, bytes]:
    """JSON text tells true from 1, which Python's == does not."""
    return condition.field, condition.op, orjson.dumps(condition.value)


def _reads_doubt_strictly(rule: Rule) -> bool:
    return isinstance(rule.decision, Block | RequireApproval)


def verbs_without_rule(policy: Policy) -> tuple[Verb, ...]:
    """Verbs no rule speaks about: every such action asks a person."""
    return tuple(
        verb
        for verb, runs in policy.by_verb.items()
        if all(candidate.rule.is_shadow for run in runs for candidate in run.candidates)
    )
