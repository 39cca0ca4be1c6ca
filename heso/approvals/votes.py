"""What people said of a ticket so far, as it is kept with it."""

from dataclasses import dataclass
from typing import Any

import orjson

from heso.core.approval import ApproverRecord, Leg, Vote
from heso.core.encoding import PublicKey, format_base64, parse_signature


@dataclass(frozen=True, slots=True)
class Cast:
    """A vote that was checked, and whose it is."""

    person: str
    vote: Vote


def format_votes(cast: tuple[Cast, ...]) -> bytes:
    return orjson.dumps([{"person": one.person, **vote_as_json(one.vote)} for one in cast])


def parse_votes(data: bytes) -> tuple[Cast, ...]:
    return tuple(Cast(row["person"], vote_of(row)) for row in orjson.loads(data))


def vote_as_json(vote: Vote) -> dict[str, Any]:
    return {
        "record": vote.record.as_json(),
        "public_key": vote.leg.public_key,
        "signature": format_base64(vote.leg.signature),
    }


def vote_of(values: dict[str, Any]) -> Vote:
    """Raises `KeyError`, `TypeError` or `Malformed` for values that are no vote; nothing is verified here."""
    return Vote(
        ApproverRecord(**values["record"]),
        Leg(PublicKey(values["public_key"]), parse_signature(values["signature"])),
    )
