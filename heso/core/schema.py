"""What a HESO/1 receipt may look like, as a table (fact sheet, section 1).

Strict by choice: an unknown key, a null or a written-out default in any typed object is refused. The format's
reference drops them before hashing, so such a decoration would be unsigned there and we would rather not carry it
at all. Free JSON (`fields`, a condition's `value`) is taken as it is. Keys stand in the format's own order.
"""

from heso.core.errors import Malformed
from heso.core.shapes import (
    Flag,
    Free,
    Integer,
    ListOf,
    Mismatch,
    OneOf,
    Record,
    Text,
    compile_check,
)

VERBS = (
    "llm_call",
    "tool_call",
    "http_request",
    "payment",
    "data_export",
    "account_change",
    "delete",
)
DECISIONS = ("allow", "block", "redact", "require_approval")
KINDS = (
    "action",
    "suspended",
    "approved",
    "denied",
    "expired",
    "escalated",
    "completed",
    "key_rotation",
)

_text = Text()
_flag = Flag()
_free = Free()
_object = Free(is_object=True)
_u32 = Integer(2**32 - 1)
_u64 = Integer(2**64 - 1)

_SURFACE = OneOf(("tool_description", "tool_result"), Record({"argument": Record({"path": _text})}))

_FACT_FLAGS = (
    "is_payment",
    "is_secret",
    "is_identity_change",
    "is_model_call",
    "effect_destructive",
    "is_local_compute",
    "has_file_body",
)

_OBSERVED_FACTS = Record(
    {},
    {
        **dict.fromkeys(("host", "path", "realpath", "mcp_server"), _text),
        "method": OneOf(("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")),
        "argv_tokens": ListOf(_text),
        "row_count_estimate": _u64,
        **dict.fromkeys(_FACT_FLAGS, _flag),
        "origin": OneOf(
            (
                "browser_driver",
                "browser_form",
                "messaging_sdk",
                "payment_sdk",
                "agent_protocol",
                "storage_sdk",
                "sdk",
                "proxy",
            )
        ),
        "observed_via": OneOf(("fs_hook", "object_sdk", "sql_proxy", "iac_tool", "http_delete")),
    },
    drops=frozenset({*_FACT_FLAGS, "argv_tokens"}),
)

_ERT = Record(
    {
        "observed_facts": _OBSERVED_FACTS,
        "resource_class": _text,
        "effect": OneOf(
            ("observe", "mutate", "destroy", "transfer_out", "spend", "grant", "effect_unknown")
        ),
        "egress": OneOf(("local", "crosses_trust_boundary", "crosses_unknown")),
        "observability": OneOf(("wire", "args", "symbol", "blind")),
        "taxonomy_hash": _text,
    }
)

_MANDATE = Record(
    {
        "mandate_id": _text,
        "mandate_hash": _text,
        "verdict": OneOf(("valid", "invalid", "absent")),
        "payee": _text,
        "amount_minor": _u64,
        "currency": _text,
    }
)

_ACTION = Record(
    {
        "verb": OneOf(VERBS),
        "tool_name": _text,
        "workflow": _text,
        "account": _text,
        "fields": _object,
    },
    {
        "target_host": _text,
        "domain": _text,
        "action": _text,
        "ert": _ERT,
        "mandate": _MANDATE,
        "result_hash": _text,
        "error": _text,
    },
)

_POLICY = Record(
    {
        "rule_id": _text,
        "rule_display": _text,
        "matched_conditions": ListOf(Record({"field": _text, "op": _text, "value": _free})),
        "decision_path": OneOf(DECISIONS),
    }
)

_APPROVER_RECORD = Record(
    {
        "decision": OneOf(("approved", "rejected", "escalated")),
        "approver_identity": _text,
        "reason": _text,
        "decided_at": _text,
    },
    {"sla_minutes": _u32},
)

_REDACTION = Record(
    {
        "mode": OneOf(("destructive", "commit_and_reveal")),
        "markers": ListOf(Record({"field_path": _text, "algorithm": _text, "commitment": _text})),
    },
    {"merkle_root": _text},
)

