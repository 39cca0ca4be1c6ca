"""An Action Receipt: what was about to happen, what policy said, and the operator's signature over both.

    C            = canonical bytes of the content without its own `action_hash`
    action_hash  = BLAKE3(C)
    signature    = Ed25519(operator, domain ++ C)            (fact sheet, section 2.2)

A content is a plain dict in the wire's own shape: it is built once per gated call, and the verifier reads the
same shape back. `seal_receipt` is the only place that makes a receipt.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from typing import NewType, Protocol

import orjson

from heso.core.canonical import MAX_DEPTH, canonical_bytes, is_plain_json
from heso.core.domains import (
    ACTION_VERSION,
    APPROVER,
    ENVELOPE_ALG,
    OPERATOR,
    OPERATOR_DOMAIN,
    SIGNATURE_ALGORITHM,
)
from heso.core.encoding import SIGNATURE_BYTES, Digest, PublicKey, format_base64
from heso.core.errors import Malformed
from heso.core.hashing import digest
from heso.core.hot import hot_value
from heso.core.roles import signing_rule
from heso.core.strict_json import MAX_BYTES

_FIELDS_DEPTH = MAX_DEPTH - 3  # `fields` stands inside the envelope, its content and the action

CHAIN_KEYS = ("session_id", "seq", "prev_receipt_hash")

SessionId = NewType("SessionId", str)
Json = dict[str, object]


class Verb(StrEnum):
    """What an action does, coarsely. Policy and floors are written against it."""

    LLM_CALL = "llm_call"
    TOOL_CALL = "tool_call"
    HTTP_REQUEST = "http_request"
    PAYMENT = "payment"
    DATA_EXPORT = "data_export"
    ACCOUNT_CHANGE = "account_change"
    DELETE = "delete"


class DecisionPath(StrEnum):
    """What policy said, as the wire spells it."""

    ALLOW = "allow"
    BLOCK = "block"
    REDACT = "redact"
    REQUIRE_APPROVAL = "require_approval"


class Signs(Protocol):
    """The part of a signer that sealing needs; `heso.ports.Signer` promises more about it."""

    @property
    def public_key(self) -> PublicKey: ...

    def sign(self, message: bytes) -> bytes: ...


@hot_value
class Action:
    """One thing an agent is about to do. `fields` holds its arguments as JSON values, by parameter name.

    `ert` is its classification by the taxonomy, in the wire's shape; None when there is nothing to say.
    """

    verb: Verb
    tool_name: str
    workflow: str
    account: str
    fields: Mapping[str, object] = field(repr=False)
    target_host: str | None = None
    ert: Json | None = field(repr=False, default=None)


@hot_value
class PolicyRecord:
    """Why, in the receipt: the rule that decided, its sentence, and the conditions that held."""

    rule_id: str
    rule_display: str
    matched_conditions: Sequence[Json]
    decision_path: DecisionPath


@hot_value
class ChainBlock:
    """A receipt's place in its session: `prev` is the link hash of the receipt before it, none at seq 0."""

    session_id: SessionId
    seq: int
    prev: Digest | None


@hot_value
class Receipt:
    """A signed receipt. `body` is the exact JSON text that is stored and sent."""

    action_hash: Digest
    body: bytes
    content: Json
    signer: PublicKey


def draft_content(
    action: Action,
    policy: PolicyRecord,
    *,
    captured_at: str,
    operator: PublicKey,
    chain: ChainBlock | None = None,
    redaction: Json | None = None,
) -> Json:
    """The content of a plain, operator-signed (L0) action receipt, without its hash."""
    content: Json = {
        "action_version": ACTION_VERSION,
        "captured_at": captured_at,
        "agent_identity": operator,
        "action": _action_detail(action),
        "policy": {
            "rule_id": policy.rule_id,
            "rule_display": policy.rule_display,
            "matched_conditions": list(policy.matched_conditions),
            "decision_path": str(policy.decision_path),
        },
        "trust_level": "L0",
    }
    if redaction is not None:
        content["redaction"] = redaction
    if chain is not None:
        add_chain_block(content, chain)
    return content


