"""`heso show`: one receipt, the way a person reads it, with its verdict."""

import argparse
import os
from pathlib import Path
from typing import Any

import anyio
import orjson

from heso.approvals.votes import parse_votes
from heso.cli.arguments import add_project
from heso.cli.ledger import content_of, decision_of, find_one, open_records
from heso.cli.output import answer, answer_json, paint
from heso.core.encoding import Digest
from heso.core.hashing import fingerprint
from heso.core.instant import format_instant
from heso.core.ticket import OPEN_STATES
from heso.core.verdict import Verdict
from heso.core.verify import verify_receipt
from heso.core.visible import visible
from heso.settings import STATE_FOLDER, find_root
from heso.stores.sqlite.tickets import SqliteTickets


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("hash", metavar="HASH", help="the receipt's action hash, or its beginning")
    parser.add_argument("--json", action="store_true", help="the receipt itself, as it was signed")
    add_project(parser)


def run(options: argparse.Namespace) -> int:
    with open_records(options.project) as records:
        record = find_one(records, options.hash)
    if options.json:
        answer_json(record.receipt.decode())
        return 0
    verdict = verify_receipt(record.receipt)
    content = content_of(record)
    for name, value in _card(content, record.position, verdict):
        answer(f"{paint(f'{name:<12}', 'dim')} {value}")
    for name, value in _fate(options.project, content["action_hash"]):
        answer(f"{paint(f'{name:<12}', 'dim')} {visible(value)}")
    level = f" {verdict.trust_level}" if verdict.trust_level else ""
    detail = f": {visible(verdict.detail)}" if verdict.detail else ""
    mark = paint(f"{verdict.kind}{level}", "green" if verdict.is_valid else "red")
    answer(f"{paint('verdict     ', 'dim')} {mark}{detail}")
    return 0 if verdict.is_valid else 1


def _fate(project: str | None, action_hash: str) -> list[tuple[str, str]]:
    """What became of an action that people were asked about; nothing for any other receipt."""
    root = find_root(os.environ, Path.cwd(), project)
    tickets = SqliteTickets(root / STATE_FOLDER / "heso.db")
    ticket = anyio.run(tickets.find, Digest(action_hash))
    if ticket is None:
        return []
    lines = [("state", str(ticket.state).replace("_", " "))]
    if ticket.state in OPEN_STATES:
        lines.append(("until", format_instant(ticket.due)))
    for cast in parse_votes(ticket.votes_json):
        record = cast.vote.record
        why = f": {record.reason}" if record.reason else ""
        lines.append(("said", f"{cast.person} {record.decision}{why}"))
    if ticket.replaced_by is not None:
        lines.append(("instead", ticket.replaced_by))
    if ticket.error is not None:
        lines.append(("error", ticket.error))
    return lines


def _card(content: dict[str, Any], position: int, verdict: Verdict) -> list[tuple[str, str]]:
    action, policy = content["action"], content["policy"]
    place = (
        f"{content['session_id']} #{content['seq']}" if "session_id" in content else "stands alone"
    )
    lines = [
        ("hash", content["action_hash"]),
        ("tool", f"{action['tool_name']} ({action['verb']})"),
        ("decision", decision_of(content)),
        ("rule", f"{policy['rule_id']}: {policy['rule_display']}"),
        ("at", content["captured_at"]),
        ("workflow", action["workflow"]),
        ("account", action["account"]),
        ("host", action.get("target_host", "")),
        ("session", place),
        ("audit", f"entry {position}"),
    ]
    lines += [("signed by", f"{key}  {fingerprint(key)}") for key in verdict.signers]
    if verdict.signers and content["agent_identity"] != verdict.signers[0]:
        lines.append(("CLAIMS", f"another operator: {content['agent_identity']}"))
    lines += [("because", _condition(c)) for c in policy["matched_conditions"]]
    lines += [("argument", f"{name} = {_json(value)}") for name, value in action["fields"].items()]
    lines += [("hidden", m["field_path"]) for m in content.get("redaction", {}).get("markers", ())]
    if "suspension" in content:
        lines.append(("expires", content["suspension"]["approval"]["expires_at"]))
    return [(name, visible(str(value))) for name, value in lines if value]


def _condition(condition: dict[str, Any]) -> str:
    return f"{condition['field']} {condition['op']} {_json(condition['value'])}"


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
