"""What no other file of these tests walks through: refusals at the doors of the core, and what they say."""

import datetime
from typing import Any

import pytest

from heso.core.approval import (
    ApprovalFault,
    ApprovalRefused,
    ApproverRecord,
    Leg,
    Vote,
    approver_payload,
    check_vote,
    draft_answer,
    draft_approval,
    draft_quorum,
    sign_leg,
    vote_payload,
)
from heso.core.checkpoint import Checkpoint, format_checkpoint, parse_checkpoint, sign_checkpoint
from heso.core.collection import verify_collection
from heso.core.commitment import draft_commitment
from heso.core.delegation import DelegationFault, DelegationRefused, write_delegation
from heso.core.encoding import Digest, format_base64
from heso.core.errors import Malformed
from heso.core.instant import instant_of
from heso.core.keys import SigningKey
from heso.core.lifecycle import (
    Course,
    MisplacedLink,
    State,
    WrongTransition,
    check_session_kind,
)
from heso.core.links import draft_completion, draft_decision, draft_rotation, draft_suspension
from heso.core.merkle import TooFewLeaves, hash_leaf, leaf_of
from heso.core.note import (
    KeyKind,
    Note,
    NoteKey,
    NoteRefused,
    NoteSignature,
    format_note,
    open_note,
    parse_note,
    sign_note,
)
from heso.core.projection import (
    _parse_double,
    _parse_integer,
    _project_scalar,
    project_json,
)
from heso.core.receipt import ChainBlock, Json, SessionId, canonical_content, seal_receipt
from heso.core.redaction import check_path, redact_fields
from heso.core.schema import ENVELOPE
from heso.core.session import Roots, verify_session_chain
from heso.core.shapes import compile_check
from heso.core.strict_json import MAX_BYTES
from heso.core.transparency import (
    PinnedLog,
    TransparencyRefused,
    add_proof,
    check_transparency,
    write_proof,
)
from heso.core.verdict import ChainKind, Kind
from heso.core.verify import Terms, verify_lifecycle_receipt, verify_receipt
from heso.core.visible import visible
from heso.taxonomy.classify import classify
from heso.taxonomy.model import Taxonomy, hash_taxonomy

OPERATOR, DECIDER, STRANGER = (SigningKey.from_seed(bytes([seed]) * 32) for seed in (0, 5, 8))
LIFE = SessionId("lifecycle:x")
BLOCK = ChainBlock(session_id=LIFE, seq=0, prev=None)
NEXT = ChainBlock(session_id=LIFE, seq=1, prev=Digest("ab" * 32))
SUSPENSION: Json = {
    "resume_token_hash": "ab" * 32,
    "context_ref": {"scheme": "none", "key": "k", "hash": "h"},
    "policy": {"policy_id": "p", "policy_hash": "h", "rule": "r"},
    "approval": {"sla": "1h", "expires_at": "x", "on_timeout": "deny", "approver_pubkeys": []},
}


@pytest.fixture
def asked(forge: Any) -> Json:
    policy = {**forge.content()["policy"], "decision_path": "require_approval"}
    content: Json = forge.content(policy=policy, session_id="s", seq=4, prev_receipt_hash="h")
    return content


def record(decision: Any, **changes: Any) -> ApproverRecord:
    parts = {
        "approver_identity": DECIDER.public_key,
        "decision": decision,
        "reason": "r",
        "decided_at": "t",
        **changes,
    }
    return ApproverRecord(**parts)


@pytest.mark.parametrize(
    ("kind", "says"),
    [("approved", "approved"), ("denied", "rejected"), ("expired", "rejected"), ("escalated", "escalated")],
)  # fmt: skip
def test_each_link_of_a_life_is_drafted_as_its_kind_demands(
    asked: Json, kind: Any, says: str
) -> None:
    suspended = draft_suspension(asked, chain=BLOCK, suspension=SUSPENSION)
    decision = draft_decision(
        suspended, kind, chain=NEXT, record=record(says), approval=Digest("cd" * 32)
    )
    for content, signer, level in ((suspended, OPERATOR, "L0"), (decision, DECIDER, "L1")):
        verdict = verify_lifecycle_receipt(seal_receipt(content, signer).body)
        assert (verdict.kind, verdict.trust_level) == (Kind.VALID, level)
    assert "suspension" not in decision
    policy: Any = decision["policy"]
    assert policy["matched_conditions"][-1] == {
        "field": "gate.approval",
        "op": "eq",
        "value": "cd" * 32,
    }
    for other in {"approved", "rejected", "escalated"} - {says}:
        with pytest.raises(ValueError, match=f"a {kind} link whose record says {other}"):
            draft_decision(suspended, kind, chain=NEXT, record=record(other))


