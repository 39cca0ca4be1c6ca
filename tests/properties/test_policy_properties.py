"""Properties of policies: reading is total, deciding never raises, and nothing makes a call laxer than it should be."""

from dataclasses import replace

import orjson
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from heso.core.canonical import canonical_bytes
from heso.core.receipt import Action, Verb
from heso.policy.diff import diff_policies
from heso.policy.errors import PolicyError
from heso.policy.evaluate import evaluate_action, explain_action
from heso.policy.lint import lint_policy
from heso.policy.model import Allow, Block, Policy, Redact, RequireApproval
from heso.policy.reader import parse_policy

FLOORED = (Verb.DELETE, Verb.ACCOUNT_CHANGE, Verb.PAYMENT, Verb.DATA_EXPORT)
STRICTNESS = {Allow: 0, Redact: 1, RequireApproval: 2, Block: 3}
steady = settings(derandomize=True, deadline=None, max_examples=60)
NAMES = ["f", "g", "f.g", "account", "target_host", "tool_name"]

texts = st.text(max_size=8) | st.sampled_from(
    ["x", "5", "5.0", "$5", "1e400", "\ud800", "stripe.com", ""]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(texts, v, max_size=3), max_leaves=6
)
fields = st.dictionaries(st.sampled_from(NAMES) | texts, values, max_size=4)
actions = st.builds(
    Action,
    verb=st.sampled_from(list(Verb)),
    tool_name=texts,
    workflow=st.sampled_from(["billing", "other"]),
    account=st.sampled_from(["ops", "other"]),
    fields=fields,
    target_host=st.none()
    | st.sampled_from(["stripe.com", "api.stripe.com:443", "evilstripe.com"])
    | texts,
)

_numbers = st.sampled_from(["5", "5.0", "0.1", "1e21", "'5'", "-3", "9007199254740993"])
_anything = _numbers | st.sampled_from(["true", "'x'", "''", "[]", "['x', 5]", "{ x = 5 }", "1"])
_lists = st.lists(_anything, max_size=3).map(lambda items: f"[{', '.join(items)}]")
_tests = st.one_of(
    st.tuples(st.sampled_from(["gt", "gte", "lt", "lte"]), _numbers),
    st.tuples(st.sampled_from(["eq", "neq", "contains"]), _anything),
    st.tuples(st.sampled_from(["in", "not_in"]), _lists),
    st.tuples(st.just("exists"), st.sampled_from(["true", "false"])),
    st.tuples(st.just("matches"), st.sampled_from(["'*'", "'x*'", "'[a-z]?'", "''"])),
)
_regexes = st.tuples(st.just("regex"), st.sampled_from(["'x'", "''", "'(a+)+$'"]))


def _condition(tests):
    return st.builds(
        lambda name, test: f"{{ field = '{name}', op = '{test[0]}', value = {test[1]} }}",
        st.sampled_from(NAMES),
        tests,
    )


@st.composite
def rules(draw, name, order, *, verb=None, decision=None, tests=_tests):
    """The text of one rule that keeps its verb's floor."""
    decision = decision or draw(st.sampled_from(["allow", "block", "redact", "require_approval"]))
    verb = verb or draw(st.sampled_from(["any", "tool_call", "payment", "delete"]))
    if decision in ("allow", "redact") and verb in ("payment", "delete"):
        verb = "any"
    lines = [
        "[[rule]]",
        f"id = '{name}'",
        f"order = {order}",
        f"verb = '{verb}'",
        f"decision = '{decision}'",
        f"scope = '{draw(st.sampled_from(['*', 'stripe.com', '*.stripe.com', 'api.stripe.com']))}'",
        f"mode = '{draw(st.sampled_from(['enforce', 'enforce', 'shadow']))}'",
        f"conditions = [{', '.join(draw(st.lists(_condition(tests), max_size=2)))}]",
    ]
    if decision == "redact" or draw(st.booleans()):
        lines.append(f"redact = ['f', 'of {name}']")
    if draw(st.booleans()):
        kind, value = draw(st.sampled_from([("workflow", "billing"), ("account", "ops")]))
        lines.append(f"subject = {{ kind = '{kind}', value = '{value}' }}")
    return "\n".join(lines) + "\n"


