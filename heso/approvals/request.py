"""A question and its answer, on their way between the project and an approver's own machine.

    request   one JSON object: the asked receipt as it was signed, who may decide, how many, until when
    answer    one line of text: the action's hash, what was said, and the signature over exactly that action

Whoever gets a request trusts nothing in it: the receipt is verified, and what is signed is computed from it anew. Whoever
gets an answer checks it as if it had been given here.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

import orjson

from heso.approvals.errors import AnswerUnreadable
from heso.approvals.terms import Terms, format_terms, parse_terms, terms_of
from heso.approvals.votes import parse_votes, vote_as_json, vote_of
from heso.core.approval import ApproverRecord, Leg, Vote, vote_payload
from heso.core.encoding import Digest, is_digest
from heso.core.errors import Malformed
from heso.core.instant import format_instant
from heso.core.receipt import Json, Signs
from heso.core.strict_json import parse_json
from heso.core.ticket import Ticket
from heso.core.verify import verify_receipt

ANSWER_PREFIX = "heso-answer-1."
_REQUEST_KEYS = {"heso_request", "asked", "terms", "deadline", "said_yes", "state", "rung"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody is asked to decide. `said_yes` are the people who have, `deadline` is UTC."""

    asked: bytes
    terms: Terms
    deadline: str
    said_yes: tuple[str, ...]
    state: str
    rung: int

    @property
    def content(self) -> Json:
        """The asked receipt's content."""
        content: Json = orjson.loads(self.asked)["content"]
        return content

    @property
    def action_hash(self) -> Digest:
        return Digest(str(self.content["action_hash"]))


def request_of(ticket: Ticket) -> Request:
    votes = parse_votes(ticket.votes_json)
    return Request(
        asked=ticket.asked,
        terms=parse_terms(ticket.terms_json),
        deadline=format_instant(ticket.due),
        said_yes=tuple(one.person for one in votes if one.vote.record.decision == "approved"),
        state=ticket.state,
        rung=ticket.rung,
    )


def format_request(request: Request) -> bytes:
    return orjson.dumps(
        {
            "heso_request": 1,
            "asked": orjson.Fragment(request.asked),
            "terms": orjson.Fragment(format_terms(request.terms)),
            "deadline": request.deadline,
            "said_yes": request.said_yes,
            "state": request.state,
            "rung": request.rung,
        }
    )


def parse_request(data: bytes) -> Request:
    """Raises `AnswerUnreadable` for anything but a whole request about a receipt that verifies."""
    what = "request"
    try:
        value: Any = parse_json(data, what=what)
    except Malformed as error:
        raise AnswerUnreadable(what, error.why) from None
    if not isinstance(value, dict) or value.keys() != _REQUEST_KEYS or value["heso_request"] != 1:
        raise AnswerUnreadable(what, "not an export of `heso request export`")
    asked = orjson.dumps(value["asked"])
    verdict = verify_receipt(asked)
    if not verdict.is_valid:
        raise AnswerUnreadable(what, f"its receipt is {verdict.kind} {verdict.detail}".rstrip())
    texts = (value["deadline"], value["state"], *_list(value["said_yes"]))
    try:
        terms = terms_of(value["terms"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise AnswerUnreadable(what, "its terms are damaged") from None
    if not all(type(text) is str for text in texts) or type(value["rung"]) is not int:
        raise AnswerUnreadable(what, "its deadline or state is damaged")
    return Request(
        asked=asked,
        terms=terms,
        deadline=value["deadline"],
        said_yes=tuple(value["said_yes"]),
        state=value["state"],
        rung=value["rung"],
    )


def sign_answer(request: Request, said: ApproverRecord, signer: Signs) -> Vote:
    """The answer of whoever holds `signer`. Raises `ApprovalRefused` when there is nothing to answer."""
    terms = request.terms
    payload = vote_payload(request.content, said, threshold=terms.threshold, roster=terms.roster)
    return Vote(said, Leg(signer.public_key, signer.sign(payload)))


def format_answer(action_hash: Digest, vote: Vote) -> str:
    """One line, to be sent by any way that keeps text as it is."""
    body = orjson.dumps({"action_hash": action_hash, **vote_as_json(vote)})
    return ANSWER_PREFIX + urlsafe_b64encode(body).decode("ascii").rstrip("=")


def parse_answer(text: str) -> tuple[Digest, Vote]:
    """The action and the vote; nothing is verified yet. Raises `AnswerUnreadable`."""
    what = "answer"
    packed = "".join(text.split())  # a mail may have wrapped it
    if not packed.startswith(ANSWER_PREFIX):
        raise AnswerUnreadable(what, f"it does not begin with {ANSWER_PREFIX}")
    packed = packed.removeprefix(ANSWER_PREFIX)
    try:
        body = urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        value: Any = parse_json(body, what=what)
        action_hash, vote = value["action_hash"], vote_of(value)
    except (ValueError, KeyError, TypeError, AttributeError, Malformed):
        raise AnswerUnreadable(what, "it was changed or cut on its way") from None
    if not is_digest(action_hash) or not _is_sound(vote):
        raise AnswerUnreadable(what, "it was changed or cut on its way")
    return Digest(action_hash), vote


def _is_sound(vote: Vote) -> bool:
    record = vote.record
    texts = (record.approver_identity, record.reason, record.decided_at, vote.leg.public_key)
    minutes = record.sla_minutes
    return (
        record.decision in ("approved", "rejected", "escalated")
        and all(type(text) is str for text in texts)
        and (minutes is None or (type(minutes) is int and minutes >= 0))
    )


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [None]
