"""Signed notes: a text that people can read, with signatures below it (https://c2sp.org/signed-note).

    text, ending in a newline
    (an empty line)
    — <key name> <base64 of key id ++ signature>

Two kinds of signatures are known. A plain one is Ed25519 over the text. A cosignature is a witness's: it adds the
second in which it was made (https://c2sp.org/tlog-cosignature), and signs "cosignature/v1", that time, and the text.

Rule 1: refuse what we would not have written: a note is read, written back, and compared.
Rule 2: a signature by a key we know must hold; one by a key we do not know is kept apart and proves nothing.
"""

import binascii
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256

from heso.core.encoding import (
    KEY_BYTES,
    SIGNATURE_BYTES,
    PublicKey,
    format_base64,
    format_public_key,
    parse_public_key,
)
from heso.core.errors import HesoError, Malformed
from heso.core.keys import signature_holds
from heso.core.receipt import Signs

MAX_NOTE_BYTES = 1024 * 1024
MAX_SIGNATURES = 100
_ID_BYTES = 4
_TIME = struct.Struct(">Q")
_LEAD = "\u2014 "


class KeyKind(IntEnum):
    """What a key's signatures are over; the number is the format's own."""

    ED25519 = 1
    COSIGNATURE = 4


@dataclass(eq=False)
class NoteRefused(HesoError):
    """A note that no known key signed, or with a known key's signature that does not hold."""

    why: str
    next_step = "compare the key with the one its owner published"

    def __str__(self) -> str:
        return f"the note is not to be trusted: {self.why}"


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A key with the name it signs under."""

    name: str
    public_key: PublicKey
    kind: KeyKind = KeyKind.ED25519

    @property
    def id(self) -> bytes:
        """Four bytes that tell keys of one name apart; no more than a hint."""
        raw = bytes((self.kind,)) + parse_public_key(self.public_key)
        return sha256(self.name.encode() + b"\n" + raw).digest()[:_ID_BYTES]


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One line below the text. `raw` is what follows the key id."""

    name: str
    key_id: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A note as it was read; nothing is checked yet."""

    text: str
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedNote:
    """A note that at least one known key signed. Cosignatures come with the second, UTC, that they claim."""

    text: str
    signed_by: tuple[NoteKey, ...]
    cosigned_at_seconds: tuple[tuple[NoteKey, int], ...]
    unknown: tuple[str, ...]


def parse_note_key(text: str) -> NoteKey:
    """From `name+hex key id+base64(kind ++ key)`, the way such keys are published. Raises `Malformed`."""
    name, _, rest = text.partition("+")
    _, _, encoded = rest.partition("+")
    try:
        raw = binascii.a2b_base64(encoded, strict_mode=True)
    except (binascii.Error, ValueError):
        raise Malformed("note key", "not base64") from None
    if len(raw) != 1 + KEY_BYTES or raw[0] not in (KeyKind.ED25519, KeyKind.COSIGNATURE):
        raise Malformed("note key", "of no kind that is known here")
    key = NoteKey(name, format_public_key(raw[1:]), KeyKind(raw[0]))
    if not _is_name(name) or format_note_key(key) != text:
        raise Malformed("note key", "not in canonical form")
    return key


def format_note_key(key: NoteKey) -> str:
    encoded = format_base64(bytes((key.kind,)) + parse_public_key(key.public_key))
    return f"{key.name}+{key.id.hex()}+{encoded}"


def parse_note(data: bytes) -> Note:
    """Raises `Malformed` for anything we would not have written."""
    if len(data) > MAX_NOTE_BYTES:
        raise Malformed("note", f"{len(data)} bytes; at most {MAX_NOTE_BYTES} are read")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("note", "not UTF-8") from None
    text, gap, below = whole.rpartition("\n\n")
    lines = below.split("\n")[:-1]
    if not gap or not 1 <= len(lines) <= MAX_SIGNATURES:
        raise Malformed("note", f"has no empty line with 1 to {MAX_SIGNATURES} signatures below")
    note = Note(text + "\n", tuple(_parse_signature(line) for line in lines))
    if format_note(note) != data:
        raise Malformed("note", "not in canonical form")
    return note


def format_note(note: Note) -> bytes:
    """The note's bytes. Raises `Malformed` for a text or a name that no reader would take."""
    _check_text(note.text)
    lines: list[str] = []
    for signature in note.signatures:
        if not _is_name(signature.name):
            raise Malformed("note", "a key name is empty, or has a space or a plus in it")
        lines.append(f"{_LEAD}{signature.name} {format_base64(signature.key_id + signature.raw)}\n")
    return (note.text + "\n" + "".join(lines)).encode()


