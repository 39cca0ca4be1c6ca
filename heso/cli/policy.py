"""`heso policy`: check, explain, test, eval, diff. All of it offline; none of it needs a key or a ledger."""

import argparse
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

import orjson

from heso.async_gate.effects import classify_call
from heso.cli.output import answer, answer_json, fail, paint, say, table
from heso.core.errors import Malformed
from heso.core.receipt import Action, Verb
from heso.core.strict_json import parse_json
from heso.core.visible import visible
from heso.policy.diff import diff_policies
from heso.policy.evaluate import decision_path, evaluate_action, explain_action
from heso.policy.lint import lint_policy, verbs_without_rule
from heso.policy.model import Policy, Truth
from heso.policy.reader import parse_policy
from heso.policy.sentence import describe_condition
from heso.settings import POLICY_FILE, check_project_table, find_root

TESTS_FILE = "heso_policy_tests.toml"
_ACTION_FORM = 'an action is {"verb", "tool_name", "target_host"?, "workflow", "account", "fields"}'
_ACTION_KEYS = {"verb", "tool_name", "target_host", "workflow", "account", "fields"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="policy_command", metavar="COMMAND", required=True)
    check = commands.add_parser(
        "check", help="read it, hold the floors, find rules that never decide"
    )
    check.add_argument(
        "file", nargs="?", metavar="FILE", help=f"default: the project's {POLICY_FILE}"
    )
    check.add_argument("--strict", action="store_true", help="fail on warnings too")
    explain = commands.add_parser(
        "explain", help="which rule decides an action, and why not the others"
    )
    explain.add_argument(
        "action", metavar="ACTION", help="a JSON file, - for standard input, or JSON itself"
    )
    _add_policy(explain)
    test = commands.add_parser("test", help=f"actions and expected decisions, from {TESTS_FILE}")
    test.add_argument(
        "file", nargs="?", metavar="FILE", help=f"default: {TESTS_FILE} beside the policy"
    )
    _add_policy(test)
    evaluate = commands.add_parser("eval", help="decisions for a file of actions")
    _add_policy(evaluate)
    evaluate.add_argument(
        "--actions", metavar="FILE", required=True, help="JSON lines, or - for standard input"
    )
    evaluate.add_argument("--json", action="store_true", help="one JSON object a line")
    diff = commands.add_parser("diff", help="what changes from policy A to policy B")
    diff.add_argument("old", metavar="A")
    diff.add_argument("new", metavar="B")
    diff.add_argument(
        "--exit-code", action="store_true", help="end with 1 when they decide differently"
    )


def run(options: argparse.Namespace) -> int:
    commands = {"check": _check, "explain": _explain, "test": _test, "eval": _eval, "diff": _diff}
    return commands[options.policy_command](options)


def _add_policy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--policy", metavar="FILE", help=f"default: the project's {POLICY_FILE}")


def _check(options: argparse.Namespace) -> int:
    policy = _load(options.file)
    check_project_table(policy.text, str(_policy_path(options.file)))
    findings = lint_policy(policy)
    for found in findings:
        level = paint(
            "error" if found.is_error else "warning", "red" if found.is_error else "yellow"
        )
        answer(f"{level}: rule {visible(found.rule)!r}: {visible(found.says)}")
    for rule in policy.rules:
        mode = " [shadow]" if rule.is_shadow else ""
        answer(f"{rule.order:>6}  {visible(rule.id)}{mode}: {visible(rule.display)}")
    silent = ", ".join(verbs_without_rule(policy))
    say(f"heso: {len(policy.rules)} rules, policy {policy.hash[:12]}")
    if silent:
        say(f"heso: no rule is about {silent}: such actions ask a person")
    is_bad = any(found.is_error or options.strict for found in findings)
    return fail("the policy has findings", "mend what is listed above") if is_bad else 0


def _explain(options: argparse.Namespace) -> int:
    policy = _load(options.policy)
    try:
        action = _parse_action(_read_text(options.action))
    except Malformed as error:
        return fail(str(error), _ACTION_FORM, code=2)
    for trial in explain_action(action, policy):
        shadow = " (shadow)" if trial.rule.is_shadow else ""
        mark = {
            False: paint("no   ", "dim"),
            True: paint("yes  ", "green"),
            None: paint("maybe", "yellow"),
        }
        why = f": {trial.why_not}" if trial.why_not else ""
        answer(f"{mark[trial.truth]}  {visible(trial.rule.id)}{shadow}{visible(why)}")
        for condition, truth in trial.truths:
            answer(f"       {_word(truth):<8} {visible(describe_condition(condition))}")
    outcome = evaluate_action(action, policy)
    answer(
        f"{paint(str(decision_path(outcome.decision)), 'bold')} by {visible(outcome.rule_id)}: {visible(outcome.display)}"
    )
    return 0


def _word(truth: Truth) -> str:
    return "unknown" if truth is None else "true" if truth else "false"


