"""Who signed, and what that amounts to: steps 5 and 6 of the verifier (fact sheet, sections 2.4, 3.3 and 5.2).

| content                    | signatures                                   | level |
|----------------------------|----------------------------------------------|-------|
| plain action               | the operator's, and at most one approver's   | L0/L1 |
| plain action with a quorum | the operator's, and one for each record      | L1    |
| lifecycle link             | exactly one, by the role its kind belongs to | L0/L1 |

A decision is never the operator's own: neither its key nor the key whose secret everybody knows may sign one.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from heso.core.domains import (
    APPROVER,
    APPROVER_DOMAIN,
    OPERATOR,
    OPERATOR_DOMAIN,
    PLACEHOLDER_DECISION_KEY,
    SIGNATURE_ALGORITHM,
)
from heso.core.encoding import PublicKey, parse_public_key, parse_signature
from heso.core.errors import Malformed
from heso.core.hot import hot_value
from heso.core.keys import signature_holds
from heso.core.quorum import empty_approvers, with_approvers
from heso.core.roles import DECISION_OF_KIND, Role, signing_rule
from heso.core.strictness import StricterRule
from heso.core.verdict import Kind, Refused

# Every signature is over the whole content: so many bytes at most are hashed for one receipt, counted once for each of
# its signatures. Eight signatures over the largest content that is read stay below it.
_MOST_SIGNED_BYTES = 16 * 1024 * 1024
_MOST_SIGNATURES = 512

Content = dict[str, Any]
Entry = dict[str, str]
Canonicalize = Callable[[Content], bytes]


@hot_value
class Signed:
    """The keys whose signatures hold, operator first, the trust level they amount to, and who signed first."""

    signers: tuple[PublicKey, ...]
    level: str
    role: Role = "producer"


def check_roles(signatures: Sequence[Entry], rule: StricterRule | None) -> None:
    """(5) Every signature says in which role it was made. `rule` names ours where the reference has none."""
    for entry in signatures:
        if entry["key_id"] not in (OPERATOR, APPROVER):
            why = f"unknown signature role {entry['key_id'][:40]!r}"
            raise Refused(Kind.MALFORMED, why, rule)


def check_signatures(
    content: Content,
    canonical: bytes,
    signatures: Sequence[Entry],
    *,
    canonicalize: Canonicalize,
    compat: bool,
) -> Signed:
    """(6) Raises `Refused`. `canonical` are the content's own bytes; `canonicalize` makes those of its variants."""
    _check_effort(canonical, signatures)
    operators = [entry for entry in signatures if entry["key_id"] == OPERATOR]
    approvers = [entry for entry in signatures if entry["key_id"] == APPROVER]
    if content.get("kind", "action") != "action":
        return _check_link(content, canonical, signatures)
    if "multi_approval" in content:
        return _check_quorum(content, operators, approvers, canonicalize)
    return _check_single(content, canonical, operators, approvers, compat=compat)


def _check_single(
    content: Content,
    canonical: bytes,
    operators: list[Entry],
    approvers: list[Entry],
    *,
    compat: bool,
) -> Signed:
    if len(operators) != 1:
        raise Refused(Kind.MALFORMED, f"{len(operators)} operator signatures, not one")
    if len(approvers) > 1:
        raise Refused(Kind.MALFORMED, "more than one approver signature")
    operator = check_entry(operators[0], OPERATOR_DOMAIN, canonical)
    if not approvers:
        return Signed((operator,), "L0")
    approver = check_entry(approvers[0], APPROVER_DOMAIN, canonical)
    if approver == operator:
        raise Refused(Kind.SELF_APPROVAL)
    if not compat:
        _check_approval_says_so(content, approver)
    return Signed((operator, approver), "L1")


