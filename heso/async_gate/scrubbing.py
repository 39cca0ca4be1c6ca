"""Taking hidden values out of what is kept of a tool's result or error.

Rule 1: a value is found as it is, as Python writes it (`repr`) and as JSON writes it, longest first, so that no value
        leaves a piece of a longer one behind.
Rule 2: three characters are a value only where they stand alone, as a card's check digits do; fewer hide nothing.
"""

import json
import re
from base64 import b64decode
from collections.abc import Iterable

import orjson

from heso.core.forms import BYTES
from heso.core.redaction import Reveal

HIDDEN = "[redacted]"
_SHORTEST, _SHORTEST_ANYWHERE = 3, 4


def hidden_texts(reveals: Iterable[Reveal]) -> tuple[str, ...]:
    """How hidden values may appear in a text, longest first."""
    found = {text for one in reveals for text in _texts(orjson.loads(one.value_json))}
    written = {form for text in found for form in (text, repr(text)[1:-1], json.dumps(text)[1:-1])}
    long_enough = (text for text in written if len(text) >= _SHORTEST)
    return tuple(sorted(long_enough, key=lambda text: (-len(text), text)))


def scrub(value: object, hidden: tuple[str, ...]) -> object:
    """A JSON value without hidden values."""
    if not hidden:
        return value
    if isinstance(value, str):
        return scrub_text(value, hidden)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return HIDDEN if orjson.dumps(value).decode() in hidden else value
    if isinstance(value, dict):
        return {scrub_text(key, hidden): scrub(item, hidden) for key, item in value.items()}
    if isinstance(value, list):
        return [scrub(item, hidden) for item in value]
    return value


def scrub_text(text: str, hidden: tuple[str, ...]) -> str:
    """The text without hidden values."""
    for secret in hidden:
        if len(secret) >= _SHORTEST_ANYWHERE:
            text = text.replace(secret, HIDDEN)
        elif secret in text:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
    return text


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield orjson.dumps(value).decode()
    elif isinstance(value, dict):
        if value.keys() == {BYTES}:
            yield repr(b64decode(str(value[BYTES])))[2:-1]
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
