"""From the ratios of some rounds to a verdict.

Rule 1: a ratio is made inside one round, where both subjects met the same machine; times of different rounds are
never divided.
Rule 2: PASS by the median; FAIL only if the whole interval is on the wrong side of the hard bar; else RETRY.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from statistics import median

RESAMPLES = 2000
NOISE_LOW, NOISE_HIGH = 0.85, 1.15


@dataclass(frozen=True, slots=True)
class Estimate:
    """A median and its bootstrap 95 % interval."""

    median: float
    low: float
    high: float
    rounds: int


class Verdict(StrEnum):
    """What a row says about its hard bar."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    RETRY = "RETRY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The side a ratio has to be on: `hard` decides, `want` is where we would like to be."""

    at_most: bool
    hard: float
    want: float

    def holds(self, ratio: float, limit: float) -> bool:
        """Tell whether a ratio is on the right side of a limit."""
        return ratio <= limit if self.at_most else ratio >= limit


def at_most(hard: float, want: float) -> Bar:
    """Less is better."""
    return Bar(at_most=True, hard=hard, want=want)


def at_least(hard: float, want: float) -> Bar:
    """More is better."""
    return Bar(at_most=False, hard=hard, want=want)


def estimate(ratios: Sequence[float]) -> Estimate:
    """Return the median of the ratios and where it would fall if the rounds were drawn again."""
    draw = Random(len(ratios))
    medians = sorted(median(draw.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    return Estimate(
        median=median(ratios),
        low=medians[RESAMPLES * 25 // 1000],
        high=medians[RESAMPLES * 975 // 1000 - 1],
        rounds=len(ratios),
    )


def judge(measured: Estimate, bar: Bar) -> Verdict:
    """Hold a measured ratio against its hard bar."""
    if bar.holds(measured.median, bar.hard):
        return Verdict.PASS
    best = measured.low if bar.at_most else measured.high
    return Verdict.RETRY if bar.holds(best, bar.hard) else Verdict.FAIL


def is_noise(measured: Estimate) -> bool:
    """Tell whether the same program against itself differs too much for any ratio of the run to count."""
    return not NOISE_LOW <= measured.median <= NOISE_HIGH
