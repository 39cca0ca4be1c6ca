"""Any order of everything that can happen to actions, against a model that is a dictionary."""

from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

import heso
from heso.approvals.changing import Change
from heso.approvals.request import request_of, sign_answer
from heso.approvals.running import Raised, Succeeded
from heso.async_gate.claimed import Claim, claim_inline, run_claimed_inline
from heso.async_gate.door import install_gate
from heso.core.errors import HesoError
from heso.core.ticket import STEPS, TicketState
from tests.approvals.shop import ADA, BO, CY, DI, EVE, MINUTE, OPERATOR, Shop, open_shop

NEVER_RAN = {"suspended", "approved", "rejected", "expired", "cancelled"}
PEOPLE = (ADA, ADA, BO, BO, CY, DI, EVE, OPERATOR)


class Life(RuleBasedStateMachine):
    """`effects` counts what happened by approval; `claims` are runners, of whom some never come back."""

    actions = Bundle("actions")
    votes = Bundle("votes")

    def __init__(self) -> None:
        super().__init__()
        self.shop: Shop = open_shop(None)
        self.effects: dict[str, int] = {}
        self.states: dict[str, str] = {}
        self.fences: dict[str, int] = {}
        self.claims: list[Claim] = []
        self.settled: set[str] = set()
        self.asked = 0

    def teardown(self) -> None:
        self.shop.check()
        install_gate(None)

    @rule(target=actions, cents=st.sampled_from([500, 50_000]), hidden=st.booleans())
    def suspend_a_payment(self, cents: int, hidden: bool) -> str:
        self.asked += 1
        pay = self.shop.pay(redact=["card"] if hidden else [])
        return self._known(self.shop.ask(pay, f"o-{self.asked}", cents, card="4242-4242"))

    @rule(target=actions, times=st.integers(0, 3))
    def approve_a_payment_and_lose_some_who_claim_it(self, times: int) -> str:
        self.asked += 1
        action = self._known(self.shop.approved(self.shop.pay(), f"o-{self.asked}", 500))
        for _ in range(times):
            made = claim_inline(self.shop.gate, action, may_repeat=True)
            self.claims.append(made)
            self.shop.desk.lose(made.ticket)
        return action

    @rule(target=actions)
    def suspend_what_climbs(self) -> str:
        self.asked += 1
        return self._known(self.shop.ask(self.shop.change(), f"n-{self.asked}"))

    @rule(
        target=votes,
        action=actions,
        who=st.sampled_from(PEOPLE),
        said=st.sampled_from(["approved", "approved", "approved", "rejected", "escalated"]),
    )
    def sign_and_hand_in(self, action: str, who: object, said: str) -> object:
        request = request_of(self.shop.desk.read(action))
        try:
            vote = sign_answer(request, self.shop.record(who, said), who)
        except HesoError:
            return (action, None)
        self._try(lambda: self.shop.desk.vote(action, vote))
        return (action, vote)

    @rule(signed=votes, action=actions)
    def hand_in_again_or_for_another(self, signed: tuple[str, object], action: str) -> None:
        own, vote = signed
        if vote is not None:
            self._try(lambda: self.shop.desk.vote(own, vote))
            if action != own:
                before = self.shop.desk.read(action)
                self._try(lambda: self.shop.desk.vote(action, vote))
                assert self.shop.desk.read(action) == before

    @rule(action=actions, who=st.sampled_from(PEOPLE), cents=st.sampled_from([5, 600, 60_000]))
    def approve_with_changes(self, action: str, who: object, cents: int) -> None:
        def vote(changed: object) -> object:
            return sign_answer(request_of(changed), self.shop.record(who), who)

        made = self._try(
            lambda: self.shop.desk.change(action, Change({"cents": cents}), vote, by=who.public_key)
        )
        if made is not None:
            self._known(made.action_hash)

    @rule(action=actions)
    def cancel(self, action: str) -> None:
        self._try(lambda: self.shop.desk.cancel(action))

    @rule(action=actions, may_repeat=st.booleans())
    def claim(self, action: str, may_repeat: bool) -> None:
        made = self._try(lambda: claim_inline(self.shop.gate, action, may_repeat=may_repeat))
        if made is not None:
            self.claims.append(made)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), ends=st.sampled_from(["returns", "raises", "torn"]))
    def finish(self, data: st.DataObject, ends: str) -> None:
        claimed = self.claims.pop(data.draw(st.integers(0, len(self.claims) - 1)))

        def body() -> int:
            self.effects[claimed.action_hash] = self.effects.get(claimed.action_hash, 0) + 1
            if ends == "raises":
                raise ValueError
            if ends == "torn":
                raise KeyboardInterrupt
            return 1

        with suppress(ValueError, KeyboardInterrupt, HesoError):
            run_claimed_inline(self.shop.gate, claimed, body, is_delivered=False)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        claimed = self.claims.pop(data.draw(st.integers(0, len(self.claims) - 1)))
        self.shop.desk.lose(claimed.ticket)

    @rule(action=actions, word=st.sampled_from(["happened", "not", "again"]))
    def settle(self, action: str, word: str) -> None:
        desk = self.shop.desk
        if word == "again":
            made = self._try(lambda: desk.ask_again(action, "asked again"))
            if made is not None:
                self._known(made.action_hash)
            return
        outcome = Succeeded(b"{}") if word == "happened" else Raised("NotRun")
        if self._try(lambda: desk.settle(action, outcome)) is not None:
            self.settled.add(action)

    @rule(times=st.integers(1, 3))
    def sweep(self, times: int) -> None:
        for _ in range(times):
            self.shop.sweep()

    @rule(minutes=st.sampled_from([-90, -1, 1, 1, 10, 29, 61, 200]))
    def the_clock_jumps(self, minutes: int) -> None:
        self.shop.clock.advance(minutes * MINUTE)

    @rule(action=actions)
    def resume(self, action: str) -> None:
        ticket = self.shop.desk.read(action)
        while ticket.replaced_by is not None:
            ticket = self.shop.desk.read(ticket.replaced_by)
        action = ticket.action_hash
        if ticket.state == "running":
            return  # its runner may be one of ours: waiting for it would be for ever
        ran = len(self.shop.ran)
        self._try(lambda: self.shop.resume(action))
        self.effects[action] = self.effects.get(action, 0) + len(self.shop.ran) - ran

    @invariant()
    def steps_are_in_the_table_and_fences_only_grow(self) -> None:
        for action, before in self.states.items():
            ticket = self.shop.desk.read(action)
            assert str(ticket.state) in _reachable(before)
            assert ticket.fence >= self.fences[action]
            self.states[action], self.fences[action] = str(ticket.state), ticket.fence
        self._effects_fit_the_states()

    def _effects_fit_the_states(self) -> None:
        """An effect has a claim of its own, done is exactly one, and an end that never ran is none."""
        for action, state in self.states.items():
            effects = self.effects.get(action, 0)
            assert effects <= self.fences[action]
            if state in NEVER_RAN:
                assert effects == 0
            if state == "done" and action not in self.settled and self.fences[action] == 1:
                assert effects == 1

    def _known(self, action: str) -> str:
        self.states.setdefault(action, "suspended")
        self.fences.setdefault(action, 0)
        return action

    def _try(self, act: object) -> object:
        """What came of it; a refusal has a next step, and changed nothing."""
        before = self.shop.everything()
        tickets = dict(self.shop.tickets.by_hash)
        try:
            return act()
        except (heso.BlockedError, heso.SuspendedError, heso.RejectedError, heso.ExpiredError):
            return None
        except HesoError as error:
            refused = error
        assert refused.next_step
        ends = heso.InDoubtError | heso.ToolFailedError | heso.WithdrawnError
        if not isinstance(refused, ends):
            assert self.shop.everything() == before
            assert dict(self.shop.tickets.by_hash) == tickets
        return None


def _reachable(state: str) -> set[str]:
    found, todo = {state}, [state]
    while todo:
        here = todo.pop()
        steps = {str(after) for (before, _), after in STEPS.items() if before == TicketState(here)}
        todo += steps - found
        found |= steps
    return found


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
