"""Drafts of lifecycle links: the contents that tell what became of a suspended action (fact sheet, section 3.3).

A draft is sealed by `heso.core.receipt.seal_receipt` with the key of its role: the operator's for suspended and
completed links, the decision key for decisions, the outgoing key for a rotation. Whether a link may follow is the
table's to say (`heso.core.lifecycle`), and whoever appends asks it.
"""

from typing import Any, Literal

from heso.core.approval import ApproverRecord
from heso.core.domains import ACTION_VERSION
from heso.core.encoding import Digest, PublicKey
from heso.core.receipt import CHAIN_KEYS, ChainBlock, DecisionPath, Json, add_chain_block
from heso.core.roles import DECISION_OF_KIND, Role

DecisionKind = Literal["approved", "denied", "expired", "escalated"]

APPROVAL_FIELD = "gate.approval"
"""Under this name an `approved` link says which receipt holds the approvers' own signatures."""

_NOT_CARRIED = (
    *CHAIN_KEYS,
    "action_hash",
    "suspension",
    "kind",
    "approver_decision",
    "anchor_policy",
    "time_anchor",  # it holds for the content it was made over
)


def draft_suspension(asked: Json, *, chain: ChainBlock, suspension: Json) -> Json:
    """The link that opens an action's lifecycle chain, from the asked receipt's content."""
    content = _carry_over(asked)
    content["kind"] = "suspended"
    content["suspension"] = suspension
    add_chain_block(content, chain)
    return content


def draft_decision(
    suspended: Json,
    kind: DecisionKind,
    *,
    chain: ChainBlock,
    record: ApproverRecord,
    approval: Digest | None = None,
) -> Json:
    """The link that says what was decided, from the suspended link's content or the asked receipt's.

    `approval` is the hash of the receipt that the approvers signed; the link names it among its conditions. Raises `ValueError` for a record that says something else than `kind`.
    """
    if record.decision != DECISION_OF_KIND[kind]:
        raise ValueError(f"a {kind} link whose record says {record.decision}")
    content = _carry_over(suspended)
    content["kind"] = kind
    content["approver_decision"] = record.as_json()
    content["trust_level"] = "L1"
    if approval is not None:
        policy: Any = content["policy"]
        named: Json = {"field": APPROVAL_FIELD, "op": "eq", "value": approval}
        content["policy"] = {
            **policy,
            "matched_conditions": [*policy["matched_conditions"], named],
        }
    add_chain_block(content, chain)
    return content


def draft_completion(
    suspended: Json,
    *,
    chain: ChainBlock,
    result_hash: Digest | None = None,
    error: str | None = None,
) -> Json:
    """The link that says the action ran: what the operator observed of it, never proof of the outcome."""
    action: Any = dict(suspended["action"])  # type: ignore[call-overload]  # the wire's own shape
    if result_hash is not None:
        action["result_hash"] = result_hash
    if error is not None:
        action["error"] = error
    content: Json = {
        "action_version": ACTION_VERSION,
        "captured_at": "",
        "agent_identity": "",
        "action": action,
        "policy": {
            "rule_id": "",
            "rule_display": "",
            "matched_conditions": [],
            "decision_path": str(DecisionPath.REQUIRE_APPROVAL),
        },
        "trust_level": "L0",
        "kind": "completed",
    }
    add_chain_block(content, chain)
    return content


def draft_rotation(
    before: Json, *, chain: ChainBlock, role: Role, outgoing: PublicKey, incoming: PublicKey
) -> Json:
    """The link by which one key hands over to another. `before` is any content of the session, for its action."""
    if outgoing == incoming:
        raise ValueError("a key cannot hand over to itself")
    content: Json = {
        key: before[key]
        for key in ("action_version", "captured_at", "agent_identity", "action", "policy")
    }
    content["trust_level"] = "L0"
    content["kind"] = "key_rotation"
    content["key_rotation"] = {
        "role": role,
        "outgoing_public_key": outgoing,
        "incoming_public_key": incoming,
    }
    add_chain_block(content, chain)
    return content


def _carry_over(content: Json) -> Json:
    return {key: value for key, value in content.items() if key not in _NOT_CARRIED}
