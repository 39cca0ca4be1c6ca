"""The verifier of one receipt: a numbered list, and the first failure is the verdict (fact sheet, section 2.4).

    (1) parse and schema              Malformed
    (2) envelope algorithm            WrongAlgorithm
    (3) action version                Unsupported
    (4) action hash                   HashMismatch
    (5) signature roles               Malformed
    (6) signatures                    Malformed, InvalidSignature, SelfApproval, ThresholdNotMet, RoleViolation
    (7) trust level                   TrustLevelMismatch
    (8) redaction markers             MalformedRedaction
    (9) time anchor present           TimeAnchorUnverifiable
   (10) time anchor required          AnchorRequired
   (11) payment mandate               MandateRejected
   (12) transparency log, if pinned   TransparencyUnverifiable, TransparencyRequired
   (13)                               Valid

It is pure and offline, and it trusts nothing inside the receipt: a Valid verdict says which keys signed, not that
they are anybody's. The caller compares `signers` with keys it got elsewhere, or pins them.

Stricter than the format's reference, on purpose: `heso.core.strictness` names every rule, and the verdict names the
one that refused. `compat=True` answers like the reference instead: it reads as `heso.core.projection` says, takes an
approver's signature for an approval whatever its record says, and checks of a lifecycle link only its hash and one
signature.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from heso.core.canonical import canonical_bytes
from heso.core.domains import ACTION_VERSION, ENVELOPE_ALG
from heso.core.encoding import Digest, PublicKey, is_digest
from heso.core.errors import Malformed
from heso.core.hashing import digest
from heso.core.hot import hot_value
from heso.core.instant import Instant
from heso.core.projection import as_doubles, project_json
from heso.core.receipt import canonical_content
from heso.core.redaction import has_sound_markers
from heso.core.schema import ENVELOPE, check_receipt
from heso.core.signatures import (
    Canonicalize,
    Content,
    Signed,
    check_link_as_reference,
    check_roles,
    check_signatures,
)
from heso.core.strict_json import parse_json
from heso.core.strictness import StricterRule
from heso.core.time_anchor import AnchorRefused, ReadsTokens, anchor_hash, check_anchor
from heso.core.verdict import Kind, Refused, Verdict

if TYPE_CHECKING:
    from heso.core.transparency import PinnedLog

_SHOWN = 80  # how much of a foreign text a detail repeats


@hot_value
class Examined:
    """A receipt that was read, and the verdict on it. `envelope` is None when it could not be read.

    `is_decision`: the first signer is a decision key, not the operator's.
    """

    verdict: Verdict
    envelope: dict[str, Any] | None
    is_decision: bool = False


@hot_value
class Terms:
    """What the relying party brings: keys and roots it got elsewhere, and how strict to be.

    `operator` pins the key that must have signed as operator; `time` reads RFC 3161 tokens against pinned roots;
    `log` is the transparency log whose proofs count.
    """

    operator: PublicKey | None = None
    time: ReadsTokens | None = None
    log: "PinnedLog | None" = None
    compat: bool = False


STRICT = Terms()


def verify_receipt(
    data: bytes,
    *,
    operator: PublicKey | None = None,
    time: ReadsTokens | None = None,
    log: "PinnedLog | None" = None,
    compat: bool = False,
) -> Verdict:
    """The verdict on the JSON text of one receipt.

    `operator` pins the key that must have signed as operator: another signer is InvalidSignature. Without `time` a
    receipt with a time anchor is TimeAnchorUnverifiable. Never raises for any `data`.
    """
    terms = Terms(operator=operator, time=time, log=log, compat=compat)
    return plain_verdict(examine_receipt(data, terms).verdict)


def verify_lifecycle_receipt(data: bytes, *, compat: bool = False) -> Verdict:
    """As `verify_receipt`, and a link signed in the wrong role is RoleViolation rather than Malformed."""
    return examine_receipt(data, Terms(compat=compat)).verdict


def plain_verdict(verdict: Verdict) -> Verdict:
    """The verdict in the words of plain receipts, which know no roles."""
    if verdict.kind is not Kind.ROLE_VIOLATION:
        return verdict
    return replace(verdict, kind=Kind.MALFORMED)


def examine_receipt(data: bytes, terms: Terms = STRICT) -> Examined:
    """The verdict, and the parsed receipt beside it."""
    examined = _examine_in_full(data, terms)
    if examined.verdict.stricter is not None:
        lenient = _examine_in_full(data, replace(terms, compat=True))
        if not lenient.verdict.is_valid:
            examined = replace(examined, verdict=replace(examined.verdict, stricter=None))
    return examined


def _examine_in_full(data: bytes, terms: Terms) -> Examined:
    try:
        envelope = _read(data, compat=terms.compat)  # (1)
    except Malformed as error:
        return Examined(Verdict(Kind.MALFORMED, str(error), stricter=error.rule), None)
    try:
        return _examine(envelope, terms)
    except Refused as refused:
        verdict = Verdict(
            kind=refused.kind,
            detail=refused.detail,
            action_hash=_claimed_hash(envelope),
            stricter=refused.rule,
        )
    return Examined(verdict, envelope)


def _read(data: bytes, *, compat: bool) -> Any:
    if compat:
        return project_json(data, ENVELOPE, what="receipt")
    envelope = parse_json(data, what="receipt")
    check_receipt(envelope)
    return envelope


def _claimed_hash(envelope: dict[str, Any]) -> Digest | None:
    claimed = envelope["content"]["action_hash"]
    return Digest(claimed) if is_digest(claimed) else None


def _examine(envelope: dict[str, Any], terms: Terms) -> Examined:
    content = envelope["content"]
    if terms.compat and content.get("kind", "action") != "action":
        return _examine_link_as_reference(envelope, terms)
    if envelope["alg"] != ENVELOPE_ALG:  # (2)
        raise Refused(Kind.WRONG_ALGORITHM, envelope["alg"][:_SHOWN], _if_link(content))
    if content["action_version"] != ACTION_VERSION:  # (3)
        raise Refused(Kind.UNSUPPORTED, content["action_version"][:_SHOWN], _if_link(content))
    canonicalize = _canonical_doubles if terms.compat else canonical_content
    canonical = _check_hash(content, canonicalize)  # (4)
    signatures = envelope["signatures"]
    check_roles(signatures, _if_link(content))  # (5)
    signed = check_signatures(  # (6)
        content, canonical, signatures, canonicalize=canonicalize, compat=terms.compat
    )
    _check_pin(signed, terms.operator)
    trusted_time = _check_content(content, signed, terms, canonicalize)  # (7) to (11)
    if terms.log is not None:
        _check_log(envelope, terms.log)  # (12)
    verdict = Verdict(  # (13)
        kind=Kind.VALID,
        trust_level=signed.level,
        action_hash=Digest(content["action_hash"]),
        signers=signed.signers,
        trusted_time=trusted_time,
    )
    return Examined(verdict, envelope, signed.role == "decision")


def _examine_link_as_reference(envelope: dict[str, Any], terms: Terms) -> Examined:
    """The reference's few checks; what the relying party pins holds all the same."""
    content = envelope["content"]
    canonical = _check_hash(content, _canonical_doubles)
    signed = check_link_as_reference(content, canonical, envelope["signatures"])
    _check_pin(signed, terms.operator)
    if terms.log is not None:
        _check_log(envelope, terms.log)
    verdict = Verdict(
        kind=Kind.VALID,
        trust_level=signed.level,
        action_hash=Digest(content["action_hash"]),
        signers=signed.signers,
    )
    return Examined(verdict, envelope, signed.role == "decision")


