"""Seals without a gate: small batches for testing a ledger by itself."""

from typing import Any

from heso.core.chain import Head, link_hash, next_block
from heso.core.hashing import digest
from heso.core.instant import MINUTE, Instant, format_instant
from heso.core.links import draft_suspension
from heso.core.receipt import (
    Action,
    ChainBlock,
    DecisionPath,
    Json,
    PolicyRecord,
    Receipt,
    SessionId,
    Verb,
    draft_content,
    seal_receipt,
)
from heso.core.ticket import Ticket
from heso.ports import Batch, Entry, Heads, Seal, Signer
from heso.testing.fakes import NEW_YEAR, FakeSigner

KNOWN_SIGNER = FakeSigner()


def seal_action(
    session: str = "session",
    *,
    fields: Json | None = None,
    tool_name: str = "tool",
    account: str = "account",
    verb: Verb = Verb.TOOL_CALL,
    decision: DecisionPath = DecisionPath.ALLOW,
    times: int = 1,
    signer: Signer = KNOWN_SIGNER,
    at: Instant = NEW_YEAR,
) -> Seal:
    """A seal that makes `times` receipts of one plain action, each after the other, in a session.

    The session is the workflow too.
    """
    action = Action(
        verb=verb,
        tool_name=tool_name,
        workflow=session,
        account=account,
        fields=fields or {},
    )

    def seal(heads: Heads) -> Batch:
        name = SessionId(session)
        head = heads.head(name)
        entries: list[Entry] = []
        for _ in range(times):
            block = next_block(name, head)
            receipt = _seal_receipt(action, decision, block, signer, at)
            head = Head(block.seq, link_hash(name, block.seq, receipt.action_hash))
            entries.append(Entry(receipt, at))
        return Batch(tuple(entries))

    return seal


def seal_policy(text: bytes, *, signer: Signer = KNOWN_SIGNER, at: Instant = NEW_YEAR) -> Seal:
    """A seal that brings a policy into force."""
    inner = seal_action("heso.policy", fields={"policy_hash": digest(text)}, signer=signer, at=at)

    def seal(heads: Heads) -> Batch:
        return Batch(inner(heads).entries, policy=text)

    return seal


def seal_suspended(
    session: str = "session",
    *,
    fields: Json | None = None,
    minutes: int = 60,
    signer: Signer = KNOWN_SIGNER,
    at: Instant = NEW_YEAR,
) -> Seal:
    """A seal that asks for approval: the asked receipt, the suspended link, and the ticket."""
    ask = seal_action(
        session,
        fields=fields,
        decision=DecisionPath.REQUIRE_APPROVAL,
        signer=signer,
        at=at,
    )

    def seal(heads: Heads) -> Batch:
        (asked,) = ask(heads).entries
        ticket = _open_ticket(asked.receipt, session, minutes, at)
        link = _seal_link(asked.receipt, ticket, minutes, signer)
        return Batch((asked, Entry(link, at)), (ticket,))

    return seal


def _seal_receipt(
    action: Action, decision: DecisionPath, chain: ChainBlock, signer: Signer, at: Instant
) -> Receipt:
    content = draft_content(
        action,
        PolicyRecord(
            rule_id="test", rule_display="A test.", matched_conditions=(), decision_path=decision
        ),
        captured_at=format_instant(at),
        operator=signer.public_key,
        chain=chain,
    )
    return seal_receipt(content, signer)


def _open_ticket(asked: Receipt, session: str, minutes: int, at: Instant) -> Ticket:
    action: dict[str, Any] = asked.content["action"]  # type: ignore[assignment]  # its own shape
    return Ticket(
        action_hash=asked.action_hash,
        lifecycle_session=SessionId(f"lifecycle:{asked.action_hash}"),
        session_id=SessionId(session),
        tool_name=action["tool_name"],
        workflow=action["workflow"],
        account=action["account"],
        rule_id="test",
        policy_hash=digest(b""),
        tool_version="1",
        asked=asked.body,
        terms_json=b"{}",
        reveal_root=None,
        resume_token="rt_test",  # noqa: S106  # opens nothing
        suspended_at=at,
        call_key=asked.action_hash,
        due=Instant(at + minutes * MINUTE),
    )


def _seal_link(asked: Receipt, ticket: Ticket, minutes: int, signer: Signer) -> Receipt:
    suspension: Json = {
        "resume_token_hash": digest(ticket.resume_token.encode()),
        "context_ref": {
            "scheme": "customer",
            "key": ticket.session_id,
            "hash": digest(ticket.fields_json),
        },
        "policy": {
            "policy_id": "heso.toml",
            "policy_hash": ticket.policy_hash,
            "rule": ticket.rule_id,
        },
        "approval": {
            "sla": f"PT{minutes}M",
            "expires_at": format_instant(ticket.due),
            "on_timeout": "deny",
            "approver_pubkeys": [],
        },
    }
    chain = next_block(ticket.lifecycle_session, None)
    return seal_receipt(draft_suspension(asked.content, chain=chain, suspension=suspension), signer)
