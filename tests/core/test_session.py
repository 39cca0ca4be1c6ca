"""Session chains: what may follow what, and which key may sign where, walked cell by cell."""

import json
from itertools import product
from typing import Any

import pytest

from heso.core.canonical import canonical_bytes
from heso.core.lifecycle import (
    TRANSITIONS,
    Course,
    State,
    WrongTransition,
    action_spec,
    advance,
    hash_resume_token,
)
from heso.core.session import Roots, verify_session_chain
from heso.core.strictness import StricterRule
from heso.core.verdict import ChainKind, ChainVerdict
from heso.core.verify import Terms

Json = dict[str, Any]

COMPAT = Terms(compat=True)
SUSPENSION: Json = {
    "resume_token_hash": "ab" * 32,
    "context_ref": {"scheme": "none", "key": "k", "hash": "h"},
    "policy": {"policy_id": "p", "policy_hash": "h", "rule": "r"},
    "approval": {"sla": "1h", "expires_at": "x", "on_timeout": "deny", "approver_pubkeys": []},
}
SAYS = {
    "approved": "approved",
    "denied": "rejected",
    "expired": "rejected",
    "escalated": "escalated",
}
KINDS = ("suspended", "action", "approved", "escalated", "denied", "expired", "completed")

# The format's table: state -> kind -> what follows; what is not there is illegal.
TABLE: dict[str, dict[str, str]] = {
    "unknown": {"suspended": "suspended", "action": "gated"},
    "suspended": {
        "approved": "approved",
        "escalated": "escalated",
        "denied": "ended",
        "expired": "ended",
    },
    "escalated": {
        "approved": "approved",
        "escalated": "escalated",
        "denied": "ended",
        "expired": "ended",
    },
    "approved": {"completed": "ended"},
    "gated": {"completed": "ended"},
    "ended": {},
}
WAY_TO = {
    "unknown": (),
    "suspended": ("suspended",),
    "escalated": ("suspended", "escalated"),
    "approved": ("suspended", "approved"),
    "gated": ("action",),
    "ended": ("suspended", "denied"),
}


def step(kind: str, *, key: str = "", tool: str = "t", **changes: Any) -> Json:
    return {"kind": kind, "key": key, "tool": tool, "changes": changes}


def build(forge: Any, *steps: Json | str) -> list[bytes]:
    """A whole session, each link signed by the role of its kind unless `key` says otherwise."""
    texts: list[bytes] = []
    prev = None
    for seq, one in enumerate(steps):
        told = step(one) if isinstance(one, str) else one
        envelope = _seal(forge, told, {"session_id": "s", "seq": seq, "prev_receipt_hash": prev})
        prev = forge.link_hash("s", seq, envelope["content"]["action_hash"])
        texts.append(forge.text(envelope))
    return texts


def _seal(forge: Any, told: Json, block: Json) -> Json:
    kind = told["kind"]
    is_decision = kind in SAYS or told["changes"].get("key_rotation", {}).get("role") == "decision"
    parts: Json = {"action": forge.action(tool_name=told["tool"]), **block}
    if kind == "suspended":
        parts["suspension"] = SUSPENSION
    if kind in SAYS:
        parts["approver_decision"] = forge.approval(decision=SAYS[kind])
    if kind != "action":
        parts["kind"] = kind
    domain = "decision" if is_decision else "suspend" if kind == "suspended" else "operator"
    role = "approver" if is_decision else "operator"
    key = getattr(forge, told["key"] or role)
    content = forge.content(
        trust_level="L1" if is_decision else "L0", **{**parts, **told["changes"]}
    )
    entry = forge.entry(role, key, content, forge.domains[domain])
    return dict(forge.envelope(content, entry))


def rotation(forge: Any, role: str, outgoing: str, incoming: str, **options: Any) -> Json:
    block = {
        "role": role,
        "outgoing_public_key": getattr(forge, outgoing).public,
        "incoming_public_key": getattr(forge, incoming).public,
    }
    return step("key_rotation", key=outgoing, key_rotation=block, **options)


