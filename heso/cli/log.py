"""`heso log`: the newest receipts, and new ones as they come."""

import argparse
import sys
import time
from collections.abc import Iterable

import orjson

from heso.cli.arguments import add_project
from heso.cli.ledger import content_of, decision_of, open_records
from heso.cli.output import answer_json, is_terminal, say, table
from heso.core.receipt import DecisionPath, Verb
from heso.core.schema import KINDS
from heso.ports import Filter, Record
from heso.stores.sqlite.records import SqliteRecords

_HEADER = ("#", "at", "decision", "tool", "session", "rule", "hash")
_STYLES = {"block": "red", "require_approval": "yellow", "suspended": "yellow"}
_POLL_SECONDS = 0.5
_DECISIONS = (*DecisionPath, *(kind for kind in KINDS if kind != "action"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-n", "--limit", type=int, default=30, metavar="N", help="how many (default: 30)"
    )
    parser.add_argument("--session", help="only this session")
    parser.add_argument("--workflow", help="only this workflow")
    parser.add_argument("--account", help="only this account")
    parser.add_argument("--tool", help="only this tool")
    parser.add_argument(
        "--verb", choices=list(Verb), metavar="VERB", help=f"only {', '.join(Verb)}"
    )
    parser.add_argument(
        "--decision", choices=_DECISIONS, metavar="DECISION", help=f"only {', '.join(_DECISIONS)}"
    )
    parser.add_argument("--json", action="store_true", help="the receipts as JSON lines")
    parser.add_argument(
        "-f", "--follow", action="store_true", help="go on as new ones come; Ctrl-C ends it"
    )
    add_project(parser)


def run(options: argparse.Namespace) -> int:
    wanted = Filter(
        session_id=options.session,
        workflow=options.workflow,
        account=options.account,
        tool_name=options.tool,
        verb=options.verb,
        decision=options.decision,
    )
    with open_records(options.project) as records:
        seen = records.count() - 1
        newest = records.newest(max(0, options.limit), wanted)
        _print(newest, as_json=options.json)
        if not newest and not options.follow:
            say("heso: no receipt is like that")
        if options.follow:
            seen = max(seen, newest[-1].position if newest else -1)
            _follow(records, wanted, seen, as_json=options.json)
    return 0


def _follow(records: SqliteRecords, wanted: Filter, seen: int, *, as_json: bool) -> None:
    while True:
        fresh = list(records.read(wanted, after=seen))
        if fresh:
            seen = fresh[-1].position
            _print(fresh, as_json=as_json)
        time.sleep(_POLL_SECONDS)


def _print(found: Iterable[Record], *, as_json: bool) -> None:
    if as_json:
        for record in found:
            answer_json(record.receipt.decode())
    else:
        rows = [_row(record) for record in found]
        styles = [_STYLES.get(row[2].split(" ")[0], "") for row in rows]
        if rows:
            table(_HEADER, rows, styles=styles, narrow=("#", "at", "decision", "hash"))
    sys.stdout.flush()


def _row(record: Record) -> tuple[str, ...]:
    content = content_of(record)
    # An outcome has no time of its own in the format; its audit entry has.
    at = content["captured_at"] or orjson.loads(record.audit_entry)["recorded_at"]
    return (
        str(record.position),
        at[5:16].replace("T", " ") if is_terminal() else at,
        decision_of(content),
        content["action"]["tool_name"],
        _shorten(record.session_id or ""),
        content["policy"]["rule_id"],
        content["action_hash"][:12],
    )


def _shorten(session: str) -> str:
    """A lifecycle's name holds a whole hash; people know it by its beginning."""
    return session if len(session) <= 14 or not is_terminal() else session[:13] + "…"
