"""Reading forms: what a client writes is read as it was written, and nothing that two readers could read differently."""

from email import message_from_bytes
from email.message import Message
from email.utils import unquote
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heso.core.errors import Malformed
from heso.integrations.multipart import Part, parse_parts

QUICK = settings(derandomize=True, deadline=None, max_examples=150)
MANY = settings(derandomize=True, deadline=None, max_examples=600)
KIND = "multipart/form-data; boundary=b"

ODD = "\x1b\x7f"  # httpx leaves these as they are; a reader may refuse them
NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters=ODD), min_size=1, max_size=8
)
CONTENTS = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"\r\n", b"--", b"\r\n--", b"\r\n\r\n", b"--b", b"a\r\n--\r\n", b"\n--b--\r\n"]
    ),
)
KINDS = st.sampled_from(["image/png", "text/plain; charset=utf-8", 'a/b; c="d"'])
FILES = st.tuples(NAMES, st.tuples(NAMES, CONTENTS, KINDS))


def rendered(data: Any, files: Any) -> tuple[bytes, str]:
    request = httpx.Request("POST", "http://x/", data=data, files=files)
    return request.read(), request.headers["content-type"]


def as_written(name: str) -> str:
    """A name as the WHATWG's form encoding writes it, which httpx does (it doubles backslashes besides)."""
    controls = {chr(code): f"%{code:02X}" for code in range(32) if code != 27}
    return name.translate(str.maketrans({**controls, '"': "%22", "\\": "\\\\"}))


@given(st.dictionaries(NAMES, NAMES, max_size=4), st.lists(FILES, min_size=1, max_size=4))
@QUICK
def test_any_form_that_a_client_writes_is_read_part_by_part(
    data: dict[str, str], files: list[tuple[str, tuple[str, bytes, str]]]
) -> None:
    assert parse_parts(*rendered(data, files)) == (
        *(Part(as_written(name), value.encode()) for name, value in data.items()),
        *(
            Part(as_written(name), content, as_written(filename), kind)
            for name, (filename, content, kind) in files
        ),
    )


@given(st.lists(FILES, min_size=1, max_size=3))
@QUICK
def test_any_form_is_read_the_same_whatever_boundary_was_drawn(
    files: list[tuple[str, tuple[str, bytes, str]]],
) -> None:
    one, other = rendered({}, files), rendered({}, files)
    assert one != other
    assert parse_parts(*one) == parse_parts(*other)


def written(*parts: tuple[bytes, bytes]) -> bytes:
    lines = [b"--b\r\n" + head + b"\r\n\r\n" + content + b"\r\n" for head, content in parts]
    return b"".join(lines) + b"--b--\r\n"


FIELD = b'Content-Disposition: form-data; name="a"'
FORM = written(
    (FIELD, b"one"),
    (
        b'Content-Disposition: form-data; name="f"; filename="x.txt"\r\nContent-Type: text/plain',
        b"two\r\nlines",
    ),
    (b'content-disposition: form-data; name="a"', b""),
)


def test_a_form_is_read_as_it_is_written() -> None:
    assert parse_parts(FORM, KIND) == (
        Part("a", b"one"),
        Part("f", b"two\r\nlines", "x.txt", "text/plain"),
        Part("a", b""),
    )
    assert parse_parts(FORM, 'multipart/form-data; boundary="b"') == parse_parts(FORM, KIND)
    assert parse_parts(b"--b--\r\n", KIND) == ()


TOKENS = [
    b"",
    b"\r",
    b"\n",
    b"\r\n",
    b"--b",
    b"--b--",
    b"\n--b\r\n",
    b"\r\n--b\r\n",
    b" ",
    b"\t",
    b";",
    b'"',
    b":",
    b"\\",
    b'; name="z"',
    b'; filename="y"',
    b"Content-Type: a/b\r\n",
    FIELD + b"\r\n",
    b"\x00",
    b"-",
]
SPOTS = st.integers(0, len(FORM))


def read_by_another(body: bytes) -> tuple[tuple[str, bytes, str | None], ...] | None:
    """Names, contents and file names as Python's mail reader sees them, which forgives a lot. None: it sees no form."""
    message: Message[str, str] = message_from_bytes(
        b"Content-Type: " + KIND.encode() + b"\r\n\r\n" + body
    )
    if not message.is_multipart():
        return None
    found = []
    for part in message.get_payload():
        assert isinstance(part, Message)
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            return None
        filename = part.get_param("filename", header="content-disposition")
        found.append((name, content, None if filename is None else str(filename)))
    return tuple(found)


