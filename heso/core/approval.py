"""From an asked action to an approved receipt: what each party signs, and putting the pieces together.

The operator asks; an approver signs on a device of their own; the pieces meet here. Signatures travel alone (`Leg`):
nobody needs anybody else's key, and a leg over other bytes is of no use to anyone.

    single  L1 content = asked content + the approver's record + level L1                       (fact sheet, 5.1)
            operator signs  operator domain ++ C,   approver signs  approval domain ++ C
    quorum  see `heso.core.quorum`                                                              (fact sheet, 5.2)

Rule 1: an approver signs the asked content outside any chain; the approved receipt stands alone.
Rule 2: an assembled receipt verifies. What would not is refused here, with the fault by name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from heso.core.domains import (
    APPROVER,
    APPROVER_DOMAIN,
    OPERATOR,
    OPERATOR_DOMAIN,
)
from heso.core.encoding import PublicKey, parse_public_key
from heso.core.errors import HesoError
from heso.core.keys import signature_holds
from heso.core.quorum import empty_approvers, with_approvers
from heso.core.receipt import (
    CHAIN_KEYS,
    Json,
    Receipt,
    Signs,
    canonical_content,
    finish_receipt,
    signature_entry,
)

Said = Literal["approved", "rejected", "escalated"]


class ApprovalFault(StrEnum):
    """Why pieces do not make an approval."""

    ALREADY_DECIDED = "AlreadyDecided"
    ALREADY_ANCHORED = "AlreadyAnchored"
    NOT_ASKED = "NotAsked"
    NOT_APPROVED = "NotApproved"
    APPROVER_IS_OPERATOR = "ApproverIsOperator"
    APPROVER_NOT_ON_ROSTER = "ApproverNotOnRoster"
    APPROVER_COSIGN_INVALID = "ApproverCosignInvalid"
    DUPLICATE_APPROVER_KEY = "DuplicateApproverKey"
    OPERATOR_KEY_MISMATCH = "OperatorKeyMismatch"
    OPERATOR_SIGN_INVALID = "OperatorSignInvalid"
    THRESHOLD_NOT_MET = "ThresholdNotMet"


@dataclass(eq=False)
class ApprovalRefused(HesoError):
    """The pieces do not make an approval. `who` is the key it is about, where it is about one."""

    fault: ApprovalFault
    why: str
    who: PublicKey | None = None

    next_step = "ask again: an approval is for one exact action, by somebody who may decide it"

    def __str__(self) -> str:
        about = f" ({self.who})" if self.who else ""
        return f"{self.fault}: {self.why}{about}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproverRecord:
    """What an approver says, as the receipt will show it. `decided_at` is their own clock's word, as text."""

    approver_identity: PublicKey
    decision: Said
    reason: str
    decided_at: str
    sla_minutes: int | None = None

    def as_json(self) -> Json:
        record: Json = {
            "decision": self.decision,
            "approver_identity": self.approver_identity,
            "reason": self.reason,
            "decided_at": self.decided_at,
        }
        if self.sla_minutes is not None:
            record["sla_minutes"] = self.sla_minutes
        return record


@dataclass(frozen=True, slots=True)
class Leg:
    """A signature on its way, with the key that made it."""

    public_key: PublicKey
    signature: bytes


@dataclass(frozen=True, slots=True)
class Vote:
    """One member of a quorum: what they say, and their signature over it."""

    record: ApproverRecord
    leg: Leg


def draft_approval(asked: Json, record: ApproverRecord) -> Json:
    """The content that the operator and a single approver sign. Raises `ApprovalRefused`."""
    content = _open_question(asked)
    if record.decision != "approved":
        raise ApprovalRefused(
            ApprovalFault.NOT_APPROVED,
            f"the record says {record.decision}",
            record.approver_identity,
        )
    return {**content, "approver_decision": record.as_json(), "trust_level": "L1"}


def draft_quorum(asked: Json, *, threshold: int, roster: Sequence[PublicKey]) -> Json:
    """The content that the operator signs for a quorum, with nobody's approval in it yet."""
    content = _open_question(asked)
    members = sorted(set(roster), key=str.encode)
    for member in members:
        parse_public_key(member)
    if content["agent_identity"] in members:
        raise ApprovalRefused(
            ApprovalFault.APPROVER_IS_OPERATOR, "the roster names the operator's own key"
        )
    if not 1 <= threshold <= len(members):
        raise ApprovalRefused(
            ApprovalFault.THRESHOLD_NOT_MET,
            f"{threshold} approvals of a roster of {len(members)} can never be",
        )
    quorum: Json = {"threshold": threshold, "roster": members, "approvers": []}
    return {**content, "multi_approval": quorum, "trust_level": "L1"}


def draft_answer(asked: Json, record: ApproverRecord) -> Json:
    """The content that somebody who does not approve signs. No receipt is made of it; the signature is their word."""
    content = _open_question(asked)
    if record.decision == "approved":
        raise ValueError("an approval is drafted by draft_approval or draft_quorum")
    return {**content, "approver_decision": record.as_json(), "trust_level": "L1"}


def vote_payload(
    asked: Json, record: ApproverRecord, *, threshold: int, roster: Sequence[PublicKey]
) -> bytes:
    """What somebody signs to answer `asked` as `record` says, whatever it says. Raises `ApprovalRefused`."""
    if record.decision != "approved":
        return approver_payload(draft_answer(asked, record), record)
    if threshold == 1:
        return approver_payload(draft_approval(asked, record), record)
    return approver_payload(draft_quorum(asked, threshold=threshold, roster=roster), record)