def test_a_completion_tells_what_was_observed_and_nothing_of_who_asked(asked: Json) -> None:
    suspended = draft_suspension(asked, chain=BLOCK, suspension=SUSPENSION)
    plain = draft_completion(suspended, chain=NEXT)
    told = draft_completion(suspended, chain=NEXT, result_hash=Digest("ab" * 32), error="none")
    assert verify_lifecycle_receipt(seal_receipt(told, OPERATOR).body).trust_level == "L0"
    assert plain["action"] == asked["action"]
    action: Any = told["action"]
    assert (action["result_hash"], action["error"]) == ("ab" * 32, "none")
    assert (told["captured_at"], told["agent_identity"]) == ("", "")


def test_a_rotation_is_signed_by_the_key_that_goes_and_to_another_one(asked: Json) -> None:
    for role, old in (("producer", OPERATOR), ("decision", DECIDER)):
        keys: Any = {"outgoing": old.public_key, "incoming": STRANGER.public_key}
        draft = draft_rotation(asked, chain=BLOCK, role=role, **keys)  # type: ignore[arg-type]  # one of the two
        text = seal_receipt(draft, old).body
        assert verify_lifecycle_receipt(text).is_valid
        assert not verify_lifecycle_receipt(seal_receipt(draft, STRANGER).body).is_valid
    with pytest.raises(ValueError, match="to itself"):
        draft_rotation(
            asked,
            chain=BLOCK,
            role="producer",
            outgoing=OPERATOR.public_key,
            incoming=OPERATOR.public_key,
        )


def test_a_rotation_that_names_another_key_than_its_signer_hands_over_nothing(forge: Any) -> None:
    """Strict refuses it by itself; the reference by its place, when it has roots."""
    block = {
        "role": "producer",
        "outgoing_public_key": forge.stranger.public,
        "incoming_public_key": forge.approver.public,
    }
    content = forge.content(kind="key_rotation", key_rotation=block, session_id="s", seq=0)
    text = forge.text(forge.envelope(content, forge.entry("operator", forge.operator, content)))
    roots = Roots(producer=forge.operator.public)
    lenient = verify_session_chain([text], Terms(compat=True), roots=roots)
    assert (lenient.kind, lenient.seq) == (ChainKind.KEY_NOT_VALID_AT_POSITION, 0)
    assert verify_session_chain([text], Terms(compat=True)).is_valid
    assert verify_session_chain([text]).kind is ChainKind.CONTENT_TAMPER


def test_lifecycle_links_and_plain_actions_have_sessions_of_their_own() -> None:
    assert check_session_kind("lifecycle:x", "suspended") is True
    assert check_session_kind("s", "action") is False
    for session, kind in (("lifecycle:x", "action"), ("s", "suspended"), ("", "completed")):
        with pytest.raises(MisplacedLink) as misplaced:
            check_session_kind(session, kind)
        assert str(misplaced.value) == (
            f"a receipt of kind {kind} does not belong into the session {session!r}"
        )


def test_a_rotation_moves_no_action_on(forge: Any) -> None:
    course = Course()
    for kind in ("key_rotation", "suspended", "key_rotation", "approved"):
        course.take({"kind": kind, "action": forge.action()})
    with pytest.raises(WrongTransition) as wrong:
        course.take({"action": forge.action()})
    assert (wrong.value.state, wrong.value.is_double_end) == (State.APPROVED, False)


def test_every_answer_is_signed_and_checked_as_what_it_says(asked: Json) -> None:
    roster = (DECIDER.public_key, STRANGER.public_key)
    for says, threshold in (("rejected", 1), ("escalated", 2), ("approved", 1), ("approved", 2)):
        one = record(says, sla_minutes=30)
        payload = vote_payload(asked, one, threshold=threshold, roster=roster)
        vote = Vote(one, sign_leg(payload, DECIDER))
        check_vote(asked, vote, threshold=threshold, roster=roster)
        with pytest.raises(ApprovalRefused) as refused:
            check_vote({**asked, "nonce": "n"}, vote, threshold=threshold, roster=roster)
        assert refused.value.fault is ApprovalFault.APPROVER_COSIGN_INVALID
        short = Vote(one, Leg(DECIDER.public_key, vote.leg.signature[:-1]))
        with pytest.raises(ApprovalRefused):
            check_vote(asked, short, threshold=threshold, roster=roster)
    assert record("approved", sla_minutes=30).as_json()["sla_minutes"] == 30


