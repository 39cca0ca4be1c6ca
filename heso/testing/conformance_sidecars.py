"""The promises of `Tickets`, `Reveals` and `Nonces`, tried one by one against a store."""

from collections.abc import Callable

from heso.core.encoding import Digest
from heso.core.hashing import digest
from heso.core.instant import MINUTE
from heso.ports import Batch, Heads, Nonces, Reveals
from heso.testing.expecting import Store, StoreMaker, expect
from heso.testing.fakes import NEW_YEAR
from heso.testing.seals import seal_action, seal_suspended

_TICKETS = 7


async def exercise_tickets(make_store: StoreMaker) -> None:
    """Every promise of `Tickets`, each on a fresh store. Raises `Nonconforming`."""
    for exercise in (_exercise_no_tickets, _exercise_ticket, _exercise_pages, _exercise_together):
        with make_store() as store:
            await exercise(store)


async def _exercise_no_tickets(store: Store) -> None:
    await store.ledger.append(seal_action())
    expect(await store.tickets.find(Digest("0" * 64)) is None, "a ticket nobody opened is None")
    expect(list(await store.tickets.waiting()) == [], "nobody waits")
    expect(await store.tickets.count_waiting() == 0, "and nobody is counted")


async def _exercise_ticket(store: Store) -> None:
    asked, link = await store.ledger.append(
        seal_suspended("s", fields={"amount": 5, "to": "zoë"}, minutes=30)
    )
    ticket = await store.tickets.find(asked.receipt.action_hash)
    if ticket is None:
        expect(False, "a suspension opens a ticket under the asked receipt's hash")
        return
    expect(ticket.action_hash == asked.receipt.action_hash, "the ticket names its receipt")
    expect(ticket.session_id == "s", "its session")
    expect(ticket.lifecycle_session == link.receipt.content["session_id"], "its own chain")
    expect(ticket.fields_json == '{"amount":5,"to":"zoë"}'.encode(), "its exact arguments")
    expect(ticket.suspended_at == NEW_YEAR, "since when")
    expect(ticket.expires_at == NEW_YEAR + 30 * MINUTE, "and until when")
    expect(ticket.reveal_root is None, "what is not there stays None")
    expect(ticket.state == "suspended", "it waits")
    expect(list(await store.tickets.waiting()) == [ticket], "waiting and find say the same")


async def _exercise_pages(store: Store) -> None:
    for number in range(_TICKETS):
        await store.ledger.append(seal_suspended(fields={"n": number}))
    expect(await store.tickets.count_waiting() == _TICKETS, "every ticket is counted")
    paged: list[str] = []
    while page := await store.tickets.waiting(after=paged[-1] if paged else "", limit=3):
        expect(len(page) <= 3, "a page is no larger than asked")
        paged.extend(ticket.action_hash for ticket in page)
    expect(len(paged) == _TICKETS, "paging finds every ticket once")
    expect(paged == sorted(paged), "in order of action hash")


async def _exercise_together(store: Store) -> None:
    """The ticket and its receipts are written together or not at all."""
    suspend = seal_suspended()

    def fail_late(heads: Heads) -> Batch:
        suspend(heads)
        raise ZeroDivisionError

    try:
        await store.ledger.append(fail_late)
    except ZeroDivisionError:
        expect(await store.tickets.count_waiting() == 0, "no receipts, no ticket")
        expect(store.records.count() == 0, "no ticket, no receipts")
        return
    expect(False, "what a seal raises reaches the caller of append")


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