def _check_quorum(
    content: Content,
    operators: list[Entry],
    approvers: list[Entry],
    canonicalize: Canonicalize,
) -> Signed:
    quorum = content["multi_approval"]
    if "approver_decision" in content:
        raise Refused(Kind.MALFORMED, "both approver_decision and multi_approval")
    if quorum["threshold"] < 1:
        raise Refused(Kind.MALFORMED, "a threshold of nobody")
    if len(operators) != 1:
        raise Refused(Kind.MALFORMED, f"{len(operators)} operator signatures, not one")
    base = {key: value for key, value in content.items() if key != "action_hash"}
    operator = check_entry(operators[0], OPERATOR_DOMAIN, canonicalize(empty_approvers(base)))
    if len(approvers) != len(quorum["approvers"]):
        raise Refused(Kind.MALFORMED, "as many approver signatures as records are needed")
    keys: dict[PublicKey, None] = {}
    for entry in approvers:
        record = _check_voter(entry, quorum, operator, keys)
        leg = canonicalize(with_approvers(base, [record]))
        keys[check_entry(entry, APPROVER_DOMAIN, leg)] = None
    if len(keys) < quorum["threshold"]:
        raise Refused(Kind.THRESHOLD_NOT_MET, f"have={len(keys)} need={quorum['threshold']}")
    return Signed((operator, *keys), "L1")


def _check_voter(
    entry: Entry, quorum: Content, operator: PublicKey, seen: Mapping[PublicKey, None]
) -> Content:
    """The record that this signature is about."""
    key = PublicKey(entry["public_key"])
    records: list[Content] = [r for r in quorum["approvers"] if r["approver_identity"] == key]
    if not records:
        raise Refused(Kind.MALFORMED, "an approver signed without a record")
    if key in seen:
        raise Refused(Kind.MALFORMED, "an approver signed twice")
    if key == operator:
        raise Refused(Kind.SELF_APPROVAL)
    if key not in quorum["roster"]:
        raise Refused(Kind.MALFORMED, "an approver is not on the roster")
    if records[0]["decision"] != "approved":
        raise Refused(Kind.MALFORMED, f"an approver's record says {records[0]['decision']}")
    return records[0]


def _check_approval_says_so(content: Content, approver: PublicKey) -> None:
    """An approver's signature under a record that says no, or names somebody else, is not an approval."""
    rule = StricterRule.APPROVAL_RECORD
    record = content.get("approver_decision")
    if record is None:
        raise Refused(Kind.MALFORMED, "an approver signed, but there is no approver_decision", rule)
    if record["decision"] != "approved":
        raise Refused(Kind.MALFORMED, f"the approver's record says {record['decision']}", rule)
    if record["approver_identity"] != approver:
        raise Refused(Kind.MALFORMED, "the approver's record names another key", rule)


def _check_link(content: Content, canonical: bytes, signatures: Sequence[Entry]) -> Signed:
    """A lifecycle link, in full: one signature, by the right role, over a content that fits its kind."""
    rule = signing_rule(content)
    _check_blocks(content)
    wanted = OPERATOR if rule.role == "producer" else APPROVER
    if len(signatures) != 1:
        why = f"a lifecycle link carries one signature, not {len(signatures)}"
        raise Refused(Kind.MALFORMED, why, StricterRule.LIFECYCLE)
    entry = signatures[0]
    if rule.role == "decision" and _holds(entry, OPERATOR_DOMAIN, canonical):
        raise Refused(Kind.ROLE_VIOLATION, "signed as the operator, not as a decision")
    key = check_entry(entry, rule.domain, canonical)
    if entry["key_id"] != wanted:
        why = f"signed in the role {entry['key_id']!r}, not {wanted!r}"
        raise Refused(Kind.MALFORMED, why, StricterRule.LIFECYCLE)
    if content["kind"] == "key_rotation" and content["key_rotation"]["outgoing_public_key"] != key:
        why = "a rotation is signed by the key that goes"
        raise Refused(Kind.MALFORMED, why, StricterRule.LIFECYCLE)
    if rule.role == "decision":
        _check_decision_key(content, key)
    return Signed((key,), rule.level, rule.role)


