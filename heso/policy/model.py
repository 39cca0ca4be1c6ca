"""The values of a policy: rules, conditions, decisions, and the people who may approve.

A decision is a union, matched to the end. Everything is frozen; a loaded policy never changes.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NewType, Protocol

from heso.core.encoding import Digest, PublicKey
from heso.core.hot import hot_value
from heso.core.instant import Instant
from heso.core.receipt import Json, Verb

RuleId = NewType("RuleId", str)
PersonId = NewType("PersonId", str)

Truth = bool | None
"""Three-valued: None is unknown, a value that is there but cannot be compared as the operator asks."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalTerms:
    """Who may say yes, how many of them, by when, and what happens when nobody does.

    `approvers` are roles or person ids from the roster; empty means anybody on it. `sla_minutes` None means the
    project's default, and so does `grant_minutes`: how long an approval that was given may be used.
    """

    approvers: tuple[str, ...] = ()
    threshold: int = 1
    sla_minutes: int | None = None
    grant_minutes: int | None = None
    on_timeout: Literal["deny", "escalate"] = "deny"
    escalate_to: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Allow:
    """Run it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Redact:
    """Run it; the receipt holds commitments where the outcome's paths point."""


@dataclasses.dataclass(frozen=True, slots=True)
class Block:
    """Do not run it."""


@dataclasses.dataclass(frozen=True, slots=True)
class RequireApproval:
    """Do not run it until people have signed."""

    terms: ApprovalTerms


Decision = Allow | Redact | Block | RequireApproval


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One test on one field. `holds` gets the field's value; a missing field never reaches it."""

    field: str
    op: str
    value: object
    display: str
    holds: Callable[[object], Truth] = dataclasses.field(repr=False, compare=False)

    def as_record(self) -> Json:
        """How a receipt names this condition."""
        return {"field": self.field, "op": self.op, "value": self.value}


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """Whose actions a rule is about. `value` is compared exactly; it is empty for `any`."""

    kind: Literal["any", "workflow", "account"] = "any"
    value: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One `[[rule]]`. `verb` None means any verb."""

    id: RuleId
    order: int
    enabled: bool
    subject: Subject
    verb: Verb | None
    scope: str
    conditions: tuple[Condition, ...]
    decision: Decision
    redact: tuple[str, ...]
    is_shadow: bool
    needs_anchor: bool
    display: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Approver:
    """One `[[approver]]`: a person, not a key. Outside the validity, if there is one, they decide nothing."""

    id: PersonId
    roles: tuple[str, ...]
    keys: tuple[PublicKey, ...]
    valid_from: Instant | None = None
    valid_until: Instant | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """One `[[delegation]]`: until then, `taker` may decide what `giver` may."""

    giver: PersonId
    taker: PersonId
    until: Instant


@hot_value
class Outcome:
    """What policy says about one action, ready for the receipt.

    `matched` are the deciding rule's conditions (an unknown one has op `unknown:<op>`), followed by the shadow rules
    that would have decided before it. `redact` are the paths to hide. `needs_anchor`: the receipt must carry an outside
    authority's time.
    """

    decision: Decision
    rule_id: str
    display: str
    matched: tuple[Json, ...] = ()
    redact: tuple[str, ...] = ()
    needs_anchor: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A rule as it is asked about one verb: what it says when it decides, with the verb's floor applied."""

    rule: Rule
    outcome: Outcome


class Run(Protocol):
    """Neighbouring candidates that ask the same field first; `field` None when they have nothing in common."""

    @property
    def field(self) -> str | None: ...

    @property
    def candidates(self) -> tuple[Candidate, ...]: ...

    def pick(self, value: object) -> Sequence[Candidate]:
        """Those that may match when the field has this value, in order; at most those are asked."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A loaded policy. `rules` are the enabled ones in the order in which they are asked.

    `hash` is BLAKE3 of the file's exact bytes, `text` those bytes; a signed ledger entry names the hash. `by_verb`
    holds, for each verb, the rules that may be about it.
    """

    hash: Digest
    text: bytes
    rules: tuple[Rule, ...]
    disabled: tuple[Rule, ...]
    approvers: tuple[Approver, ...]
    delegations: tuple[Delegation, ...]
    by_verb: Mapping[Verb, tuple[Run, ...]] = dataclasses.field(repr=False, compare=False)
