"""What a verifier answers. The words are HESO/1's own (fact sheet, sections 2.6 and 3.4)."""

from dataclasses import dataclass
from enum import StrEnum

from heso.core.encoding import Digest, PublicKey
from heso.core.hot import hot_value


class Kind(StrEnum):
    """The verdict on one receipt."""

    VALID = "Valid"
    WRONG_ALGORITHM = "WrongAlgorithm"
    UNSUPPORTED = "Unsupported"
    HASH_MISMATCH = "HashMismatch"
    INVALID_SIGNATURE = "InvalidSignature"
    MALFORMED_REDACTION = "MalformedRedaction"
    TRUST_LEVEL_MISMATCH = "TrustLevelMismatch"
    MALFORMED = "Malformed"
    SELF_APPROVAL = "SelfApproval"
    THRESHOLD_NOT_MET = "ThresholdNotMet"
    TIME_ANCHOR_UNVERIFIABLE = "TimeAnchorUnverifiable"
    ANCHOR_REQUIRED = "AnchorRequired"
    MANDATE_REJECTED = "MandateRejected"


class ChainKind(StrEnum):
    """The verdict on a chain of receipts, or on an audit chain."""

    VALID = "Valid"
    EMPTY = "Empty"
    WRONG_CHAIN_KIND = "WrongChainKind"
    CONTENT_TAMPER = "ContentTamper"
    LINK_BROKEN = "LinkBroken"
    MALFORMED = "Malformed"
    UNSUPPORTED = "Unsupported"


@hot_value
class Verdict:
    """The verdict on one receipt, with what the evidence is about.

    `trust_level` is derived from the signatures, never echoed, and only set when Valid. `signers` are the keys
    whose signatures were checked and hold, operator first.
    """

    kind: Kind
    detail: str = ""
    trust_level: str | None = None
    action_hash: Digest | None = None
    signers: tuple[PublicKey, ...] = ()

    @property
    def is_valid(self) -> bool:
        return self.kind is Kind.VALID


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainVerdict:
    """The verdict on a chain. `seq` is the place of the first fault; `length` is set when Valid.

    `operators` are the keys that signed a valid chain, each once; one that changes midway is for the caller to judge.
    """

    kind: ChainKind
    detail: str = ""
    seq: int | None = None
    length: int | None = None
    operators: tuple[PublicKey, ...] = ()

    @property
    def is_valid(self) -> bool:
        return self.kind is ChainKind.VALID
