"""Constants of HESO/1 v2 (fact sheet, section 0). Signing domains end in NUL, which canonical JSON never holds,
so no signature made for one purpose can be read as made for another."""

from typing import Final

OPERATOR_DOMAIN: Final = b"heso-action/v1\0"
APPROVER_DOMAIN: Final = b"heso-approval/v1\0"
SUSPEND_DOMAIN: Final = b"heso-action-suspend/v1\0"
DECISION_DOMAIN: Final = b"heso-action-decision/v1\0"

CHAIN_PREFIX: Final = b"heso-rcpt-chain/v1\0"  # hashed, never signed
AUDIT_PREFIX: Final = b"heso-audit/v1\0"  # hashed, never signed

ENVELOPE_ALG: Final = "heso-action/v2+ed25519"
ACTION_VERSION: Final = "heso-action/2.0"
SIGNATURE_ALGORITHM: Final = "Ed25519"
OPERATOR: Final = "operator"
APPROVER: Final = "approver"
