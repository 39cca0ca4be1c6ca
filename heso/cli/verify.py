"""`heso verify`: 0 valid, 1 invalid, 2 unsupported, wrong algorithm or malformed, 64 usage.

Nothing of the project is needed to verify a file, and nothing is asked of a network.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from heso.cli.output import answer, answer_json, fail, paint, visible, with_progress
from heso.core.audit import verify_audit_chain
from heso.core.encoding import PublicKey, parse_public_key
from heso.core.errors import Malformed
from heso.core.redaction import check_reveals, parse_sidecar
from heso.core.strict_json import MAX_BYTES
from heso.core.verdict import ChainKind, ChainVerdict, Kind, Verdict
from heso.core.verify import Examined, Terms, examine_receipt, plain_verdict, verify_receipt

if TYPE_CHECKING:
    from heso.core.collection import Session

USAGE = 64
_UNREADABLE = frozenset(
    {
        Kind.WRONG_ALGORITHM,
        Kind.UNSUPPORTED,
        Kind.MALFORMED,
        ChainKind.MALFORMED,
        ChainKind.EMPTY,
    }
)
_MAX_FILE = 4 * 1024 * 1024  # more than any receipt; the reader says how much is too much
_MANY = 1000  # receipts from which a second core and a progress bar pay


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "receipt",
        nargs="?",
        metavar="PATH|HASH|-",
        help="a file, the beginning of a hash in this project's ledger, or - for standard input; with --chain or "
        "--audit and nothing here: the project's own ledger",
    )
    parser.add_argument("--project", metavar="DIR", help="the project to look a hash up in")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--each", action="store_true", help="JSON lines: one verdict for each line")
    form.add_argument("--chain", action="store_true", help="JSON lines: every session is one chain")
    form.add_argument("--audit", action="store_true", help="JSON lines: an audit chain")
    parser.add_argument(
        "--operator", metavar="KEY", help="the base64 public key that must have signed"
    )
    parser.add_argument("--reveal", metavar="SIDECAR", help="also open the receipt's commitments")
    parser.add_argument("--json", action="store_true", help="verdicts as JSON")


def run(options: argparse.Namespace) -> int:
    if options.receipt is None and not (options.chain or options.audit):
        return fail(
            "nothing to verify", "heso verify PATH, a hash, or - for standard input", code=USAGE
        )
    if options.reveal and (options.each or options.chain or options.audit):
        return fail(
            "--reveal goes with one receipt", "heso verify PATH --reveal SIDECAR", code=USAGE
        )
    if options.operator and options.audit:
        return fail(
            "audit entries are not signed", "--operator goes with receipts: --chain", code=USAGE
        )
    if options.operator is not None:
        try:
            parse_public_key(options.operator)
        except Malformed as error:
            return fail(
                f"--operator: {error}",
                "it is the 44 characters that `heso doctor` prints",
                code=USAGE,
            )
    try:
        return _run(options)
    except _NotFound as error:
        return fail(str(error), "heso verify PATH, a hash, or - for standard input", code=USAGE)


class _NotFound(Exception):
    """What was named is not there."""


def _run(options: argparse.Namespace) -> int:
    operator = None if options.operator is None else PublicKey(options.operator)
    if options.each:
        return _verify_each(_lines(options), operator, options)
    if options.chain:
        return _verify_chains(list(_numbered_lines(options)), operator, options)
    if options.audit:
        return _report_chain(
            "audit chain", verify_audit_chain(with_progress(_lines(options))), options
        )
    return _verify_one(_read_one(options), operator, options)


def _verify_one(data: bytes, operator: PublicKey | None, options: argparse.Namespace) -> int:
    examined = examine_receipt(data, Terms(operator=operator))
    verdict = plain_verdict(examined.verdict)
    if options.reveal and verdict.is_valid and examined.envelope is not None:
        return _verify_reveals(examined, options)
    if options.json:
        answer_json(_as_json(verdict))
    else:
        _show(verdict, is_pinned=bool(options.operator))
    return _exit_code([verdict.kind])


def _verify_reveals(examined: Examined, options: argparse.Namespace) -> int:
    content: dict[str, Any] = (examined.envelope or {})["content"]
    try:
        reveals = check_reveals(content, parse_sidecar(_read_file(Path(options.reveal))))
    except Malformed as error:
        kind, detail = Kind.MALFORMED_REDACTION, str(error)
        if options.json:
            answer_json(_as_json(Verdict(kind=kind, detail=detail)))
            return 1
        _show(examined.verdict, is_pinned=bool(options.operator))
        return fail(detail, "the sidecar does not belong to this receipt, or was edited")
    if options.json:
        revealed = [{"field_path": r.field_path, "value_json": r.value_json} for r in reveals]
        answer_json(_as_json(examined.verdict, revealed=revealed))
        return 0
    _show(examined.verdict, is_pinned=bool(options.operator))
    for reveal in reveals:
        answer(f"  revealed {visible(reveal.field_path)} = {visible(reveal.value_json)}")
    return 0


def _verify_each(
    lines: Iterable[bytes], operator: PublicKey | None, options: argparse.Namespace
) -> int:
    kinds: set[Kind] = set()
    for line in lines:
        verdict = verify_receipt(line, operator=operator)
        kinds.add(verdict.kind)
        if options.json:
            answer_json(_as_json(verdict))
        else:
            answer(_line(verdict))
    if not kinds:
        return fail("there is no receipt in it", "each line is one receipt", code=2)
    return _exit_code(kinds)


def _verify_chains(
    lines: Sequence[tuple[int, bytes]], operator: PublicKey | None, options: argparse.Namespace
) -> int:
    from heso.core.collection import verify_collection  # noqa: PLC0415  # one receipt does not need it

    if not lines:
        return fail("there is no receipt in it", "each line is one receipt", code=2)
    receipts = [line for _, line in lines]
    sessions, standalone = verify_collection(
        receipts, each=_many_cores(len(lines)), operator=operator
    )
    kinds: set[Kind | ChainKind] = set()
    for session in sessions:
        kinds.add(session.verdict.kind)
        _report_chain(f"session {session.session_id}", session.verdict, options)
    for lone in standalone:
        kinds.add(lone.verdict.kind)
        if options.json:
            answer_json(_as_json(lone.verdict, place=lone.place))
        else:
            answer(f"receipt on line {lines[lone.place][0]}: {_line(lone.verdict)}")
    if not options.json:
        _say_who_signed(sessions, operator)
    return _exit_code(kinds)


def _say_who_signed(sessions: Sequence["Session"], pinned: PublicKey | None) -> None:
    keys = {key: None for session in sessions for key in session.verdict.operators}
    for key in keys:
        about = ", the pinned operator" if key == pinned else " and others" if len(keys) > 1 else ""
        answer(f"signed by {key}{about}")
    bad = sum(not session.verdict.is_valid for session in sessions)
    if bad:
        answer(
            paint(
                f"{bad} of {len(sessions)} sessions do not hold; --each names the receipts", "red"
            )
        )


def _many_cores(count: int) -> Callable[..., Iterable[Any]]:
    """A map over receipts: on every core, and with a progress bar, once there are many."""
    if count < _MANY:
        return map
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # libsodium lets go of the GIL

    def each(judge: Callable[[bytes], Any], receipts: Sequence[bytes]) -> Iterator[Any]:
        def judge_some(some: Sequence[bytes]) -> list[Any]:
            return [judge(one) for one in some]

        pieces = [receipts[at : at + 100] for at in range(0, len(receipts), 100)]
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for piece in with_progress(pool.map(judge_some, pieces), len(pieces)):
                yield from piece

    return each


def _report_chain(name: str, verdict: ChainVerdict, options: argparse.Namespace) -> int:
    if options.json:
        found = {"kind": verdict.kind, "trust_level": None, "detail": verdict.detail}
        extra = {"chain": name, "length": verdict.length, "seq": verdict.seq}
        keys = {"operators": verdict.operators}
        answer_json(orjson.dumps({**found, **extra, **keys}).decode())
    else:
        mark = paint(str(verdict.kind), "green" if verdict.is_valid else "red")
        about = f"{verdict.length} in order" if verdict.is_valid else verdict.detail
        answer(
            f"{visible(name)}: {mark} ({visible(about)})" if about else f"{visible(name)}: {mark}"
        )
    return _exit_code([verdict.kind])


def _show(verdict: Verdict, *, is_pinned: bool) -> None:
    answer(_line(verdict))
    for signer in verdict.signers:
        answer(f"  signed by {signer}")
    if verdict.is_valid:
        known = "that is the pinned operator's key"
        unknown = "whose key that is, is for you to know (--operator)"
        answer(paint(f"  checked here, offline; {known if is_pinned else unknown}", "dim"))


def _line(verdict: Verdict) -> str:
    level = f" {verdict.trust_level}" if verdict.trust_level else ""
    detail = f": {visible(verdict.detail)}" if verdict.detail else ""
    mark = paint(f"{verdict.kind}{level}", "green" if verdict.is_valid else "red")
    return f"{mark}{detail}  {visible(verdict.action_hash or '')}".rstrip()


def _as_json(verdict: Verdict, **extra: object) -> str:
    found = {"kind": verdict.kind, "trust_level": verdict.trust_level, "detail": verdict.detail}
    return orjson.dumps({**found, **extra}).decode()


def _exit_code(kinds: Iterable[Kind | ChainKind]) -> int:
    worst = 0
    for kind in kinds:
        if kind not in (Kind.VALID, ChainKind.VALID):
            worst = max(worst, 2 if kind in _UNREADABLE else 1)
    return worst


def _read_one(options: argparse.Namespace) -> bytes:
    if options.receipt == "-":
        return sys.stdin.buffer.read(_MAX_FILE + 1)
    path = Path(options.receipt)
    if path.exists():
        return _read_file(path)
    from heso.cli.ledger import find_one, is_hash_prefix, open_records  # noqa: PLC0415  # a file needs no SQLite

    if not is_hash_prefix(options.receipt):
        raise _NotFound(f"{options.receipt} is neither a file nor a hash")
    with open_records(options.project) as records:
        return find_one(records, options.receipt).receipt


def _lines(options: argparse.Namespace) -> Iterator[bytes]:
    return (line for _, line in _numbered_lines(options))


def _numbered_lines(options: argparse.Namespace) -> Iterator[tuple[int, bytes]]:
    """The lines of a file with their numbers, or the project's own ledger when no file is named. Empty lines are
    passed over."""
    if options.receipt is None:
        yield from enumerate(_project_lines(options), 1)
    elif options.receipt == "-":
        yield from _full_lines(sys.stdin.buffer)
    else:
        path = Path(options.receipt)
        if not path.exists() or path.is_dir():
            raise _NotFound(f"{options.receipt} is not a file")
        with path.open("rb") as file:
            yield from _full_lines(file)


def _full_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines with something on them. Of one that is longer than any receipt only the beginning is kept: enough to refuse
    it, whatever its length."""
    number = 0
    while line := file.readline(MAX_BYTES + 2):
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


def _read_file(path: Path) -> bytes:
    if not path.exists() or path.is_dir():
        raise _NotFound(f"{path} is not a file")
    with path.open("rb") as file:
        return file.read(_MAX_FILE + 1)
