"""What a HESO/1 receipt may look like, as a table (fact sheet, section 1).

Strict by choice: an unknown key or a null in any typed object is refused. The format's reference drops them
before hashing, so such a decoration would be unsigned there and we would rather not carry it at all.
Free JSON (`fields`, a condition's `value`) is taken as it is.

A check is a function that returns nothing or raises `Mismatch`; the path is collected on the way out.
"""

from collections.abc import Callable, Mapping

from heso.core.errors import Malformed

Check = Callable[[object], None]

U32 = 2**32 - 1
U64 = 2**53 - 1  # the format says 2**64 - 1; a double, which is what gets hashed, holds no more

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


class Mismatch(Exception):
    """A value that does not fit. Internal to this module: `check_receipt` turns it into `Malformed`."""

    def __init__(self, why: str) -> None:
        self.why = why
        self.path: list[str] = []

    def inside(self, step: str) -> "Mismatch":
        self.path.insert(0, step)
        return self


def check_receipt(value: object) -> None:
    """Raise `Malformed` with the path of the first thing that is not as the table says."""
    try:
        _ENVELOPE(value)
    except Mismatch as error:
        raise Malformed("receipt", error.why, ".".join(error.path)) from None


def _text(value: object) -> None:
    if type(value) is not str:
        raise Mismatch("must be text")


def _flag(value: object) -> None:
    if type(value) is not bool:
        raise Mismatch("must be true or false")


def _free(value: object) -> None:
    """Any JSON."""


def _object(value: object) -> None:
    if type(value) is not dict:
        raise Mismatch("must be an object")


def _integer(largest: int) -> Check:
    def check(value: object) -> None:
        if type(value) is not int or not 0 <= value <= largest:
            raise Mismatch(f"must be an integer from 0 to {largest}")

    return check


def _one_of(*names: str) -> Check:
    allowed = frozenset(names)

    def check(value: object) -> None:
        if type(value) is not str or value not in allowed:
            raise Mismatch(f"must be one of {', '.join(names)}")

    return check


def _list_of(item_check: Check) -> Check:
    def check(value: object) -> None:
        if type(value) is not list:
            raise Mismatch("must be an array")
        for index, item in enumerate(value):
            try:
                item_check(item)
            except Mismatch as error:
                raise error.inside(str(index)) from None

    return check


