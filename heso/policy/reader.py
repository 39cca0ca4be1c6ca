"""From the text of `heso.toml` to a `Policy`: everything is checked here, once, and nothing is ignored.

Top-level keys: `[[rule]]`, `[[approver]]`, `[[delegation]]`; `[project]` and `[[notify]]`, which the settings read.
"""

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from heso.core.hashing import digest
from heso.core.receipt import Verb
from heso.core.redaction import check_path
from heso.policy.conditions import BadCondition, compile_test
from heso.policy.errors import FloorBypass, PolicyError
from heso.policy.evaluate import make_candidate
from heso.policy.floors import find_breach
from heso.policy.model import (
    Allow,
    ApprovalTerms,
    Block,
    Condition,
    Decision,
    PersonId,
    Policy,
    Redact,
    RequireApproval,
    Rule,
    RuleId,
    Subject,
)
from heso.policy.people import parse_people
from heso.policy.runs import make_runs
from heso.policy.scope import parse_scope
from heso.policy.sentence import write_sentence
from heso.policy.table import Table

MAX_BYTES = 1024 * 1024
MOST_MINUTES = 10 * 366 * 24 * 60  # ten years
_DEEPEST_VALUE = 16
_LARGEST_INTEGER_BITS = 4096

_VERBS: Mapping[str, Verb | None] = {"any": None, **{str(verb): verb for verb in Verb}}
_PLAIN_DECISIONS: Mapping[str, Allow | Block | Redact | None] = {
    "allow": Allow(),
    "block": Block(),
    "redact": Redact(),
    "require_approval": None,
}
_APPROVAL_KEYS = (
    "approvers",
    "threshold",
    "sla_minutes",
    "grant_minutes",
    "on_timeout",
    "escalate_to",
)


def parse_policy(text: bytes, *, file: str = "heso.toml") -> Policy:
    """The policy in `text`. Raises `PolicyError`, or `FloorBypass` for a rule that breaks its verb's floor."""
    document = Table(_parse_toml(text, file), file=file)
    rules = [_parse_rule(table) for table in document.tables("rule")]
    approvers, delegations = parse_people(document)
    for key in ("project", "notify"):  # the settings read them
        if document.has(key):
            document.raw(key)
    document.finish()
    _refuse_duplicates(file, "rule", [rule.id for rule in rules])
    _refuse_duplicates(file, "approver", [person.id for person in approvers])
    enabled = tuple(sorted((rule for rule in rules if rule.enabled), key=lambda rule: rule.order))
    for rule in enabled:
        _check_floor(rule, file)
    return Policy(
        hash=digest(text),
        text=text,
        rules=enabled,
        disabled=tuple(rule for rule in rules if not rule.enabled),
        approvers=approvers,
        delegations=delegations,
        by_verb=MappingProxyType(
            {
                verb: make_runs(
                    make_candidate(rule, verb) for rule in enabled if rule.verb in (None, verb)
                )
                for verb in Verb
            }
        ),
    )


def _parse_toml(text: bytes, file: str) -> dict[str, object]:
    if len(text) > MAX_BYTES:
        raise PolicyError(file, f"is larger than {MAX_BYTES} bytes")
    try:
        return tomllib.loads(text.decode("utf-8"), parse_float=Decimal)
    except UnicodeDecodeError:
        raise PolicyError(file, "is not UTF-8 text") from None
    except (
        ValueError,
        ArithmeticError,
        RecursionError,
    ) as error:  # a number may be absurd, a value too deep
        raise PolicyError(file, f"is not TOML: {error}") from None


def _parse_rule(table: Table) -> Rule:
    rule_id = table.text("id")
    if not rule_id:
        raise table.fault("id", "must not be empty")
    if rule_id.startswith("policy."):
        raise table.fault("id", "names that begin with `policy.` are the built-in ones")
    table.name_rule(rule_id)
    subject = _parse_subject(table)
    verb = table.choice("verb", _VERBS)
    scope = parse_scope(table.text("scope", "*"))
    if scope is None:
        raise table.fault("scope", "must be `*`, a host, or `*.` and a host")
    conditions = tuple(_parse_condition(one) for one in table.tables("conditions"))
    decision = _parse_decision(table)
    redact = _parse_redact(table)
    if isinstance(decision, Redact) and not redact:
        raise table.fault("redact", "a redact rule must say what to redact")
    is_shadow = table.choice("mode", {"enforce": False, "shadow": True}, "enforce")
    anchors = {"none": False, "required": True}
    needs_anchor = table.choice("anchor_policy", anchors, "none")
    if needs_anchor and isinstance(decision, RequireApproval):
        raise table.fault(
            "anchor_policy", "what people approve carries no trusted time: leave it out"
        )
    rule = Rule(
        id=RuleId(rule_id),
        order=table.integer("order"),
        enabled=table.flag("enabled", default=True),
        subject=subject,
        verb=verb,
        scope=scope,
        conditions=conditions,
        decision=decision,
        redact=redact,
        is_shadow=is_shadow,
        needs_anchor=needs_anchor,
        display=write_sentence(
            subject=subject,
            verb=verb,
            scope=scope,
            conditions=conditions,
            decision=decision,
            redact=redact,
            is_shadow=is_shadow,
            needs_anchor=needs_anchor,
        ),
    )
    table.finish()
    return rule


