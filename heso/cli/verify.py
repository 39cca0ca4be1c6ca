"""`heso verify`: 0 valid, 1 invalid, 2 unsupported, wrong algorithm or malformed, 64 usage.

Nothing of the project is needed to verify a file, and nothing is asked of a network.
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heso.cli.inputs import (
    NotFound,
    read_file,
    read_lines,
    read_numbered_lines,
    read_one,
    read_session,
    read_terms,
)
from heso.cli.output import answer, answer_json, fail, paint, with_progress
from heso.cli.verdicts import as_json, exit_code, line_of, report_chain, show_verdict
from heso.core.encoding import PublicKey, parse_public_key
from heso.core.errors import Malformed
from heso.core.redaction import check_reveals, parse_sidecar
from heso.core.verdict import ChainKind, ChainVerdict, Kind, Verdict
from heso.core.verify import Examined, Terms, examine_receipt, plain_verdict
from heso.core.visible import visible

if TYPE_CHECKING:
    from heso.core.collection import Session

USAGE = 64


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
    form.add_argument(
        "--session",
        action="store_true",
        help="a JSON array or JSON lines: one whole session, lifecycle links and all",
    )
    parser.add_argument("--reveal", metavar="SIDECAR", help="also open the receipt's commitments")
    parser.add_argument("--json", action="store_true", help="verdicts as JSON")
    _add_terms(parser)


def _add_terms(parser: argparse.ArgumentParser) -> None:
    """What the relying party brings."""
    parser.add_argument(
        "--operator", metavar="KEY", help="the base64 public key that must have signed"
    )
    parser.add_argument(
        "--producer-root",
        metavar="KEY",
        help="with --session: the operator's first key; rotations are followed",
    )
    parser.add_argument(
        "--decision-root", metavar="KEY", help="with --producer-root: the first decision key"
    )
    parser.add_argument(
        "--compat", action="store_true", help="answer like the format's reference where it is laxer"
    )
    parser.add_argument(
        "--time-roots", metavar="PEM", help="certificates of the time authorities to believe"
    )
    parser.add_argument(
        "--log", metavar="KEY", help="the log whose proof must be there: name+id+key, as published"
    )
    parser.add_argument(
        "--witness",
        metavar="KEY",
        action="append",
        default=[],
        help="with --log: a base64 key whose cosignature counts; one of them must be there; may be repeated",
    )
    parser.add_argument(
        "--taxonomy",
        choices=("current", "legacy"),
        help="derive each receipt's classification again",
    )


def run(options: argparse.Namespace) -> int:
    fault = _find_misuse(options) or _find_bad_key(options)
    if fault is not None:
        return fail(*fault, code=USAGE)
    try:
        return _run(_read_terms(options), options)
    except _Misused as error:
        return fail(str(error), error.cure, code=USAGE)
    except NotFound as error:
        return fail(str(error), "heso verify PATH, a hash, or - for standard input", code=USAGE)


class _Misused(Exception):
    """What the relying party brings is not what it has to be: that says nothing about any receipt."""

    cure = (
        "--log takes the key that `heso checkpoint` prints, --time-roots a file of PEM certificates"
    )


def _read_terms(options: argparse.Namespace) -> Terms:
    try:
        return read_terms(options)
    except Malformed as error:
        raise _Misused(str(error)) from None


def _find_misuse(options: argparse.Namespace) -> tuple[str, str] | None:
    """Options that do not go together: what, and what to do."""
    many = options.each or options.chain or options.audit or options.session
    rules = (
        (
            options.receipt is None and not (options.chain or options.audit),
            "nothing to verify",
            "heso verify PATH, a hash, or - for standard input",
        ),
        (
            options.reveal and many,
            "--reveal goes with one receipt",
            "heso verify PATH --reveal SIDECAR",
        ),
        (
            options.audit and _terms_told(options),
            "audit entries are not signed, stamped or logged one by one",
            f"{_terms_told(options)} goes with receipts: --chain",
        ),
        (
            options.witness and not options.log,
            "--witness goes with --log",
            "heso verify PATH --log KEY --witness KEY",
        ),
        (
            options.taxonomy and many and not options.each,
            "--taxonomy goes with one receipt, or with --each",
            "heso verify --each FILE --taxonomy current",
        ),
        (
            options.producer_root and not options.session,
            "--producer-root goes with --session",
            "heso verify --session FILE --producer-root KEY",
        ),
        (
            options.decision_root and not options.producer_root,
            "--decision-root goes with --producer-root",
            "heso verify --session FILE --producer-root KEY --decision-root KEY",
        ),
    )
    return next(((what, cure) for is_so, what, cure in rules if is_so), None)


def _terms_told(options: argparse.Namespace) -> str:
    """The first option that says how to judge a receipt; empty when none does."""
    names = ("operator", "log", "time_roots", "compat")
    told = [name for name in names if getattr(options, name)]
    return f"--{told[0].replace('_', '-')}" if told else ""


def _find_bad_key(options: argparse.Namespace) -> tuple[str, str] | None:
    names = ("operator", "producer_root", "decision_root")
    keys = [(name, getattr(options, name)) for name in names if getattr(options, name) is not None]
    for name, key in [*keys, *(("witness", key) for key in options.witness)]:
        try:
            parse_public_key(key)
        except Malformed as error:
            option = name.replace("_", "-")
            return f"--{option}: {error}", "it is the 44 characters that `heso doctor` prints"
    return None


def _run(terms: Terms, options: argparse.Namespace) -> int:
    if options.each:
        return _verify_each(read_lines(options), terms, options)
    if options.chain:
        return _verify_chains(list(read_numbered_lines(options)), terms, options)
    if options.session:
        return _verify_session(options, terms)
    if options.audit:
        return _verify_audit(options)
    return _verify_one(read_one(options), terms, options)


def _verify_audit(options: argparse.Namespace) -> int:
    from heso.core.audit import verify_audit_chain  # noqa: PLC0415  # one receipt does not need it

    verdict = verify_audit_chain(with_progress(read_lines(options)))
    return report_chain("audit chain", verdict, options)


def _verify_session(options: argparse.Namespace, terms: Terms) -> int:
    from heso.cli.cores import over_cores  # noqa: PLC0415  # one receipt needs neither
    from heso.core.session import Roots, verify_session_chain  # noqa: PLC0415

    try:
        receipts = read_session(options)
    except Malformed as error:
        unread = ChainVerdict(kind=ChainKind.MALFORMED, detail=str(error))
        return report_chain("session", unread, options)
    roots = None
    if options.producer_root is not None:
        decision = None if options.decision_root is None else PublicKey(options.decision_root)
        roots = Roots(producer=PublicKey(options.producer_root), decision=decision)
    verdict = verify_session_chain(receipts, terms, roots=roots, each=over_cores)
    return report_chain("session", verdict, options)


def _judge(examined: Examined, options: argparse.Namespace) -> Verdict:
    if options.taxonomy is None:
        return plain_verdict(examined.verdict)
    from heso.taxonomy.bundle import load_taxonomy  # noqa: PLC0415  # only who asks pays for it
    from heso.taxonomy.rederive import rederive  # noqa: PLC0415

    return plain_verdict(rederive(examined, load_taxonomy(options.taxonomy)))


def _verify_one(data: bytes, terms: Terms, options: argparse.Namespace) -> int:
    examined = examine_receipt(data, terms)
    verdict = _judge(examined, options)
    if options.reveal and verdict.is_valid and examined.envelope is not None:
        return _verify_reveals(examined, options)
    if options.json:
        answer_json(as_json(verdict))
    else:
        show_verdict(verdict, is_pinned=bool(options.operator))
    return exit_code([verdict.kind])


def _verify_reveals(examined: Examined, options: argparse.Namespace) -> int:
    content: dict[str, Any] = (examined.envelope or {})["content"]
    try:
        reveals = check_reveals(content, parse_sidecar(read_file(Path(options.reveal))))
    except Malformed as error:
        kind, detail = Kind.MALFORMED_REDACTION, str(error)
        if options.json:
            answer_json(as_json(Verdict(kind=kind, detail=detail)))
            return 1
        show_verdict(examined.verdict, is_pinned=bool(options.operator))
        return fail(detail, "the sidecar does not belong to this receipt, or was edited")
    if options.json:
        revealed = [{"field_path": r.field_path, "value_json": r.value_json} for r in reveals]
        answer_json(as_json(examined.verdict, revealed=revealed))
        return 0
    show_verdict(examined.verdict, is_pinned=bool(options.operator))
    for reveal in reveals:
        answer(f"  revealed {visible(reveal.field_path)} = {visible(reveal.value_json)}")
    return 0


def _verify_each(lines: Iterable[bytes], terms: Terms, options: argparse.Namespace) -> int:
    kinds: set[Kind] = set()
    for line in lines:
        verdict = _judge(examine_receipt(line, terms), options)
        kinds.add(verdict.kind)
        if options.json:
            answer_json(as_json(verdict))
        else:
            answer(line_of(verdict))
    if not kinds:
        return fail("there is no receipt in it", "each line is one receipt", code=2)
    return exit_code(kinds)


def _verify_chains(
    lines: Sequence[tuple[int, bytes]], terms: Terms, options: argparse.Namespace
) -> int:
    from heso.cli.cores import over_cores  # noqa: PLC0415  # one receipt needs neither
    from heso.core.collection import verify_collection  # noqa: PLC0415

    if not lines:
        return fail("there is no receipt in it", "each line is one receipt", code=2)
    receipts = [line for _, line in lines]
    sessions, standalone = verify_collection(receipts, terms, each=over_cores)
    kinds: set[Kind | ChainKind] = set()
    for session in sessions:
        kinds.add(session.verdict.kind)
        report_chain(f"session {session.session_id}", session.verdict, options)
    for lone in standalone:
        kinds.add(lone.verdict.kind)
        if options.json:
            answer_json(as_json(lone.verdict, place=lone.place))
        else:
            answer(f"receipt on line {lines[lone.place][0]}: {line_of(lone.verdict)}")
    if not options.json:
        _say_who_signed(sessions, terms.operator)
    return exit_code(kinds)


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
