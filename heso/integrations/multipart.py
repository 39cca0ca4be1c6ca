"""Reading a multipart/form-data body (RFC 7578) part by part, so that its random boundary is no part of an action."""

import re
from dataclasses import dataclass, field

from heso.core.errors import Malformed

_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)
_NAME = re.compile(rb'\bname="((?:[^"\\]|\\.)*)"')
_FILENAME = re.compile(rb'\bfilename="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `filename` None: a plain form field."""

    name: str
    content: bytes = field(repr=False)
    filename: str | None = None
    media_type: str = ""


def parse_parts(body: bytes, content_type: str) -> tuple[Part, ...]:
    """The parts in order. Raises `Malformed` for anything that two readers could read differently."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise Malformed("multipart body", "its content type names no boundary")
    line = b"--" + (found.group(1) or found.group(2)).encode()
    if body == line + b"--\r\n":
        return ()
    first, *rest = (b"\r\n" + body).split(b"\r\n" + line)
    if first or not rest or rest.pop() not in (b"--\r\n", b"--"):
        raise Malformed("multipart body", "does not begin and end with its boundary")
    return tuple(_parse_part(piece) for piece in rest)


def _parse_part(piece: bytes) -> Part:
    head, blank, content = piece.partition(b"\r\n\r\n")
    if not blank or not head.startswith(b"\r\n"):
        raise Malformed("multipart body", "a part has no headers")
    headers = {}
    for line in head[2:].split(b"\r\n"):
        key, _, value = line.partition(b":")
        headers[key.strip().lower()] = value.strip()
    where = headers.get(b"content-disposition", b"")
    name = _NAME.search(where)
    if name is None:
        raise Malformed("multipart body", "a part has no name")
    filename = _FILENAME.search(where)
    return Part(
        name=_text(name.group(1)),
        content=content,
        filename=None if filename is None else _text(filename.group(1)),
        media_type=headers.get(b"content-type", b"").decode("latin-1"),
    )


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Malformed("multipart body", "a name is not UTF-8") from None
