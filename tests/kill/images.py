"""Power loss: what a disk may hold when the current goes, from a log of every write and sync.

What was synced is there. Of what was not, each block of 512 bytes may be there or not, whatever the order.
"""

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_BLOCK = 512
_FILES = ("heso.db", "heso.db-wal", "effects", "acknowledged")


@dataclass(frozen=True, slots=True)
class Op:
    """`w`rite at an offset, `t`runcate to it, or `s`ync."""

    kind: str
    path: str
    offset: int
    data: bytes


def parse_trace(raw: bytes) -> list[Op]:
    ops: list[Op] = []
    at = 0
    while at + 5 <= len(raw):
        kind, (length,) = chr(raw[at]), struct.unpack_from("<I", raw, at + 1)
        path = raw[at + 5 : at + 5 + length].decode()
        offset, size = struct.unpack_from("<qQ", raw, at + 5 + length)
        at += 21 + length
        data = raw[at : at + size] if kind == "w" else b""
        at += len(data)
        if Path(path).name in _FILES:
            ops.append(Op(kind, path, offset, data))
    return ops


def images(ops: Sequence[Op], dice: random.Random, number: int) -> Iterator[dict[str, bytes]]:
    """What each file may hold after a loss at `number` places, every fate of what was not synced by turns."""
    cuts = sorted(dice.sample(range(1, len(ops) + 1), min(number, len(ops))))
    for turn, cut in enumerate(cuts):
        yield _image(ops[:cut], dice, ("nothing", "everything", "some")[turn % 3])


def _image(ops: Sequence[Op], dice: random.Random, fate: str) -> dict[str, bytes]:
    durable: dict[str, bytearray] = {}
    pending: dict[str, list[Op]] = {}
    for op in ops:
        durable.setdefault(op.path, bytearray())
        if op.kind == "s":
            for late in pending.pop(op.path, []):
                _apply(durable[op.path], late)
        else:
            pending.setdefault(op.path, []).append(op)
    for path, late in pending.items():
        for op in late:
            if fate == "everything":
                _apply(durable[path], op)
            elif fate == "some":
                _apply_some(durable[path], op, dice)
    return {path: bytes(held) for path, held in durable.items()}


def _apply(held: bytearray, op: Op) -> None:
    if op.kind == "t":
        del held[op.offset :]
        held.extend(bytes(op.offset - len(held)))
        return
    held.extend(bytes(max(0, op.offset - len(held))))
    held[op.offset : op.offset + len(op.data)] = op.data


def _apply_some(held: bytearray, op: Op, dice: random.Random) -> None:
    if op.kind == "t":
        if dice.random() < 0.5:
            _apply(held, op)
        return
    for at in range(0, len(op.data), _BLOCK):
        if dice.random() < 0.5:
            _apply(held, Op("w", op.path, op.offset + at, op.data[at : at + _BLOCK]))
