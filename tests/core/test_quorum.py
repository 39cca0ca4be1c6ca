"""Quorum receipts: every check in the format's order, alone and beside the one after it."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from heso.core.verdict import Kind
from heso.core.verify import verify_receipt

Json = dict[str, Any]


class Ballot:
    """A quorum receipt before it is put together; each fault changes one thing of it."""

    def __init__(self, forge: Any) -> None:
        self.forge = forge
        self.voters = [forge.approver, forge.stranger]
        self.roster = [key.public for key in self.voters]
        self.threshold = 2
        self.records = [forge.approval(approver_identity=key.public) for key in self.voters]
        self.extra: Json = {}
        self.operators = 1
        self.operator_over_all = False
        self.signed_records = list(self.records)
        self.keys = list(self.voters)
        self.leg_over_all = False

    def quorum(self, approvers: list[Json]) -> Json:
        return {"threshold": self.threshold, "roster": self.roster, "approvers": approvers}

    def content(self, approvers: list[Json]) -> Json:
        changes = {"multi_approval": self.quorum(approvers), "trust_level": "L1", **self.extra}
        return dict(self.forge.content(**changes))

    def envelope(self) -> Json:
        final = self.content(self.records)
        base = final if self.operator_over_all else self.content([])
        entries = [self.forge.entry("operator", self.forge.operator, base)] * self.operators
        for record, key in zip(self.signed_records, self.keys, strict=True):
            leg = final if self.leg_over_all else self.content([record])
            entries.append(self.forge.entry("approver", key, leg))
        return dict(self.forge.envelope(final, *entries))


def both_shapes(b: Ballot) -> None:
    b.extra["approver_decision"] = b.forge.approval()


def nobody(b: Ballot) -> None:
    b.threshold = 0


def two_operators(b: Ballot) -> None:
    b.operators = 2


def operator_over_everything(b: Ballot) -> None:
    b.operator_over_all = True


def a_record_too_many(b: Ballot) -> None:
    b.records = [*b.records, b.forge.approval(approver_identity=b.forge.placeholder.public)]


def a_stranger_signs(b: Ballot) -> None:
    b.keys[0] = b.forge.placeholder


def one_votes_twice(b: Ballot) -> None:
    b.keys[1] = b.keys[0]
    b.signed_records[1] = b.records[0]


def the_operator_votes(b: Ballot) -> None:
    record = b.forge.approval(approver_identity=b.forge.operator.public)
    b.records[0] = b.signed_records[0] = record
    b.keys[0] = b.forge.operator


def not_on_the_roster(b: Ballot) -> None:
    b.roster = b.roster[1:]


def a_no_among_them(b: Ballot) -> None:
    record = b.forge.approval(approver_identity=b.voters[0].public, decision="rejected")
    b.records[0] = b.signed_records[0] = record


def a_leg_over_everything(b: Ballot) -> None:
    b.leg_over_all = True


def too_few(b: Ballot) -> None:
    b.threshold = 3


def another_level(b: Ballot) -> None:
    b.extra["trust_level"] = "L0"


ORDER: list[tuple[Callable[[Ballot], None], Kind, str]] = [
    (both_shapes, Kind.MALFORMED, "both approver_decision and multi_approval"),
    (nobody, Kind.MALFORMED, "a threshold of nobody"),
    (two_operators, Kind.MALFORMED, "2 operator signatures, not one"),
    (operator_over_everything, Kind.INVALID_SIGNATURE, "operator: does not verify"),
    (a_record_too_many, Kind.MALFORMED, "as many approver signatures as records are needed"),
    (a_stranger_signs, Kind.MALFORMED, "an approver signed without a record"),
    (one_votes_twice, Kind.MALFORMED, "an approver signed twice"),
    (the_operator_votes, Kind.SELF_APPROVAL, ""),
    (not_on_the_roster, Kind.MALFORMED, "an approver is not on the roster"),
    (a_no_among_them, Kind.MALFORMED, "an approver's record says rejected"),
    (a_leg_over_everything, Kind.INVALID_SIGNATURE, "approver: does not verify"),
    (too_few, Kind.THRESHOLD_NOT_MET, "have=2 need=3"),
    (another_level, Kind.TRUST_LEVEL_MISMATCH, "embedded=L0 derived=L1"),
]
# Faults that cannot stand beside the one before them: one would undo or hide the other's place.
APART = {("one_votes_twice", "the_operator_votes"), ("nobody", "two_operators")}


def judge(ballot: Ballot, *, compat: bool = False) -> tuple[Kind, str]:
    verdict = verify_receipt(ballot.forge.text(ballot.envelope()), compat=compat)
    assert verdict.stricter is None
    return verdict.kind, verdict.detail


def test_two_of_two_is_a_valid_quorum(forge: Any) -> None:
    verdict = verify_receipt(forge.text(Ballot(forge).envelope()))
    assert (verdict.kind, verdict.trust_level) == (Kind.VALID, "L1")
    assert verdict.signers == tuple(
        key.public for key in (forge.operator, forge.approver, forge.stranger)
    )


@pytest.mark.parametrize("row", ORDER, ids=lambda row: row[0].__name__)
@pytest.mark.parametrize("compat", [False, True])
def test_each_fault_has_its_verdict(forge: Any, row: Any, *, compat: bool) -> None:
    ballot = Ballot(forge)
    row[0](ballot)
    assert judge(ballot, compat=compat) == (row[1], row[2])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (first, second)
        for first, second in pairwise(ORDER)
        if (first[0].__name__, second[0].__name__) not in APART
    ],
    ids=lambda row: row[0].__name__,
)
def test_of_two_faults_the_earlier_step_speaks(forge: Any, first: Any, second: Any) -> None:
    ballot = Ballot(forge)
    second[0](ballot)
    first[0](ballot)
    assert judge(ballot) == (first[1], first[2])


def test_the_order_of_roster_records_and_signatures_is_free(forge: Any) -> None:
    ballot = Ballot(forge)
    ballot.roster.reverse()
    ballot.records = ballot.records[::-1]
    ballot.signed_records.reverse()
    ballot.keys.reverse()
    assert judge(ballot)[0] is Kind.VALID


def test_a_vote_may_be_taken_away_with_its_record_while_enough_remain(forge: Any) -> None:
    """Nobody signs the list as a whole: the format's own limit, and it is known."""
    ballot = Ballot(forge)
    ballot.threshold = 1
    ballot.records.pop()
    ballot.signed_records.pop()
    ballot.keys.pop()
    assert judge(ballot)[0] is Kind.VALID


def test_a_key_twice_on_the_roster_still_has_one_vote(forge: Any) -> None:
    ballot = Ballot(forge)
    ballot.roster = [ballot.roster[0]] * 2 + ballot.roster[1:]
    ballot.threshold = 3
    assert judge(ballot) == (Kind.THRESHOLD_NOT_MET, "have=2 need=3")