@pytest.mark.parametrize(("state", "kind"), list(product(TABLE, KINDS)))
def test_every_cell_of_the_table_holds_when_verifying(forge: Any, state: str, kind: str) -> None:
    chain = build(forge, *WAY_TO[state], kind)
    place = len(chain) - 1
    verdict = verify_session_chain(chain)
    lenient = verify_session_chain(chain, COMPAT)
    if kind in TABLE[state]:
        assert (verdict.kind, verdict.length) == (ChainKind.VALID, len(chain))
        assert lenient.is_valid
        return
    double = state == "ended" and kind in ("denied", "expired", "completed")
    expected = ChainKind.DOUBLE_TERMINAL if double else ChainKind.ILLEGAL_TRANSITION
    assert (verdict.kind, verdict.seq, verdict.receipt_kind) == (expected, place, kind)
    is_bare = (state, kind) == ("unknown", "completed")
    assert verdict.stricter == (StricterRule.APPROVED_SPEC if is_bare else None)
    assert lenient.is_valid == is_bare


@pytest.mark.parametrize(("state", "kind"), list(product(State, KINDS)))
def test_every_cell_of_the_table_holds_when_appending(state: State, kind: str) -> None:
    follows = TABLE[state].get(kind)
    if follows is None:
        with pytest.raises(WrongTransition) as refused:
            advance(state, kind)
        assert str(refused.value) == f"an action that is {state} cannot become {kind}"
        assert (state, kind) not in TRANSITIONS
    else:
        assert advance(state, kind) == State(follows)


def test_a_whole_life_with_escalation_verifies_and_names_who_signed(forge: Any) -> None:
    chain = build(forge, "suspended", "escalated", "escalated", "approved", "completed")
    assert verify_session_chain(chain) == ChainVerdict(
        kind=ChainKind.VALID,
        length=5,
        operators=(forge.operator.public,),
        deciders=(forge.approver.public,),
    )


def test_lives_of_several_actions_may_interleave(forge: Any) -> None:
    chain = build(
        forge,
        step("suspended", tool="a"),
        step("suspended", tool="b"),
        step("denied", tool="b"),
        step("action", tool="c"),
        step("approved", tool="a"),
        step("completed", tool="c"),
        step("completed", tool="a"),
    )
    assert verify_session_chain(chain).is_valid


def test_a_completed_action_with_other_arguments_was_never_approved(forge: Any) -> None:
    chain = build(forge, "suspended", "approved", step("completed", tool="other"))
    verdict = verify_session_chain(chain)
    assert (verdict.kind, verdict.seq) == (ChainKind.ILLEGAL_TRANSITION, 2)
    assert verdict.stricter is StricterRule.APPROVED_SPEC
    assert verify_session_chain(chain, COMPAT).is_valid


def test_what_became_of_an_action_does_not_change_what_it_is(forge: Any) -> None:
    action = forge.action()
    with_result = {**action, "result_hash": "ab" * 32, "error": "none", "ert": None}
    assert action_spec(action) == action_spec(with_result)
    assert action_spec(action) != action_spec({**action, "domain": "d"})


def test_a_decision_by_the_sessions_own_operator_is_no_decision(forge: Any) -> None:
    """Also when the link itself names somebody else as the agent."""
    named = step("approved", key="operator", agent_identity="somebody")
    verdict = verify_session_chain(build(forge, "suspended", named))
    assert (verdict.kind, verdict.seq, verdict.role) == (ChainKind.ROLE_VIOLATION, 1, "decision")
    assert verdict.stricter is StricterRule.DECISION_KEY
    assert verify_session_chain(build(forge, "suspended", named), COMPAT).is_valid


def test_the_passes_come_one_after_the_other(forge: Any) -> None:
    chain = build(forge, "suspended", "suspended", "approved", "completed")
    changed = chain[3].replace(b'"rooms":2', b'"rooms":3')
    assert verify_session_chain([*chain[:3], changed]).kind is ChainKind.CONTENT_TAMPER
    cut = verify_session_chain([*chain[:2], chain[3]])
    assert (cut.kind, cut.seq) == (ChainKind.LINK_BROKEN, 3)
    roots = Roots(producer=forge.stranger.public)
    illegal = verify_session_chain(chain, roots=roots)
    assert (illegal.kind, illegal.seq) == (ChainKind.ILLEGAL_TRANSITION, 1)


