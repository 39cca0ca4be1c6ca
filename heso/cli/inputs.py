"""What `heso verify` reads: a file, standard input, or this project's own ledger.

Rule: never more than a receipt's worth of bytes at once from a line that has no end.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from heso.core.encoding import PublicKey
from heso.core.errors import Malformed
from heso.core.strict_json import MAX_BYTES, split_array
from heso.core.verify import Terms

_MAX_FILE = 4 * 1024 * 1024  # more than any receipt; the reader says how much is too much
_MAX_ARRAY = 64 * 1024 * 1024  # a session as one JSON text


class NotFound(Exception):
    """What was named is not there."""


def read_terms(options: argparse.Namespace) -> Terms:
    """What the caller brings: pinned keys, roots and logs. Raises `Malformed` or `NotFound`."""
    operator = None if options.operator is None else PublicKey(options.operator)
    log = None
    if options.log is not None:
        from heso.core.note import KeyKind, parse_note_key  # noqa: PLC0415  # only who pins a log pays
        from heso.core.transparency import PinnedLog  # noqa: PLC0415

        key = parse_note_key(options.log)
        if key.kind is not KeyKind.ED25519:
            raise Malformed("note key", "a witness's, and a log signs with a plain one")
        witnesses = frozenset(PublicKey(witness) for witness in options.witness)
        log = PinnedLog(origin=key.name, key=key.public_key, witnesses=witnesses, is_required=True)
    time = None
    if options.time_roots is not None:
        try:
            from heso.core.timestamps import parse_time_roots  # noqa: PLC0415  # an extra
        except ImportError:
            raise NotFound("the `time` extra is not installed") from None
        time = parse_time_roots(read_file(Path(options.time_roots)))
    return Terms(operator=operator, time=time, log=log, compat=options.compat)


def read_one(options: argparse.Namespace) -> bytes:
    if options.receipt == "-":
        return sys.stdin.buffer.read(_MAX_FILE + 1)
    path = Path(options.receipt)
    if path.exists():
        return read_file(path)
    from heso.cli.ledger import find_one, is_hash_prefix, open_records  # noqa: PLC0415  # a file needs no SQLite

    if not is_hash_prefix(options.receipt):
        raise NotFound(f"{options.receipt} is neither a file nor a hash")
    with open_records(options.project) as records:
        return find_one(records, options.receipt).receipt


def read_lines(options: argparse.Namespace) -> Iterator[bytes]:
    return (line for _, line in read_numbered_lines(options))


def read_session(options: argparse.Namespace) -> list[bytes]:
    """The receipts of one session: a JSON array of them, or JSON lines. Raises `Malformed`."""
    if options.receipt == "-":
        return _read_session(sys.stdin.buffer)
    with _open_file(Path(options.receipt)) as file:
        return _read_session(file)


def _read_session(file: BinaryIO) -> list[bytes]:
    begin = file.read(1)
    while begin.isspace():
        begin = file.read(1)
    if begin != b"[":  # lines may go on for ever: a session is never judged by its beginning
        return [line for _, line in _full_lines(file, begin)]
    data = begin + file.read(_MAX_ARRAY)
    if len(data) > _MAX_ARRAY:
        raise Malformed("session", f"larger than {_MAX_ARRAY} bytes; write it as JSON lines")
    return split_array(data)


def read_numbered_lines(options: argparse.Namespace) -> Iterator[tuple[int, bytes]]:
    """The lines of a file with their numbers, or the project's own ledger when no file is named. Empty lines are
    passed over."""
    if options.receipt is None:
        yield from enumerate(_project_lines(options), 1)
    elif options.receipt == "-":
        yield from _full_lines(sys.stdin.buffer)
    else:
        with _open_file(Path(options.receipt)) as file:
            yield from _full_lines(file)


def _full_lines(file: BinaryIO, begin: bytes = b"") -> Iterator[tuple[int, bytes]]:
    """Lines with something on them; `begin` was read already. Of one that is longer than any receipt only the beginning is kept: enough to refuse
    it, whatever its length."""
    number = 0
    while line := begin + file.readline(MAX_BYTES + 2):
        begin = b""
        number += 1
        rest = line
        while not rest.endswith(b"\n") and (rest := file.readline(MAX_BYTES)):
            pass
        if line.strip():
            yield number, line


def _project_lines(options: argparse.Namespace) -> Iterator[bytes]:
    from heso.cli.ledger import open_records  # noqa: PLC0415  # a file needs no SQLite

    with open_records(options.project) as records:
        for record in records.read():
            yield record.audit_entry if options.audit else record.receipt


def read_file(path: Path, *, limit: int = _MAX_FILE) -> bytes:
    """The file's bytes, at most one more than `limit`. Raises `NotFound`."""
    with _open_file(path) as file:
        return file.read(limit + 1)


def _open_file(path: Path) -> BinaryIO:
    if not path.exists() or path.is_dir():
        raise NotFound(f"{path} is not a file")
    return path.open("rb")
