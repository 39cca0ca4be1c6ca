"""Receipts made without heso: rfc8785, blake3 and libsodium only, from seeds anybody can know.

The forge makes what it is told to, right or wrong. What the verifier says about it is the test.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

import pytest
import rfc8785
from blake3 import blake3
from nacl.signing import SigningKey

Json = dict[str, Any]

DOMAINS = {
    "operator": b"heso-action/v1\0",
    "approver": b"heso-approval/v1\0",
    "suspend": b"heso-action-suspend/v1\0",
    "decision": b"heso-action-decision/v1\0",
}


@dataclass(frozen=True)
class TestKey:
    """An Ed25519 key whose seed is one byte, thirty-two times."""

    __test__ = False
    seed: bytes

    @property
    def public(self) -> str:
        return base64.b64encode(bytes(SigningKey(self.seed).verify_key)).decode()

    def sign(self, message: bytes) -> str:
        return base64.b64encode(SigningKey(self.seed).sign(message).signature).decode()


class Forge:
    """`content` -> `entry` -> `envelope` -> `text`, each of them free to be wrong."""

    operator = TestKey(b"\x00" * 32)
    approver = TestKey(b"\x05" * 32)
    stranger = TestKey(b"\x08" * 32)
    placeholder = TestKey(b"\x07" * 32)  # the format's public decision key, known to everybody
    domains = DOMAINS

    def content(self, **changes: Any) -> Json:
        """The content of a plain L0 action receipt, unhashed; a change to None leaves the key out."""
        content: Json = {
            "action_version": "heso-action/2.0",
            "captured_at": "2026-01-01T00:00:00Z",
            "agent_identity": self.operator.public,
            "action": {
                "verb": "tool_call",
                "tool_name": "t",
                "workflow": "w",
                "account": "a",
                "fields": {"city": "Łódź", "rooms": 2},
            },
            "policy": {
                "rule_id": "r",
                "rule_display": "d",
                "matched_conditions": [{"field": "verb", "op": "eq", "value": None}],
                "decision_path": "allow",
            },
            "trust_level": "L0",
            **changes,
        }
        return {key: value for key, value in content.items() if value is not None}

    def action(self, **changes: Any) -> Json:
        return {**self.content()["action"], **changes}

    def approval(self, **changes: Any) -> Json:
        return {
            "decision": "approved",
            "approver_identity": self.approver.public,
            "reason": "fine",
            "decided_at": "2026-01-01T00:05:00Z",
            **changes,
        }

    def approved_content(self, **changes: Any) -> Json:
        return self.content(trust_level="L1", approver_decision=self.approval(), **changes)

    def canonical(self, content: Json) -> bytes:
        return rfc8785.dumps({key: value for key, value in content.items() if key != "action_hash"})

    def hashed(self, content: Json) -> Json:
        return {**content, "action_hash": blake3(self.canonical(content)).hexdigest()}

    def entry(
        self, role: str, key: TestKey, content: Json, domain: bytes | None = None, **changes: Any
    ) -> Json:
        domain = DOMAINS[role] if domain is None else domain
        return {
            "algorithm": "Ed25519",
            "key_id": role,
            "public_key": key.public,
            "signature": key.sign(domain + self.canonical(content)),
            **changes,
        }

    def envelope(self, content: Json, *entries: Json, **changes: Any) -> Json:
        return {
            "alg": "heso-action/v2+ed25519",
            "content": self.hashed(content),
            "signatures": list(entries),
            **changes,
        }

    def l0(self, content: Json | None = None) -> Json:
        content = self.content() if content is None else content
        return self.envelope(content, self.entry("operator", self.operator, content))

    def l1(self, content: Json | None = None, approver: TestKey | None = None) -> Json:
        content = self.approved_content() if content is None else content
        return self.envelope(
            content,
            self.entry("operator", self.operator, content),
            self.entry("approver", approver or self.approver, content),
        )

    def link(self, kind: str, *, key: TestKey, role: str, domain: bytes, **changes: Any) -> Json:
        """A lifecycle link with one signature."""
        level = "L1" if role == "approver" else "L0"
        content = self.content(**{"kind": kind, "trust_level": level, **changes})
        return self.envelope(content, self.entry(role, key, content, domain))

    def chain(self, length: int, session_id: str = "s") -> list[Json]:
        """The envelopes of one whole session of plain actions."""
        envelopes: list[Json] = []
        prev = None
        for seq in range(length):
            block = {"session_id": session_id, "seq": seq, "prev_receipt_hash": prev}
            envelopes.append(self.l0(self.content(**block)))
            prev = self.link_hash(session_id, seq, envelopes[-1]["content"]["action_hash"])
        return envelopes

    def link_hash(self, session_id: str, seq: int, action_hash: str) -> str:
        parts = (session_id.encode(), seq.to_bytes(8, "little"), action_hash.encode())
        framed = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
        return blake3(b"heso-rcpt-chain/v1\0" + framed).hexdigest()

    def text(self, envelope: object) -> bytes:
        return json.dumps(envelope, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.fixture(scope="session")
def forge() -> Forge:
    return Forge()


RECORD: Json = {
    "decision": "approved",
    "approver_identity": "x",
    "reason": "r",
    "decided_at": "d",
    "sla_minutes": 30,
}
EVERY_BLOCK: Json = {
    "action_version": "heso-action/2.0",
    "captured_at": "2026-01-01T00:00:00Z",
    "agent_identity": "x",
    "action": {
        "verb": "tool_call",
        "tool_name": "t",
        "workflow": "w",
        "account": "a",
        "fields": {"free": None},
        "target_host": "h",
        "domain": "d",
        "action": "a",
        "result_hash": "r",
        "error": "e",
        "ert": {
            "observed_facts": {
                "host": "h",
                "path": "p",
                "realpath": "p",
                "mcp_server": "m",
                "method": "GET",
                "argv_tokens": ["ls"],
                "row_count_estimate": 7,
                "is_payment": True,
                "is_secret": True,
                "is_identity_change": True,
                "is_model_call": True,
                "effect_destructive": True,
                "is_local_compute": True,
                "has_file_body": True,
                "origin": "sdk",
                "observed_via": "fs_hook",
            },
            "resource_class": "c",
            "effect": "observe",
            "egress": "local",
            "observability": "wire",
            "taxonomy_hash": "t",
        },
        "mandate": {
            "mandate_id": "m",
            "mandate_hash": "h",
            "verdict": "valid",
            "payee": "p",
            "amount_minor": 1,
            "currency": "EUR",
        },
    },
    "policy": {
        "rule_id": "r",
        "rule_display": "d",
        "matched_conditions": [{"field": "f", "op": "o", "value": {"free": None}}],
        "decision_path": "allow",
    },
    "trust_level": "L0",
    "approver_decision": RECORD,
    "redaction": {
        "mode": "destructive",
        "markers": [{"field_path": "p", "algorithm": "drop/v1", "commitment": ""}],
        "merkle_root": "m",
    },
    "guardrail": {
        "findings": [
            {
                "category": "jailbreak",
                "surface": {"argument": {"path": "p"}},
                "pattern_id": "p",
                "severity": "malicious",
            }
        ],
        "decision": "block",
    },
    "session_id": "s",
    "seq": 3,
    "prev_receipt_hash": "h",
    "kind": "action",
    "suspension": {
        "resume_token_hash": "h",
        "context_ref": {"scheme": "none", "key": "k", "hash": "h"},
        "tool_binding_hash": "h",
        "policy": {"policy_id": "p", "policy_hash": "h", "rule": "r"},
        "approval": {
            "sla": "1h",
            "expires_at": "x",
            "on_timeout": "deny",
            "approver_pubkeys": ["k"],
            "escalation": {"after": "1h", "to": ["k"]},
        },
    },
    "key_rotation": {"role": "producer", "outgoing_public_key": "o", "incoming_public_key": "i"},
    "nonce": "n",
    "attestation": {"kind": "k", "evidence": "e", "bound_field": "b", "collateral": ["c"]},
    "metrics": {
        "duration_ms": 1,
        "status": "ok",
        "status_code": 200,
        "tokens_in": 1,
        "tokens_out": 1,
        "bytes_in": 1,
        "bytes_out": 1,
        "retries": 0,
        "token_source": "estimated",
        "rate_card_id": "r",
    },
}


@pytest.fixture(scope="session")
def every_block() -> Json:
    """A content with every optional block of the format, but for a quorum and a time anchor."""
    return EVERY_BLOCK