_SUSPENSION = Record(
    {
        "resume_token_hash": _text,
        "context_ref": Record(
            {"scheme": OneOf(("customer", "langgraph", "none")), "key": _text, "hash": _text}
        ),
        "policy": Record({"policy_id": _text, "policy_hash": _text, "rule": _text}),
        "approval": Record(
            {
                "sla": _text,
                "expires_at": _text,
                "on_timeout": OneOf(("deny", "escalate", "auto_approve")),
                "approver_pubkeys": ListOf(_text),
            },
            {"escalation": Record({"after": _text, "to": ListOf(_text)})},
        ),
    },
    {"tool_binding_hash": _text},
)

_KEY_ROTATION = Record(
    {
        "role": OneOf(("producer", "decision")),
        "outgoing_public_key": _text,
        "incoming_public_key": _text,
    }
)

_GUARDRAIL = Record(
    {
        "findings": ListOf(
            Record(
                {
                    "category": OneOf(("prompt_injection", "jailbreak", "tool_poisoning")),
                    "surface": _SURFACE,
                    "pattern_id": _text,
                    "severity": OneOf(("suspicious", "malicious")),
                }
            )
        ),
        "decision": OneOf(("block", "require_approval")),
    }
)

_METRICS = Record(
    {
        "duration_ms": _u32,
        "status": OneOf(("ok", "client_error", "server_error", "timeout", "refused", "error")),
    },
    {
        **dict.fromkeys(
            ("status_code", "tokens_in", "tokens_out", "bytes_in", "bytes_out", "retries"), _u32
        ),
        "token_source": OneOf(("provider_reported", "estimated")),
        "rate_card_id": _text,
    },
    is_sealed=True,
)

_CONTENT = Record(
    {
        "action_version": _text,
        "captured_at": _text,
        "agent_identity": _text,
        "action": _ACTION,
        "policy": _POLICY,
        "trust_level": OneOf(("L0", "L1")),
        "action_hash": _text,
    },
    {
        "approver_decision": _APPROVER_RECORD,
        "multi_approval": Record(
            {"threshold": _u32, "roster": ListOf(_text), "approvers": ListOf(_APPROVER_RECORD)}
        ),
        "redaction": _REDACTION,
        "guardrail": _GUARDRAIL,
        "session_id": _text,
        "seq": _u64,
        "prev_receipt_hash": _text,
        "kind": OneOf(KINDS),
        "suspension": _SUSPENSION,
        "key_rotation": _KEY_ROTATION,
        "nonce": _text,
        "time_anchor": Record(
            {"kind": _text, "token_b64": _text, "tsa": _text, "anchored_hash": _text}
        ),
        "anchor_policy": OneOf(("required",)),
        "attestation": Record(
            {"kind": _text, "evidence": _text, "bound_field": _text},
            {"collateral": ListOf(_text)},
            drops=frozenset({"collateral"}),
        ),
        "metrics": _METRICS,
    },
    is_sealed=True,
)

_TRANSPARENCY = Record(
    {
        "log_id": _text,
        "leaf_index": _u64,
        "inclusion_proof": ListOf(_text),
        "checkpoint": _text,
    },
    {
        "org_root": _text,
        "org_tree_size": _u64,
        "epoch": _u64,
        "org_id": _text,
        "top_leaf_index": _u64,
        "top_inclusion_proof": ListOf(_text),
        "cosignatures": ListOf(Record({"witness_key": _text, "signature": _text})),
    },
)

ENVELOPE = Record(
    {
        "alg": _text,
        "content": _CONTENT,
        "signatures": ListOf(
            Record(
                {"algorithm": _text, "key_id": _text, "public_key": _text, "signature": _text},
                {"valid_from": _text, "valid_until": _text},
            )
        ),
    },
    {"transparency": ListOf(_TRANSPARENCY)},
    is_sealed=True,
    never_null=frozenset({"transparency"}),
)

_check = compile_check(ENVELOPE)


def check_receipt(value: object) -> None:
    """Raise `Malformed` with the path of the first thing that is not as the table says."""
    try:
        _check(value)
    except Mismatch as error:
        raise Malformed("receipt", error.why, ".".join(error.path), error.rule) from None
