"""Where decisions arrive: each is one seal on the ledger, so any number of processes may decide at once.

It holds the key that signs decisions, which is opened when it is first needed. An agent's process that only asks never
has it in memory.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from heso.approvals.changing import Change, seal_change, seal_reask
from heso.approvals.deciding import Bench, find_ticket, seal_cancel, seal_overdue, seal_vote
from heso.approvals.errors import NoSuchTicket
from heso.approvals.running import Outcome, seal_lost, seal_outcome
from heso.async_gate.pipeline import Gate
from heso.core.approval import Vote
from heso.core.encoding import Digest, PublicKey
from heso.core.instant import Instant
from heso.core.journal import Run, RunId, RunState
from heso.core.ticket import Ticket, TicketState
from heso.ports import Batch, Heads, Signer, Tickets
from heso.workflows.owners import is_gone

_PAGE = 200
_SHORTEST_NAME = 4


@dataclass(frozen=True, slots=True)
class Desk:
    """What people and clocks do to tickets. `open_decider` opens the decision key."""

    gate: Gate
    tickets: Tickets
    open_decider: Callable[[], Signer]
    _opened: list[Signer] = field(default_factory=list, repr=False)

    @property
    def decider(self) -> Signer:
        if not self._opened:
            self._opened.append(self.open_decider())
        return self._opened[0]

    @property
    def bench(self) -> Bench:
        return Bench(self.gate.policy, self.gate.signer, self.decider)

    def vote(self, action_hash: Digest, vote: Vote) -> Ticket:
        """Count somebody's vote; the ticket as it is then. Raises as `seal_vote` does."""
        return self._change(
            action_hash, lambda heads: seal_vote(heads, action_hash, vote, self.bench, self._now())
        )

    def change(
        self,
        action_hash: Digest,
        change: Change,
        vote: Callable[[Ticket], Vote],
        *,
        by: PublicKey,
    ) -> Ticket:
        """Approve with changes, with the key `by`: a new action that names the old one; its ticket. Raises as
        `seal_change` does."""
        made = self._change(
            action_hash,
            lambda heads: seal_change(heads, action_hash, change, self.bench, self._now(), by=by),
        )
        new = made.replaced_by
        if new is None:
            raise NoSuchTicket(action_hash)
        return self.vote(new, vote(self.read(new)))

    def cancel(self, action_hash: Digest) -> Ticket:
        """The requester's second thought."""
        return self._change(
            action_hash, lambda heads: seal_cancel(heads, action_hash, self.bench, self._now())
        )

    def settle(self, action_hash: Digest, outcome: Outcome) -> Ticket:
        """A person's word on what is in doubt."""

        def seal(heads: Heads) -> Batch:
            return seal_outcome(heads, action_hash, outcome, self.gate.signer, self._now())

        return self._change(action_hash, seal)

    def ask_again(self, action_hash: Digest, why: str) -> Ticket:
        """Ask anew for what is in doubt, or was asked under a key that went; the new ticket."""
        made = self._change(
            action_hash,
            lambda heads: seal_reask(heads, action_hash, self.bench, self._now(), why=why),
        )
        return self.read(made.replaced_by or action_hash)

    def look_at(self, action_hash: Digest) -> Ticket:
        """Do what its deadline demands, if it has passed; the ticket as it is then."""
        return self._change(
            action_hash, lambda heads: seal_overdue(heads, action_hash, self.bench, self._now())
        )

    def lose(self, ticket: Ticket) -> Ticket:
        """Whoever claimed it is gone."""
        return self._change(
            ticket.action_hash, lambda heads: seal_lost(heads, ticket.action_hash, ticket.fence)
        )

    def was_given_up(self, ticket: Ticket) -> bool:
        """Whether the run that asked for it was cancelled. One whose driver had died could not take its questions back."""
        kind, _, name = ticket.session_id.partition(":")
        found: list[Run | None] = [None]

        def look(heads: Heads) -> Batch:
            found[:] = [heads.run(RunId(name))]
            return Batch(())

        if kind == "run":
            self.gate.ledger.append_inline(look)
        return found[0] is not None and found[0].state is RunState.CANCELLED

    def lose_if_gone(self, action_hash: Digest) -> Ticket:
        """A running action whose owner is gone, or late, is in doubt; any other is as it was."""
        ticket = self.read(action_hash)
        is_over = ticket.due <= self._now() or is_gone(ticket.owner)
        return self.lose(ticket) if ticket.state is TicketState.RUNNING and is_over else ticket

    def read(self, action_hash: Digest) -> Ticket:
        """The ticket as it is now. Raises `NoSuchTicket`."""
        return self._change(action_hash, lambda _: Batch(()))

    async def find(self, prefix: str) -> Ticket:
        """The one ticket whose hash begins so, in four characters or more. Raises `NoSuchTicket`."""
        found = (
            await self.tickets.beginning(prefix.lower()) if len(prefix) >= _SHORTEST_NAME else ()
        )
        if len(found) > 1:
            raise NoSuchTicket(prefix, "several actions begin so: give more of the hash")
        if not found:
            raise NoSuchTicket(prefix)
        return found[0]

    async def sweep(self) -> tuple[int, list[Ticket]]:
        """Do what deadlines demand and find claims whose owner is gone; how many tickets moved, and those that others
        may decide now."""
        moved = 0
        escalated: list[Ticket] = []
        for state in (TicketState.SUSPENDED, TicketState.APPROVED):
            while due := await self.tickets.due(state, self._now(), limit=_PAGE):
                after = [self.look_at(ticket.action_hash) for ticket in due]
                escalated += [one for one in after if one.state is TicketState.SUSPENDED]
                moved += len(due)
        return moved + await self._find_lost(), escalated

    async def _find_lost(self) -> int:
        moved, after = 0, (-1, -1)
        while page := await self._running(after):
            for ticket in page:
                if ticket.due <= self._now() or is_gone(ticket.owner):
                    self.lose(ticket)
                    moved += 1
            after = (page[-1].due, page[-1].number)
        return moved

    async def _running(self, after: tuple[int, int]) -> Sequence[Ticket]:
        return await self.tickets.in_state(TicketState.RUNNING, after=after, limit=_PAGE)

    def _now(self) -> Instant:
        return self.gate.clock.now()

    def _change(self, action_hash: Digest, seal: Callable[[Heads], Batch]) -> Ticket:
        """Append what `seal` makes; the ticket as it is then."""
        seen: list[Ticket] = []

        def watched(heads: Heads) -> Batch:
            batch = seal(heads)
            mine = [ticket for ticket in batch.tickets if ticket.action_hash == action_hash]
            seen[:] = mine or [find_ticket(heads, action_hash)]
            return batch

        self.gate.ledger.append_inline(watched)
        return seen[0]
