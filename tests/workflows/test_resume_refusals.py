"""What resuming refuses: code, values, sidecars and policies that are not what they were. Nothing changes by it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

import heso
from heso.approvals.errors import NoSuchTicket
from heso.async_gate.errors import GateError
from heso.async_gate.rebuilding import CannotResume
from heso.async_gate.registry import NoSuchTool, _tools
from heso.core.errors import HesoError
from tests.approvals.shop import ADA, ROSTER, RULES, Shop


@pytest.fixture(autouse=True)
def tools_of_this_test() -> object:
    kept = dict(_tools)
    yield
    _tools.clear()
    _tools.update(kept)


def refuse(shop: Shop, action_hash: str) -> HesoError:
    before = shop.snapshot(action_hash)
    with pytest.raises(HesoError) as refused:
        shop.resume(action_hash)
    assert (shop.ran, shop.snapshot(action_hash)) == ([], before)
    assert refused.value.next_step
    return refused.value


def test_a_tool_that_is_not_here_leaves_it_for_a_process_that_has_it(shop: Shop) -> None:
    action_hash = shop.approved(shop.pay(), "o-1", 500)
    _tools.clear()
    error = refuse(shop, action_hash)
    assert (type(error), str(error)) == (
        NoSuchTool,
        "no tool 'pay' of version '1' is registered here",
    )
    assert error.next_step == "import the module that defines it first: heso worker --module NAME"
    shop.pay()
    assert shop.resume(action_hash) == {"paid": "o-1", "cents": 500}


def test_another_version_is_another_tool(shop: Shop) -> None:
    action_hash = shop.approved(shop.pay(version="1"), "o-1", 500)
    _tools.clear()
    shop.pay(version="2")
    error = refuse(shop, action_hash)
    assert isinstance(error, NoSuchTool)
    assert error.next_step == "this process has version 2; run it where 1 is"


def _with(shop: Shop, source: str) -> Callable[..., object]:
    names: dict[str, object] = {"ran": shop.ran, "heso": heso}
    exec(  # noqa: S102  # one definition of many
        f'@heso.tool(verb="payment", name="pay")\ndef pay({source}):\n    ran.append(locals())\n',
        names,
    )
    return names["pay"]


OLD = "order: str, cents: int"
CHANGED = {
    "one more": ("order: str, cents: int, to: str", "the tool has a parameter 'to' now"),
    "one more with a default": ("order: str, cents: int, to: str = 'me'", "a parameter 'to' now"),
    "one fewer": ("order: str", "the tool has no parameter 'cents' any more"),
    "renamed": ("order: str, pence: int", "the tool has a parameter 'pence' now"),
    "text for a number": ("order: str, cents: str", "'cents' is not what pay takes now"),
    "a list for a text": ("order: list[int], cents: int", "'order' is not what pay takes now"),
    "a flag for a number": ("order: str, cents: bool", "'cents' is not what pay takes now"),
    "bytes for a text": ("order: bytes, cents: int", "would not be the ones that were approved"),
    "spread by *args": ("*order: str, cents: int", "would not be the ones that were approved"),
}


@pytest.mark.parametrize(("source", "why"), CHANGED.values(), ids=CHANGED)
def test_a_tool_that_takes_something_else_now_is_not_given_it(
    shop: Shop, source: str, why: str
) -> None:
    action_hash = shop.approved(_with(shop, OLD), "o-1", 500)
    _with(shop, source)
    error = refuse(shop, action_hash)
    assert isinstance(error, CannotResume)
    assert why in str(error)


@pytest.mark.parametrize("source", ["cents: int, order: str", "*, order: str, cents: float", "**k"])
def test_a_tool_that_takes_the_same_in_another_way_gets_it(shop: Shop, source: str) -> None:
    action_hash = shop.approved(_with(shop, OLD), "o-1", 500)
    _with(shop, source)
    shop.resume(action_hash)
    (ran,) = shop.ran
    assert ran.get("k", ran) == {"order": "o-1", "cents": 500}


def _sidecar(shop: Shop, action_hash: str) -> object:
    assert shop.folder is not None
    root = shop.desk.read(action_hash).reveal_root
    return shop.folder / "r" / f"{root}.json"


DAMAGE: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda _: None,
    "empty": lambda _: b"",
    "cut": lambda text: text[:-20],
    "no JSON": lambda _: b"\xff\x00",
    "another value": lambda text: text.replace(b"4242", b"4343"),
    "one value fewer": lambda _: b"[]",
    "something else": lambda _: b'{"a":1}',
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_hidden_values_that_are_not_those_that_were_approved_run_nothing(
    sqlite_shop: Shop, damage
) -> None:
    shop = sqlite_shop
    pay = shop.pay(redact=["card"])
    action_hash = shop.approved(pay, "o-1", 500, "4242-4242")
    path = _sidecar(shop, action_hash)
    text = damage(path.read_bytes())
    path.unlink() if text is None else path.write_bytes(text)
    error = refuse(shop, action_hash)
    assert isinstance(error, CannotResume)
    before = shop.snapshot(action_hash)
    try:
        pay("o-1", 500, "4242-4242")
    except heso.SuspendedError:  # what is hidden cannot be compared: it is asked anew
        assert shop.snapshot(action_hash)[1] == before[1]
    except HesoError:
        assert shop.snapshot(action_hash) == before
    assert shop.ran == []


def test_a_ticket_that_was_edited_runs_nothing_else(sqlite_shop: Shop) -> None:
    """The ticket is a row that somebody with the disk can write; what was signed is in the ledger."""
    shop = sqlite_shop
    action_hash = shop.approved(shop.pay(), "o-1", 500)
    with closing(sqlite3.connect(shop.folder / "heso.db")) as connection, connection:
        done = connection.execute(
            "UPDATE ticket SET asked = CAST(replace(CAST(asked AS TEXT), '500', '900') AS BLOB)"
        )
        assert done.rowcount == 1
    for go in (lambda: shop.resume(action_hash), lambda: shop.pay()("o-1", 500)):
        with pytest.raises(CannotResume) as refused:
            go()
        assert str(refused.value).endswith("it was changed after it was asked about")
    assert shop.ran == []
    with closing(sqlite3.connect(shop.folder / "heso.db")) as connection, connection:
        connection.execute(
            "UPDATE ticket SET asked = CAST(replace(CAST(asked AS TEXT), '900', '500') AS BLOB)"
        )


def test_a_policy_that_denies_it_today_outweighs_a_yes_of_yesterday(shop: Shop) -> None:
    action_hash = shop.approved(shop.pay(), "o-1", 500)
    shop.rule(RULES.replace("1000000", "100") + ROSTER)
    error = refuse(shop, action_hash)
    assert isinstance(error, heso.BlockedError)
    assert (error.rule_id, error.action_hash) == ("huge", action_hash)
    shop.rule(RULES + ROSTER)
    assert shop.resume(action_hash) == {"paid": "o-1", "cents": 500}


def test_a_rule_about_a_hidden_value_still_sees_it(shop: Shop) -> None:
    action_hash = shop.approved(shop.pay(redact=["card"]), "o-1", 500, "4242-4242")
    stolen = (
        RULES.replace("cents", "card", 1)
        .replace('"gt"', '"eq"', 1)
        .replace("1000000", '"4242-4242"')
    )
    shop.rule(stolen + ROSTER)
    assert isinstance(refuse(shop, action_hash), heso.BlockedError)


@pytest.mark.parametrize("name", ["", "0" * 64, "abc", "Z" * 64])
def test_what_never_was_is_nothing(shop: Shop, name: str) -> None:
    with pytest.raises((NoSuchTicket, GateError)) as refused:
        shop.resume(name)
    assert refused.value.next_step


def test_what_waits_or_ended_says_so(shop: Shop) -> None:
    waits, no, gone = (shop.ask(shop.pay(), order, 500) for order in ("o-1", "o-2", "o-3"))
    shop.vote(no, ADA, "rejected", "never")
    shop.desk.cancel(gone)
    assert isinstance(refuse(shop, waits), heso.SuspendedError)
    for action_hash, kind in ((no, heso.RejectedError), (gone, heso.WithdrawnError)):
        for _ in range(2):  # as often as it is asked for
            with pytest.raises(kind):
                shop.resume(action_hash)
    assert shop.ran == []
