"""What policy demanded when an action was suspended, fixed from then on and kept with its ticket."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from heso.core.encoding import PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Who may decide, how many of them, how long, and who is asked next.

    `approvers` are roles or person ids, none meaning everybody. Each name in `escalate_to` is one rung: it may decide
    as well, once the rung is reached. `roster` are the keys of all of these, sorted: what a quorum signs names it, so
    it cannot change any more. Times are minutes.
    """

    approvers: tuple[str, ...] = ()
    threshold: int = 1
    on_timeout: Literal["deny", "escalate"] = "deny"
    escalate_to: tuple[str, ...] = ()
    roster: tuple[PublicKey, ...] = ()
    sla_minutes: int = 24 * 60
    grant_minutes: int = 60

    def names_at(self, rung: int) -> tuple[str, ...]:
        """Roles and persons that may decide once this rung is reached; empty means everybody."""
        return (*self.approvers, *self.escalate_to[:rung]) if self.approvers else ()


def format_terms(terms: Terms) -> bytes:
    return orjson.dumps(
        {
            "approvers": terms.approvers,
            "threshold": terms.threshold,
            "on_timeout": terms.on_timeout,
            "escalate_to": terms.escalate_to,
            "roster": terms.roster,
            "sla_minutes": terms.sla_minutes,
            "grant_minutes": terms.grant_minutes,
        }
    )


def parse_terms(data: bytes) -> Terms:
    """The terms of a ticket of ours; one from before a field was kept has its default."""
    return terms_of(orjson.loads(data))


def terms_of(values: Mapping[str, Any]) -> Terms:
    """Raises `KeyError`, `TypeError` or `ValueError` for values that are no terms."""
    lists = ("approvers", "escalate_to", "roster")
    if any(isinstance(values.get(key), str) for key in lists):
        raise TypeError("a text where a list belongs, which would be read as its letters")
    known: dict[str, Any] = {
        key: tuple(value) if key in lists else value for key, value in values.items()
    }
    terms = Terms(**known)
    texts = (*terms.approvers, *terms.escalate_to, *terms.roster)
    numbers = (terms.threshold, terms.sla_minutes, terms.grant_minutes)
    if not all(type(text) is str for text in texts):
        raise TypeError("a name or key is no text")
    if not all(type(number) is int and number > 0 for number in numbers):
        raise ValueError("a number of people or minutes is not above 0")
    if terms.on_timeout not in ("deny", "escalate"):
        raise ValueError(f"on_timeout {terms.on_timeout!r}")
    return terms