_BLOCKS = MappingProxyType({"suspended": "suspension", "key_rotation": "key_rotation"})


def _check_blocks(content: Content) -> None:
    """A link carries the block of its kind and no other's."""
    kind = content["kind"]
    for owner, block in _BLOCKS.items():
        if (block in content) != (kind == owner):
            word = "without its" if kind == owner else "with a"
            why = f"a {kind} link {word} {block} block"
            raise Refused(Kind.MALFORMED, why, StricterRule.LIFECYCLE)
    if "multi_approval" in content:
        why = f"a {kind} link with a quorum"
        raise Refused(Kind.MALFORMED, why, StricterRule.LIFECYCLE)
    said = content.get("approver_decision", {}).get("decision")
    if said != DECISION_OF_KIND.get(kind):
        why = f"a {kind} link whose record says {said or 'nothing'}"
        raise Refused(Kind.MALFORMED, why, StricterRule.DECISION_RECORD)


def _check_decision_key(content: Content, key: PublicKey) -> None:
    if key == PLACEHOLDER_DECISION_KEY:
        why = "the decision is signed by the placeholder key, whose secret everybody knows"
        raise Refused(Kind.ROLE_VIOLATION, why, StricterRule.PLACEHOLDER_KEY)
    if key == content["agent_identity"]:
        why = "the decision is signed by the operator's own key"
        raise Refused(Kind.ROLE_VIOLATION, why, StricterRule.DECISION_KEY)


def check_link_as_reference(
    content: Content, canonical: bytes, signatures: Sequence[Entry]
) -> Signed:
    """A lifecycle link as the reference checks it (section 2.5): some signature holds under the kind's domain."""
    _check_effort(canonical, signatures)
    rule = signing_rule(content)
    holding = [entry for entry in signatures if _holds(entry, rule.domain, canonical)]
    as_operator = {e["public_key"] for e in signatures if _holds(e, OPERATOR_DOMAIN, canonical)}
    if not holding:
        if rule.role == "decision" and as_operator:
            raise Refused(Kind.ROLE_VIOLATION, "signed as the operator, not as a decision")
        raise Refused(Kind.MALFORMED, "no signature holds under the domain of its kind")
    key = PublicKey(holding[0]["public_key"])
    if rule.role == "decision" and key in as_operator:
        raise Refused(Kind.ROLE_VIOLATION, "the decision key also signed as the operator")
    return Signed((key,), content["trust_level"], rule.role)


def _check_effort(canonical: bytes, signatures: Sequence[Entry]) -> None:
    is_many = len(signatures) > _MOST_SIGNATURES
    if is_many or len(canonical) * len(signatures) > _MOST_SIGNED_BYTES:
        why = f"{len(signatures)} signatures over {len(canonical)} bytes are more than is read"
        raise Refused(Kind.MALFORMED, why, StricterRule.SIZE)


def check_entry(entry: Entry, domain: bytes, canonical: bytes) -> PublicKey:
    """The key of a signature that holds. Raises `Refused`."""
    role = entry["key_id"]
    if entry["algorithm"] != SIGNATURE_ALGORITHM:
        raise Refused(Kind.INVALID_SIGNATURE, f"{role}: unsupported algorithm")
    try:
        key = parse_public_key(entry["public_key"])
        signature = parse_signature(entry["signature"])
    except Malformed as error:
        raise Refused(Kind.INVALID_SIGNATURE, f"{role}: {error}") from None
    if not signature_holds(key, domain + canonical, signature):
        raise Refused(Kind.INVALID_SIGNATURE, f"{role}: does not verify")
    return PublicKey(entry["public_key"])


def _holds(entry: Entry, domain: bytes, canonical: bytes) -> bool:
    try:
        check_entry(entry, domain, canonical)
    except Refused:
        return False
    return True
