"""A receipt's text, mangled: it is refused, or everything that was signed is still what it was."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heso.core.keys import SigningKey
from heso.core.links import draft_suspension
from heso.core.receipt import (
    Action,
    ChainBlock,
    DecisionPath,
    PolicyRecord,
    SessionId,
    Verb,
    draft_content,
    seal_receipt,
)
from heso.core.verdict import Kind
from heso.core.verify import verify_receipt

QUICK = settings(derandomize=True, deadline=None, max_examples=400)
OPERATOR = SigningKey.from_seed(b"\x00" * 32)
ACTION = Action(
    verb=Verb.PAYMENT,
    tool_name="pay",
    workflow="w",
    account="a",
    fields={"to": "Łódź\n", "n": 12.5, "big": 9007199254740991, "deep": [{"x": None, "y": True}]},
)
POLICY = PolicyRecord(
    rule_id="r", rule_display="d", matched_conditions=[], decision_path=DecisionPath.ALLOW
)
CONTENT = draft_content(
    ACTION,
    POLICY,
    captured_at="2026-01-01T00:00:00Z",
    operator=OPERATOR.public_key,
    chain=ChainBlock(session_id=SessionId("s"), seq=0, prev=None),
)
SUSPENDED = draft_suspension(
    CONTENT,
    chain=ChainBlock(session_id=SessionId("life"), seq=0, prev=None),
    suspension={
        "resume_token_hash": "ab" * 32,
        "context_ref": {"scheme": "none", "key": "k", "hash": "h"},
        "policy": {"policy_id": "p", "policy_hash": "h", "rule": "r"},
        "approval": {"sla": "1h", "expires_at": "x", "on_timeout": "deny", "approver_pubkeys": []},
    },
)
PLAIN = seal_receipt(CONTENT, OPERATOR).body
TEXTS = {
    "as it was sealed": PLAIN,
    "pretty": json.dumps(json.loads(PLAIN), indent=1, ensure_ascii=False).encode(),
    "escaped": json.dumps(json.loads(PLAIN)).encode(),
    "suspended": seal_receipt(SUSPENDED, OPERATOR).body,
}


def is_harmless(original: bytes, mangled: bytes) -> bool:
    """Refused, or the same content, keys and signatures: then only the spelling changed."""
    verdict = verify_receipt(mangled)
    if not verdict.is_valid:
        return (verdict.trust_level, verdict.signers) == (None, ())
    return bool(json.loads(mangled) == json.loads(original) and verdict == verify_receipt(original))


def around(byte: int) -> set[int]:
    """Bytes that are most likely to make something else of a text: near ones, and those with a meaning."""
    near = {byte ^ 0x01, byte ^ 0x20, byte ^ 0x80, (byte + 1) % 256}
    return (near | set(b'\x00 "\\,:{}[]0-.eEu')) - {byte}


@pytest.mark.parametrize("name", TEXTS)
def test_any_byte_changed_is_refused_or_changes_nothing_that_was_signed(name: str) -> None:
    text = TEXTS[name]
    harmful = [
        (place, byte)
        for place in range(len(text))
        for byte in around(text[place])
        if not is_harmless(text, text[:place] + bytes([byte]) + text[place + 1 :])
    ]
    assert harmful == []


@pytest.mark.parametrize("name", TEXTS)
def test_any_byte_put_in_or_taken_out_is_refused_or_changes_nothing(name: str) -> None:
    text = TEXTS[name]
    harmful = [
        (place, byte)
        for place in range(len(text) + 1)
        for byte in (b"", b" ", b"0", b'"', b",")
        if not is_harmless(text, text[:place] + byte + text[place + (byte == b"") :])
    ]
    assert harmful == []


def test_the_changes_above_do_meet_texts_that_stay_valid() -> None:
    """Space may be written otherwise; were nothing ever Valid, the tests above would show little."""
    text = TEXTS["pretty"]
    assert verify_receipt(text.replace(b" ", b"\t", 1)).is_valid
    assert verify_receipt(text + b"\n").is_valid


def test_a_number_is_not_exchanged_for_another_with_the_same_canonical_text() -> None:
    """Both print as 27021597764222950; the first is 27021597764222952, and a reader of integers sees that."""
    fields = {"amount": 2.702159776422295e16}
    action = Action(verb=Verb.PAYMENT, tool_name="pay", workflow="w", account="a", fields=fields)
    content = draft_content(action, POLICY, captured_at="", operator=OPERATOR.public_key)
    text = seal_receipt(content, OPERATOR).body
    assert verify_receipt(text).is_valid
    written = orjson.dumps(fields["amount"])
    assert text.count(written) == 1
    mangled = text.replace(written, b"27021597764222950")
    assert mangled != text
    assert is_harmless(text, mangled)
    assert verify_receipt(mangled).kind is Kind.MALFORMED
    spelled = text.replace(written, b"27021597764222952.0")
    assert verify_receipt(spelled) == verify_receipt(text)


@st.composite
def mangled(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A receipt's text, with a few slices cut out, repeated, moved or overwritten."""
    original = draw(st.sampled_from(list(TEXTS.values())))
    text = original
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 60)))
        piece = draw(
            st.one_of(
                st.binary(max_size=8),
                st.just(text[start:end] * 2),
                st.just(b"," + text[start:end]),
                st.sampled_from([b"null", b"1e0", b"true", b"\\u0061", b'"kind":"approved",']),
            )
        )
        text = text[:start] + piece + text[end:]
    return original, text


@given(mangled())
@QUICK
def test_a_mangled_text_never_verifies_with_another_content(pair: tuple[bytes, bytes]) -> None:
    original, text = pair
    assert is_harmless(original, text)


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(found for key, item in items for found in paths(item, (*path, key)))]


PLACES = paths(json.loads(PLAIN))[1:]


@given(st.sampled_from(PLACES), JSON)
@QUICK
def test_any_value_put_at_any_place_is_refused_or_is_the_value_that_was_there(
    path: tuple[Any, ...], value: Any
) -> None:
    envelope = json.loads(PLAIN)
    spot = envelope
    for step in path[:-1]:
        spot = spot[step]
    spot[path[-1]] = value
    try:
        text = json.dumps(envelope).encode()
    except UnicodeEncodeError:
        return
    assert is_harmless(PLAIN, text)


@given(st.sampled_from(PLACES), st.text(max_size=5), JSON)
@QUICK
def test_any_key_added_anywhere_is_refused(path: tuple[Any, ...], key: str, value: Any) -> None:
    envelope = json.loads(PLAIN)
    spot = envelope
    for step in path:
        spot = spot[step]
    if not isinstance(spot, dict) or key in spot:
        return
    spot[key] = value
    assert not verify_receipt(json.dumps(envelope).encode()).is_valid