def _test(options: argparse.Namespace) -> int:
    policy = _load(options.policy)
    path = (
        Path(options.file) if options.file else _policy_path(options.policy).with_name(TESTS_FILE)
    )
    try:
        cases = tomllib.loads(path.read_text("utf-8")).get("case", [])
    except ValueError as error:
        return fail(f"{path}: {error}", "it is TOML: [[case]] name, action, expect")
    if not cases or not isinstance(cases, list):
        return fail(
            f"{path} has no [[case]]", "each case has a name, an action and the decision to expect"
        )
    rows = [_try_case(case, policy) for case in cases]
    failed = sum(row[0] != "pass" for row in rows)
    table(
        ("", "case", "expected", "got"),
        rows,
        styles=["" if r[0] == "pass" else "red" for r in rows],
    )
    say(f"heso: {len(rows) - failed} passed, {failed} failed")
    return int(failed > 0)


def _try_case(case: object, policy: Policy) -> tuple[str, str, str, str]:
    """pass or fail, the case's name, what was expected, what came; a case that is wrong itself fails."""
    name = str(case.get("name", "?")) if isinstance(case, dict) else "?"
    try:
        expect, rule, action = _parse_case(case)
    except Malformed as error:
        return "fail", name, "", str(error)
    outcome = evaluate_action(action, policy)
    got = str(decision_path(outcome.decision))
    is_right = got == expect and rule in (None, outcome.rule_id)
    expected = f"{expect} by {rule}" if rule is not None else expect
    return "pass" if is_right else "fail", name, expected, f"{got} by {outcome.rule_id}"


def _parse_case(case: object) -> tuple[str, str | None, Action]:
    if not isinstance(case, dict):
        raise Malformed("case", "must be a table")
    for key in case:
        if key not in ("name", "action", "expect", "rule"):
            raise Malformed("case", "unknown key", key)
    expect, rule, action = case.get("expect"), case.get("rule"), case.get("action")
    if not isinstance(expect, str) or not isinstance(rule, str | None):
        raise Malformed("case", "`expect`, and `rule` where there is one, must be text")
    if not isinstance(action, dict):
        raise Malformed("case", "`action` must be a table")
    return expect, rule, _action(action)


def _eval(options: argparse.Namespace) -> int:
    policy = _load(options.policy)
    with sys.stdin.buffer if options.actions == "-" else Path(options.actions).open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                outcome = evaluate_action(_parse_action(line), policy)
            except Malformed as error:
                return fail(
                    f"line {number}: {error}", "each line is one action as a JSON object", code=2
                )
            decision = decision_path(outcome.decision)
            if options.json:
                answer_json(
                    orjson.dumps({"decision_path": decision, "rule_id": outcome.rule_id}).decode()
                )
            else:
                answer(f"{decision}\t{visible(outcome.rule_id)}")
    return 0


def _diff(options: argparse.Namespace) -> int:
    changes = diff_policies(_load(options.old), _load(options.new))
    colours = {"added": "green", "removed": "red", "changed": "yellow", "reordered": "dim"}
    for change in changes:
        answer(f"{paint(change.kind, colours[change.kind])} {visible(change.what)}")
        for sign, text in (("-", change.before), ("+", change.after)):
            if text:
                answer(f"  {sign} {visible(text)}")
    if not changes:
        say("heso: they decide alike")
    return int(bool(changes) and options.exit_code)


def _load(file: str | None) -> Policy:
    path = _policy_path(file)
    return parse_policy(path.read_bytes(), file=str(path))


def _policy_path(file: str | None) -> Path:
    return Path(file) if file else find_root(os.environ, Path.cwd(), None) / POLICY_FILE


def _read_text(source: str) -> bytes:
    if source == "-":
        return sys.stdin.buffer.read()
    return source.encode() if source.lstrip().startswith("{") else Path(source).read_bytes()


def _parse_action(text: bytes) -> Action:
    value = parse_json(text, what="action")
    if not isinstance(value, dict):
        raise Malformed("action", "must be an object")
    return _action(value)


def _action(value: dict[str, Any]) -> Action:
    """`{"verb", "tool_name", "target_host"?, "workflow", "account", "fields"}`; names left out are empty."""
    for key in value:
        if key not in _ACTION_KEYS:
            raise Malformed("action", "unknown key", key[:80])
    names = {key: value.get(key, "") for key in ("tool_name", "workflow", "account")}
    _refuse_unless(all(isinstance(name, str) for name in names.values()), "names must be text")
    _refuse_unless(isinstance(value.get("fields", {}), dict), "fields must be an object")
    _refuse_unless(isinstance(value.get("target_host", ""), str), "target_host must be text")
    try:
        verb = Verb(value.get("verb", ""))
    except ValueError:
        raise Malformed("action", f"verb must be one of {', '.join(Verb)}") from None
    action = Action(
        verb=verb, fields=value.get("fields", {}), target_host=value.get("target_host"), **names
    )
    return classify_call(action)  # the floor by effect, as in the gate


def _refuse_unless(is_so: bool, why: str) -> None:
    if not is_so:
        raise Malformed("action", why)
