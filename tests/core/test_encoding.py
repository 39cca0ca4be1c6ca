"""Base64 and hex: exactly one text for every key, signature and hash, looked at byte by byte."""

import base64
import string
from collections.abc import Callable

import pytest

from heso.core.encoding import (
    format_base64,
    format_public_key,
    is_digest,
    parse_digest,
    parse_public_key,
    parse_signature,
)
from heso.core.errors import Malformed
from heso.core.hashing import digest, fingerprint
from heso.core.keys import SigningKey, signature_holds

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
KEY = bytes(range(100, 132))
SIGNATURE = bytes(range(64))

READERS: dict[str, tuple[Callable[[str], bytes], bytes]] = {
    "public key": (parse_public_key, KEY),
    "signature": (parse_signature, SIGNATURE),
}


@pytest.mark.parametrize("what", READERS)
def test_what_is_written_reads_back(what: str) -> None:
    parse, raw = READERS[what]
    assert format_base64(raw) == base64.b64encode(raw).decode()
    assert parse(format_base64(raw)) == raw
    assert format_public_key(KEY) == base64.b64encode(KEY).decode()


@pytest.mark.parametrize("what", READERS)
def test_every_character_at_every_place_reads_as_other_bytes_or_not_at_all(what: str) -> None:
    parse, raw = READERS[what]
    text = format_base64(raw)
    strangers = "=-_ \n\r\t\x00.,:é\u2028Ａ\ud800"
    for place in range(len(text)):
        for character in ALPHABET + strangers:
            changed = text[:place] + character + text[place + 1 :]
            if changed == text:
                continue
            try:
                got = parse(changed)
            except Malformed:
                continue
            assert character in ALPHABET
            assert got != raw
            assert format_base64(got) == changed


@pytest.mark.parametrize("what", READERS)
def test_a_character_put_in_or_taken_out_anywhere_is_refused(what: str) -> None:
    parse, raw = READERS[what]
    text = format_base64(raw)
    for place in range(len(text) + 1):
        for character in "A=\n \x00":
            with pytest.raises(Malformed):
                parse(text[:place] + character + text[place:])
        with pytest.raises(Malformed):
            parse(text[:place] + text[place + 1 :] if place < len(text) else text[1:])


@pytest.mark.parametrize("what", READERS)
def test_other_ways_to_write_the_same_bytes_are_refused(what: str) -> None:
    parse, raw = READERS[what]
    text = format_base64(raw)
    others = [
        text.rstrip("="),
        text + "\n",
        " " + text,
        text + "=",
        text + "====",
        "ed25519:" + text,
        base64.urlsafe_b64encode(b"\xff" * len(raw)).decode(),
        raw.hex(),
        "",
        "=",
        format_base64(raw + b"\x00"),
        format_base64(raw[:-1]),
    ]
    for other in others:
        with pytest.raises(Malformed):
            parse(other)


def test_the_unused_bits_at_the_end_must_be_zero() -> None:
    for parse, raw, spare in ((parse_public_key, KEY, 2), (parse_signature, SIGNATURE, 4)):
        text = format_base64(raw)
        last = len(text.rstrip("=")) - 1
        first = ALPHABET.index(text[last]) >> spare << spare
        readable = []
        for value in range(first, first + 2**spare):
            try:
                parse(text[:last] + ALPHABET[value] + text[last + 1 :])
            except Malformed:
                continue
            readable.append(value)
        assert readable == [first]


def test_a_digest_is_sixty_four_lower_case_hex_characters() -> None:
    good = "0123456789abcdef" * 4
    assert is_digest(good)
    assert parse_digest(good) == good
    bad = [
        good.upper(),
        good[:-1],
        good + "0",
        good[:-1] + "g",
        good[:-1] + "٣",
        "0x" + good[2:],
        good[:-1] + "\n",
        " " + good[1:],
        "",
    ]
    for text in bad:
        assert not is_digest(text)
        with pytest.raises(Malformed, match="not 64 lower-case hex"):
            parse_digest(text)
    for value in (None, 64, good.encode(), list(good)):
        assert not is_digest(value)


def test_a_fingerprint_is_the_beginning_of_the_keys_hash() -> None:
    key = format_public_key(KEY)
    assert fingerprint(key) == "heso:" + digest(KEY)[:32]
    with pytest.raises(Malformed):
        fingerprint(key.rstrip("="))  # type: ignore[arg-type]


def test_a_signature_holds_for_its_key_and_message_only() -> None:
    key, other = SigningKey.from_seed(b"\x01" * 32), SigningKey.from_seed(b"\x02" * 32)
    message = b"heso-action/v1\0{}"
    signature = key.sign(message)
    public = parse_public_key(key.public_key)
    assert len(signature) == 64
    assert signature_holds(public, message, signature)
    assert not signature_holds(parse_public_key(other.public_key), message, signature)
    assert not signature_holds(public, message + b" ", signature)
    assert not signature_holds(public, message[1:], message[:1] + signature[1:])
    for place in range(64):
        changed = signature[:place] + bytes([signature[place] ^ 1]) + signature[place + 1 :]
        assert not signature_holds(public, message, changed)


def test_a_keys_secret_is_not_in_its_repr_and_a_seed_has_one_size() -> None:
    seed = bytes(range(32))
    key = SigningKey.from_seed(seed)
    assert repr(key) == f"SigningKey(public_key={key.public_key!r})"
    for size in (0, 31, 33, 64):
        with pytest.raises(Malformed, match=f"{size} bytes, not 32"):
            SigningKey.from_seed(b"\x00" * size)