def test_an_answer_that_approves_is_drafted_as_an_approval(asked: Json) -> None:
    with pytest.raises(ValueError, match="draft_approval"):
        draft_answer(asked, record("approved"))
    with pytest.raises(ApprovalRefused) as refused:
        draft_approval(asked, record("rejected"))
    assert str(refused.value).startswith("NotApproved: the record says rejected (")
    drafted = draft_quorum(asked, threshold=1, roster=[DECIDER.public_key, DECIDER.public_key])
    quorum: Any = drafted["multi_approval"]
    assert quorum["roster"] == [DECIDER.public_key]
    assert approver_payload(drafted, record("approved")) != approver_payload(
        drafted, record("approved", reason="other")
    )


def test_a_commitment_names_its_session_and_taxonomy_where_there_are_any(forge: Any) -> None:
    plain = forge.hashed(forge.content())
    assert "session_id" not in draft_commitment(plain, chain_head="0" * 64)
    assert "taxonomy_hash" not in draft_commitment(plain, chain_head="0" * 64)
    chained = forge.hashed(forge.content(session_id="s", seq=3))
    drafted = draft_commitment(chained, chain_head="ab" * 32, taxonomy_hash="cd" * 32)
    assert (drafted["session_id"], drafted["seq"], drafted["chain_prev"]) == ("s", 3, "ab" * 32)
    assert drafted["taxonomy_hash"] == "cd" * 32


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": b"short"},
        {"not_before_seconds": -1},
        {"not_before_seconds": 2000},
        {"expiry_seconds": 2**64},
        {"subject": "x" * 4097},
        {"scope": "ł" * 2049},
    ],
)
def test_a_delegation_that_no_reader_would_take_is_not_written(changes: dict[str, Any]) -> None:
    parts: dict[str, Any] = {
        "action_hash": Digest("ab" * 32),
        "delegate": DECIDER.public_key,
        "subject": "s",
        "scope": "payment",
        "not_before_seconds": 1000,
        "expiry_seconds": 2000,
        "nonce": bytes(32),
        "signer": OPERATOR,
    }
    assert write_delegation(**parts)
    with pytest.raises(ValueError, match=r"no delegation can hold|longer than"):
        write_delegation(**{**parts, **changes})
    refused = DelegationRefused(DelegationFault.EXPIRED, "late")
    assert str(refused) == "Expired: late"


@pytest.mark.parametrize(
    "text", ["o\n1\n?\n", "o\n1\nAAAA\n", "o\n1\né\n", "\n1\n" + "A" * 43 + "=\n", "o\n-1\nA\n"]
)
def test_a_checkpoint_has_a_root_and_an_origin(text: str) -> None:
    with pytest.raises(Malformed):
        parse_checkpoint(text)
    with pytest.raises(Malformed):
        format_checkpoint(Checkpoint("a\nb", 1, bytes(32)))
    with pytest.raises(Malformed):
        format_checkpoint(Checkpoint("a", 2**63, bytes(32)))


@pytest.mark.parametrize(
    "line", ["x log AAAAAAAA", "— log AAAA", "— log", "— log AAAAAAAA extra", "—log AAAAAAAA"]
)
def test_a_signature_line_of_another_shape_is_malformed(line: str) -> None:
    with pytest.raises(Malformed):
        parse_note(f"text\n\n{line}\n".encode())


@pytest.mark.parametrize("text", ["a\x00b\n", "a\tb\n", "a\x7f\n", "a\x1b[2J\n", "a"])
def test_a_note_has_no_control_characters_and_ends_in_a_newline(text: str) -> None:
    with pytest.raises(Malformed):
        sign_note(text, name="log", signer=OPERATOR)


def test_a_known_keys_signature_of_another_length_does_not_hold() -> None:
    for kind, length in (
        (KeyKind.ED25519, 63),
        (KeyKind.COSIGNATURE, 64),
        (KeyKind.COSIGNATURE, 80),
    ):
        key = NoteKey("log", OPERATOR.public_key, kind)
        note = Note("text\n", (NoteSignature("log", key.id, bytes(length)),))
        with pytest.raises(NoteRefused, match="does not hold"):
            open_note(format_note(note), [key])


def test_the_projection_reads_what_is_json_and_within_a_double() -> None:
    for text in (b"1e400", b"-1e400", b"9" * 500, b"[1e999]"):
        with pytest.raises(Malformed):
            project_json(text, ENVELOPE, what="receipt")


def test_a_content_of_text_that_is_none_is_malformed(forge: Any) -> None:
    for changes in (
        {"captured_at": "\ud800"},
        {"action": forge.action(fields={"a": "\ud800"})},
        {"action": forge.action(fields={"ł": 1e300, "a": "\ud800"})},
    ):
        with pytest.raises(Malformed):
            canonical_content(forge.content(**changes))


