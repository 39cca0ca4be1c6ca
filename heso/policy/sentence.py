"""Every rule as one plain English sentence, for receipts, cards and reviews."""

import re
from collections.abc import Sequence
from typing import assert_never

import orjson

from heso.core.receipt import Verb
from heso.policy.model import (
    Allow,
    ApprovalTerms,
    Block,
    Condition,
    Decision,
    Redact,
    RequireApproval,
    Subject,
)

_LITERAL = re.compile(r"true|false|null|-?[0-9].*|", re.DOTALL)
_DOES = {
    Verb.LLM_CALL: "calls a model",
    Verb.TOOL_CALL: "calls a tool",
    Verb.HTTP_REQUEST: "makes an HTTP request",
    Verb.PAYMENT: "pays",
    Verb.DATA_EXPORT: "exports data",
    Verb.ACCOUNT_CHANGE: "changes an account",
    Verb.DELETE: "deletes",
}
_OPERATORS = {
    "gt": "is over",
    "gte": "is at least",
    "lt": "is under",
    "lte": "is at most",
    "eq": "is",
    "neq": "is not",
    "in": "is one of",
    "not_in": "is none of",
    "contains": "contains",
    "matches": "matches",
    "regex": "matches the pattern",
}


def write_sentence(
    *,
    subject: Subject,
    verb: Verb | None,
    scope: str,
    conditions: Sequence[Condition],
    decision: Decision,
    redact: Sequence[str],
    is_shadow: bool = False,
    needs_anchor: bool = False,
) -> str:
    """E.g. `When any agent pays and amount is over $5,000, then require approval from finance-lead within 60 minutes.`"""
    where = "" if scope == "*" else f" on {scope}"
    does = "does anything" if verb is None else _DOES[verb]
    when = "".join(f" and {describe_condition(c)}" for c in conditions)
    shadow = " (recorded only, not enforced)" if is_shadow else ""
    anchor = ", with a trusted time" if needs_anchor else ""
    then = _then(decision, redact)
    return f"When {_who(subject)} {does}{where}{when}, then {then}{anchor}{shadow}."


def describe_condition(condition: Condition) -> str:
    if condition.display:
        return condition.display
    if condition.op == "exists":
        return f"{condition.field} is {'given' if condition.value else 'not given'}"
    value = condition.value
    # Text is written plainly, unless it would read as something that is not text.
    is_plain = isinstance(value, str) and not _LITERAL.fullmatch(value)
    shown = value if is_plain else orjson.dumps(value).decode()
    return f"{condition.field} {_OPERATORS[condition.op]} {shown}"


def _who(subject: Subject) -> str:
    match subject.kind:
        case "any":
            return "any agent"
        case "workflow":
            return f"the workflow {subject.value}"
        case "account":
            return f"the account {subject.value}"
        case _:
            assert_never(subject.kind)


def _then(decision: Decision, redact: Sequence[str]) -> str:
    hide = f"redact {_list(redact, 'and')}" if redact else ""
    match decision:
        case Allow():
            does = "allow it"
        case Redact():
            return f"{hide or 'redact nothing'} and allow it"
        case Block():
            does = "block it"
        case RequireApproval(terms=terms):
            does = _ask(terms)
        case _:
            assert_never(decision)
    return f"{does} and {hide}" if hide else does


def _ask(terms: ApprovalTerms) -> str:
    people = f" from {_list(terms.approvers)}" if terms.approvers else ""
    count = f" by {terms.threshold} people" if terms.threshold > 1 else ""
    return f"require approval{people}{count}{_deadline(terms)}"


def _deadline(terms: ApprovalTerms) -> str:
    if terms.sla_minutes is None:
        return ""
    plural = "" if terms.sla_minutes == 1 else "s"
    late = (
        f", else escalate to {_list(terms.escalate_to)}" if terms.on_timeout == "escalate" else ""
    )
    return f" within {terms.sla_minutes} minute{plural}{late}"


def _list(names: Sequence[str], word: str = "or") -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"