def sign_note(text: str, *, name: str, signer: Signs) -> Note:
    """A note with one plain signature."""
    _check_text(text)
    key = NoteKey(name, signer.public_key)
    return Note(text, (NoteSignature(name, key.id, signer.sign(text.encode())),))


def cosign_note(note: Note, *, name: str, signer: Signs, at_seconds: int) -> Note:
    """The note with a witness's signature added."""
    key = NoteKey(name, signer.public_key, KeyKind.COSIGNATURE)
    raw = _TIME.pack(at_seconds) + signer.sign(_cosigned(note.text, at_seconds))
    return Note(note.text, (*note.signatures, NoteSignature(name, key.id, raw)))


def open_note(data: bytes, keys: Sequence[NoteKey]) -> OpenedNote:
    """The text, if a known key signed it. Raises `Malformed` or `NoteRefused`."""
    note = parse_note(data)
    known = {(key.name, key.id): key for key in keys}
    signed_by: dict[NoteKey, None] = {}
    times: list[tuple[NoteKey, int]] = []
    unknown: list[str] = []
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:
            unknown.append(signature.name)
            continue
        if key in signed_by:
            raise NoteRefused(f"{key.name} signed twice")
        if not _holds(key, signature, note.text):
            raise NoteRefused(f"the signature of {key.name} does not hold")
        signed_by[key] = None
        if key.kind is KeyKind.COSIGNATURE:
            times.append((key, _TIME.unpack_from(signature.raw)[0]))
    if not signed_by:
        raise NoteRefused("no known key signed it")
    return OpenedNote(
        text=note.text,
        signed_by=tuple(signed_by),
        cosigned_at_seconds=tuple(times),
        unknown=tuple(unknown),
    )


def _holds(key: NoteKey, signature: NoteSignature, text: str) -> bool:
    raw = parse_public_key(key.public_key)
    if key.kind is KeyKind.ED25519:
        is_whole = len(signature.raw) == SIGNATURE_BYTES
        return is_whole and signature_holds(raw, text.encode(), signature.raw)
    if len(signature.raw) != _TIME.size + SIGNATURE_BYTES:
        return False
    (at_seconds,) = _TIME.unpack_from(signature.raw)
    return signature_holds(raw, _cosigned(text, at_seconds), signature.raw[_TIME.size :])


def _cosigned(text: str, at_seconds: int) -> bytes:
    return f"cosignature/v1\ntime {at_seconds}\n{text}".encode()


def _parse_signature(line: str) -> NoteSignature:
    lead, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    try:
        raw = binascii.a2b_base64(encoded, strict_mode=True)
    except (binascii.Error, ValueError):
        raise Malformed("note", "a signature is not base64") from None
    if lead + " " != _LEAD or len(raw) <= _ID_BYTES:
        raise Malformed("note", "a signature line is a dash, a name, and a signature")
    return NoteSignature(name, raw[:_ID_BYTES], raw[_ID_BYTES:])


def _check_text(text: str) -> None:
    if not text.endswith("\n"):
        raise Malformed("note", "its text does not end in a newline")
    if any((character < " " and character != "\n") or character == "\x7f" for character in text):
        raise Malformed("note", "its text has control characters")


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(c.isspace() or c < " " for c in name)
