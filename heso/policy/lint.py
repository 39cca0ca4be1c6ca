"""What is legal in a policy and still probably not meant."""

from dataclasses import dataclass
from typing import assert_never

import orjson

from heso.core.receipt import Verb
from heso.policy.model import Allow, Block, Condition, Policy, Redact, RequireApproval, Rule


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
        says = f"asks {terms.threshold} to approve, and {len(people)} on the roster may; add an [[approver]]"
        findings.append(Finding(rule.id, says, is_error=bool(terms.approvers)))
    return findings


def _covers_all_of(first: Rule, later: Rule) -> bool:
    """Whether every action that `later` matches is surely decided by `first`."""
    if first.is_shadow:
        return False
    is_wider = (
        (first.subject.kind == "any" or first.subject == later.subject)
        and (first.verb is None or first.verb == later.verb)
        and (first.scope in ("*", later.scope) or later.scope.endswith("." + first.scope))
        and {_spelling(c) for c in first.conditions} <= {_spelling(c) for c in later.conditions}
    )
    is_never_in_doubt = first.scope == "*" and not first.conditions
    return is_wider and (is_never_in_doubt or _strictness(first) >= _strictness(later))


def _strictness(rule: Rule) -> int:
    """How a rule that may or may not match is taken: a block decides, a question waits, the others pass."""
    match rule.decision:
        case Block():
            return 2
        case RequireApproval():
            return 1
        case Allow() | Redact():
            return 0
        case _:
            assert_never(rule.decision)


def _spelling(condition: Condition) -> tuple[str, str, bytes]:
    """JSON text tells true from 1, which Python's == does not."""
    return condition.field, condition.op, orjson.dumps(condition.value)


def verbs_without_rule(policy: Policy) -> tuple[Verb, ...]:
    """Verbs no rule speaks about: every such action asks a person."""
    return tuple(
        verb
        for verb, runs in policy.by_verb.items()
        if all(candidate.rule.is_shadow for run in runs for candidate in run.candidates)
    )
