"""Reading JSON from strangers: what is refused, what is let through, and what an error may say."""

import json
from collections.abc import Callable

import pytest

from heso.core.errors import Malformed
from heso.core.strict_json import MAX_BYTES, parse_json

WHITESPACE = (b"", b" ", b"\n")


DUPLICATES = {
    "at the root": '{"a":1,"a":1}',
    "with other values": '{"a":1,"a":2}',
    "far apart": '{"a":1,"b":{},"c":[],"a":1}',
    "in an object": '{"x":{"a":1,"a":1}}',
    "in an array": '[0,[{"a":1,"a":1}]]',
    "ten levels down": '{"x":' * 10 + '{"a":1,"a":1}' + "}" * 10,
    "the empty key": '{"":1,"":1}',
    "escaped once": r'{"a":1,"\u0061":1}',
    "escaped twice": r'{"\u0061":1,"\u0061":1}',
    "not ascii": '{"é":1,"é":1}',
    "not ascii and escaped": r'{"é":1,"\u00E9":1}',
    "an astral key and its surrogates": r'{"😀":1,"\ud83d\ude00":1}',
    "an escaped slash": r'{"a/b":1,"a\/b":1}',
    "the key of a hash": '{"action_hash":"x","action_hash":"x"}',
}


@pytest.mark.parametrize("space", WHITESPACE)
@pytest.mark.parametrize("where", DUPLICATES)
def test_a_key_may_not_come_twice(where: str, space: bytes) -> None:
    with pytest.raises(Malformed, match="duplicate key"):
        parse_json(space + DUPLICATES[where].encode() + space)


def test_keys_that_only_look_alike_are_two_keys() -> None:
    text = '{"é":1,"e\u0301":2,"E":3,"e":4}'
    assert parse_json(text.encode()) == {"é": 1, "e\u0301": 2, "E": 3, "e": 4}


REFUSED = {
    "nothing": b"",
    "only space": b" \n\t",
    "a byte order mark": b'\xef\xbb\xbf{"a":1}',
    "a byte order mark after space": b' \xef\xbb\xbf{"a":1}',
    "utf-16": '{"a":1}'.encode("utf-16"),
    "utf-16 without a mark": '{"a":1}'.encode("utf-16-le"),
    "utf-32": '{"a":1}'.encode("utf-32-be"),
    "trailing text": b'{"a":1}x',
    "two values": b'{"a":1}{"a":1}',
    "two values on two lines": b'{"a":1}\n{"a":1}',
    "a trailing nul": b'{"a":1}\x00',
    "a trailing comma": b'{"a":1,}',
    "a trailing comma in an array": b"[1,]",
    "a comment": b'{"a":1}/* */',
    "a line comment": b'{"a":1 // x\n}',
    "single quotes": b"{'a':1}",
    "a bare key": b"{a:1}",
    "NaN": b'{"a":NaN}',
    "Infinity": b'{"a":Infinity}',
    "minus infinity": b'{"a":-Infinity}',
    "a number beyond a double": b'{"a":1e400}',
    "an integer beyond a double": b'{"a":1' + b"0" * 400 + b"}",
    "an integer of ten thousand digits": b'{"a": ' + b"1" * 10_000 + b"}",
    "a leading zero": b'{"a":01}',
    "a leading plus": b'{"a":+1}',
    "a bare point": b'{"a":1.}',
    "no digit before the point": b'{"a":.5}',
    "hex": b'{"a":0x10}',
    "python's underscore": b'{"a":1_000}',
    "a raw newline in text": b'{"a":"\n"}',
    "a raw nul in text": b'{"a":"\x00"}',
    "an unknown escape": rb'{"a":"\x41"}',
    "a short escape": rb'{"a":"\u004"}',
    "a high surrogate alone": rb'{"a":"\ud800"}',
    "a low surrogate alone": rb'{"a":"\udc00"}',
    "surrogates reversed": rb'{"a":"\udc00\ud800"}',
    "a surrogate in a key": rb'{"\ud800":1}',
    "a surrogate in raw bytes": b'{"a":"\xed\xa0\x80"}',
    "an overlong slash": b'{"a":"\xc0\xaf"}',
    "a code point too large": b'{"a":"\xf4\x90\x80\x80"}',
    "a lone continuation byte": b'{"a":"\x80"}',
    "cut short": b'{"a":1',
    "capital True": b'{"a":True}',
    "space that json does not know": b'{"a":\xc2\xa01}',
    "a form feed": b'\x0c{"a":1}',
}


@pytest.mark.parametrize("space", WHITESPACE)
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_strict_json_is_refused(name: str, space: bytes) -> None:
    with pytest.raises(Malformed):
        parse_json(space + REFUSED[name])


