"""What a reader sees above the verdicts: how much of what, who decided and after how long, and the policies in force.

Everything here is read out of the receipts, and none of it is checked by being written: the page below it checks.
Rule: whatever comes from a receipt is escaped, and its invisible characters are written out.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from heso.async_gate.stages import POLICY_SESSION
from heso.core.encoding import Digest
from heso.core.visible import visible
from heso.evidence.charts import bars, columns
from heso.evidence.collect import Collected, Item, Json

_DECIDED = ("approved", "denied", "expired")
_MOST_ROWS = 500
_MOST_DAYS = 120


@dataclass(frozen=True, slots=True)
class Decided:
    """One question and its answer. `after` is what the two links' own times differ by; None while it waits."""

    asked: Item
    answer: Item | None
    after: timedelta | None


def write_report(collected: Collected, names: Mapping[str, str]) -> str:
    """HTML for the top of the page. `names` says whose the keys are, in the project's own words."""
    actions = [item for item in collected.items if _is_action(item)]
    if not collected.items:
        return "<section><p>There is no receipt in it.</p></section>"
    decided = list(questions(collected.items))
    first, last = (_text(collected.items[at].at) for at in (0, -1))
    about = f"{len(collected.items)} receipts, {len(actions)} of them of actions, from {first} to {last}"
    parts = [
        "<section aria-label='Overview'><h2>What is in it</h2>",
        f"<p>{about} by the operator's clock. They are checked below, in this page.</p>",
        columns("Decisions over time", _over_time(actions)),
        bars("By verb", _count(item.content["action"]["verb"] for item in actions)),
    ]
    if decided:
        parts += [bars("Time to a decision", _by_time(decided)), _timeline(decided, names)]
    parts += [_policies(collected.policies), "</section>"]
    return "".join(parts)


def questions(items: Iterable[Item]) -> Iterable[Decided]:
    """Each lifecycle chain as a question and its answer."""
    chains: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        if "kind" in item.content:
            chains[str(item.content.get("session_id"))].append(item)
    for chain in chains.values():
        if chain[0].content["kind"] != "suspended":
            continue
        answer = next((item for item in chain if item.content["kind"] in _DECIDED), None)
        yield Decided(chain[0], answer, None if answer is None else _between(chain[0], answer))


def _between(first: Item, last: Item) -> timedelta | None:
    start, end = (_time(item.at) for item in (first, last))
    return None if start is None or end is None else end - start


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _is_action(item: Item) -> bool:
    return "kind" not in item.content and item.content.get("session_id") != POLICY_SESSION


def _over_time(actions: Iterable[Item]) -> dict[str, dict[str, int]]:
    """By day; by hour when it was all one day, and by month when there are too many days to draw."""
    times = [(item.at, item.content["policy"]["decision_path"]) for item in actions]
    days = {time[:10] for time, _ in times}
    cut = 13 if len(days) == 1 else 10 if len(days) <= _MOST_DAYS else 7
    slots: dict[str, dict[str, int]] = {}
    for time, decision in sorted(times):
        slot = slots.setdefault(time[:cut].replace("T", " ") + ("h" if cut == 13 else ""), {})
        slot[decision] = slot.get(decision, 0) + 1
    return slots


def _count(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())


def _by_time(decided: Iterable[Decided]) -> dict[str, int]:
    limits = (("under a minute", 60), ("under an hour", 3600), ("under a day", 86_400))
    counts = dict.fromkeys([*(name for name, _ in limits), "longer", "still open"], 0)
    for one in decided:
        if one.after is None:
            counts["still open"] += 1
            continue
        seconds = one.after.total_seconds()
        counts[next((name for name, limit in limits if seconds < limit), "longer")] += 1
    return {name: count for name, count in counts.items() if count}


def _timeline(decided: list[Decided], names: Mapping[str, str]) -> str:
    rows = "".join(_row(one, names) for one in decided[:_MOST_ROWS])
    more = f"<p>and {len(decided) - _MOST_ROWS} more</p>" if len(decided) > _MOST_ROWS else ""
    head = "".join(
        f"<th scope='col'>{name}</th>"
        for name in ("asked", "tool", "answer", "after", "by", "reason")
    )
    return (
        "<h2>Questions and answers</h2><div class='wide' tabindex='0'><table><thead><tr>"
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div>{more}"
    )


def _row(one: Decided, names: Mapping[str, str]) -> str:
    answer: Json = {} if one.answer is None else one.answer.content
    record: Json = answer.get("approver_decision", {})
    key = str(record.get("approver_identity", ""))
    cells = (
        one.asked.at,
        one.asked.content["action"]["tool_name"],
        answer.get("kind", "still open"),
        "" if one.after is None else str(one.after),
        names.get(key, key),
        record.get("reason", ""),
    )
    return "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in cells) + "</tr>"


def _policies(policies: Mapping[Digest, bytes]) -> str:
    return "".join(
        f"<details><summary>Policy {escape(policy_hash[:16])}</summary><pre>"
        f"{_lines(text.decode(errors='replace'))}</pre></details>"
        for policy_hash, text in policies.items()
    )


def _lines(text: str) -> str:
    return "\n".join(_text(line) for line in text.split("\n"))


def _text(value: object) -> str:
    return escape(visible(str(value)))
