"""Checkpoints: a log's size and root, signed (https://c2sp.org/tlog-checkpoint).

    origin
    size, in decimal
    base64 of the root

A checkpoint is a signed note whose text has exactly these three lines, and the log's own signature is under its
origin. Whoever keeps one can later demand a proof that nothing before it was changed.
"""

import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from heso.core.encoding import PublicKey, format_base64
from heso.core.errors import Malformed
from heso.core.merkle import LARGEST, NODE_BYTES
from heso.core.note import NoteKey, NoteRefused, OpenedNote, format_note, open_note, sign_note
from heso.core.receipt import Signs


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log named `origin` had `size` leaves, and its tree this root."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class OpenedCheckpoint:
    """A checkpoint that its log signed, and the note it came in."""

    checkpoint: Checkpoint
    note: OpenedNote


def parse_checkpoint(text: str) -> Checkpoint:
    """Raises `Malformed` for anything we would not have written."""
    lines = text.split("\n")
    if len(lines) != 4:
        raise Malformed("checkpoint", "must be three lines")
    origin, size, root = lines[:3]
    if not (size.isascii() and size.isdigit()) or len(size) > len(str(LARGEST)):
        raise Malformed("checkpoint", "its size is not a number")
    try:
        raw = binascii.a2b_base64(root, strict_mode=True)
    except (binascii.Error, ValueError):
        raise Malformed("checkpoint", "its root is not base64") from None
    checkpoint = Checkpoint(origin, int(size), raw)
    if format_checkpoint(checkpoint) != text:
        raise Malformed("checkpoint", "not in canonical form")
    return checkpoint


def format_checkpoint(checkpoint: Checkpoint) -> str:
    """The three lines. Raises `Malformed` for values that no reader would take."""
    if not checkpoint.origin or "\n" in checkpoint.origin:
        raise Malformed("checkpoint", "its origin is not one line")
    if not 0 <= checkpoint.size <= LARGEST or len(checkpoint.root) != NODE_BYTES:
        raise Malformed("checkpoint", "its size or root is none")
    return f"{checkpoint.origin}\n{checkpoint.size}\n{format_base64(checkpoint.root)}\n"


def sign_checkpoint(checkpoint: Checkpoint, signer: Signs) -> bytes:
    """The signed note, by the log's own key under its origin's name."""
    text = format_checkpoint(checkpoint)
    return format_note(sign_note(text, name=checkpoint.origin, signer=signer))


def open_checkpoint(
    data: bytes, *, origin: str, key: PublicKey, witnesses: Sequence[NoteKey] = ()
) -> OpenedCheckpoint:
    """The checkpoint, if the log signed it. Raises `Malformed` or `NoteRefused`."""
    own = NoteKey(origin, key)
    note = open_note(data, (own, *witnesses))
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != origin:
        raise NoteRefused(f"it is about the log {checkpoint.origin!r}")
    if own not in note.signed_by:
        raise NoteRefused("witnesses signed it, and the log itself did not")
    return OpenedCheckpoint(checkpoint, note)
