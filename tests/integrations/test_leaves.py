"""Every leaf that an SDK has, found by walking it, under every decision: nothing gets past, and what may pass is as ever."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

import heso
from heso.testing.model_server import ModelServer
from tests.approvals.shop import ADA, Shop
from tests.integrations.acting import act_for
from tests.integrations.clients import KINDS, Kind, Told, follow, forms_of, leaves_of
from tests.integrations.walking import Leaf, resource

SECRET = b"THE-SECRET"
CASES = [
    pytest.param(kind, leaf, id=f"{kind}-{leaf}") for kind in KINDS for leaf in leaves_of(kind)
]


@functools.cache
def clients(kind: Kind, url: str) -> tuple[Any, Any]:
    """An unwrapped client and a wrapped one, whose resources were all taken before it was wrapped."""
    bare, gated = kind.make(url), kind.make(url)
    for leaf in leaves_of(kind):
        resource(gated, leaf.path)
    return bare, heso.wrap(gated, redact=["messages.content", "input"])


@pytest.mark.parametrize(("kind", "leaf"), CASES)
def test_nothing_is_sent_that_policy_holds_and_what_it_allows_is_sent_as_ever(
    office: Shop, server: ModelServer, kind: Kind, leaf: Leaf
) -> None:
    bare, gated = clients(kind, server.url)
    for form in forms_of(leaf, bare):
        as_ever = follow(bare, leaf, form, server, kind)
        act_for(office, "blocked")
        held = follow(gated, leaf, form, server, kind)
        assert held.sent == ()
        if as_ever.sent:
            assert isinstance(held.error, heso.BlockedError), held.words
            assert follow(gated.with_options(timeout=4), leaf, form, server, kind).sent == ()
        act_for(office, "asked")
        waits = follow(gated, leaf, form, server, kind)
        assert waits.sent == ()
        if as_ever.sent:
            assert isinstance(waits.error, heso.SuspendedError), waits.words
        act_for(office, "agent")
        let_through = follow(gated, leaf, form, server, kind)
        if isinstance(let_through.error, heso.SuspendedError):
            again = functools.partial(follow, gated, leaf, form, server, kind)
            let_through = approved(office, let_through, again)
        assert (let_through.words, let_through.sent) == (as_ever.words, as_ever.sent)
    assert not any(SECRET in receipt for receipt in office.everything())


def approved(office: Shop, held: Told, again: Callable[[], Told]) -> Told:
    """What deletes is asked about whatever a rule says; a person says yes, and it is called again."""
    while isinstance(held.error, heso.SuspendedError):
        assert held.sent == () or held.sent[-1][0] != "DELETE"
        office.clock.advance(1)
        office.vote(held.error.action_hash, ADA)
        held = again()
    return held