@given(st.lists(st.tuples(SPOTS, st.integers(0, 3), st.sampled_from(TOKENS)), max_size=2))
@MANY
def test_any_mangled_form_is_refused_or_read_as_another_reader_reads_it(
    changes: list[tuple[int, int, bytes]],
) -> None:
    body = FORM
    for spot, gone, token in changes:
        body = body[:spot] + token + body[spot + gone :]
    try:
        parts = parse_parts(body, KIND)
    except Malformed:
        return
    assert tuple(
        (unquote(f'"{one.name}"'), one.content, one.filename and unquote(f'"{one.filename}"'))
        for one in parts
    ) == read_by_another(body)


@given(st.binary(max_size=60), st.sampled_from([KIND, "multipart/form-data", 'x; boundary=""']))
@QUICK
def test_no_body_makes_the_reader_fail_in_another_way(body: bytes, kind: str) -> None:
    for one in (body, b"--b\r\n" + body + b"\r\n--b--\r\n"):
        try:
            parse_parts(one, kind)
        except Malformed:
            continue


DISPOSITIONS = {
    "no name": b"form-data",
    "an empty disposition": b"",
    "a name twice": b'form-data; name="a"; name="b"',
    "another name that ends alike": b'form-data; x-name="b"; name="a"',
    "a name in a value": b'form-data; x="; name="b"; name="a"',
    "a file name that is not quoted": b'form-data; name="a"; filename=x.txt',
    "a file name in RFC 5987's way": b"form-data; name=\"a\"; filename*=UTF-8''x.txt",
    "both ways": b'form-data; name="a"; filename="y"; filename*=UTF-8\'\'x.txt',
    "two file names": b'form-data; name="a"; filename="x"; filename="y"',
    "no form's part": b'attachment; name="a"',
    "a bare line feed": b'form-data; name="a\nb"',
    "a bare return": b'form-data; name="a\rb"',
    "a line that goes on": b'form-data; name="a"\r\n ; filename="x"',
    "a zero": b'form-data; name="a\x00b"',
    "no UTF-8": b'form-data; name="\xff"',
    "something behind": b'form-data; name="a"b',
    "two dispositions": b'form-data; name="a"\r\nContent-Disposition: form-data; name="b"',
    "two types": b'form-data; name="a"\r\nContent-Type: a/b\r\nContent-Type: c/d',
    "its own encoding": b'form-data; name="a"\r\nContent-Transfer-Encoding: base64',
    "a line that is no header": b'form-data; name="a"\r\nfoo',
    "a space before the colon": b'form-data; name="a"\r\nContent-Type : a/b',
}


@pytest.mark.parametrize("disposition", DISPOSITIONS.values(), ids=DISPOSITIONS.keys())
def test_a_part_that_two_readers_could_read_differently_is_refused(disposition: bytes) -> None:
    with pytest.raises(Malformed):
        parse_parts(written((b"Content-Disposition: " + disposition, b"eA==")), KIND)


BODIES = {
    "nothing": b"",
    "only a boundary": b"--b\r\n",
    "no end": FORM.removesuffix(b"--b--\r\n"),
    "something before": b"x\r\n" + FORM,
    "an empty line before": b"\r\n" + FORM,
    "something behind": FORM + b"x",
    "two ends": FORM + b"--b--\r\n",
    "an end in between": FORM.replace(b"one\r\n--b", b"one\r\n--b--\r\n--b"),
    "a boundary with a space": FORM.replace(b"one\r\n--b", b"one\r\n--b "),
    "a longer boundary": FORM.replace(b"one\r\n--b", b"one\r\n--bc"),
    "line feeds alone": FORM.replace(b"\r\n", b"\n"),
    "a boundary after a line feed": FORM.replace(b"one\r\n--b", b"one\n--b"),
    "a boundary after a return": FORM.replace(b"one\r\n--b", b"one\r--b"),
    "no headers": b"--b\r\n\r\none\r\n--b--\r\n",
    "no empty line": b"--b\r\n" + FIELD + b"\r\n--b--\r\n",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_body_that_two_readers_could_read_differently_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        parse_parts(body, KIND)


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=b; boundary=c",
        "multipart/form-data; boundary=c; boundary=b",
        "multipart/form-data; xboundary=b",
        'multipart/form-data; x="boundary=b"; boundary=c',
        'multipart/form-data; x="; boundary=b"; boundary=c',
        "multipart/form-data; boundary=b, multipart/form-data; boundary=c",
    ],
)
def test_a_content_type_that_names_no_one_boundary_is_refused(kind: str) -> None:
    with pytest.raises(Malformed):
        parse_parts(FORM, kind)
