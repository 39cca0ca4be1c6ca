"""The link that opens an action's lifecycle chain: what is asked, of whom, until when."""

from functools import lru_cache
from typing import Any

from heso.approvals.terms import Terms
from heso.core.canonical import canonical_bytes
from heso.core.chain import next_block
from heso.core.encoding import Digest
from heso.core.hashing import digest
from heso.core.instant import format_instant
from heso.core.lifecycle import hash_resume_token
from heso.core.links import draft_suspension
from heso.core.receipt import Json, Receipt, Signs, seal_receipt
from heso.core.ticket import Ticket

_NO_CONTEXT = digest(b"")


def seal_suspension(asked: Receipt, ticket: Ticket, terms: Terms, signer: Signs) -> Receipt:
    """The `suspended` link of a new ticket."""
    action: Any = asked.content["action"]
    fields = action["fields"]
    approval: Json = {
        "sla": f"PT{terms.sla_minutes}M",
        "expires_at": format_instant(ticket.due),
        "on_timeout": terms.on_timeout,
        "approver_pubkeys": list(terms.roster),
    }
    if terms.escalate_to:
        after = f"PT{terms.sla_minutes}M"
        approval["escalation"] = {"after": after, "to": list(terms.escalate_to)}
    suspension: Json = {
        "resume_token_hash": hash_resume_token(ticket.resume_token),
        "context_ref": {
            "scheme": "customer",
            "key": ticket.session_id,
            "hash": digest(canonical_bytes(fields)) if fields else _NO_CONTEXT,
        },
        "policy": {
            "policy_id": "heso.toml",
            "policy_hash": ticket.policy_hash,
            "rule": ticket.rule_id,
        },
        "approval": approval,
    }
    if ticket.tool_version:
        suspension["tool_binding_hash"] = tool_binding(ticket.tool_name, ticket.tool_version)
    chain = next_block(ticket.lifecycle_session, None)
    return seal_receipt(draft_suspension(asked.content, chain=chain, suspension=suspension), signer)


@lru_cache(maxsize=512)
def tool_binding(name: str, version: str) -> Digest:
    """What a suspended link says of the tool that will run."""
    return digest(canonical_bytes([name, version]))
