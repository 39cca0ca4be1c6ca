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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heso.core.chain import (
    Broken,
    EachReceipt,
    Link,
    check_order,
    read_links,
    valid_chain,
)
from heso.core.encoding import Digest, PublicKey
from heso.core.lifecycle import Course, WrongTransition, action_spec, is_bare_completion
from heso.core.roles import Role
from heso.core.strictness import StricterRule
from heso.core.verdict import ChainKind, ChainVerdict
from heso.core.verify import STRICT, Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """The keys that a session began with, from somewhere else than the session. No decision root: no decisions."""

    producer: PublicKey
    decision: PublicKey | None = None


@dataclass(frozen=True, slots=True)
class _Rotation:
    role: Role
    outgoing: PublicKey
    incoming: PublicKey


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
    compat = terms.compat
    specs: list[Digest] = []
    rotations: dict[int, _Rotation] = {}

    def keep(link: Link, content: Mapping[str, Any]) -> None:
        if "key_rotation" in content and link.kind == "key_rotation":  # compat reads one without
            rotations[len(specs)] = _rotation(content["key_rotation"])
        specs.append(action_spec(content["action"], compat=compat))

    try:
        links = read_links(receipts, terms, each=each, keep=keep)  # (1)
        check_order(links)  # (2)
        if not compat:
            _check_deciders(links)  # (3)
        _check_course(links, specs, compat=compat)  # (4)
        if roots is not None:
            _check_keys(links, rotations, roots)  # (5)
    except Broken as broken:
        return broken.verdict
    return valid_chain(links)


def _rotation(block: Mapping[str, Any]) -> _Rotation:
    return _Rotation(block["role"], block["outgoing_public_key"], block["incoming_public_key"])


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


def _check_course(links: Sequence[Link], specs: Sequence[Digest], *, compat: bool) -> None:
    course = Course()
    for seq, (link, spec) in enumerate(zip(links, specs, strict=True)):
        try:
            course.follow(link.kind, spec, compat=compat)
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


def _check_keys(links: Sequence[Link], rotations: Mapping[int, _Rotation], roots: Roots) -> None:
    valid: dict[Role, PublicKey | None] = {"producer": roots.producer, "decision": roots.decision}
    for seq, link in enumerate(links):
        if link.signer != valid[link.role]:
            raise _wrong_key(seq, link, valid[link.role])
        if link.kind != "key_rotation":
            continue
        rotation = rotations.get(seq)
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
