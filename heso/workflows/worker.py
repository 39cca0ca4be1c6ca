"""A worker moves whatever may move: deadlines, claims whose owner died, actions that were approved.

Any number of them may run beside each other; the ledger lets one win. What a worker ran is told to whoever calls the tool
again, or asks for it by its hash.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from anyio import current_time, sleep

from heso.async_gate.registry import registered_tools
from heso.core.ticket import Ticket, TicketState
from heso.workflows.desk import Desk
from heso.workflows.noticing import Crier
from heso.workflows.resume import resume
from heso.workflows.running import Driver

_PAGE = 50
_NAP_SECONDS = 0.5
_LONGEST_NAP_SECONDS = 60.0

Report = Callable[[Ticket, Exception | None], None]
"""Told of every action that was taken up, once, and of what came of it but a result."""


@dataclass(frozen=True, slots=True)
class Worker:
    """Works for the tools that are registered in this process."""

    desk: Desk
    report: Report
    driver: Driver | None = None
    crier: Crier | None = None
    _naps: dict[str, tuple[float, float]] = field(default_factory=dict, repr=False)
    """When an action that came to nothing is tried again, and how long after that."""

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            if not await self.run_once():
                await sleep(_NAP_SECONDS)

    async def run_once(self) -> int:
        """Move everything that may move now; how many actions and deadlines that were."""
        moved, escalated = await self.desk.sweep()
        for state in (TicketState.APPROVED, TicketState.IN_DOUBT):
            moved += await self._take_up(state)
        if self.crier is not None:
            await self.crier.cry(escalated)
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
        name = f"{ticket.action_hash}/{ticket.fence}"
        again, nap = self._naps.get(name, (0.0, _NAP_SECONDS))
        if current_time() < again:
            return 0
        try:
            await resume(self.desk, ticket.action_hash, is_delivered=False)
        except Exception as error:  # noqa: BLE001  # one action's trouble is not the next one's
            if name not in self._naps:
                self.report(ticket, error)
            self._naps[name] = (current_time() + nap, min(nap * 2, _LONGEST_NAP_SECONDS))
            return 0
        self._naps.pop(name, None)
        self.report(ticket, None)
        return 1
