"""Reading a multipart/form-data body (RFC 7578) part by part, so that its random boundary is no part of an action."""

import re
from dataclasses import dataclass, field

from heso.core.errors import Malformed

_PARAMETER = re.compile(r';[ \t]*([0-9A-Za-z_-]+)=(?:"([^"\\]*)"|([^\s";]+))[ \t]*')
_LONGEST_BOUNDARY = 70
_DISPOSITION = re.compile(rb'form-data; name="([^"\r\n\0]*)"(?:; filename="([^"\r\n\0]*)")?')
_HEADERS = (b"content-disposition", b"content-type")


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `filename` None: a plain form field."""

    name: str
    content: bytes = field(repr=False)
    filename: str | None = None
    media_type: str = ""


def parse_parts(body: bytes, content_type: str) -> tuple[Part, ...]:
    """The parts in order. Raises `Malformed` for anything that two readers could read differently."""
    line = b"--" + _boundary_of(content_type)
    if body == line + b"--\r\n":
        return ()
    first, *rest = (b"\r\n" + body).split(b"\r\n" + line)
    if first or not rest or rest.pop() not in (b"--\r\n", b"--"):
        raise Malformed("multipart body", "does not begin and end with its boundary")
    if body.count(line) != len(rest) + 1:
        raise Malformed("multipart body", "has its boundary within a line")
    return tuple(_parse_part(piece) for piece in rest)


def _boundary_of(content_type: str) -> bytes:
    rest = content_type.strip()[len("multipart/form-data") :]
    found: list[str] = []
    while rest:
        parameter = _PARAMETER.match(rest)
        if parameter is None:
            raise Malformed("multipart body", "its content type is not plain")
        if parameter[1].lower() == "boundary":
            found.append(parameter[3] or parameter[2])
        rest = rest[parameter.end() :]
    if len(found) != 1 or not 0 < len(found[0]) <= _LONGEST_BOUNDARY or not found[0].isascii():
        raise Malformed("multipart body", "its content type names no one boundary")
    return found[0].encode()


def _parse_part(piece: bytes) -> Part:
    head, blank, content = piece.partition(b"\r\n\r\n")
    if not blank or not head.startswith(b"\r\n"):
        raise Malformed("multipart body", "a part has no headers")
    headers: dict[bytes, bytes] = {}
    for line in head[2:].split(b"\r\n"):
        key, colon, value = line.partition(b": ")
        name = key.lower()
        if not colon or name not in _HEADERS or name in headers or not _is_plain(value):
            raise Malformed("multipart body", "a part has a header that no form needs, or twice")
        headers[name] = value
    where = _DISPOSITION.fullmatch(headers.get(b"content-disposition", b""))
    if where is None:
        raise Malformed("multipart body", "a part's name is not plain")
    name, filename = where.groups()
    return Part(
        name=_text(name),
        content=content,
        filename=None if filename is None else _text(filename),
        media_type=headers.get(b"content-type", b"").decode("latin-1"),
    )


def _is_plain(value: bytes) -> bool:
    return not any(byte in value for byte in b"\r\n\0")


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Malformed("multipart body", "a name is not UTF-8") from None