@st.composite
def policies(draw, **given):
    count = draw(st.integers(0, 4))
    return "".join(draw(rules(f"r{n}", draw(st.integers(1, 3)), **given)) for n in range(count))


def _strictness(action: Action, policy: Policy) -> int:
    return STRICTNESS[type(evaluate_action(action, policy).decision)]


def _read(*parts: str) -> Policy:
    return parse_policy("".join(parts).encode())


@steady
@given(policies(), actions)
def test_deciding_never_raises_and_always_fits_into_a_receipt(text, action) -> None:
    outcome = evaluate_action(action, _read(text))
    assert type(outcome.decision) in STRICTNESS
    assert orjson.loads(canonical_bytes(list(outcome.matched))) == orjson.loads(
        orjson.dumps(outcome.matched)
    )


@steady
@given(policies(tests=_regexes), actions)
def test_deciding_by_regex_never_raises(text, action) -> None:
    assert type(evaluate_action(action, _read(text)).decision) in STRICTNESS


@steady
@given(policies(), rules("front", 0, decision="block"), actions)
def test_a_block_at_the_front_makes_nothing_laxer(text, block, action) -> None:
    assert _strictness(action, _read(text, block)) >= _strictness(action, _read(text))


@steady
@given(policies(), rules("front", 0, decision="block"), actions)
def test_a_block_at_the_front_blocks_or_changes_nothing(text, block, action) -> None:
    before, after = (evaluate_action(action, _read(*parts)) for parts in ([text], [text, block]))
    if after.rule_id != "front":
        assert (after.decision, after.rule_id, after.redact) == (
            before.decision,
            before.rule_id,
            before.redact,
        )


@steady
@given(policies(verb="any"), actions, st.sampled_from(FLOORED))
def test_rules_for_any_verb_never_let_a_floored_one_through(text, action, verb) -> None:
    floored = Action(
        verb=verb,
        tool_name=action.tool_name,
        workflow=action.workflow,
        account=action.account,
        fields=action.fields,
        target_host=action.target_host,
    )
    assert _strictness(floored, _read(text)) >= STRICTNESS[RequireApproval]


@steady
@given(policies(), actions)
def test_the_explanation_tells_which_rule_decides_and_what_is_hidden(text, action) -> None:
    policy = _read(text)
    trials = [t for t in explain_action(action, policy) if not t.rule.is_shadow]
    assert all((t.truth is False) == bool(t.why_not) for t in trials)
    met = [t for t in trials if t.truth is not False]
    sure = [t for t in met if t.truth or isinstance(t.rule.decision, Block)]
    assert sure in ([], met[-1:])
    rule = sure[0].rule if sure else None
    asked = [
        t.rule for t in met if t.truth is None and isinstance(t.rule.decision, RequireApproval)
    ]
    hidden = {path for t in met for path in t.rule.redact}  # what decides, and what was in doubt
    if asked and not (rule and isinstance(rule.decision, Block)):
        rule = asked[0]
    outcome = evaluate_action(action, policy)
    if rule is None:
        assert outcome.rule_id == "policy.default.deny_unknown"
    elif isinstance(rule.decision, Allow | Redact) and action.verb in FLOORED:
        assert outcome.rule_id == f"policy.floor.{action.verb}"
    else:
        assert (outcome.rule_id, outcome.decision) == (rule.id, rule.decision)
    assert set(outcome.redact) == hidden


@settings(steady, max_examples=200)
@given(policies(), actions)
def test_shadow_rules_only_add_to_the_record(text, action) -> None:
    enforced = "".join(
        "[[rule]]" + rule for rule in text.split("[[rule]]")[1:] if "mode = 'shadow'" not in rule
    )
    shadowed, plain = (evaluate_action(action, _read(t)) for t in (text, enforced))
    assert (shadowed.decision, shadowed.rule_id, shadowed.redact) == (
        plain.decision,
        plain.rule_id,
        plain.redact,
    )
    assert shadowed.matched[: len(plain.matched)] == plain.matched
    added = shadowed.matched[len(plain.matched) :]
    assert {record["field"] for record in added} <= {"policy.shadow"}


