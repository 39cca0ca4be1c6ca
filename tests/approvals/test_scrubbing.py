"""No hidden argument's value is in what is kept of a result or an error, however the tool wrote it there."""

import json
from base64 import b64encode
from collections.abc import Callable

import orjson
import pytest

import heso
from heso.async_gate.claimed import claim_inline
from heso.async_gate.registry import Done
from heso.async_gate.scrubbing import hidden_texts, scrub, scrub_text
from heso.core.redaction import Reveal
from tests.approvals.shop import Shop

SECRETS: list[object] = [
    "4242 4242 4242 4242",
    'a"quote and a \\ back',
    "line\nbreak\ttab",
    "naïve \U0001f511 key",
    4242424242424242,
    4242.4242,
    2**70,
    b"\x00\xffraw-key",
    {"number": "4242-nested", "list": ["4343-deeper", 98765]},
    ["short", "short-and-longer", "short-and"],
]
WAYS: dict[str, Callable[[object], object]] = {
    "itself": lambda secret: secret,
    "in a text": lambda secret: f"it was {secret}.",
    "by repr": lambda secret: f"it was {secret!r}",
    "as JSON": lambda secret: json.dumps({"it": secret}, default=str),
    "nested": lambda secret: {"a": [{"b": secret}], f"k {secret}": 1},
    "glued": lambda secret: f"x{secret}y",
}


def leaks(secret: object) -> list[bytes]:
    """What must be nowhere: every piece of it that is long enough to be told from others."""
    if isinstance(secret, dict):
        return [leak for value in secret.values() for leak in leaks(value)]
    if isinstance(secret, list):
        return [leak for value in secret for leak in leaks(value)]
    if isinstance(secret, bytes):
        return [b"raw-key", b"xff", b64encode(secret)]
    text = str(secret)
    return [text.encode(), json.dumps(text)[1:-1].encode()]


@pytest.mark.parametrize("secret", SECRETS, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ends", ["returns", "raises"])
def test_a_hidden_value_is_not_kept(shop: Shop, secret: object, way: str, ends: str) -> None:
    @heso.tool(verb="payment", name="leaky", redact=["card"])
    def leaky(card: object) -> object:
        said = WAYS[way](card)
        if ends == "raises":
            raise RuntimeError(said)
        return said

    action_hash = shop.approved(leaky, secret)
    if ends == "raises":
        with pytest.raises(RuntimeError):
            leaky(secret)
    else:
        assert leaky(secret) == WAYS[way](secret)
    ticket = shop.desk.read(action_hash)
    kept = b"".join((ticket.result_json or b"", (ticket.error or "").encode()))
    assert kept
    assert [leak for leak in leaks(secret) if leak in kept] == []
    assert [leak for leak in leaks(secret) if any(leak in one for one in shop.everything())] == []


def test_what_a_probe_says_is_kept_without_hidden_values_too(shop: Shop) -> None:
    @heso.tool(
        verb="payment", name="leaky", redact=["card"], probe=lambda _: Done({"card": "4242-4242"})
    )
    def leaky(card: str) -> None: ...

    action_hash = shop.approved(leaky, "4242-4242")
    shop.desk.lose(claim_inline(shop.gate, action_hash).ticket)
    assert shop.resume(action_hash) == {"card": "[redacted]"}


@pytest.mark.parametrize("damage", ["gone", "changed", "unreadable"])
def test_nothing_is_kept_when_nobody_can_tell_what_is_hidden(shop: Shop, damage: str) -> None:
    @heso.tool(verb="payment", name="leaky", redact=["card"])
    def leaky(card: str, ends: str) -> str:
        shop.gate.reveals.damage = damage
        if ends == "raises":
            raise RuntimeError(card)
        return card

    for ends in ("returns", "raises"):
        shop.start(reveals=_Failing(shop.reveals))
        action_hash = shop.approved(leaky, "4242-4242", ends)
        try:
            assert leaky("4242-4242", ends) == "4242-4242"
        except RuntimeError:
            assert ends == "raises"
        ticket = shop.desk.read(action_hash)
        assert (ticket.state, ticket.error) == (
            ("failed", "RuntimeError") if ends == "raises" else ("done", None)
        )
        assert b"4242" not in (ticket.result_json or b"")


class _Failing:
    """`Reveals` around others, damaged when told."""

    def __init__(self, inner) -> None:
        self._inner = inner
        self.damage = ""

    def keep(self, root, sidecar) -> None:
        self._inner.keep(root, sidecar)

    def find(self, root):
        if self.damage == "unreadable":
            raise OSError("no")
        return {"gone": None, "changed": b"{}", "": self._inner.find(root)}[self.damage]


def _hidden(*values: object) -> tuple[str, ...]:
    return hidden_texts(
        Reveal(field_path="f", salt=b"", value_json=orjson.dumps(value)) for value in values
    )


@pytest.mark.parametrize(
    ("value", "text", "wanted"),
    [
        ("123", "cvv 123 is wrong", "cvv [redacted] is wrong"),
        ("123", "order 91234", "order 91234"),
        (123, "(123)", "([redacted])"),
        ("12", "12 and 12", "12 and 12"),
        ("", "nothing", "nothing"),
        (True, "true", "true"),
        (None, "null", "null"),
        ("4.5.6", "4x5x6 4.5.6", "4x5x6 [redacted]"),
    ],
)
def test_a_short_value_is_taken_out_where_it_stands_alone(value, text: str, wanted: str) -> None:
    assert scrub_text(text, _hidden(value)) == wanted


def test_no_value_leaves_a_piece_of_a_longer_one() -> None:
    assert scrub_text("abcd-efgh", _hidden("abcd", "abcd-efgh", "efgh")) == "[redacted]"
    assert scrub({"n": [98765, 1, True]}, _hidden(98765, 1, 1.0)) == {"n": ["[redacted]", 1, True]}
