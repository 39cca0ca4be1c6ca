"""Floors: what no policy can lower.

| verb                    | floor                                                                              |
|-------------------------|------------------------------------------------------------------------------------|
| delete, account_change  | never weaker than require_approval                                                 |
| payment, data_export    | allow or redact only by a rule for this verb with a bounding condition on a field  |

A rule that names the verb and breaks its floor is refused at load. A rule for any verb is held at run time: it may
block or ask, but it never lets a floored verb through.
"""

from typing import assert_never

from heso.core.receipt import Verb
from heso.policy.fields import RESERVED
from heso.policy.model import Allow, Block, Redact, RequireApproval, Rule

BOUNDING_OPS = frozenset({"lt", "lte", "eq", "in"})

_ALWAYS_ASK = frozenset({Verb.DELETE, Verb.ACCOUNT_CHANGE})
_BOUND_OR_ASK = frozenset({Verb.PAYMENT, Verb.DATA_EXPORT})


def find_breach(rule: Rule, verb: Verb) -> str | None:
    """Why `rule` must not decide an action of `verb`, in words; None when it may."""
    match rule.decision:
        case Block() | RequireApproval():
            return None
        case Allow() | Redact():
            pass
        case _:
            assert_never(rule.decision)
    if verb in _ALWAYS_ASK:
        return f"a {verb} always needs a person; use require_approval or block"
    if verb in _BOUND_OR_ASK and (rule.verb is None or not _is_bounded(rule)):
        ops = ", ".join(sorted(BOUNDING_OPS))
        return (
            f"a {verb} passes without a person only by a rule for `{verb}` with a bounding condition ({ops}) "
            f"on an argument; add one, or use require_approval or block"
        )
    return None


def _is_bounded(rule: Rule) -> bool:
    return any(c.op in BOUNDING_OPS and c.field not in RESERVED for c in rule.conditions)
