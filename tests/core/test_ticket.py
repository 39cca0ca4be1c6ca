"""The life of a ticket, cell by cell: what each event makes of each state, and that nothing else does anything."""

from dataclasses import replace

import orjson
import pytest

from heso.core.encoding import Digest
from heso.core.instant import Instant
from heso.core.receipt import SessionId
from heso.core.ticket import OPEN_STATES, STEPS, Event, Ticket, TicketState, WrongState, advance

S, E = TicketState, Event
# One row a state, in the order of the events below; "" cannot happen.
EVENTS = (
    E.APPROVE,
    E.REJECT,
    E.ESCALATE,
    E.EXPIRE,
    E.CANCEL,
    E.REPLACE,
    E.CLAIM,
    E.SUCCEED,
    E.FAIL,
    E.LOSE,
)
TABLE = {
    S.SUSPENDED: "approved rejected suspended expired cancelled replaced - - - -",
    S.APPROVED: "- - - expired cancelled - running - - -",
    S.RUNNING: "- - - - - - - done failed in_doubt",
    S.IN_DOUBT: "- - - - - replaced running done failed -",
    S.DONE: "- - - - - - - - - -",
    S.FAILED: "- - - - - - - - - -",
    S.REJECTED: "- - - - - - - - - -",
    S.EXPIRED: "- - - - - - - - - -",
    S.CANCELLED: "- - - - - - - - - -",
    S.REPLACED: "- - - - - - - - - -",
}
CELLS = [
    (state, event, after)
    for state, row in TABLE.items()
    for event, after in zip(EVENTS, row.split(), strict=True)
]


def make_ticket(state: TicketState, **changes: object) -> Ticket:
    content = {"action": {"fields": {"b": 1, "a": "x"}}}
    plain = Ticket(
        action_hash=Digest("a" * 64),
        asked=orjson.dumps({"content": content}),
        lifecycle_session=SessionId("lifecycle:" + "a" * 64),
        session_id=SessionId("s"),
        tool_name="tool",
        tool_version="1",
        workflow="w",
        account="acc",
        rule_id="r",
        policy_hash=Digest("b" * 64),
        terms_json=b"{}",
        reveal_root=None,
        resume_token="rt_secret",  # noqa: S106  # opens nothing
        call_key=Digest("c" * 64),
        suspended_at=Instant(1),
        due=Instant(2),
        state=state,
    )
    return replace(plain, **changes)


def test_the_table_here_has_every_state_and_every_event() -> None:
    assert (set(TABLE), set(EVENTS)) == (set(TicketState), set(Event))


@pytest.mark.parametrize(("state", "event", "after"), CELLS)
def test_a_cell(state: TicketState, event: Event, after: str) -> None:
    ticket = make_ticket(state, rung=1, fence=2)
    if after == "-":
        with pytest.raises(WrongState) as refused:
            ticket.after(event, fence=9)
        wrong = refused.value
        assert (wrong.action_hash, wrong.state, wrong.event) == (ticket.action_hash, state, event)
        assert wrong.next_step == "see what became of it: heso show aaaaaaaaaaaa"
        assert ticket == make_ticket(state, rung=1, fence=2)
    else:
        assert advance(ticket, event) == after
        assert ticket.after(event, fence=9) == replace(ticket, state=TicketState(after), fence=9)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (E.APPROVE, "aaaaaaaaaaaa is in doubt: it cannot be decided"),
        (E.REJECT, "aaaaaaaaaaaa is in doubt: it cannot be decided"),
        (E.ESCALATE, "aaaaaaaaaaaa is in doubt: it cannot be escalated"),
        (E.EXPIRE, "aaaaaaaaaaaa is in doubt: it cannot expire"),
        (E.CANCEL, "aaaaaaaaaaaa is in doubt: it cannot be cancelled"),
        (E.LOSE, "aaaaaaaaaaaa is in doubt: it cannot be lost"),
    ],
)
def test_a_refusal_reads_as_a_sentence(event: Event, said: str) -> None:
    with pytest.raises(WrongState) as refused:
        make_ticket(S.IN_DOUBT).after(event)
    assert str(refused.value) == said


@pytest.mark.parametrize("event", [E.REPLACE, E.CLAIM, E.SUCCEED, E.FAIL])
def test_every_event_has_words(event: Event) -> None:
    assert str(WrongState(Digest("a" * 64), S.DONE, event)).startswith("aaaaaaaaaaaa is done: it")


def test_open_states_are_those_that_something_can_happen_to() -> None:
    assert set(OPEN_STATES) == {state for state, _ in STEPS}


def test_no_road_leads_from_running_back_to_approved() -> None:
    reached, todo = set(), [S.RUNNING]
    while todo:
        state = todo.pop()
        steps = {after for (before, _), after in STEPS.items() if before is state}
        todo += steps - reached
        reached |= steps
    assert reached == {S.DONE, S.FAILED, S.IN_DOUBT, S.REPLACED, S.RUNNING}


def test_only_a_claim_makes_it_run_and_only_people_approve() -> None:
    assert {event for (_, event), after in STEPS.items() if after is S.RUNNING} == {E.CLAIM}
    assert [step for step, after in STEPS.items() if after is S.APPROVED] == [
        (S.SUSPENDED, E.APPROVE)
    ]


def test_the_table_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        STEPS[S.DONE, E.CLAIM] = S.RUNNING  # type: ignore[index]


def test_a_ticket_shows_its_arguments_and_prints_no_secret() -> None:
    ticket = make_ticket(S.DONE, result_json=b'{"result":"card 4242"}')
    assert ticket.fields_json == b'{"a":"x","b":1}'
    assert "rt_secret" not in repr(ticket)
    assert "4242" not in repr(ticket)
    assert "asked" not in repr(ticket)