ACCEPTED = {
    "compact": b'{"a":[1,2.5,"x",null,true]}',
    "pretty": json.dumps({"a": [1, 2.5, "x", None, True]}, indent=4).encode(),
    "space around": b' \r\n\t{"a":[1,2.5,"x",null,true]}\n',
    "escapes": rb'{"\u0061":[1,2.5,"\u0078",null,true]}',
    "other spellings of numbers": b'{"a":[1,25e-1,"x",null,true]}',
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_every_spelling_of_a_value_reads_as_that_value(name: str) -> None:
    assert parse_json(ACCEPTED[name]) == {"a": [1, 2.5, "x", None, True]}


def test_integers_stay_exact_and_integers_stay_apart_from_floats() -> None:
    text = b"[9007199254740993,18446744073709551616,-9223372036854775809,1.0,1e0,-0.0]"
    value = parse_json(text)
    exact = [9007199254740993, 18446744073709551616, -9223372036854775809, 1.0, 1.0, -0.0]
    assert repr(value) == repr(exact)


@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"k":', b"}"), (b'[ {"k": ', b" }]")])
@pytest.mark.parametrize("inner", [b"0", b'"[[[["'])
def test_depth_is_counted_exactly(pair: tuple[bytes, bytes], inner: bytes) -> None:
    levels = pair[0].count(b"[") + pair[0].count(b"{")
    fits = 12 // levels
    parse_json(pair[0] * fits + inner + pair[1] * fits, max_depth=12)
    with pytest.raises(Malformed, match="nested deeper than 12"):
        parse_json(pair[0] * (fits + 1) + inner + pair[1] * (fits + 1), max_depth=12)


@pytest.mark.parametrize("depth", [128, 1024, 1025, 100_000])
def test_a_deep_text_is_refused_at_any_depth(depth: int) -> None:
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        for text in (opening * depth, opening * depth + b"0" + closing * depth):
            with pytest.raises(Malformed):
                parse_json(text)


@pytest.mark.parametrize("max_depth", [254, 255, 300, 1000])
def test_a_larger_depth_limit_never_lets_a_foreign_error_out(max_depth: int) -> None:
    text = b"[" * max_depth + b"]" * max_depth
    try:
        value = parse_json(text, max_depth=max_depth)
    except Malformed:
        return
    assert json.dumps(value).encode() == text


def test_wide_is_not_deep() -> None:
    assert parse_json(b"[" + b"[]," * 999 + b"[]]") == [[]] * 1000


def test_size_is_counted_in_bytes_before_anything_is_read() -> None:
    assert MAX_BYTES == 2 * 1024 * 1024
    assert parse_json(b'"' + b"x" * (MAX_BYTES - 2) + b'"') == "x" * (MAX_BYTES - 2)
    assert parse_json(b'"aaa"', max_bytes=5) == "aaa"
    with pytest.raises(Malformed, match="6 bytes; at most 5"):
        parse_json(b'"aaaa"', max_bytes=5)
    with pytest.raises(Malformed, match=f"at most {MAX_BYTES}"):
        parse_json(b"[" * (MAX_BYTES + 1))


HIDDEN = "hunter2-hunter2"
LEAKS: dict[str, Callable[[str], str]] = {
    "an unknown literal": lambda s: f'{{"a":{s}}}',
    "a broken string": lambda s: f'{{"a":"{s}',
    "a bad escape": lambda s: f'{{"a":"{s}\\x"}}',
    "trailing text": lambda s: f'{{"a":"{s}"}} {s}',
    "a duplicate beside it": lambda s: f'{{"a":"{s}","a":"{s}"}}',
    "too deep around it": lambda s: "[" * 200 + f'"{s}"' + "]" * 200,
    "too large": lambda s: f'"{s * 600_000}"',
    "a number beyond a double": lambda s: f'{{"{s}":1e999}}',
}


@pytest.mark.parametrize("name", LEAKS)
def test_an_error_never_quotes_a_value_of_the_text(name: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_json(LEAKS[name](HIDDEN).encode(), what="receipt")
    error = caught.value
    assert str(error).startswith("malformed receipt: ")
    assert HIDDEN not in str(error)
    assert HIDDEN not in repr(error)
    assert error.__context__ is None or error.__suppress_context__


def test_a_duplicate_key_is_named_shortly_and_on_one_line() -> None:
    key = "line\\nfeed" + "x" * 1000
    with pytest.raises(Malformed) as caught:
        parse_json(f'{{"{key}":1,"{key}":1}}'.encode())
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200
