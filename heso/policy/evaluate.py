"""One action in, one outcome out.

Rules are asked in ascending order; the first whose subject, verb, scope and all conditions match decides. Nothing
matched: a person is asked. A shadow rule is noted and does not decide.

A malformed argument can make a call stricter and never laxer. So where a rule may or may not match:
  - `block` matches;
  - `require_approval` matches, unless a rule behind it blocks;
  - `allow` and `redact` do not;
  - and what it would hide is hidden, whatever decides.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, assert_never

from heso.core.receipt import Action, DecisionPath, Json, Verb
from heso.policy.fields import MISSING, UNREADABLE, find_field
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
RAISED_FIELD = "taxonomy.verb"
"""Under this name a receipt says what a call was declared as, when its effect makes it something stricter."""

_DEFAULT_DISPLAY = "No rule is about this action, so a person decides."
_ANYONE = RequireApproval(ApprovalTerms())
_UNKNOWN = Outcome(decision=_ANYONE, rule_id=DEFAULT_RULE, display=_DEFAULT_DISPLAY)


@dataclass(frozen=True, slots=True)
class Trial:
    """How one rule fared against one action, for people who ask why. `truth` None: it may or may not match."""

    rule: Rule
    truth: Truth
    why_not: str
    truths: tuple[tuple[Condition, Truth], ...]


def evaluate_action(action: Action, policy: Policy) -> Outcome:
    """What `policy` says about `action`. Pure; never raises for any JSON fields."""
    facts: dict[str, object] = {}
    passed = _Passed()
    for run in policy.by_verb[action.verb]:
        value = None if run.field is None else _fact(run.field, action, facts)
        for candidate in run.pick(value):
            truth = _matches(candidate.rule, action, facts)
            if truth is False:
                continue
            outcome = candidate.outcome
            if candidate.rule.conditions:
                outcome = replace(outcome, matched=_records(candidate.rule, action, facts))
            if _decides(candidate.rule, truth):
                return passed.temper(outcome)
            passed.remember(candidate.rule, outcome, truth)
    return passed.temper(_UNKNOWN)


def evaluate_raised(action: Action, declared: Verb, policy: Policy) -> Outcome:
    """What policy says about a call that was declared as one verb and, by its effect, is the action's own.

    It is judged as both, and the stricter answer counts: an argument that makes a call something else as well gets round
    no rule about what it was declared as. What either would hide is hidden. That no rule is about the declared verb says
    nothing.
    """
    outcome = evaluate_action(action, policy)
    if declared is action.verb:
        return outcome
    other = evaluate_action(replace(action, verb=declared), policy)
    if other.rule_id == DEFAULT_RULE:
        return outcome
    stricter = other if _strictness(other.decision) > _strictness(outcome.decision) else outcome
    return replace(stricter, redact=tuple(dict.fromkeys((*outcome.redact, *other.redact))))


def declared_verb(content: Json) -> Verb:
    """The verb that a receipt's action was declared as."""
    policy: Any = content["policy"]
    action: Any = content["action"]
    raised = [c["value"] for c in policy["matched_conditions"] if c["field"] == RAISED_FIELD]
    return Verb(raised[0] if raised else action["verb"])


def _strictness(decision: Decision) -> int:
    match decision:
        case Block():
            return 2
        case RequireApproval():
            return 1
        case Allow() | Redact():
            return 0
        case _:
            assert_never(decision)


def explain_action(action: Action, policy: Policy) -> Iterator[Trial]:
    """Every rule that was asked, in order, up to and including the one that decided."""
    facts: dict[str, object] = {}
    for rule in policy.rules:
        why_not = _why_not_about(rule, action)
        truth = False if why_not else _matches(rule, action, facts)
        truths = tuple((c, _truth(c, action, facts)) for c in rule.conditions)
        if truth is False and not why_not:
            why_not = "a condition does not hold"
        yield Trial(rule, truth, why_not, truths)
        if truth is not False and _decides(rule, truth):
            return


