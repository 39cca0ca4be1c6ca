"""What a verifier answers. The words are HESO/1's own (fact sheet, sections 2.6 and 3.4)."""

from dataclasses import dataclass
from enum import StrEnum

from heso.core.encoding import Digest, PublicKey
from heso.core.hot import hot_value
from heso.core.instant import Instant
from heso.core.roles import Role
from heso.core.strictness import StricterRule


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
    ROLE_VIOLATION = "RoleViolation"
    TRANSPARENCY_UNVERIFIABLE = "TransparencyUnverifiable"
    TRANSPARENCY_REQUIRED = "TransparencyRequired"
    CLASSIFICATION_MISMATCH = "ClassificationMismatch"
    TAXONOMY_UNAVAILABLE = "TaxonomyUnavailable"


class ChainKind(StrEnum):
    """The verdict on a chain of receipts, or on an audit chain."""

    VALID = "Valid"
    EMPTY = "Empty"
    WRONG_CHAIN_KIND = "WrongChainKind"
    CONTENT_TAMPER = "ContentTamper"
    ROLE_VIOLATION = "RoleViolation"
    LINK_BROKEN = "LinkBroken"
    ILLEGAL_TRANSITION = "IllegalTransition"
    DOUBLE_TERMINAL = "DoubleTerminal"
    KEY_NOT_VALID_AT_POSITION = "KeyNotValidAtPosition"
    MALFORMED = "Malformed"


class Refused(Exception):
    """A step of the verifier said no. It never leaves the verifier: it becomes a `Verdict`."""

    def __init__(self, kind: Kind, detail: str = "", rule: StricterRule | None = None) -> None:
        self.kind = kind
        self.detail = detail
        self.rule = rule


@hot_value
class Verdict:
    """The verdict on one receipt, with what the evidence is about.

    `trust_level` is derived from the signatures, never echoed, and only set when Valid. `signers` are the keys
    whose signatures were checked and hold, operator first; a decision link has one, the decision key. `stricter` is
    set when the format's reference would have taken the receipt, and names the rule of ours that did not. `trusted_time` is when a time
    authority saw the content, set only when its token was checked against pinned roots: a receipt's own timestamps
    are its operator's word.
    """

    kind: Kind
    detail: str = ""
    trust_level: str | None = None
    action_hash: Digest | None = None
    signers: tuple[PublicKey, ...] = ()
    stricter: StricterRule | None = None
    trusted_time: Instant | None = None

    @property
    def is_valid(self) -> bool:
        return self.kind is Kind.VALID


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainVerdict:
    """The verdict on a chain. `seq` is the place of the first fault; `length` is set when Valid.

    `operators` and `deciders` are the keys that signed a valid chain, each once; one that changes midway is for the
    caller to judge, or for `verify_session_chain` with its roots. `receipt_kind` is the faulty link's kind and `role`
    the role that should have signed it, where the fault is about one of them.
    """

    kind: ChainKind
    detail: str = ""
    seq: int | None = None
    length: int | None = None
    operators: tuple[PublicKey, ...] = ()
    deciders: tuple[PublicKey, ...] = ()
    receipt_kind: str | None = None
    role: Role | None = None
    stricter: StricterRule | None = None

    @property
    def is_valid(self) -> bool:
        return self.kind is ChainKind.VALID
