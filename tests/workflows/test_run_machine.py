"""Any order of everything that can happen to runs, against a model that counts effects."""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import heso
from heso.async_gate.door import install_gate
from heso.core.errors import HesoError
from heso.core.journal import ENDED_RUNS, JournalStep, Run, RunId, RunState, StepState, is_doubtful
from heso.core.ticket import TicketState
from heso.stores.memory import MemoryLedger
from heso.workflows.owners import this_process
from heso.workflows.running import Driver
from heso.workflows.worker import Worker
from tests.approvals.shop import ADA, ROSTER, RULES, Shop
from tests.workflows.runstage import Killed

NAMES = st.sampled_from([RunId(name) for name in "abcdef"])
PLACES = ["book:in", "book:out", "pay:in", "pay:out", "note:in", "note:out", "child", "flow", "end"]
ALLOWED = '[[rule]]\nid = "tools"\norder = 99\nverb = "tool_call"\ndecision = "allow"\n'
HOPS = st.tuples(
    st.sampled_from(["", *PLACES]),
    st.booleans(),
    st.sampled_from([0, 61]),
    st.sampled_from(["", "approved", "approved"]),
)
"""Where a drive dies, whether it is killed there, how much later it is, and what people said by then."""
ENDS = (StepState.DONE, StepState.FAILED)
NOES = (heso.RejectedError, heso.ExpiredError, heso.WithdrawnError, heso.ToolFailedError)
GONE = this_process().rpartition("/")[0] + "/0"


