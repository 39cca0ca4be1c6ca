"""Who signs what (fact sheet, section 3.3).

| kind                                | role     | domain   | level |
|-------------------------------------|----------|----------|-------|
| suspended                           | producer | suspend  | L0    |
| approved, denied, expired, escalated| decision | decision | L1    |
| completed                           | producer | operator | L0    |
| key_rotation of the producer's key  | producer | operator | as is |
| key_rotation of the decision key    | decision | decision | as is |

A producer signs with `key_id` operator, a decision key with `key_id` approver; a rotation is signed by the key that
goes.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from heso.core.domains import DECISION_DOMAIN, OPERATOR_DOMAIN, SUSPEND_DOMAIN
from heso.core.hot import hot_value

Role = Literal["producer", "decision"]

DECISION_OF_KIND: Mapping[str, str] = MappingProxyType(
    {
        "approved": "approved",
        "denied": "rejected",
        "expired": "rejected",
        "escalated": "escalated",
    }
)
"""What the record of a decision link says."""


@hot_value
class SigningRule:
    """The role that signs, the domain it signs under, and the level the receipt then has."""

    role: Role
    domain: bytes
    level: str


_SUSPENDED = SigningRule("producer", SUSPEND_DOMAIN, "L0")
_DECISION = SigningRule("decision", DECISION_DOMAIN, "L1")
_PRODUCER = SigningRule("producer", OPERATOR_DOMAIN, "L0")


def signing_rule(content: Mapping[str, Any]) -> SigningRule:
    """The rule for a lifecycle link with this content."""
    kind = content["kind"]
    if kind in DECISION_OF_KIND:
        return _DECISION
    if kind == "suspended":
        return _SUSPENDED
    if kind != "key_rotation":
        return _PRODUCER
    is_decision = content.get("key_rotation", {}).get("role") == "decision"
    of_role = _DECISION if is_decision else _PRODUCER
    return SigningRule(of_role.role, of_role.domain, content["trust_level"])
