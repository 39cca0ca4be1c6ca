"""What was observed of an action after it ran, as a receipt in the action's own session.

Nobody judged it and nothing depends on it: it is the operator's word, signed, under a tool name of heso's own.
"""

from collections.abc import Mapping

from heso.async_gate.pipeline import Gate, Permit
from heso.async_gate.snapshot import snapshot_fields
from heso.core.chain import next_block
from heso.core.instant import format_instant
from heso.core.receipt import (
    Action,
    DecisionPath,
    PolicyRecord,
    Verb,
    draft_content,
    seal_receipt,
)
from heso.ports import Batch, Entry, Heads, Seal

OUTCOME_TOOL = "heso.outcome"
_RECORD = PolicyRecord(
    rule_id="policy.observed",
    rule_display="What was observed of an action after it ran. Nothing was judged.",
    matched_conditions=(),
    decision_path=DecisionPath.ALLOW,
)


def observe_inline(gate: Gate, permit: Permit, seen: Mapping[str, object]) -> None:
    """Write it down. Raises `GateError`'s causes: `NotWritten` and its like."""
    gate.ledger.append_inline(_seal(gate, permit, seen))


async def observe(gate: Gate, permit: Permit, seen: Mapping[str, object]) -> None:
    await gate.ledger.append(_seal(gate, permit, seen))


def _seal(gate: Gate, permit: Permit, seen: Mapping[str, object]) -> Seal:
    captured = permit.captured
    fields, _ = snapshot_fields({"of": permit.action_hash, **seen})
    action = Action(
        verb=Verb.TOOL_CALL,
        tool_name=OUTCOME_TOOL,
        workflow=captured.action.workflow,
        account=captured.action.account,
        fields=fields,
    )
    at = gate.clock.now()

    def seal(heads: Heads) -> Batch:
        content = draft_content(
            action,
            _RECORD,
            captured_at=format_instant(at),
            operator=gate.signer.public_key,
            chain=next_block(captured.session, heads.head(captured.session)),
        )
        return Batch((Entry(seal_receipt(content, gate.signer), at),))

    return seal
