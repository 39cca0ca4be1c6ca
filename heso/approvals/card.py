"""What somebody has to see before they decide: everything that will be signed, and nothing that is not there.

Plain pairs of text. Whoever shows them makes hidden characters visible.
"""

from typing import Any

import orjson

from heso.approvals.request import Request

_OPERATORS = {
    "gt": "is above",
    "gte": "is at least",
    "lt": "is below",
    "lte": "is at most",
    "eq": "is",
    "neq": "is not",
    "in": "is one of",
    "not_in": "is none of",
    "contains": "contains",
    "matches": "matches",
    "regex": "matches",
}


def draw_card(request: Request) -> list[tuple[str, str]]:
    """Label and value, in the order in which a person reads them."""
    content: Any = request.content
    action, policy, terms = content["action"], content["policy"], request.terms
    lines = [
        ("action", f"{action['tool_name']} ({action['verb']})"),
        ("host", action.get("target_host", "")),
        *((f"  {name}", _json(value)) for name, value in action["fields"].items()),
        *(("  hidden", m["field_path"]) for m in content.get("redaction", {}).get("markers", ())),
        ("for", f"{action['account']}, in {action['workflow']}"),
        ("asked", f"{content['captured_at']} by {content['agent_identity']}"),
        ("rule", f"{policy['rule_id']}: {policy['rule_display']}"),
        *(("because", _because(c, action["fields"])) for c in policy["matched_conditions"]),
        ("deadline", f"{request.deadline}, then {terms.on_timeout}"),
        ("who", " or ".join(terms.names_at(request.rung)) or "anybody on the roster"),
        ("approvals", f"{len(request.said_yes)} of {terms.threshold}{_by(request.said_yes)}"),
        ("state", request.state),
        ("hash", content["action_hash"]),
    ]
    return [(label, value) for label, value in lines if value]


def _because(condition: dict[str, Any], fields: dict[str, Any]) -> str:
    """A condition with the value it met."""
    field, op = condition["field"], condition["op"]
    said = f"{field} {_OPERATORS.get(op, op)} {_json(condition['value'])}"
    return f"{said} (it is {_json(fields[field])})" if field in fields else said


def _by(people: tuple[str, ...]) -> str:
    return f": {', '.join(people)}" if people else ""


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