_compared = st.one_of(
    st.tuples(st.sampled_from(["gt", "gte", "lt", "lte"]), _numbers),
    st.tuples(st.just("matches"), st.sampled_from(["'*'", "'x*'", "'[a-z]?'", "''"])),
)


@settings(steady, max_examples=200)
@given(policies(tests=_compared), actions)
def test_an_argument_wrapped_in_a_list_makes_nothing_laxer(text, action) -> None:
    policy = _read(text)
    wrapped = replace(action, fields={key: [value] for key, value in action.fields.items()})
    before, after = (evaluate_action(one, policy).decision for one in (action, wrapped))
    if isinstance(before, Block | RequireApproval):
        assert STRICTNESS[type(after)] >= STRICTNESS[type(before)]


@settings(steady, max_examples=100)
@given(policies(), actions, st.sampled_from(["/x", " ", "@evil.com", "#", "\u00e9"]))
def test_a_host_spoilt_makes_nothing_laxer(text, action, tail) -> None:
    assume(action.target_host)
    policy = _read(text.replace("'target_host'", "'f'"))
    spoilt = replace(action, target_host=action.target_host + tail)
    before, after = (evaluate_action(one, policy).decision for one in (action, spoilt))
    if isinstance(before, Block | RequireApproval):
        assert STRICTNESS[type(after)] >= STRICTNESS[type(before)]


@settings(steady, max_examples=200)
@given(policies(), actions)
def test_a_rule_that_lint_says_never_decides_never_decides(text, action) -> None:
    policy = _read(text)
    silent = {
        finding.rule for finding in lint_policy(policy) if finding.says.startswith("never decides")
    }
    assert evaluate_action(action, policy).rule_id not in silent


@steady
@given(policies(), policies(), actions)
def test_policies_without_a_difference_decide_alike(old, new, action) -> None:
    before, after = _read(old), _read(new)
    assert diff_policies(before, before) == ()
    if diff_policies(before, after) == ():
        assert evaluate_action(action, before) == evaluate_action(action, after)


@steady
@given(policies(), actions)
def test_deciding_twice_says_the_same(text, action) -> None:
    assert evaluate_action(action, _read(text)) == evaluate_action(action, _read(text))


def _fault(data: bytes) -> str:
    """What is wrong with a policy file; empty when it could be read. Any other exception is a failure."""
    try:
        assert parse_policy(data).text == data
    except PolicyError as error:
        return str(error).removeprefix("[FLOOR_BYPASS] ")
    return ""


@steady
@given(st.binary(max_size=200))
def test_reading_any_bytes_gives_a_policy_or_a_policy_error(data) -> None:
    assert _fault(data).partition(":")[0].partition(",")[0] in ("heso.toml", "")


@steady
@given(policies(), st.data())
def test_reading_a_mangled_policy_gives_a_policy_or_a_policy_error(text, data) -> None:
    raw = bytearray(text.encode())
    assume(raw)
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    assert _fault(bytes(raw)).partition(":")[0].partition(",")[0] in ("heso.toml", "")


@steady
@given(
    st.dictionaries(st.sampled_from(["id", "order", "verb", "decision", "conditions", "x"]), values)
)
def test_reading_a_rule_of_any_shape_gives_a_policy_or_a_policy_error(keys) -> None:
    assert _fault(f"rule = [{_toml(keys)}]".encode()).startswith("heso.toml")


def _toml(value: object) -> str:
    match value:
        case None:
            return "1979-05-27"
        case dict():
            return "{" + ", ".join(f"{_text(k)} = {_toml(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case str():
            return _text(value)
        case bool():
            return str(value).lower()
        case _:
            return repr(value)


def _text(text: str) -> str:
    """A TOML basic string; its escapes are those of JSON."""
    return (
        orjson.dumps(text.encode("utf-8", "replace").decode()).decode().replace("\x7f", "\\u007f")
    )
