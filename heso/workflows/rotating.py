"""Handing over from one key to the next: a link signed by the key that goes, in every chain that is still open.

    (1) the next key is made, beside the one in use
    (2) one transaction: the link in the project's own chain of keys, and in the chain of every action that was approved,
        runs or is in doubt, because what ends those is signed by the next key
    (3) the files change places; the old one is kept as `NAME.retired-FINGERPRINT`
    (4) what waits for people is asked again under the new key: nothing is minted under the old one

A crash after any step is mended by rotating again: it goes on where it ended. From (2) on no store takes a receipt by the
key that went, so another process that still has it fails closed and says so.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from heso.core.chain import next_block
from heso.core.encoding import PublicKey
from heso.core.hashing import fingerprint
from heso.core.instant import Instant, format_instant
from heso.core.keys import SigningKey
from heso.core.lifecycle import KEYS_SESSION
from heso.core.links import draft_rotation
from heso.core.receipt import (
    Action,
    DecisionPath,
    Json,
    PolicyRecord,
    Receipt,
    SessionId,
    Verb,
    draft_content,
    seal_receipt,
)
from heso.core.roles import Role
from heso.core.ticket import Ticket, TicketState
from heso.ports import Batch, Entry, Heads
from heso.stores.key_folder import create_key_file, open_key_file
from heso.workflows.desk import Desk

_OPEN = (TicketState.APPROVED, TicketState.RUNNING, TicketState.IN_DOUBT)
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Rotation:
    """One key of a project on its way out. `current` is what signs now, `file` where it lies."""

    role: Role
    file: Path
    passphrase: bytes
    current: SigningKey

    @property
    def next_file(self) -> Path:
        return self.file.with_name(f"{self.file.name}.next")


async def hand_over(desk: Desk, rotation: Rotation) -> PublicKey:
    """Steps (1) to (3); the key that signs from now on."""
    if not rotation.next_file.exists():
        create_key_file(rotation.next_file, rotation.passphrase)
    coming = open_key_file(rotation.next_file, rotation.passphrase)
    operator = desk.gate.signer.public_key
    sessions = [ticket.lifecycle_session for ticket in await _still_open(desk)]

    def seal(heads: Heads) -> Batch:
        now = desk.gate.clock.now()
        if rotation.current.public_key in heads.retired_keys:
            return Batch(())  # an earlier try came this far
        links = [
            _link(heads, session, rotation, coming.public_key, _about_keys(operator, now))
            for session in (KEYS_SESSION, *sessions)
        ]
        return Batch(tuple(Entry(link, now) for link in links))

    desk.gate.ledger.append_inline(seal)
    # From here the ledger takes nothing by the old key. A crash before the files changed places stops the gate, and
    # rotating again ends it.
    old = rotation.file.with_name(
        f"{rotation.file.name}.retired-{fingerprint(rotation.current.public_key)[5:17]}"
    )
    if not old.exists():
        os.link(rotation.file, old)
    rotation.next_file.replace(rotation.file)
    _sync_folder(rotation.file.parent)
    return coming.public_key


async def ask_all_again(desk: Desk) -> int:
    """Step (4), with the new key in the gate; how many questions that were."""
    asked = 0
    after = (-1, -1)
    while page := await desk.tickets.in_state(TicketState.SUSPENDED, after=after, limit=_PAGE):
        after = (page[-1].due, page[-1].number)
        for ticket in page:
            if ticket.content["agent_identity"] != desk.gate.signer.public_key:
                desk.ask_again(ticket.action_hash, "the operator's key was rotated")
                asked += 1
    return asked


async def _still_open(desk: Desk) -> list[Ticket]:
    found: list[Ticket] = []
    for state in _OPEN:
        after = (-1, -1)
        while page := await desk.tickets.in_state(state, after=after, limit=_PAGE):
            found.extend(page)
            after = (page[-1].due, page[-1].number)
    return found


def _link(
    heads: Heads, session: SessionId, rotation: Rotation, coming: PublicKey, about: Json
) -> Receipt:
    content = draft_rotation(
        about,
        chain=next_block(session, heads.head(session)),
        role=rotation.role,
        outgoing=rotation.current.public_key,
        incoming=coming,
    )
    return seal_receipt(content, rotation.current)


def _about_keys(operator: PublicKey, now: Instant) -> Json:
    action = Action(
        verb=Verb.TOOL_CALL,
        tool_name="heso.keys",
        workflow="heso.keys",
        account="heso.keys",
        fields={},
    )
    record = PolicyRecord(
        rule_id="keys.rotated",
        rule_display="This key hands over to the next one.",
        matched_conditions=(),
        decision_path=DecisionPath.ALLOW,
    )
    return draft_content(action, record, captured_at=format_instant(now), operator=operator)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