def _if_link(content: Content) -> StricterRule | None:
    """A lifecycle link gets the whole list here, and in the reference only its hash and a signature."""
    return None if content.get("kind", "action") == "action" else StricterRule.LIFECYCLE


def _check_hash(content: Content, canonicalize: Canonicalize) -> bytes:
    unhashed = dict(content)
    del unhashed["action_hash"]
    try:
        canonical = canonicalize(unhashed)
    except Malformed as error:
        raise Refused(Kind.MALFORMED, str(error), error.rule) from None
    if digest(canonical) != content["action_hash"]:
        raise Refused(Kind.HASH_MISMATCH)
    return canonical


def _canonical_doubles(content: Content) -> bytes:
    return canonical_bytes(as_doubles(content))


def _check_pin(signed: Signed, operator: PublicKey | None) -> None:
    if operator is None or signed.role == "decision" or signed.signers[0] == operator:
        return
    raise Refused(
        Kind.INVALID_SIGNATURE, f"the operator is {signed.signers[0]}, not the pinned key"
    )


def _check_content(
    content: Content, signed: Signed, terms: Terms, canonicalize: Canonicalize
) -> Instant | None:
    """Steps 7 to 11. When there is a time anchor that holds, its time."""
    rule = _if_link(content)
    level = content["trust_level"]
    if level != signed.level:  # (7)
        raise Refused(Kind.TRUST_LEVEL_MISMATCH, f"embedded={level} derived={signed.level}", rule)
    if "redaction" in content and not has_sound_markers(content["redaction"]):  # (8)
        raise Refused(Kind.MALFORMED_REDACTION, rule=rule)
    anchored_at = None
    if "time_anchor" in content:  # (9)
        anchored_at = _check_time_anchor(content, terms.time, rule, canonicalize)
    if "anchor_policy" in content and anchored_at is None:  # (10)
        raise Refused(Kind.ANCHOR_REQUIRED, rule=rule)
    _check_mandate(content["action"], rule)  # (11)
    return anchored_at


def _check_time_anchor(
    content: Content,
    reader: ReadsTokens | None,
    rule: StricterRule | None,
    canonicalize: Canonicalize,
) -> Instant:
    kind = Kind.TIME_ANCHOR_UNVERIFIABLE
    if reader is None:
        raise Refused(kind, "no time authority's root is pinned", rule)
    try:
        return check_anchor(content, anchor_hash(content, canonicalize), reader)
    except AnchorRefused as refused:
        raise Refused(kind, str(refused), rule) from None


def _check_mandate(action: Content, rule: StricterRule | None) -> None:
    mandate = action.get("mandate")
    if action["verb"] == "payment" and mandate is not None and mandate["verdict"] != "valid":
        raise Refused(Kind.MANDATE_REJECTED, mandate["verdict"], rule)


def _check_log(envelope: dict[str, Any], log: "PinnedLog") -> None:
    # Only who pins a log pays for the tree and its notes: `heso verify` starts for every receipt anew.
    from heso.core.transparency import TransparencyRefused, check_transparency  # noqa: PLC0415

    try:
        found = check_transparency(envelope, log)
    except TransparencyRefused as refused:
        raise Refused(Kind.TRANSPARENCY_UNVERIFIABLE, str(refused)) from None
    if log.is_required and not found:
        raise Refused(Kind.TRANSPARENCY_REQUIRED, f"no proof from the log {log.origin}")
