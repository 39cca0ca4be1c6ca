"""The promises of `Tickets`, `Reveals` and `Nonces`, tried one by one against a store."""

from collections.abc import Callable

from anyio import create_task_group

from heso.core.encoding import Digest
from heso.core.hashing import digest
from heso.core.instant import MINUTE, Instant
from heso.core.ticket import OPEN_STATES, Event, Ticket, TicketState, WrongState
from heso.ports import Batch, Heads, Nonces, Reveals, Seal
from heso.testing.expecting import Store, StoreMaker, expect
from heso.testing.fakes import NEW_YEAR
from heso.testing.seals import seal_action, seal_suspended

_CALLERS = 20


async def exercise_tickets(make_store: StoreMaker) -> None:
    """Every promise of `Tickets`, each on a fresh store. Raises `Nonconforming`."""
    for exercise in (
        _exercise_no_tickets,
        _exercise_ticket,
        _exercise_changes,
        _exercise_pages,
        _exercise_together,
        _exercise_same_transaction,
    ):
        with make_store() as store:
            await exercise(store)


async def _exercise_no_tickets(store: Store) -> None:
    await store.ledger.append(seal_action())
    nobody = Digest("0" * 64)
    expect(await store.tickets.find(nobody) is None, "a ticket nobody opened is None")
    expect(list(await store.tickets.beginning("00")) == [], "nor does one begin so")
    for state in OPEN_STATES:
        expect(list(await store.tickets.in_state(state)) == [], "nobody waits")
        expect(list(await store.tickets.due(state, NEW_YEAR)) == [], "nothing is due")
        expect(await store.tickets.count(state) == 0, "and nobody is counted")
    expect(await _seen(store, nobody) == (None, None), "a seal sees none either")


async def _exercise_ticket(store: Store) -> None:
    asked, link = await store.ledger.append(
        seal_suspended("s", fields={"amount": 5, "to": "zoë"}, minutes=30)
    )
    ticket = await store.tickets.find(asked.receipt.action_hash)
    if ticket is None:
        expect(False, "a suspension opens a ticket under the asked receipt's hash")
        return
    expect(ticket.action_hash == asked.receipt.action_hash, "the ticket names its receipt")
    expect(ticket.asked == asked.receipt.body, "and keeps it, byte for byte")
    expect(ticket.session_id == "s", "its session")
    expect(ticket.lifecycle_session == link.receipt.content["session_id"], "its own chain")
    expect(ticket.fields_json == '{"amount":5,"to":"zoë"}'.encode(), "its exact arguments")
    expect(ticket.suspended_at == NEW_YEAR, "since when")
    expect(ticket.due == NEW_YEAR + 30 * MINUTE, "and until when")
    expect(ticket.reveal_root is None, "what is not there stays None")
    expect(ticket.state is TicketState.SUSPENDED, "it waits")
    waiting = await store.tickets.in_state(TicketState.SUSPENDED)
    expect(list(waiting) == [ticket], "a page and find say the same")
    beginning = await store.tickets.beginning(ticket.action_hash[:6])
    expect(list(beginning) == [ticket], "the beginning of a hash finds it")
    seen = await _seen(store, ticket.action_hash)
    expect(seen == (ticket, ticket), "a seal sees it, by its name and by its call")


async def _exercise_changes(store: Store) -> None:
    """A ticket is written over as a whole, and found where its state now is."""
    asked, _ = await store.ledger.append(seal_suspended())
    name = asked.receipt.action_hash

    def change(event: Event, **changes: object) -> Seal:
        def seal(heads: Heads) -> Batch:
            ticket = heads.ticket(name)
            return Batch((), () if ticket is None else (ticket.after(event, **changes),))

        return seal

    await store.ledger.append(change(Event.APPROVE, due=Instant(NEW_YEAR + 5), votes_json=b"[1]"))
    await store.ledger.append(change(Event.CLAIM, fence=3, owner="me", due=Instant(NEW_YEAR + 9)))
    running = await store.tickets.find(name)
    if running is None:
        expect(False, "a changed ticket is still there")
        return
    now = (running.state, running.fence, running.owner, running.due, running.votes_json)
    expect(now == (TicketState.RUNNING, 3, "me", NEW_YEAR + 9, b"[1]"), "every change is kept")
    expect(await store.tickets.count(TicketState.SUSPENDED) == 0, "it does not wait any more")
    expect(await store.tickets.count(TicketState.RUNNING) == 1, "it runs")
    early = await store.tickets.due(TicketState.RUNNING, Instant(NEW_YEAR + 8))
    late = await store.tickets.due(TicketState.RUNNING, Instant(NEW_YEAR + 9))
    expect((list(early), list(late)) == ([], [running]), "it is due when it says")
    await store.ledger.append(
        change(Event.SUCCEED, result_json=b"1", error=None, owner="", is_delivered=True)
    )
    done = await store.tickets.find(name)
    expect(done is not None and done.result_json == b"1", "and its result")
    expect(await _seen(store, name, running.call_key) == (done, None), "delivered is delivered")