def _parse_redact(table: Table) -> tuple[str, ...]:
    paths = table.texts("redact")
    for path in paths:
        try:
            check_path(path)
        except ValueError as error:
            raise table.fault("redact", str(error)) from None
    return paths


def _parse_subject(table: Table) -> Subject:
    if not table.has("subject"):
        return Subject()
    inner = Table(table.raw("subject"), file=table.file, rule=table.rule, key="subject")
    kinds: dict[str, Literal["any", "workflow", "account"]] = {
        "any": "any",
        "workflow": "workflow",
        "account": "account",
    }
    kind = inner.choice("kind", kinds)
    subject = Subject() if kind == "any" else Subject(kind, inner.text("value"))
    inner.finish()
    return subject


def _parse_condition(table: Table) -> Condition:
    field = table.text("field")
    if not field:
        raise table.fault("field", "must not be empty")
    op = table.text("op")
    value = table.raw("value") if table.has("value") or op != "exists" else True
    shown = _as_json(value, table, _DEEPEST_VALUE)
    try:
        test = compile_test(op, value)
    except BadCondition as error:
        raise table.fault(error.key, str(error)) from None
    condition = Condition(
        field=field,
        op=op,
        value=shown,
        display=table.text("display", ""),
        holds=test,
    )
    table.finish()
    return condition


def _parse_decision(table: Table) -> Decision:
    plain = table.choice("decision", _PLAIN_DECISIONS)
    if plain is None:
        return RequireApproval(_parse_terms(table))
    for key in _APPROVAL_KEYS:
        if table.has(key):
            raise table.fault(key, "belongs to a rule with decision = require_approval")
    return plain


def _parse_terms(table: Table) -> ApprovalTerms:
    timeouts: dict[str, Literal["deny", "escalate"]] = {"deny": "deny", "escalate": "escalate"}
    has_sla = table.has("sla_minutes")
    has_grant = table.has("grant_minutes")
    terms = ApprovalTerms(
        approvers=table.texts("approvers"),
        threshold=table.integer("threshold", 1, least=1),
        sla_minutes=table.integer("sla_minutes", least=1, most=MOST_MINUTES) if has_sla else None,
        grant_minutes=table.integer("grant_minutes", least=1, most=MOST_MINUTES)
        if has_grant
        else None,
        on_timeout=table.choice("on_timeout", timeouts, "deny"),
        escalate_to=table.texts("escalate_to"),
    )
    if terms.on_timeout == "escalate" and not terms.escalate_to:
        raise table.fault("escalate_to", "on_timeout = escalate needs somebody to escalate to")
    if terms.on_timeout == "escalate" and not has_sla:
        raise table.fault("sla_minutes", "on_timeout = escalate needs a deadline")
    if terms.escalate_to and terms.on_timeout != "escalate":
        raise table.fault("escalate_to", "has no effect unless on_timeout = escalate")
    return terms


def _as_json(value: object, table: Table, room: int) -> object:
    """The value as a receipt can carry it: a number that a double would change becomes text."""
    if room == 0 and isinstance(value, list | dict):
        raise table.fault("value", f"is nested deeper than {_DEEPEST_VALUE}")
    if isinstance(value, Decimal):
        return _decimal_as_json(value, table)
    if isinstance(value, list):
        return [_as_json(item, table, room - 1) for item in value]
    if isinstance(value, dict):
        return {key: _as_json(item, table, room - 1) for key, item in value.items()}
    if isinstance(value, str | bool):
        return value
    if not isinstance(value, int):
        raise table.fault(
            "value", "must be text, a number, true or false, or a list of them; write dates as text"
        )
    if value.bit_length() > _LARGEST_INTEGER_BITS:
        raise table.fault("value", "is too large a number")
    return value if abs(value) < 2**53 else str(value)


def _decimal_as_json(value: Decimal, table: Table) -> object:
    if not value.is_finite():
        raise table.fault("value", "must be a finite number")
    return float(value) if Decimal(repr(float(value))) == value else str(value)


def _check_floor(rule: Rule, file: str) -> None:
    if rule.verb is None:
        return  # a rule for any verb is held at run time
    breach = find_breach(rule, rule.verb)
    if breach is not None:
        raise FloorBypass(file, breach, rule.id, "decision", verb=rule.verb)


def _refuse_duplicates(file: str, what: str, ids: list[RuleId] | list[PersonId]) -> None:
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            raise PolicyError(file, f"two {what}s have this id", one, "id")
        seen.add(one)
