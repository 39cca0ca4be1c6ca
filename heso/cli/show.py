"""`heso show`: one receipt, the way a person reads it, with its verdict."""

import argparse
from typing import Any

import orjson

from heso.cli.arguments import add_project
from heso.cli.ledger import content_of, decision_of, find_one, open_records
from heso.cli.output import answer, answer_json, paint
from heso.core.hashing import fingerprint
from heso.core.verdict import Verdict
from heso.core.verify import verify_receipt
from heso.core.visible import visible


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
    level = f" {verdict.trust_level}" if verdict.trust_level else ""
    detail = f": {visible(verdict.detail)}" if verdict.detail else ""
    mark = paint(f"{verdict.kind}{level}", "green" if verdict.is_valid else "red")
    answer(f"{paint('verdict     ', 'dim')} {mark}{detail}")
    return 0 if verdict.is_valid else 1


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
