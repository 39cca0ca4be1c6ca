"""Which notices are due: what was asked, what is about to expire, what was handed on, what is in doubt.

A notice that was handed on is remembered afterwards, so a crash in between sends it twice and never not at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from heso.approvals.terms import parse_terms
from heso.core.instant import MINUTE, Instant, format_instant
from heso.core.ticket import Ticket, TicketState
from heso.ports import Notice, Notices, Notifier, NotNotified
from heso.workflows.desk import Desk

_PAGE = 200
_Kind = Literal["asked", "reminder", "escalated", "in_doubt"]


@dataclass(slots=True)
class Crier:
    """Hands notices on. `told` is told of those that could not be."""

    desk: Desk
    notices: Notices
    notifiers: Sequence[Notifier]
    remind_minutes: int
    told: Callable[[NotNotified], None]
    _known: set[str] = field(default_factory=set)
    _again: dict[tuple[str, _Kind], Ticket] = field(default_factory=dict)
    _last: int = 0

    async def cry(self, escalated: Sequence[Ticket] = ()) -> None:
        """Every notice that is due and was not handed on. `escalated` are tickets whose next rung was just reached."""
        if not self.notifiers:
            return
        for (_, kind), ticket in list(self._again.items()):
            await self._tell(ticket, kind)
        for ticket in escalated:
            await self._tell(ticket, "escalated")
        await self._tell_new()
        await self._tell_urgent()

    async def _tell_new(self) -> None:
        tickets = self.desk.tickets
        while page := await tickets.opened_after(self._last, limit=_PAGE):
            for ticket in page:
                if ticket.state is TicketState.SUSPENDED:
                    await self._tell(ticket, "asked")
            self._last = page[-1].number

    async def _tell_urgent(self) -> None:
        tickets = self.desk.tickets
        soon = Instant(self.desk.gate.clock.now() + self.remind_minutes * MINUTE)
        for ticket in await tickets.due(TicketState.SUSPENDED, soon, limit=_PAGE):
            await self._tell(ticket, "escalated" if ticket.rung else "asked")
            await self._tell(ticket, "reminder")
        for ticket in await tickets.in_state(TicketState.IN_DOUBT, limit=_PAGE):
            await self._tell(ticket, "in_doubt")

    async def _tell(self, ticket: Ticket, kind: _Kind) -> None:
        notice = Notice(
            key=f"{kind}/{ticket.action_hash}/{ticket.rung}",
            kind=kind,
            action_hash=ticket.action_hash,
            tool=ticket.tool_name,
            rule_id=ticket.rule_id,
            who=parse_terms(ticket.terms_json).names_at(ticket.rung),
            deadline=format_instant(ticket.due),
        )
        ways = [
            await self._hand_on(notice, place, notifier)
            for place, notifier in enumerate(self.notifiers)
        ]
        if all(ways):
            self._again.pop((notice.key, kind), None)
        else:
            self._again[notice.key, kind] = ticket

    async def _hand_on(self, notice: Notice, place: int, notifier: Notifier) -> bool:
        """Whether this way has the notice, from now or from before."""
        key = f"{place}/{notice.key}"
        if key in self._known:
            return True
        if not self.notices.was_sent(key):
            try:
                await notifier.notify(notice)
            except NotNotified as error:
                self.told(error)
                return False
            self.notices.mark_sent(key)
        self._known.add(key)
        return True
