"""A worker moves whatever may move: deadlines, claims whose owner died, actions that were approved.

Any number of them may run beside each other; the ledger lets one win. What a worker ran is told to whoever calls the tool
again, or asks for it by its hash.
"""

from collections.abc import Callable
from dataclasses import dataclass

from anyio import sleep

from heso.async_gate.registry import registered_tools
from heso.core.ticket import Ticket, TicketState
from heso.workflows.desk import Desk
from heso.workflows.noticing import Crier
from heso.workflows.resume import resume
from heso.workflows.running import Driver

_PAGE = 50
_NAP_SECONDS = 0.5

Report = Callable[[Ticket, Exception | None], None]
"""Told of every action that was taken up, and of what came of it but a result."""


@dataclass(frozen=True, slots=True)
class Worker:
    """Works for the tools that are registered in this process."""

    desk: Desk
    report: Report
    driver: Driver | None = None
    crier: Crier | None = None

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            if not await self.run_once():
                await sleep(_NAP_SECONDS)

    async def run_once(self) -> int:
        """Move everything that may move now; how many actions and deadlines that were."""
        moved = await self.desk.sweep()
        for state in (TicketState.APPROVED, TicketState.IN_DOUBT):
            moved += await self._take_up(state)
        if self.crier is not None:
            await self.crier.cry()
        return moved + (0 if self.driver is None else await self.driver.run_once())

    async def _take_up(self, state: TicketState) -> int:
        moved, after = 0, (-1, -1)
        while page := await self.desk.tickets.in_state(state, after=after, limit=_PAGE):
            for ticket in page:
                moved += await self._run(ticket)
            after = (page[-1].due, page[-1].number)
        return moved

    async def _run(self, ticket: Ticket) -> int:
        tool = registered_tools().get((ticket.tool_name, ticket.tool_version))
        is_settled_by_people = ticket.state is TicketState.IN_DOUBT and not (
            tool is not None and (tool.probe is not None or tool.is_idempotent)
        )
        if tool is None or is_settled_by_people:
            return 0
        try:
            await resume(self.desk, ticket.action_hash, is_delivered=False)
        except Exception as error:  # noqa: BLE001  # one action's trouble is not the next one's
            self.report(ticket, error)
            return 0
        self.report(ticket, None)
        return 1
