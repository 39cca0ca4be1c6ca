"""The table, on the terminal and in RESULTS.md."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.rows import Row
from bench.statistics import Estimate, Verdict, is_noise, judge

HEADER = ("row", "ratio", "95 % interval", "hard", "want", "verdict", "")
RESULTS = Path(__file__).parent / "RESULTS.md"


@dataclass(frozen=True, slots=True)
class Result:
    """One measured row."""

    row: Row
    measured: Estimate

    @property
    def verdict(self) -> Verdict | None:
        """Return what the row says about its bar; None if it has no bar."""
        return None if self.row.bar is None else judge(self.measured, self.row.bar)

    @property
    def is_void(self) -> bool:
        """Tell whether this row says that the machine was too restless for any other row to count."""
        return self.row.is_noise and is_noise(self.measured)


def format_table(results: Sequence[Result]) -> str:
    """Lay the results out in columns; the row's short name comes last, for `--only`."""
    lines = [HEADER, *map(_cells, results)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def write_results(results: Sequence[Result], facts: Iterable[str], promises: Iterable[str]) -> None:
    """Write the run down; ratios only, so that nothing in the file is about one machine's clock."""
    rule = "|".join("---" for _ in HEADER)
    table = (" | ".join(_cells(result)) for result in results)
    RESULTS.write_text(
        "\n".join(
            [
                f"# Results of {time.strftime('%Y-%m-%d', time.gmtime())}",
                "",
                "Written by `python -m bench.run`; how to read it is in [README.md](README.md).",
                "",
                *(f"- {fact}" for fact in facts),
                "",
                "## Integrity, checked before any number",
                "",
                *(f"- {promise}" for promise in promises),
                "",
                "## Ratios",
                "",
                f"| {' | '.join(HEADER)} |",
                f"|{rule}|",
                *(f"| {line} |" for line in table),
                "",
            ]
        )
    )


def _cells(result: Result) -> tuple[str, ...]:
    measured, bar = result.measured, result.row.bar
    interval = f"{_digits(measured.low)} - {_digits(measured.high)}"
    if bar is None:
        hard, want, verdict = "", "", "void" if result.is_void else ""
    else:
        sign = "<=" if bar.at_most else ">="
        met = ", met" if bar.holds(measured.median, bar.want) else ""
        hard, want, verdict = f"{sign} {bar.hard:g}", f"{bar.want:g}{met}", judge(measured, bar)
    ratio = _digits(measured.median)
    return result.row.title, ratio, interval, hard, want, verdict, result.row.name


def _digits(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"