def seal_receipt(content: Json, signer: Signs) -> Receipt:
    """Hash and sign a content made by one of the drafts above, or by those of `heso.core.links`.

    Raises `Malformed` for a content that no verifier would read: sealed already, too deep, too large.
    """
    canonical = _canonical_draft(content)
    role, domain = _role_and_domain(content)
    signature = signer.sign(domain + canonical)
    if len(signature) != SIGNATURE_BYTES:
        raise Malformed(
            "signature", f"the signer gave {len(signature)} bytes, not {SIGNATURE_BYTES}"
        )
    entry = signature_entry(role, signer.public_key, signature)
    return _finish(content, canonical, [entry])


def finish_receipt(content: Json, signatures: Sequence[Json]) -> Receipt:
    """The receipt of a content with signatures that were made elsewhere. The first names its signer.

    It does not judge them: `heso.core.approval` did. Raises `Malformed` as `seal_receipt` does.
    """
    return _finish(content, _canonical_draft(content), signatures)


def _canonical_draft(content: Json) -> bytes:
    if "action_hash" in content:
        raise Malformed("content", "is sealed already", "action_hash")
    canonical = canonical_content(content)
    if len(canonical) > MAX_BYTES // 2:
        raise Malformed("content", f"larger than {MAX_BYTES // 2} bytes")
    return canonical


def _finish(content: Json, canonical: bytes, signatures: Sequence[Json]) -> Receipt:
    action_hash = digest(canonical)
    sealed = {**content, "action_hash": action_hash}
    envelope: Json = {"alg": ENVELOPE_ALG, "content": sealed, "signatures": list(signatures)}
    body = _write_body(envelope)
    if len(body) > MAX_BYTES:
        raise Malformed("receipt", f"larger than {MAX_BYTES} bytes")
    signer = PublicKey(str(signatures[0]["public_key"]))
    return Receipt(action_hash=action_hash, body=body, content=sealed, signer=signer)


def _role_and_domain(content: Json) -> tuple[str, bytes]:
    kind = content.get("kind")
    if kind is None:
        return OPERATOR, OPERATOR_DOMAIN
    rule = signing_rule(content)
    return (OPERATOR if rule.role == "producer" else APPROVER), rule.domain


def canonical_content(content: Json) -> bytes:
    """The canonical bytes of a content in the wire's shape, without `action_hash`.

    Its own keys are ASCII and its own values text and small integers, by the drafts above or by the schema. Only free
    JSON (the arguments, the values of conditions) can need the exact writer, so only that is looked at.
    """
    action: Json = content["action"]  # type: ignore[assignment]
    policy: dict[str, list[Json]] = content["policy"]  # type: ignore[assignment]
    try:
        if is_plain_json(action["fields"], max_depth=_FIELDS_DEPTH) and all(
            is_plain_json(condition["value"], max_depth=_FIELDS_DEPTH - 2)
            for condition in policy["matched_conditions"]
        ):
            return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:  # orjson found a lone surrogate
        raise Malformed("content", "text is not valid Unicode") from error
    return canonical_bytes(content, max_depth=_FIELDS_DEPTH + 2)


def _write_body(envelope: Json) -> bytes:
    """Any JSON text of the envelope will do: a verifier makes the canonical bytes itself."""
    try:
        return orjson.dumps(envelope)
    except TypeError:  # an integer beyond 64 bits, which canonical JSON can still hold
        return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()


def signature_entry(role: str, public_key: PublicKey, signature: bytes) -> Json:
    """One element of an envelope's `signatures`."""
    if role not in (OPERATOR, APPROVER):
        raise ValueError(role)
    return {
        "algorithm": SIGNATURE_ALGORITHM,
        "key_id": role,
        "public_key": public_key,
        "signature": format_base64(signature),
    }


def _action_detail(action: Action) -> Json:
    detail: Json = {
        "verb": str(action.verb),
        "tool_name": action.tool_name,
        "workflow": action.workflow,
        "account": action.account,
        "fields": action.fields if type(action.fields) is dict else dict(action.fields),
    }
    if action.target_host is not None:
        detail["target_host"] = action.target_host
    if action.ert is not None:
        detail["ert"] = action.ert
    return detail


def add_chain_block(content: Json, chain: ChainBlock) -> None:
    """Give a draft its place in a session."""
    content["session_id"] = chain.session_id
    content["seq"] = chain.seq
    if chain.prev is not None:
        content["prev_receipt_hash"] = chain.prev
