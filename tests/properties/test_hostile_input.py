"""Whatever comes in, an answer comes out: no reader of foreign bytes raises anything but its own refusal."""

import json
import struct
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from heso.core.audit import verify_audit_chain
from heso.core.chain import verify_action_chain
from heso.core.collection import verify_collection
from heso.core.encoding import parse_digest, parse_public_key, parse_signature
from heso.core.errors import Malformed, WrongPassphrase
from heso.core.key_file import open_key, seal_key
from heso.core.keys import SigningKey, signature_holds
from heso.core.receipt import Action, DecisionPath, PolicyRecord, Verb, draft_content, seal_receipt
from heso.core.redaction import parse_sidecar
from heso.core.session import verify_session_chain
from heso.core.strict_json import parse_json
from heso.core.verdict import ChainVerdict, Kind, Verdict
from heso.core.verify import Terms, verify_receipt

QUICK = settings(derandomize=True, deadline=None, max_examples=300)
OPERATOR = SigningKey.from_seed(b"\x00" * 32)
RECEIPT = json.loads(
    seal_receipt(
        draft_content(
            Action(verb=Verb.DELETE, tool_name="t", workflow="w", account="a", fields={}),
            PolicyRecord(
                rule_id="r",
                rule_display="d",
                matched_conditions=[],
                decision_path=DecisionPath.BLOCK,
            ),
            captured_at="",
            operator=OPERATOR.public_key,
        ),
        OPERATOR,
    ).body
)

TOKENS = st.sampled_from(
    [
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b'"content"',
        b'"alg"',
        b"1",
        b"-0",
        b"1e999",
        b"null",
        b"\\u0000",
        b"\\ud800",
        b"\xef\xbb\xbf",
        b" ",
        b"\n",
        b"NaN",
        b"true",
        b'"signatures"',
        b"\xff",
    ]
)
BYTES = st.one_of(st.binary(max_size=200), st.lists(TOKENS, max_size=30).map(b"".join))
WORDS = st.sampled_from(
    [
        "action",
        "suspended",
        "approved",
        "key_rotation",
        "L0",
        "L1",
        "operator",
        "approver",
        "payment",
        "x",
    ]
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(2**53, 2**70),
        st.floats(),
        st.text(max_size=5),
        WORDS,
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.one_of(
                st.sampled_from([*RECEIPT, *RECEIPT["content"], *RECEIPT["signatures"][0], "kind"]),
                st.text(max_size=3),
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)
OPTIONAL = st.sampled_from(
    [
        "kind",
        "key_rotation",
        "redaction",
        "seq",
        "session_id",
        "multi_approval",
        "time_anchor",
        "approver_decision",
        "anchor_policy",
        "metrics",
        "guardrail",
        "suspension",
        "transparency",
    ]
)


def is_answer(verdict: Verdict) -> bool:
    return isinstance(verdict, Verdict) and verdict.kind is not Kind.VALID


@given(BYTES)
@QUICK
def test_arbitrary_bytes_get_a_verdict(data: bytes) -> None:
    assert is_answer(verify_receipt(data))
    assert is_answer(verify_receipt(data, operator=OPERATOR.public_key))


@given(JSON)
@QUICK
def test_arbitrary_json_gets_a_verdict(value: Any) -> None:
    assert is_answer(verify_receipt(json.dumps(value).encode()))


@given(JSON, OPTIONAL)
@QUICK
def test_a_receipt_with_anything_put_into_it_gets_a_verdict(value: Any, key: str) -> None:
    for part in (
        {**RECEIPT, "content": {**RECEIPT["content"], key: value}},
        {**RECEIPT, key: value},
    ):
        verdict = verify_receipt(json.dumps(part).encode())
        assert is_answer(verdict) or part.get("transparency") == []


@given(st.lists(JSON, max_size=4), st.sampled_from(["signatures", "alg", "content"]))
@QUICK
def test_a_part_replaced_by_anything_gets_a_verdict(value: list[Any], key: str) -> None:
    assert is_answer(verify_receipt(json.dumps({**RECEIPT, key: value}).encode()))


@given(st.lists(BYTES | JSON.map(lambda value: json.dumps(value).encode()), max_size=3))
@QUICK
def test_arbitrary_chains_get_a_verdict(entries: list[bytes]) -> None:
    sessions, standalone = verify_collection(entries)
    for verdict in (
        verify_action_chain(entries),
        verify_session_chain(entries),
        verify_session_chain(entries, Terms(compat=True)),
        verify_audit_chain(entries),
        *(session.verdict for session in sessions),
    ):
        assert isinstance(verdict, ChainVerdict)
        assert not verdict.is_valid
    assert not any(one.verdict.is_valid for one in standalone)
    assert sum(session.receipts for session in sessions) + len(standalone) == len(entries)


@given(BYTES)
@QUICK
def test_readers_of_json_refuse_as_malformed_or_agree_with_another_reader(data: bytes) -> None:
    with suppress(Malformed):
        parse_sidecar(data)
    try:
        value = parse_json(data)
    except Malformed:
        return
    assert value == json.loads(data)


@given(st.text() | st.text(st.characters(categories=["Cs", "Lu", "Nd"])))
@QUICK
def test_readers_of_text_refuse_as_malformed(text: str) -> None:
    for read in (parse_public_key, parse_signature, parse_digest):
        try:
            read(text)
        except Malformed:
            continue


@given(
    st.binary(min_size=32, max_size=32), st.binary(max_size=64), st.binary(min_size=64, max_size=64)
)
@QUICK
def test_a_signature_nobody_made_does_not_hold(
    key: bytes, message: bytes, signature: bytes
) -> None:
    assert signature_holds(key, message, signature) is False


SEALED = seal_key(
    b"\x01" * 32, b"p", salt=b"\x02" * 16, nonce=b"\x03" * 24, opslimit=1, memory_kib=8
)


@given(st.binary(max_size=104), st.integers(0, 104), st.binary(max_size=8))
@settings(QUICK, max_examples=150)
def test_any_container_opens_or_refuses_as_ours(tail: bytes, place: int, passphrase: bytes) -> None:
    changed = SEALED[:place] + tail + SEALED[place + len(tail) :]
    if len(changed) == len(SEALED) and struct.unpack_from(">I", changed, 12)[0] > 4096:
        changed = (
            changed[:12] + b"\xff" * 4 + changed[16:]
        )  # dear, within bounds: not for a quick test
    try:
        seed = open_key(changed, passphrase)
    except (Malformed, WrongPassphrase):
        return
    assert (changed, passphrase, seed) == (SEALED, b"p", b"\x01" * 32)
