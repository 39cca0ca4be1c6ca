"""Where this verifier is stricter than the format's reference, by name.

A refusal names its rule when the reference would have taken the receipt, so a relying party that has to live with it
knows what it would give up by asking for `compat`.
"""

from enum import StrEnum


class StricterRule(StrEnum):
    """A rule that the reference does not have, or applies to plain action receipts only."""

    UNKNOWN_KEYS = "unknown-keys"
    """A key the format does not know, in a typed object. The reference drops it before hashing: it would be unsigned."""
    NULLS = "nulls"
    """An optional key that holds null. The reference takes it for absent, whatever was hashed."""
    DEFAULTS = "written-out-defaults"
    """False or an empty array where the reference leaves the key out of the hash."""
    DUPLICATE_KEYS = "duplicate-keys"
    """A key twice in free JSON. The reference keeps the last; another reader may keep the first."""
    EXACT_NUMBERS = "exact-numbers"
    """A number that a double does not hold exactly. To the reference two such numbers can share one hash."""
    SIZE = "size"
    """More bytes than this verifier reads, or more signatures over them than it checks."""
    APPROVAL_RECORD = "approval-record"
    """An approver's signature without a record that says approved and names the approver's key."""
    LIFECYCLE = "lifecycle-links"
    """A lifecycle link with another algorithm, version, level, signature count or block than its kind has."""
    DECISION_RECORD = "decision-record"
    """A decision link whose record is missing or says something else than its kind."""
    DECISION_KEY = "decision-key"
    """A decision signed by the operator's own key."""
    PLACEHOLDER_KEY = "placeholder-key"
    """A decision signed by the key whose secret everybody knows."""
    APPROVED_SPEC = "approved-spec"
    """A completed link for an action that was never approved or gated."""