ROTATIONS: dict[str, tuple[int | None, str, Any]] = {
    "no rotation": (None, "", lambda _: ("suspended", "approved", "completed")),
    "a foreign producer": (0, "producer", lambda _: (step("suspended", key="stranger"),)),
    "a foreign decision": (
        1,
        "decision",
        lambda _: ("suspended", step("approved", key="stranger")),
    ),
    "the producer hands over": (
        None,
        "",
        lambda f: (
            "suspended",
            rotation(f, "producer", "operator", "stranger"),
            "approved",
            step("completed", key="stranger"),
        ),
    ),
    "the old producer goes on": (
        3,
        "producer",
        lambda f: (
            "suspended",
            rotation(f, "producer", "operator", "stranger"),
            "approved",
            "completed",
        ),
    ),
    "the new producer comes too early": (
        0,
        "producer",
        lambda f: (
            step("suspended", key="stranger"),
            rotation(f, "producer", "operator", "stranger"),
        ),
    ),
    "a rotation begins the session": (
        None,
        "",
        lambda f: (
            rotation(f, "producer", "operator", "stranger"),
            step("action", key="stranger"),
        ),
    ),
    "somebody else rotates": (
        1,
        "producer",
        lambda f: ("suspended", rotation(f, "producer", "stranger", "stranger")),
    ),
    "the decision key hands over": (
        None,
        "",
        lambda f: (
            "suspended",
            rotation(f, "decision", "approver", "stranger"),
            step("approved", key="stranger"),
        ),
    ),
    "the old decision key goes on": (
        2,
        "decision",
        lambda f: ("suspended", rotation(f, "decision", "approver", "stranger"), "approved"),
    ),
}


@pytest.mark.parametrize("name", ROTATIONS)
def test_each_key_is_good_from_its_place_to_the_next_rotation(forge: Any, name: str) -> None:
    place, role, steps = ROTATIONS[name]
    roots = Roots(producer=forge.operator.public, decision=forge.approver.public)
    chain = build(forge, *steps(forge))
    for terms in (Terms(), COMPAT):
        verdict = verify_session_chain(chain, terms, roots=roots)
        if place is None:
            assert verdict.is_valid
        else:
            assert (verdict.kind, verdict.seq) == (ChainKind.KEY_NOT_VALID_AT_POSITION, place)
            assert (verdict.role, verdict.length) == (role, None)


def test_without_a_decision_root_no_decision_counts(forge: Any) -> None:
    roots = Roots(producer=forge.operator.public)
    assert verify_session_chain(build(forge, "suspended"), roots=roots).is_valid
    verdict = verify_session_chain(build(forge, "suspended", "denied"), roots=roots)
    assert (verdict.kind, verdict.seq) == (ChainKind.KEY_NOT_VALID_AT_POSITION, 1)


def test_plain_verification_minds_no_rotation(forge: Any) -> None:
    assert verify_session_chain(
        build(forge, "suspended", "approved", step("completed", key="stranger"))
    ).is_valid


def test_a_course_that_refused_has_not_moved() -> None:
    course = Course()
    spec = action_spec({})
    course.follow("suspended", spec)
    with pytest.raises(WrongTransition):
        course.follow("completed", spec)
    copy = course.copy()
    copy.follow("approved", spec)
    copy.follow("completed", spec)
    course.follow("denied", spec)  # the copy went its own way