async def _exercise_pages(store: Store) -> None:
    minutes = (40, 10, 30, 20, 10, 60, 50)
    for number, wait in enumerate(minutes):
        await store.ledger.append(seal_suspended(fields={"n": number}, minutes=wait))
    count = await store.tickets.count(TicketState.SUSPENDED)
    expect(count == len(minutes), "every ticket is counted")
    paged: list[Ticket] = []
    after = (-1, -1)
    while page := await store.tickets.in_state(TicketState.SUSPENDED, after=after, limit=3):
        expect(len(page) <= 3, "a page is no larger than asked")
        paged.extend(page)
        after = (page[-1].due, page[-1].number)
    waits = [(ticket.due - NEW_YEAR) // MINUTE for ticket in paged]
    expect(waits == sorted(minutes), "paging finds every ticket once, most urgent first")
    by_number = sorted(paged, key=lambda ticket: ticket.number)
    order = [(ticket.due - NEW_YEAR) // MINUTE for ticket in by_number]
    expect(order == list(minutes), "numbers grow as tickets are opened")
    due = await store.tickets.due(TicketState.SUSPENDED, Instant(NEW_YEAR + 20 * MINUTE), limit=2)
    expect(list(due) == paged[:2], "what is due comes in the same order, a page at a time")


async def _exercise_together(store: Store) -> None:
    """The ticket and its receipts are written together or not at all."""
    suspend = seal_suspended()

    def fail_late(heads: Heads) -> Batch:
        suspend(heads)
        raise ZeroDivisionError

    try:
        await store.ledger.append(fail_late)
    except ZeroDivisionError:
        count = await store.tickets.count(TicketState.SUSPENDED)
        expect(count == 0, "no receipts, no ticket")
        expect(store.records.count() == 0, "no ticket, no receipts")
        return
    expect(False, "what a seal raises reaches the caller of append")


async def _exercise_same_transaction(store: Store) -> None:
    """Callers whose writes share a transaction still see each other's tickets: one of them wins."""
    asked, _ = await store.ledger.append(seal_suspended())
    won: list[int] = []

    async def approve(number: int) -> None:
        def seal(heads: Heads) -> Batch:
            ticket = heads.ticket(asked.receipt.action_hash)
            if ticket is None:
                raise ZeroDivisionError
            return Batch((), (ticket.after(Event.APPROVE),))

        try:
            await store.ledger.append(seal)
        except WrongState:
            return
        won.append(number)

    async with create_task_group() as tasks:
        for number in range(_CALLERS):
            tasks.start_soon(approve, number)
    expect(len(won) == 1, "of many that decide at once, one does")


async def _seen(
    store: Store, name: Digest, call_key: Digest | None = None
) -> tuple[Ticket | None, Ticket | None]:
    """What a seal is shown of a ticket: by its name, and by its call."""
    seen: list[Ticket | None] = []

    def look(heads: Heads) -> Batch:
        seen[:] = [heads.ticket(name), heads.undelivered(call_key or name)]
        return Batch(())

    await store.ledger.append(look)
    return seen[0], seen[1]


def exercise_reveals(make_reveals: Callable[[], Reveals]) -> None:
    """Every promise of `Reveals`, on fresh ones. Raises `Nonconforming`."""
    reveals = make_reveals()
    one, two = digest(b"one"), digest(b"two")
    expect(reveals.find(one) is None, "what nobody kept is None")
    reveals.keep(one, b'{"reveals":[]}')
    expect(reveals.find(one) == b'{"reveals":[]}', "what was kept is found, byte for byte")
    expect(reveals.find(two) is None, "under its own root only")
    reveals.keep(one, b'{"reveals":[]}')
    expect(reveals.find(one) == b'{"reveals":[]}', "keeping it twice changes nothing")
    large = b"x" * 300_000
    reveals.keep(two, large)
    expect(reveals.find(two) == large, "a large sidecar is kept whole")


def exercise_nonces(make_nonces: Callable[[], Nonces]) -> None:
    """Every promise of `Nonces`. Two made one after the other share what was spent. Raises `Nonconforming`."""
    nonces = make_nonces()
    one, two = b"1" * 32, b"2" * 32
    expect(nonces.spend(one, 2000), "a fresh nonce is spent")
    expect(not nonces.spend(one, 2000), "once")
    expect(not nonces.spend(one, 3000), "also under another expiry")
    expect(nonces.spend(two, 2**64 - 1), "another one is fresh, whatever its expiry")
    expect(not make_nonces().spend(two, 0), "whoever asks later knows it as well")