class Life(RuleBasedStateMachine):
    """`effects` counts what happened by its key; `dies` is the place where the next drive ends."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = MemoryLedger()
        self.shop = Shop(None, self.ledger, policy_text=RULES + ROSTER + ALLOWED)
        self.effects: Counter[str] = Counter()
        self.deaths: Counter[str] = Counter()
        self.dies = ""
        self.runs: dict[RunId, Run] = {}
        self.steps: dict[tuple[RunId, str, int], JournalStep] = {}
        self._define()
        self._restart()

    def _define(self) -> None:
        @heso.tool(name="machine.book")
        def book(name: str) -> str:
            return self._happen("book", name)

        @heso.tool(name="machine.pay", verb="payment")
        async def pay(name: str, cents: int) -> str:
            await asyncio.sleep(0)
            return self._happen("pay", name)

        @heso.tool(name="machine.note", idempotent=True)
        async def note(name: str) -> str:
            return self._happen("note", name)

        @heso.workflow(name="machine.child")
        async def child(name: str) -> str:
            self._pass("child")
            booked = book(f"{name}'s child")
            await heso.sleep(60)
            return booked

        @heso.workflow(name="machine.flow")
        async def flow(name: str) -> list[object]:
            found: list[object] = [book(name)]
            await heso.sleep(60)
            self._pass("flow")
            try:
                found.append(await pay(name, 500))
            except NOES:
                found.append("no")
            found.append(await heso.receive("word", timeout=3600))
            found += await heso.gather(note(name), child(name))
            self._pass("end")
            return found

        self.flow = flow

    def _restart(self) -> None:
        self.driver = Driver(self.shop.desk, self.ledger.journal)

    def _pass(self, place: str) -> None:
        if self.dies == place:
            self.dies = ""
            raise Killed

    def _happen(self, tool: str, name: str) -> str:
        key = heso.current_idempotency_key() or ""
        if self.dies.startswith(tool):
            self.deaths[key] += 1
        self._pass(f"{tool}:in")
        self.effects[key] += 1
        self._pass(f"{tool}:out")
        return f"{tool} {name}"

    def _tickets(self, state: TicketState) -> list[str]:
        return [one.action_hash for one in self.shop.tickets.by_hash.values() if one.state is state]

    def _try(self, act: object) -> None:
        with suppress(HesoError, Killed, BaseExceptionGroup):
            act()
        self.dies = ""

    @rule(name=NAMES, place=st.sampled_from(["", *PLACES]), is_killed=st.booleans())
    def start(self, name: RunId, place: str, is_killed: bool) -> None:
        self._drive(name, place, is_killed=is_killed)

    @rule(name=NAMES)
    def start_something_else_of_this_name(self, name: RunId) -> None:
        if name in self.runs:
            self._try(lambda: asyncio.run(self.driver.start(self.flow, {"name": "x"}, name)))

    @rule(which=st.integers(0, 9), hops=st.lists(HOPS, min_size=1, max_size=6))
    def go_on(self, which: int, hops: list[tuple[str, bool, int, str]]) -> None:
        for place, is_killed, seconds, says in hops:
            for name in list(self.runs)[which % max(1, len(self.runs)) :][:1]:
                self.shop.clock.advance(seconds)
                if says:
                    self.decide(says)
                self._drive(name, place, is_killed=is_killed)
                self.no_step_happened_twice()
                self.runs_and_journals_only_grow()

    def _drive(self, name: RunId, place: str, *, is_killed: bool) -> None:
        """Killed: nothing that a process says on its way out is on disk."""
        known = self.ledger.journal.runs.get(name)
        is_child = known is not None and known.name == "machine.child"
        self.dies = place

        async def drive() -> None:
            if is_child:
                await self.driver.drive(name)
            else:
                await self.driver.start(self.flow, {"name": name}, name)

        self._try(lambda: asyncio.run(drive()))
        after = self.ledger.journal.runs[name]
        was_driven = after.fence > (0 if known is None else known.fence)
        if is_killed and was_driven and after.state not in ENDED_RUNS:
            torn = replace(after, state=RunState.RUNNING, owner=GONE, waiting_for="", error=None)
            self.ledger.journal.runs[name] = torn
        self._restart()

    @rule(seconds=st.sampled_from([-7200, -30, 30, 90, 90, 4000]))
    def jump(self, seconds: int) -> None:
        self.shop.clock.advance(seconds)

    @rule(name=NAMES, value=st.integers(0, 3))
    def signal(self, name: RunId, value: int) -> None:
        self._try(lambda: self.driver.signal(name, "word", value))

    @rule(says=st.sampled_from(["approved", "approved", "rejected"]))
    def decide(self, says: str) -> None:
        for action in self._tickets(TicketState.SUSPENDED)[:1]:
            self._try(lambda action=action: self.shop.vote(action, ADA, says))

    @rule()
    def take_back(self) -> None:
        for action in self._tickets(TicketState.SUSPENDED)[:1]:
            self._try(lambda action=action: self.shop.desk.cancel(action))

    @rule(name=NAMES)
    def cancel(self, name: RunId) -> None:
        self._try(lambda: self.driver.cancel(name))

    @rule(place=st.sampled_from(["", "", *PLACES]))
    def work(self, place: str) -> None:
        self.dies = place
        worker = Worker(self.shop.desk, lambda _ticket, _error: None, self.driver)
        self._try(lambda: asyncio.run(worker.run_once()))

    @rule()
    def look_at_what_is_in_doubt(self) -> None:
        """A person tells the truth."""
        for action in self._tickets(TicketState.IN_DOUBT):
            from heso.approvals.running import Raised, Succeeded

            happened = self.effects[action] > 0
            outcome = Succeeded(b'{"result":"settled"}') if happened else Raised("No", "it did not")
            self._try(lambda a=action, o=outcome: self.shop.desk.settle(a, o))
        for name in self.runs:
            doubtful = [one for one in self._journal(name) if is_doubtful(one)]
            keys = [f"{name}/{one.name}/{one.occurrence}" for one in doubtful]
            happened = any(self.effects[key] for key in keys)
            settle = self.driver.settle(name, happened=happened)
            self._try(lambda settle=settle: asyncio.run(settle))

    def _journal(self, name: RunId) -> list[JournalStep]:
        return list(asyncio.run(self.ledger.journal.steps(name)))

    @invariant()
    def no_step_happened_twice(self) -> None:
        for key, times in self.effects.items():
            allowed = 1 + (self.deaths[key] if "machine.note" in key else 0)
            assert times <= allowed, f"{key} happened {times} times"

    @invariant()
    def runs_and_journals_only_grow(self) -> None:
        for name, run in self.ledger.journal.runs.items():
            before = self.runs.get(name, run)
            assert before.fence <= run.fence
            assert before.state not in ENDED_RUNS or before == run
            assert run.state is not RunState.FAILED, run.error
            self.runs[name] = run
            now = {(name, one.name, one.occurrence): one for one in self._journal(name)}
            ended = {key: one for key, one in self.steps.items() if key[0] == name}
            assert ended.items() <= now.items()
            self.steps.update({key: one for key, one in now.items() if one.state in ENDS})

    @invariant()
    def what_is_done_happened_exactly_once(self) -> None:
        for name, run in self.runs.items():
            if run.state is RunState.DONE and run.name == "machine.flow":
                assert self.effects[f"{name}/machine.book/0"] == 1
                assert self.effects[f"{name}/machine.note/0"] >= 1
                assert self.effects[f"{name}/machine.child/0/machine.book/0"] == 1

    def teardown(self) -> None:
        """Whatever happened, nothing is lost: with time and a person's word every run comes to its end."""
        for later in (61, 61, 61, 30_000, 61, 61, 61, 4000, 61, 61):
            self.look_at_what_is_in_doubt()
            self.decide("approved")
            self.jump(later)
            for name in self.runs:
                self.signal(name, 9)
            self._restart()
            self.work("")
        self.runs_and_journals_only_grow()
        self.no_step_happened_twice()
        self.what_is_done_happened_exactly_once()
        left = {run.state for run in self.runs.values()} - {RunState.DONE, RunState.CANCELLED}
        assert left == set(), {name: (run.state, run.error) for name, run in self.runs.items()}
        self.shop.check()
        install_gate(None)


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=50, stateful_step_count=40, deadline=None, derandomize=True
)