def test_a_rotation_without_its_block_hands_over_nothing(forge: Any) -> None:
    """The reference minds none without roots; with roots the link has no payload to follow."""
    chain = build(forge, "suspended", step("key_rotation"))
    strict = verify_session_chain(chain)
    assert (strict.kind, strict.detail, strict.seq) == (ChainKind.CONTENT_TAMPER, "Malformed", 1)
    assert strict.stricter is StricterRule.LIFECYCLE
    assert verify_session_chain(chain, COMPAT).is_valid
    for decision in (None, forge.approver.public):
        roots = Roots(producer=forge.operator.public, decision=decision)
        verdict = verify_session_chain(chain, COMPAT, roots=roots)
        assert (verdict.kind, verdict.seq) == (ChainKind.KEY_NOT_VALID_AT_POSITION, 1)
        assert (verdict.detail, verdict.role) == (
            "receipt 1 is a rotation that names no keys",
            "producer",
        )


def test_a_block_of_a_rotation_in_another_link_hands_over_nothing(forge: Any) -> None:
    """Only a rotation rotates, also where the block of one is read beside anything else."""
    block = {
        "role": "producer",
        "outgoing_public_key": forge.operator.public,
        "incoming_public_key": forge.stranger.public,
    }
    roots = Roots(producer=forge.operator.public, decision=forge.approver.public)
    chain = build(forge, step("suspended", key_rotation=block), "approved", "completed")
    assert verify_session_chain(chain, COMPAT, roots=roots).is_valid
    taken = build(
        forge, step("suspended", key_rotation=block), step("action", key="stranger", tool="other")
    )
    verdict = verify_session_chain(taken, COMPAT, roots=roots)
    assert (verdict.kind, verdict.seq) == (ChainKind.KEY_NOT_VALID_AT_POSITION, 1)
    assert not verify_session_chain(taken).is_valid


def test_a_rotation_of_the_other_role_hands_over_nothing(forge: Any) -> None:
    """Signed as a producer, it cannot say whose decisions count."""
    block = {
        "role": "decision",
        "outgoing_public_key": forge.operator.public,
        "incoming_public_key": forge.stranger.public,
    }
    content = forge.content(kind="key_rotation", key_rotation=block, session_id="s", seq=0)
    for domain, role in (
        ("operator", "operator"),
        ("decision", "operator"),
        ("decision", "approver"),
    ):
        entry = forge.entry(role, forge.operator, content, forge.domains[domain])
        text = forge.text(forge.envelope(content, entry))
        roots = Roots(producer=forge.operator.public, decision=forge.approver.public)
        for terms in (Terms(), COMPAT):
            assert not verify_session_chain([text], terms, roots=roots).is_valid


@pytest.mark.parametrize("kind", ["approved", "denied", "expired", "escalated"])
def test_a_decision_with_the_operators_second_signature_is_a_violation_to_the_reference(
    forge: Any, kind: str
) -> None:
    content = forge.content(
        kind=kind,
        trust_level="L1",
        session_id="s",
        seq=1,
        approver_decision=forge.approval(decision=SAYS[kind]),
    )
    decision = forge.entry("approver", forge.approver, content, forge.domains["decision"])
    rows = {
        "the decision key signed twice": (forge.approver, ChainKind.ROLE_VIOLATION),
        "somebody else did": (forge.stranger, None),
    }
    for second, expected in rows.values():
        also = forge.entry("operator", second, content)
        text = forge.text(forge.envelope(content, decision, also))
        verdict = verify_session_chain([text], COMPAT)
        if expected is None:
            assert verdict.kind is ChainKind.LINK_BROKEN  # it got past the first pass
        else:
            assert (verdict.kind, verdict.role) == (expected, "decision")
        assert verify_session_chain([text]).kind in (
            ChainKind.CONTENT_TAMPER,
            ChainKind.ROLE_VIOLATION,
        )


def test_the_worked_action_has_its_spec(worked: Json) -> None:
    vector = worked["lifecycle"]
    action = {"account": "a", "fields": {}, "tool_name": "t", "verb": "tool_call", "workflow": "w"}
    assert action_spec(action) == vector["action_spec"]
    assert action_spec(action, compat=True) == vector["action_spec"]
    assert (
        canonical_bytes(json.loads(vector["spec_descriptor"])) == vector["spec_descriptor"].encode()
    )
    assert hash_resume_token(vector["resume_token"]) == vector["resume_token_hash"]
