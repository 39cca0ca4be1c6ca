"""The contents that a k-of-n quorum signs (fact sheet, section 5.2).

    base          = asked content + multi_approval{threshold, sorted roster, no approvers} + level L1
    operator leg  : operator domain ++ C(base)
    approver leg  : approval domain ++ C(base with that approver's record alone)
    final content = base with every record, sorted by identity; the action hash is over that

Nobody signs the list of approvers as a whole: a record and its signature can be taken away together while the
threshold still holds. What the operator vouches for is the action, the threshold and the roster.
"""

from typing import Any

from heso.core.receipt import Json


def empty_approvers(content: Json) -> Json:
    """What the operator signs: the content with nobody's approval in it yet."""
    return with_approvers(content, [])


def with_approvers(content: Json, records: list[Any]) -> Json:
    """The content with these records, in the order in which a quorum writes them."""
    quorum: Any = content["multi_approval"]
    ordered = sorted(records, key=lambda record: str(record["approver_identity"]).encode())
    return {**content, "multi_approval": {**quorum, "approvers": ordered}}
