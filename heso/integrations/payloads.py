"""Large values by hash: what a receipt shows of an image, a file or a very long text.

| value                                                    | shown as                                                   |
|----------------------------------------------------------|------------------------------------------------------------|
| a text longer than the limit, or a base64 `data:` URL    | {"$digest": hash of its UTF-8, "bytes": n, "type": "text"} |
| base64 beside its `media_type`, `format` or `type`       | the same                                                   |
| a file of a form                                         | ... "type": "file", "filename", "media_type"               |
| the largest values, when together they are still too big | ... "type": "json": the hash of their canonical JSON       |

Rule 1: the same value is shown the same way in every process, so an approval fits the call that is made again.
Rule 2: no caller can write such an object: a body that holds one is refused.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import orjson

from heso.core.canonical import MAX_SAFE_INTEGER
from heso.core.encoding import Digest
from heso.core.errors import Malformed
from heso.core.forms import is_standin
from heso.core.hashing import digest
from heso.integrations.multipart import Part

DIGEST = "$digest"
HIDDEN = "$hidden"
LARGEST_TEXT = 16 * 1024
"""How many bytes of one text a receipt shows, unless told otherwise."""
MOST_TOGETHER = 160 * 1024
"""How many bytes of arguments it shows in all: a little less than what one action may hold."""

_VALUE = 5
_STAND_IN_SIZE = 160
_MOST_ITEMS = 2000
_BESIDE_BASE64 = ("media_type", "mime_type", "format")
_DATA_URL = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)


@dataclass(slots=True)
class Payloads:
    """Values that were replaced by their hashes, by hash."""

    largest: int = LARGEST_TEXT
    kept: dict[Digest, bytes] = field(default_factory=dict, repr=False)
    saw_big_integer: bool = False
    """An integer that JSON readers read differently: it cannot wait for approval and be sent as it was."""

    def shrink(self, fields: Mapping[str, object]) -> dict[str, object]:
        """The fields with what is large replaced. Raises `Malformed` for a name that is heso's own, and for fields that
        stay too large."""
        refuse_own_names(fields)
        return self.fit({name: self.take(value) for name, value in fields.items()})

    def fit(self, fields: Mapping[str, object]) -> dict[str, object]:
        """The fields with the largest replaced until they fit together."""
        shown = dict(fields)
        sizes = {name: _size(value) for name, value in shown.items()}
        excess = sum(sizes.values()) + sum(map(_written, shown)) - MOST_TOGETHER
        for shrink in (self._shrink_items, self._shrink_whole):
            for name in sorted(sizes, key=sizes.__getitem__, reverse=True):
                if excess <= 0:
                    return shown
                smaller = shrink(shown[name], excess)
                gain = sizes[name] - _size(smaller)
                if gain > 0:
                    shown[name], sizes[name], excess = smaller, sizes[name] - gain, excess - gain
        if excess > 0:
            why = f"has too many values: {MOST_TOGETHER} bytes of them are shown at most"
            raise Malformed("body", why)
        return shown

    def file(self, part: Part) -> dict[str, object]:
        return self._stand_in(
            part.content, "file", filename=part.filename, media_type=part.media_type
        )

    def binary(self, content: bytes) -> dict[str, object]:
        return self._stand_in(content, "file")

    def take(self, value: object, *, is_base64: bool = False) -> object:
        """One value, with what is large in it replaced."""
        if isinstance(value, str):
            is_large = len(value.encode()) > self.largest or is_base64 or _DATA_URL.match(value)
            return self._stand_in(value.encode(), "text") if is_large else value
        if isinstance(value, dict):
            refuse_own_names(value)
            encoded = value.get("type") == "base64" or any(name in value for name in _BESIDE_BASE64)
            return {
                key: self.take(item, is_base64=encoded and key == "data")
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.take(item) for item in value]
        if type(value) is int and not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
            self.saw_big_integer = True
            return str(value)
        return value

    def _shrink_items(self, value: object, excess: int) -> object:
        """Of a list its first items, which in a conversation are the oldest, but not the last one."""
        if not isinstance(value, list) or len(value) > _MOST_ITEMS:
            return value  # as a whole, then: each item's value is kept in a file of its own while somebody decides
        shown = list(value)
        for index, item in enumerate(value[:-1]):
            if excess <= 0:
                break
            gain = _size(item) - _STAND_IN_SIZE
            if gain > 0 and not _is_digest(item):
                excess -= gain
                shown[index] = self._stand_in(_json(item), "json")
        return shown

    def _shrink_whole(self, value: object, _: int) -> object:
        return value if _is_digest(value) else self._stand_in(_json(value), "json")

    def _stand_in(self, content: bytes, kind: str, **more: object) -> dict[str, object]:
        name = digest(content)
        self.kept[name] = content
        return {DIGEST: name, "bytes": len(content), "type": kind, **more}


def refuse_own_names(value: Mapping[str, object]) -> None:
    """Raises `Malformed`: nobody may write what only heso writes."""
    if DIGEST in value or HIDDEN in value or is_standin(value):
        raise Malformed("body", f"{DIGEST}, {HIDDEN}, $bytes and their like are heso's own in it")


def restore_payloads(value: object, find: Callable[[Digest], bytes | None]) -> object:
    """The value with every hash replaced by what it is the hash of. Raises `Malformed` for one that is not to be had."""
    if isinstance(value, dict):
        if DIGEST in value:
            return _restored(value, find)
        return {key: restore_payloads(item, find) for key, item in value.items()}
    if isinstance(value, list):
        return [restore_payloads(item, find) for item in value]
    return value


def _restored(stand_in: Mapping[str, object], find: Callable[[Digest], bytes | None]) -> object:
    name = Digest(str(stand_in[DIGEST]))
    content = find(name)
    if content is None or digest(content) != name:
        raise Malformed("payload", f"what {name[:12]} is the hash of is not here")
    try:
        match stand_in.get("type"):
            case "text":
                return content.decode()
            case "json":
                return restore_payloads(orjson.loads(content), find)
            case "file":
                return Part(
                    name="",
                    content=content,
                    filename=_text_or_none(stand_in.get("filename")),
                    media_type=str(stand_in.get("media_type", "")),
                )
            case _:
                pass
    except ValueError:
        pass
    raise Malformed("payload", f"what {name[:12]} is the hash of is not of the type it says")


def _text_or_none(value: object) -> str | None:
    return None if value is None else str(value)


def _is_digest(value: object) -> bool:
    return isinstance(value, dict) and DIGEST in value


def _json(value: object) -> bytes:
    """Not the canonical form: a large float is to come back as the float that it was."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _size(value: object) -> int:
    """No less than what a snapshot takes it for, nor than its JSON."""
    if isinstance(value, dict):
        return _VALUE + sum(_size(item) + _written(name) for name, item in value.items())
    if isinstance(value, list):
        return _VALUE + sum(map(_size, value))
    return _VALUE + (_written(value) if isinstance(value, str) else 20)


def _written(text: str) -> int:
    """How long it is in JSON."""
    return len(orjson.dumps(text)) + _VALUE
