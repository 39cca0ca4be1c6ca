"""Session chains with lifecycle links, and the keys that were valid at each place (fact sheet, sections 3.4 to 3.7).

Passes, each over the whole chain; the first that finds a fault gives the verdict:

    (1) every receipt for itself      ContentTamper, RoleViolation
    (2) order                         LinkBroken
    (3) decisions are not the operator's own                 RoleViolation   (stricter than the reference)
    (4) what follows what             IllegalTransition, DoubleTerminal
    (5) keys, when roots are given    KeyNotValidAtPosition

A rotation is signed by the key that goes, and the key that comes is valid from the next place on. Without roots any
key may sign; the verdict names those that did.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from heso.core.chain import (
    Broken,
    EachReceipt,
    Judged,
    Link,
    Rotation,
    check_order,
    judge_content,
    read_links,
    valid_chain,
)
from heso.core.encoding import PublicKey
from heso.core.lifecycle import Course, WrongTransition, action_spec, is_bare_completion
from heso.core.strictness import StricterRule
from heso.core.verdict import ChainKind, ChainVerdict
from heso.core.verify import STRICT, Terms, examine_receipt

if TYPE_CHECKING:
    from heso.core.roles import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """The keys that a session began with, from somewhere else than the session. No decision root: no decisions."""

    producer: PublicKey
    decision: PublicKey | None = None


def verify_session_chain(
    receipts: Sequence[bytes],
    terms: Terms = STRICT,
    *,
    roots: Roots | None = None,
    each: EachReceipt = map,
) -> ChainVerdict:
    """The verdict on one whole session of any kinds of receipts, in order, each the JSON text of one receipt.

    With `roots` every signature must be by the key that was valid for its role at its place.
    """
    judged = each(partial(judge_link, terms=terms), receipts)
    return session_chain_verdict(judged, len(receipts), terms, roots)


def judge_link(data: bytes, terms: Terms) -> Judged:
    """The first pass over one receipt of a session."""
    examined = examine_receipt(data, terms)
    link = judge_content(examined, only_actions=False)
    if isinstance(link, ChainVerdict) or examined.envelope is None:
        return link
    content: Mapping[str, Any] = examined.envelope["content"]
    block = content.get("key_rotation") if link.kind == "key_rotation" else None
    return replace(
        link,
        spec=action_spec(content["action"], compat=terms.compat),
        rotation=None if block is None else _rotation(block),  # compat reads one without
    )


def session_chain_verdict(
    judged: Iterable[Judged], count: int, terms: Terms = STRICT, roots: Roots | None = None
) -> ChainVerdict:
    """The verdict on a session of `count` receipts, once `judge_link` has seen each."""
    try:
        links = read_links(judged, count)  # (1)
        check_order(links)  # (2)
        if not terms.compat:
            _check_deciders(links)  # (3)
        _check_course(links, compat=terms.compat)  # (4)
        if roots is not None:
            _check_keys(links, roots)  # (5)
    except Broken as broken:
        return broken.verdict
    return valid_chain(links)


def _rotation(block: Mapping[str, Any]) -> Rotation:
    return Rotation(block["role"], block["outgoing_public_key"], block["incoming_public_key"])


def _check_deciders(links: Sequence[Link]) -> None:
    """Whoever acts does not decide: no key signs in both roles anywhere in one session."""
    producers = {link.signer for link in links if link.role == "producer"}
    for seq, link in enumerate(links):
        if link.role == "decision" and link.signer in producers:
            raise Broken(
                ChainVerdict(
                    kind=ChainKind.ROLE_VIOLATION,
                    detail="the decision is signed by the session's own operator",
                    seq=seq,
                    receipt_kind=link.kind,
                    role="decision",
                    stricter=StricterRule.DECISION_KEY,
                )
            )


def _check_course(links: Sequence[Link], *, compat: bool) -> None:
    course = Course()
    for seq, link in enumerate(links):
        if link.spec is None:
            raise ValueError("a receipt of a session was judged as one of an action chain")
        try:
            course.follow(link.kind, link.spec, compat=compat)
        except WrongTransition as wrong:
            kind = (
                ChainKind.DOUBLE_TERMINAL if wrong.is_double_end else ChainKind.ILLEGAL_TRANSITION
            )
            rule = StricterRule.APPROVED_SPEC if is_bare_completion(wrong) else None
            raise Broken(
                ChainVerdict(
                    kind=kind, detail=str(wrong), seq=seq, receipt_kind=link.kind, stricter=rule
                )
            ) from None


def _check_keys(links: Sequence[Link], roots: Roots) -> None:
    valid: dict[Role, PublicKey | None] = {"producer": roots.producer, "decision": roots.decision}
    for seq, link in enumerate(links):
        if link.signer != valid[link.role]:
            raise _wrong_key(seq, link, valid[link.role])
        if link.kind != "key_rotation":
            continue
        rotation = link.rotation
        if rotation is None:
            raise _misused_key(seq, link, f"receipt {seq} is a rotation that names no keys")
        if rotation.outgoing != link.signer or rotation.role != link.role:
            raise _wrong_key(seq, link, rotation.outgoing)
        valid[rotation.role] = rotation.incoming


def _wrong_key(seq: int, link: Link, valid: PublicKey | None) -> Broken:
    expected = "no key has this role" if valid is None else f"the key valid there is {valid}"
    return _misused_key(seq, link, f"receipt {seq} is signed by {link.signer}, and {expected}")


def _misused_key(seq: int, link: Link, detail: str) -> Broken:
    return Broken(
        ChainVerdict(
            kind=ChainKind.KEY_NOT_VALID_AT_POSITION,
            detail=detail,
            seq=seq,
            receipt_kind=link.kind,
            role=link.role,
        )
    )
