"""What the policy tests share: a file from text, an action from keywords, a rule from the parts that matter."""

from collections.abc import Callable

import pytest

from heso.core.receipt import Action, Verb
from heso.policy.evaluate import evaluate_action, explain_action
from heso.policy.model import Outcome, Policy, Truth
from heso.policy.reader import parse_policy

MISSING = object()


def _make_action(verb: str = "tool_call", **changes: object) -> Action:
    plain = {"tool_name": "tool", "workflow": "billing", "account": "ops", "fields": {}}
    return Action(verb=Verb(verb), **{**plain, **changes})


def _write_rule(decision: str = "block", /, *, conditions: str = "", **changes: object) -> str:
    """One `[[rule]]`; every change is the TOML text of a key, None leaves the key out."""
    keys = {"id": '"r"', "order": "1", "verb": '"any"', "decision": f'"{decision}"'}
    if decision == "redact":
        keys["redact"] = '["secret"]'
    if conditions:
        keys["conditions"] = f"[{conditions}]"
    keys.update(changes)
    return "[[rule]]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items() if v is not None)


def _write_condition(op: str, value: str, field: str = "f") -> str:
    return f"{{ field = '{field}', op = '{op}', value = {value} }}"


def _find_truth(op: str, value: str, field: object = MISSING) -> Truth:
    """What one condition says about one field, as `explain` shows it."""
    policy = parse_policy(_write_rule(conditions=_write_condition(op, value)).encode())
    action = _make_action(fields={} if field is MISSING else {"f": field})
    ((_, truth),) = next(explain_action(action, policy)).truths
    return truth


@pytest.fixture
def read() -> Callable[..., Policy]:
    return lambda *rules: parse_policy("".join(rules).encode())


@pytest.fixture
def act() -> Callable[..., Action]:
    return _make_action


@pytest.fixture
def rule() -> Callable[..., str]:
    return _write_rule


@pytest.fixture
def when() -> Callable[..., str]:
    return _write_condition


@pytest.fixture
def truth() -> Callable[..., Truth]:
    return _find_truth


@pytest.fixture
def decide() -> Callable[..., Outcome]:
    """The outcome of a policy text for an action given by keywords."""
    return lambda text, verb="tool_call", **changes: evaluate_action(
        _make_action(verb, **changes), parse_policy(text.encode())
    )


@pytest.fixture
def asks_anyone() -> Outcome:
    """What happens to an action that no rule is about."""
    return evaluate_action(_make_action(), parse_policy(b""))