def make_candidate(rule: Rule, verb: Verb) -> Candidate:
    """What `rule` says about an action of `verb`. A floor it would break speaks in its place: people are asked, or, where
    the rule demands a trusted time, which nothing they approve can carry, it is blocked."""
    breach = find_breach(rule, verb)
    if breach is None:
        outcome = Outcome(
            decision=rule.decision,
            rule_id=rule.id,
            display=rule.display,
            redact=rule.redact,
            needs_anchor=rule.needs_anchor,
        )
    else:
        also = ", and what people approve carries no trusted time" if rule.needs_anchor else ""
        outcome = Outcome(
            decision=Block() if rule.needs_anchor else _ANYONE,
            rule_id=FLOOR_RULE + verb,
            display=f"The rule {rule.id!r} would let this through, but {breach}{also}.",
            redact=rule.redact,
            needs_anchor=rule.needs_anchor,
        )
    return Candidate(rule, outcome)


class _Passed:
    """What was met on the way to the rule that decides: shadow rules, and rules that may or may not match."""

    __slots__ = ("_asked", "_hidden", "_shadows")

    def __init__(self) -> None:
        self._shadows: tuple[Json, ...] = ()
        self._hidden: tuple[str, ...] = ()
        self._asked: Outcome | None = None

    def remember(self, rule: Rule, outcome: Outcome, truth: Truth) -> None:
        if rule.is_shadow:
            if truth or _is_strict(rule.decision):
                self._shadows += (_shadow_record(rule, outcome),)
            return
        self._hidden += rule.redact
        if isinstance(rule.decision, RequireApproval):
            self._asked = self._asked or outcome

    def temper(self, outcome: Outcome) -> Outcome:
        """The outcome that stands, given what was met before it."""
        if self._asked is not None and not isinstance(outcome.decision, Block):
            self._hidden += outcome.redact
            outcome = self._asked
        if not self._hidden and not self._shadows:
            return outcome
        return replace(
            outcome,
            matched=(*outcome.matched, *self._shadows),
            redact=tuple(dict.fromkeys((*outcome.redact, *self._hidden))),
        )


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


def _decides(rule: Rule, truth: Truth) -> bool:
    """Whether a rule that matches, or may match, is the one that decides."""
    return not rule.is_shadow and (truth is True or isinstance(rule.decision, Block))


def _matches(rule: Rule, action: Action, facts: dict[str, object]) -> Truth:
    """Whether the rule's subject, scope and all conditions hold; its verb was looked at already."""
    if not _subject_matches(rule.subject, action):
        return False
    found: Truth = True if rule.scope == "*" else covers(rule.scope, action.target_host)
    if found is False:
        return False
    for condition in rule.conditions:
        truth = _truth(condition, action, facts)
        if truth is False:
            return False
        if truth is None:
            found = None
    return found


def _why_not_about(rule: Rule, action: Action) -> str:
    if rule.verb is not None and rule.verb is not action.verb:
        return f"it is about {rule.verb}"
    if not _subject_matches(rule.subject, action):
        return f"it is about the {rule.subject.kind} {rule.subject.value}"
    if covers(rule.scope, action.target_host) is False:
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


def _truth(condition: Condition, action: Action, facts: dict[str, object]) -> Truth:
    value = _fact(condition.field, action, facts)
    if value is MISSING:
        return condition.op == "exists" and condition.value is False
    return None if value is UNREADABLE else condition.holds(value)


def _fact(name: str, action: Action, facts: dict[str, object]) -> object:
    """A field's value, looked up once for each action."""
    value = facts.get(name, facts)
    if value is facts:
        value = facts[name] = find_field(action, name)
    return value


def _is_strict(decision: Decision) -> bool:
    match decision:
        case Block() | RequireApproval():
            return True
        case Allow() | Redact():
            return False
        case _:
            assert_never(decision)


def _records(rule: Rule, action: Action, facts: dict[str, object]) -> tuple[Json, ...]:
    """The rule's conditions as the receipt names them; one that is unknown says so."""
    return tuple(_record(c, _truth(c, action, facts)) for c in rule.conditions)


def _record(condition: Condition, truth: Truth) -> Json:
    record = condition.as_record()
    if truth is None:
        record["op"] = f"unknown:{condition.op}"
    return record


def _shadow_record(rule: Rule, outcome: Outcome) -> Json:
    return {
        "field": "policy.shadow",
        "op": "would",
        "value": {"rule_id": rule.id, "decision": str(decision_path(outcome.decision))},
    }