def check_vote(asked: Json, vote: Vote, *, threshold: int, roster: Sequence[PublicKey]) -> None:
    """Raise `ApprovalRefused` unless the vote's own key signed exactly this answer to exactly this question."""
    payload = vote_payload(asked, vote.record, threshold=threshold, roster=roster)
    _check_approver(asked, vote.leg, vote.record.approver_identity)
    _check_leg(vote.leg, payload, ApprovalFault.APPROVER_COSIGN_INVALID)


def operator_payload(content: Json) -> bytes:
    """What the operator signs: of a quorum's content, the part without approvers."""
    base = empty_approvers(content) if "multi_approval" in content else content
    return OPERATOR_DOMAIN + canonical_content(base)


def approver_payload(content: Json, record: ApproverRecord) -> bytes:
    """What an approver signs: exactly the action they were shown, and what they say of it."""
    if "multi_approval" in content:
        content = with_approvers(content, [record.as_json()])
    return APPROVER_DOMAIN + canonical_content(content)


def sign_leg(payload: bytes, signer: Signs) -> Leg:
    return Leg(signer.public_key, signer.sign(payload))


def assemble_approval(content: Json, *, operator: Leg, approver: Leg) -> Receipt:
    """The L1 receipt of a content made by `draft_approval`. Raises `ApprovalRefused`."""
    record: Any = content["approver_decision"]
    _check_operator(content, operator)
    _check_approver(content, approver, record["approver_identity"])
    payload = APPROVER_DOMAIN + canonical_content(content)
    _check_leg(approver, payload, ApprovalFault.APPROVER_COSIGN_INVALID)
    return _finish(content, operator, [approver])


def assemble_quorum(base: Json, *, operator: Leg, votes: Sequence[Vote]) -> Receipt:
    """The receipt of a content made by `draft_quorum`. Raises `ApprovalRefused`.

    Every vote must be sound: one that is not is refused rather than left out, because somebody sent it.
    """
    quorum: Any = base["multi_approval"]
    _check_operator(base, operator)
    seen: set[PublicKey] = set()
    for vote in votes:
        _check_vote(base, vote, seen)
        seen.add(vote.leg.public_key)
    if len(seen) < quorum["threshold"]:
        raise ApprovalRefused(
            ApprovalFault.THRESHOLD_NOT_MET, f"have={len(seen)} need={quorum['threshold']}"
        )
    content = with_approvers(base, [vote.record.as_json() for vote in votes])
    ordered = sorted(votes, key=lambda vote: vote.leg.public_key.encode())
    return _finish(content, operator, [vote.leg for vote in ordered])


def _open_question(asked: Json) -> Json:
    """The asked action outside its chain, if nobody has decided it yet."""
    if "approver_decision" in asked or "multi_approval" in asked or asked["trust_level"] != "L0":
        raise ApprovalRefused(ApprovalFault.ALREADY_DECIDED, "somebody decided this action already")
    if "time_anchor" in asked:
        raise ApprovalRefused(
            ApprovalFault.ALREADY_ANCHORED, "a time anchor holds for the content it was made over"
        )
    policy: Any = asked["policy"]
    if asked.get("kind", "action") != "action" or policy["decision_path"] != "require_approval":
        raise ApprovalRefused(ApprovalFault.NOT_ASKED, "no person was asked about this receipt")
    return {key: value for key, value in asked.items() if key not in (*CHAIN_KEYS, "action_hash")}


def _check_vote(base: Json, vote: Vote, seen: set[PublicKey]) -> None:
    key = vote.leg.public_key
    quorum: Any = base["multi_approval"]
    if key in seen:
        raise ApprovalRefused(ApprovalFault.DUPLICATE_APPROVER_KEY, "one key, two votes", key)
    _check_approver(base, vote.leg, vote.record.approver_identity)
    if key not in quorum["roster"]:
        raise ApprovalRefused(ApprovalFault.APPROVER_NOT_ON_ROSTER, "not on the roster", key)
    if vote.record.decision != "approved":
        why = f"the record says {vote.record.decision}"
        raise ApprovalRefused(ApprovalFault.NOT_APPROVED, why, key)
    payload = approver_payload(base, vote.record)
    _check_leg(vote.leg, payload, ApprovalFault.APPROVER_COSIGN_INVALID)


def _check_approver(content: Json, leg: Leg, named: object) -> None:
    if leg.public_key == content["agent_identity"]:
        raise ApprovalRefused(
            ApprovalFault.APPROVER_IS_OPERATOR,
            "nobody approves their own action",
            leg.public_key,
        )
    if leg.public_key != named:
        raise ApprovalRefused(
            ApprovalFault.APPROVER_COSIGN_INVALID,
            "the record names another key than the one that signed",
            leg.public_key,
        )


def _check_operator(content: Json, leg: Leg) -> None:
    if leg.public_key != content["agent_identity"]:
        raise ApprovalRefused(
            ApprovalFault.OPERATOR_KEY_MISMATCH,
            "the action was asked under another operator key; ask again under the new one",
            leg.public_key,
        )
    _check_leg(leg, operator_payload(content), ApprovalFault.OPERATOR_SIGN_INVALID)


def _check_leg(leg: Leg, payload: bytes, fault: ApprovalFault) -> None:
    if len(leg.signature) != 64 or not signature_holds(
        parse_public_key(leg.public_key), payload, leg.signature
    ):
        raise ApprovalRefused(fault, "the signature is over other bytes", leg.public_key)


def _finish(content: Json, operator: Leg, approvers: Sequence[Leg]) -> Receipt:
    entries = [
        signature_entry(OPERATOR, operator.public_key, operator.signature),
        *(signature_entry(APPROVER, leg.public_key, leg.signature) for leg in approvers),
    ]
    return finish_receipt(content, entries)