def test_a_signer_that_gives_anything_but_a_signature_seals_nothing(forge: Any) -> None:
    class Short:
        public_key = OPERATOR.public_key

        def sign(self, message: bytes) -> bytes:
            return message[:63]

    with pytest.raises(Malformed, match="63 bytes, not 64"):
        seal_receipt(forge.content(), Short())


def test_a_receipt_too_large_to_read_stands_alone_in_a_heap(forge: Any) -> None:
    large = b'{"content":{"session_id":"s"},"x":"' + b"x" * MAX_BYTES + b'"}'
    sessions, alone = verify_collection([large, forge.text(forge.l0())])
    assert sessions == ()
    assert [(one.place, one.verdict.kind) for one in alone] == [
        (0, Kind.MALFORMED),
        (1, Kind.VALID),
    ]


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b", "*", "a.*"])
def test_a_path_that_could_hide_nothing_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is no redact path"):
        check_path(path)
    check_path("a.b")


def test_a_time_without_a_zone_is_none() -> None:
    with pytest.raises(Malformed, match="no time zone"):
        instant_of(datetime.datetime(2026, 1, 1))  # noqa: DTZ001  # that is the point
    assert instant_of(datetime.datetime(1970, 1, 1, 0, 0, 1, 5, datetime.UTC)) == 1_000_005_000


def test_refusals_are_sentences() -> None:
    assert str(TooFewLeaves(5, 3)) == "a proof for 5 leaves was asked for, and there are 3"
    assert str(TransparencyRefused("why")) == "why"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Łódź \U0001f600", "Łódź \U0001f600"),
        ("a\nb\r\t", "a\\nb\\r\\t"),
        ("\x1b[2J\x7f\x9b", "\\u001b[2J\\u007f\\u009b"),
        ("\u202e\u200b\u2028\ufeff", "\\u202e\\u200b\\u2028\\ufeff"),
        ("\U000e0001\u3164\ufe0f\ud800", "\\U000e0001\\u3164\\ufe0f\\ud800"),
    ],
)
def test_what_a_reader_would_not_see_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_proof_in_two_stages_with_an_id_that_is_none_is_refused(forge: Any) -> None:
    envelope = forge.l0()
    leaf = hash_leaf(leaf_of(envelope["content"]["action_hash"]))
    note = sign_checkpoint(Checkpoint("log", 1, leaf), OPERATOR)
    proof = write_proof(origin="log", index=0, proof=(), checkpoint=note)
    log = PinnedLog(origin="log", key=OPERATOR.public_key)
    assert verify_receipt(forge.text(add_proof(envelope, proof)), log=log).is_valid
    root = format_base64(leaf)
    for organisation in ("none", "", "{urn:uuid}", "0" * 32, "AB" * 16):
        staged = {**proof, "org_root": root, "org_tree_size": 1, "epoch": 1, "org_id": organisation}
        verdict = verify_receipt(forge.text(add_proof(envelope, staged)), log=log)
        assert verdict.kind is Kind.TRANSPARENCY_UNVERIFIABLE


def test_cases_that_do_not_exist_are_no_cases() -> None:
    """The type checker refuses these calls; whoever makes them all the same is told, and nothing passes."""
    nothing: Any = object()
    with pytest.raises(AssertionError):
        compile_check(nothing)
    with pytest.raises(AssertionError):
        project_json(b"{}", nothing, what="x")
    with pytest.raises(AssertionError):
        redact_fields({"a": 1}, ["a"], draw_salt=lambda: bytes(32), mode=nothing)
    with pytest.raises(AssertionError):
        hash_taxonomy((), nothing)
    with pytest.raises(ValueError, match="without an end"):
        classify({}, Taxonomy((), Digest("0" * 64)))


def test_a_proof_of_text_that_is_none_is_refused(forge: Any) -> None:
    """No reader of JSON gives such a text; whoever holds an envelope of their own may."""
    proof = {"log_id": "log", "leaf_index": 0, "inclusion_proof": [], "checkpoint": "\ud800"}
    with pytest.raises(TransparencyRefused, match="not text"):
        check_transparency(
            {**forge.l0(), "transparency": [proof]},
            PinnedLog(origin="log", key=OPERATOR.public_key),
        )


def test_the_second_reader_refuses_by_itself_what_the_first_does() -> None:
    """Two readers look at every text; neither leaves infinities or duplicates to the other."""
    with pytest.raises(ValueError, match="beyond a double"):
        _parse_double("1e400")
    with pytest.raises(ValueError, match="beyond a double"):
        _parse_integer("9" * 400)
    assert _parse_integer("9" * 300) == int("9" * 300)
    nothing: Any = object()
    with pytest.raises(AssertionError):
        _project_scalar(0, nothing)
