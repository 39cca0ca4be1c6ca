"""A question and its answer on their way through other people's hands: cut, changed, repeated, made up."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heso.approvals.errors import AnswerUnreadable
from heso.approvals.request import (
    ANSWER_PREFIX,
    format_answer,
    format_request,
    parse_answer,
    parse_request,
    request_of,
    sign_answer,
)
from heso.core.errors import HesoError
from tests.approvals.shop import ADA, BO, Shop


@pytest.fixture
def answer(shop: Shop) -> tuple[str, str]:
    """An action that waits, and Ada's yes to it as one line."""
    action_hash = shop.ask(shop.pay(redact=["card"]), "o-1", 500, card="4242-4242")
    return action_hash, format_answer(action_hash, shop.sign(action_hash, ADA, reason="fine"))


def hand_in(shop: Shop, text: str) -> str:
    action_hash, vote = parse_answer(text)
    return str(shop.desk.vote(action_hash, vote).state)


def test_a_question_and_an_answer_go_there_and_back(shop: Shop, answer) -> None:
    action_hash, line = answer
    request = request_of(shop.desk.read(action_hash))
    assert parse_request(format_request(request)) == request
    assert parse_answer(line) == (action_hash, shop.sign(action_hash, ADA, reason="fine"))
    wrapped = " " + "\r\n > ".replace(">", "").join(line[n : n + 60] for n in range(0, 900, 60))
    assert parse_answer(wrapped) == parse_answer(line)
    assert hand_in(shop, line) == "approved"


def test_an_answer_that_was_cut_anywhere_is_none(shop: Shop, answer) -> None:
    action_hash, line = answer
    before = shop.snapshot(action_hash)
    for length in range(len(line)):
        with pytest.raises(AnswerUnreadable) as refused:
            parse_answer(line[:length])
        assert refused.value.next_step
    assert shop.snapshot(action_hash) == before


def test_an_answer_with_any_byte_changed_decides_nothing(shop: Shop, answer) -> None:
    action_hash, line = answer
    before = shop.snapshot(action_hash)
    body = urlsafe_b64decode(line.removeprefix(ANSWER_PREFIX) + "==")
    for place in range(len(body)):
        changed = bytearray(body)
        changed[place] ^= 1
        text = ANSWER_PREFIX + urlsafe_b64encode(bytes(changed)).decode().rstrip("=")
        with pytest.raises(HesoError):
            hand_in(shop, text)
    assert shop.snapshot(action_hash) == before
    assert hand_in(shop, line) == "approved"


WRONG = [
    {"action_hash": None},
    {"action_hash": "A" * 64},
    {"public_key": 5},
    {"public_key": "AAAA"},
    {"signature": ""},
    {"signature": None},
    {"record": {}},
    {"record": []},
    {"record": {"decision": "maybe"}},
    {"record": {"decision": ["approved"]}},
    {"record": {"reason": 5}},
    {"record": {"reason": None}},
    {"record": {"sla_minutes": -1}},
    {"record": {"sla_minutes": True}},
    {"record": {"sla_minutes": 1.5}},
    {"record": {"more": 1}},
    {"record": {"approver_identity": {}}},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_an_answer_of_another_shape_is_refused_by_name(shop: Shop, answer, wrong) -> None:
    action_hash, line = answer
    before = shop.snapshot(action_hash)
    body = orjson.loads(urlsafe_b64decode(line.removeprefix(ANSWER_PREFIX) + "=="))
    for key, value in wrong.items():
        is_part = key == "record" and isinstance(value, dict) and value
        body[key] = {**body[key], **value} if is_part else value
    text = ANSWER_PREFIX + urlsafe_b64encode(orjson.dumps(body)).decode()
    with pytest.raises(HesoError):
        hand_in(shop, text)
    assert shop.snapshot(action_hash) == before


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(), st.text().map(ANSWER_PREFIX.__add__), st.binary().map(str)))
def test_no_text_is_an_answer_by_accident(text: str) -> None:
    with pytest.raises(AnswerUnreadable):
        parse_answer(text)


@settings(max_examples=150, deadline=None)
@given(st.binary())
def test_no_bytes_are_a_question_by_accident(data: bytes) -> None:
    with pytest.raises(AnswerUnreadable):
        parse_request(data)


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_an_edited_question_gets_no_answer_that_decides_anything_else(
    shop: Shop, answer, data: st.DataObject
) -> None:
    """What is signed is worked out from the receipt; the rest of the file can lie, and only about itself."""
    action_hash, _ = answer
    before = shop.snapshot(action_hash)
    text = format_request(request_of(shop.desk.read(action_hash)))
    at = data.draw(st.integers(0, len(text) - 1))
    new = data.draw(st.binary(min_size=0, max_size=3))
    edited = text[:at] + new + text[at + data.draw(st.integers(0, 3)) :]
    try:
        request = parse_request(edited)
        vote = sign_answer(request, shop.record(BO), BO)
        assert request.content == request_of(before[1][0]).content
        terms = request_of(before[1][0]).terms
        if request.terms.threshold != terms.threshold:
            with pytest.raises(HesoError):
                shop.desk.vote(request.action_hash, vote)
    except HesoError:
        pass
    assert shop.snapshot(action_hash) == before


@pytest.mark.parametrize(
    "edit",
    [
        ("threshold", 0),
        ("threshold", "1"),
        ("threshold", 10**400),
        ("approvers", None),
        ("approvers", [1]),
        ("roster", "x"),
        ("on_timeout", "approve"),
        ("sla_minutes", -5),
        ("more", 1),
    ],
    ids=str,
)
def test_damaged_terms_are_refused(shop: Shop, answer, edit: tuple[str, object]) -> None:
    text = format_request(request_of(shop.desk.read(answer[0])))
    key, value = edit
    if isinstance(value, int) and value > 2**64:
        damaged = text.replace(b'"threshold":1', b'"threshold":' + str(value).encode())
    else:
        body = orjson.loads(text)
        body["terms"][key] = value
        damaged = orjson.dumps(body)
    with pytest.raises(AnswerUnreadable):
        parse_request(damaged)


def test_a_question_that_is_about_no_question_is_signed_by_nobody(shop: Shop) -> None:
    """An approved receipt, or one that nobody was asked about, is nothing to say yes to."""
    action_hash = shop.approved(shop.pay(), "o-1", 500)
    text = orjson.loads(format_request(request_of(shop.desk.read(action_hash))))
    for receipt in shop.everything():
        content = orjson.loads(receipt)["content"]
        if content["action_hash"] == action_hash:
            continue
        text["asked"] = orjson.loads(receipt)
        with pytest.raises(HesoError):
            sign_answer(parse_request(orjson.dumps(text)), shop.record(BO), BO)