def _record(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    rules = {**required, **(optional or {})}
    needed = required.keys()

    def check(value: object) -> None:
        if type(value) is not dict:
            raise Mismatch("must be an object")
        for key, item in value.items():
            rule = rules.get(key)
            if rule is _text and type(item) is str:
                continue  # two thirds of a receipt: not worth a call each
            if rule is None:
                raise Mismatch("unknown key").inside(key[:80])
            try:
                rule(item)
            except Mismatch as error:
                raise error.inside(key) from None
        if not needed <= value.keys():
            raise Mismatch("missing").inside(min(needed - value.keys()))

    return check


def _surface(value: object) -> None:
    if value in ("tool_description", "tool_result"):
        return
    _record({"argument": _record({"path": _text})})(value)


_u32 = _integer(U32)
_u64 = _integer(U64)

_OBSERVED_FACTS = _record(
    {},
    {
        **dict.fromkeys(("host", "path", "realpath", "mcp_server"), _text),
        "method": _one_of("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"),
        "argv_tokens": _list_of(_text),
        "row_count_estimate": _u64,
        **dict.fromkeys(
            (
                "is_payment",
                "is_secret",
                "is_identity_change",
                "is_model_call",
                "effect_destructive",
                "is_local_compute",
                "has_file_body",
            ),
            _flag,
        ),
        "origin": _one_of(
            "browser_driver",
            "browser_form",
            "messaging_sdk",
            "payment_sdk",
            "agent_protocol",
            "storage_sdk",
            "sdk",
            "proxy",
        ),
        "observed_via": _one_of("fs_hook", "object_sdk", "sql_proxy", "iac_tool", "http_delete"),
    },
)

_ERT = _record(
    {
        "observed_facts": _OBSERVED_FACTS,
        "resource_class": _text,
        "effect": _one_of(
            "observe", "mutate", "destroy", "transfer_out", "spend", "grant", "effect_unknown"
        ),
        "egress": _one_of("local", "crosses_trust_boundary", "crosses_unknown"),
        "observability": _one_of("wire", "args", "symbol", "blind"),
        "taxonomy_hash": _text,
    }
)

_MANDATE = _record(
    {
        "mandate_id": _text,
        "mandate_hash": _text,
        "verdict": _one_of("valid", "invalid", "absent"),
        "payee": _text,
        "amount_minor": _u64,
        "currency": _text,
    }
)

_ACTION = _record(
    {
        "verb": _one_of(*VERBS),
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

_POLICY = _record(
    {
        "rule_id": _text,
        "rule_display": _text,
        "matched_conditions": _list_of(_record({"field": _text, "op": _text, "value": _free})),
        "decision_path": _one_of(*DECISIONS),
    }
)

_APPROVER_RECORD = _record(
    {
        "decision": _one_of("approved", "rejected", "escalated"),
        "approver_identity": _text,
        "reason": _text,
        "decided_at": _text,
    },
    {"sla_minutes": _u32},
)

_REDACTION = _record(
    {
        "mode": _one_of("destructive", "commit_and_reveal"),
        "markers": _list_of(
            _record({"field_path": _text, "algorithm": _text, "commitment": _text})
        ),
    },
    {"merkle_root": _text},
)

_SUSPENSION = _record(
    {
        "resume_token_hash": _text,
        "context_ref": _record(
            {"scheme": _one_of("customer", "langgraph", "none"), "key": _text, "hash": _text}
        ),
        "policy": _record({"policy_id": _text, "policy_hash": _text, "rule": _text}),
        "approval": _record(
            {
                "sla": _text,
                "expires_at": _text,
                "on_timeout": _one_of("deny", "escalate", "auto_approve"),
                "approver_pubkeys": _list_of(_text),
            },
            {"escalation": _record({"after": _text, "to": _list_of(_text)})},
        ),
    },
    {"tool_binding_hash": _text},
)

_KEY_ROTATION = _record(
    {
        "role": _one_of("producer", "decision"),
        "outgoing_public_key": _text,
        "incoming_public_key": _text,
    }
)

_GUARDRAIL = _record(
    {
        "findings": _list_of(
            _record(
                {
                    "category": _one_of("prompt_injection", "jailbreak", "tool_poisoning"),
                    "surface": _surface,
                    "pattern_id": _text,
                    "severity": _one_of("suspicious", "malicious"),
                }
            )
        ),
        "decision": _one_of("block", "require_approval"),
    }
)

_METRICS = _record(
    {
        "duration_ms": _u32,
        "status": _one_of("ok", "client_error", "server_error", "timeout", "refused", "error"),
    },
    {
        **dict.fromkeys(
            ("status_code", "tokens_in", "tokens_out", "bytes_in", "bytes_out", "retries"), _u32
        ),
        "token_source": _one_of("provider_reported", "estimated"),
        "rate_card_id": _text,
    },
)

_CONTENT = _record(
    {
        "action_version": _text,
        "captured_at": _text,
        "agent_identity": _text,
        "action": _ACTION,
        "policy": _POLICY,
        "trust_level": _one_of("L0", "L1"),
        "action_hash": _text,
    },
    {
        "approver_decision": _APPROVER_RECORD,
        "multi_approval": _record(
            {"threshold": _u32, "roster": _list_of(_text), "approvers": _list_of(_APPROVER_RECORD)}
        ),
        "redaction": _REDACTION,
        "guardrail": _GUARDRAIL,
        "session_id": _text,
        "seq": _u64,
        "prev_receipt_hash": _text,
        "kind": _one_of(*KINDS),
        "suspension": _SUSPENSION,
        "key_rotation": _KEY_ROTATION,
        "nonce": _text,
        "time_anchor": _record(
            {"kind": _text, "token_b64": _text, "tsa": _text, "anchored_hash": _text}
        ),
        "anchor_policy": _one_of("required"),
        "attestation": _record(
            {"kind": _text, "evidence": _text, "bound_field": _text},
            {"collateral": _list_of(_text)},
        ),
        "metrics": _METRICS,
    },
)

_TRANSPARENCY = _record(
    {
        "log_id": _text,
        "leaf_index": _u64,
        "inclusion_proof": _list_of(_text),
        "checkpoint": _text,
    },
    {
        "org_root": _text,
        "org_tree_size": _u64,
        "epoch": _u64,
        "org_id": _text,
        "top_leaf_index": _u64,
        "top_inclusion_proof": _list_of(_text),
        "cosignatures": _list_of(_record({"witness_key": _text, "signature": _text})),
    },
)

_ENVELOPE = _record(
    {
        "alg": _text,
        "content": _CONTENT,
        "signatures": _list_of(
            _record(
                {"algorithm": _text, "key_id": _text, "public_key": _text, "signature": _text},
                {"valid_from": _text, "valid_until": _text},
            )
        ),
    },
    {"transparency": _list_of(_TRANSPARENCY)},
)
