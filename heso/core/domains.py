"""Constants of HESO/1 v2 (fact sheet, section 0). Signing domains end in NUL, which canonical JSON never holds,
so no signature made for one purpose can be read as made for another."""

from typing import Final

OPERATOR_DOMAIN: Final = b"heso-action/v1\0"
APPROVER_DOMAIN: Final = b"heso-approval/v1\0"
SUSPEND_DOMAIN: Final = b"heso-action-suspend/v1\0"
DECISION_DOMAIN: Final = b"heso-action-decision/v1\0"
TOKEN_DOMAIN: Final = b"heso-approval-token/v1\0"
DELEGATION_DOMAIN: Final = b"heso-delegation/v1\0"
COMMITMENT_DOMAIN: Final = b"heso-commitment/v1\0"

CHAIN_PREFIX: Final = b"heso-rcpt-chain/v1\0"  # hashed, never signed
AUDIT_PREFIX: Final = b"heso-audit/v1\0"  # hashed, never signed

ENVELOPE_ALG: Final = "heso-action/v2+ed25519"
ACTION_VERSION: Final = "heso-action/2.0"
SIGNATURE_ALGORITHM: Final = "Ed25519"
OPERATOR: Final = "operator"
APPROVER: Final = "approver"

# A key whose seed is printed in public documents. The format's reference signs decisions with it where it has no
# other; whoever takes such a decision for somebody's takes anybody's.
PLACEHOLDER_DECISION_KEY: Final = "6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw="
