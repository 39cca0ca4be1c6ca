"""Bars, as SVG: for whoever would rather look than read. Colours are classes of the page, so they fit light and dark.

Every label goes through `escape`; numbers are ours.
"""

from collections.abc import Mapping, Sequence
from html import escape

_WIDTH = 640
_ROW = 22
_LABEL = 170
_HEIGHT = 120
_BASE = 18


def bars(title: str, counts: Mapping[str, int], *, unit: str = "") -> str:
    """One horizontal bar for each name."""
    most = max(counts.values(), default=0) or 1
    room = _WIDTH - _LABEL - 60
    rows = [
        f'<text x="{_LABEL - 8}" y="{at * _ROW + 15}" text-anchor="end">{escape(name[:28])}</text>'
        f'<rect class="bar {_class(name)}" x="{_LABEL}" y="{at * _ROW + 3}" height="16" width="{max(1, room * count // most)}"/>'
        f'<text x="{_LABEL + max(1, room * count // most) + 6}" y="{at * _ROW + 15}">{count}{escape(unit)}</text>'
        for at, (name, count) in enumerate(counts.items())
    ]
    said = ", ".join(f"{name} {count}{unit}" for name, count in counts.items())
    return _svg(title, said, len(counts) * _ROW + 4, rows)


def columns(title: str, by_slot: Mapping[str, Mapping[str, int]]) -> str:
    """One stacked column for each slot of time."""
    most = max((sum(slot.values()) for slot in by_slot.values()), default=0) or 1
    width = max(2, min(48, (_WIDTH - 8) // max(1, len(by_slot))))
    parts: list[str] = []
    for place, (slot, counts) in enumerate(by_slot.items()):
        parts += _column(place * width, width, counts, most)
        if place in (0, len(by_slot) - 1):
            anchor = "start" if place == 0 else "end"
            x = 0 if place == 0 else (place + 1) * width
            if place == 0 or len(by_slot) * width > 200:
                parts.append(
                    f'<text x="{x}" y="{_HEIGHT + _BASE - 4}" text-anchor="{anchor}">{escape(slot)}</text>'
                )
    names = sorted({name for counts in by_slot.values() for name in counts})
    for at, name in enumerate(names):
        x, y = at * 150, _HEIGHT + _BASE
        parts.append(
            f'<rect class="bar {_class(name)}" x="{x}" y="{y + 2}" width="10" height="10"/>'
        )
        parts.append(f'<text x="{x + 15}" y="{y + 11}">{escape(name)}</text>')
    said = "; ".join(
        f"{slot}: {', '.join(f'{name} {count}' for name, count in counts.items())}"
        for slot, counts in by_slot.items()
    )
    return _svg(title, said, _HEIGHT + _BASE + 16, parts)


def _column(x: int, width: int, counts: Mapping[str, int], most: int) -> Sequence[str]:
    parts: list[str] = []
    top = _HEIGHT
    for name, count in sorted(counts.items()):
        height = max(1, (_HEIGHT - 4) * count // most)
        top -= height
        parts.append(
            f'<rect class="bar {_class(name)}" x="{x}" y="{top}" width="{max(1, width - 1)}" height="{height}">'
            f"<title>{escape(name)} {count}</title></rect>"
        )
    return parts


def _svg(title: str, said: str, height: int, parts: Sequence[str]) -> str:
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}: {escape(said[:400])}">{"".join(parts)}</svg></figure>'
    )


def _class(name: str) -> str:
    return {
        "allow": "c-good",
        "approved": "c-good",
        "completed": "c-good",
        "block": "c-bad",
        "denied": "c-bad",
        "expired": "c-bad",
        "redact": "c-note",
        "require_approval": "c-warn",
        "suspended": "c-warn",
        "escalated": "c-warn",
    }.get(name, "c-plain")
