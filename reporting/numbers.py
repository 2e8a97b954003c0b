"""Scores and counts as reports show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

from model.audit import Result, Score
from model.control import Severity

NOT_AVAILABLE = "n/a"


def percent(score: Score) -> str:
    """``82.1``: one decimal, rounded down so that 100.0 means 100; ``n/a`` where nothing was judged."""
    if not score.possible:
        return NOT_AVAILABLE
    tenths = 1000 * score.earned // score.possible
    return f"{tenths // 10}.{tenths % 10}"


def delta(before: Score, after: Score) -> str:
    """``+6.3`` or ``-0.4``: the difference of the exact ratios, rounded; ``n/a`` without both."""
    difference = _difference(before, after)
    if difference is None:
        return NOT_AVAILABLE
    tenths = round(abs(difference) * 10)
    sign = "-" if difference < 0 else "+"
    return f"{sign}{tenths // 10}.{tenths % 10}"


def delta_for_people(before: Score, after: Score) -> str:
    """The same, but ``-0.04`` where that would be ``-0.0``: little is not nothing."""
    difference = _difference(before, after)
    return points(difference) if difference and abs(difference) < Fraction(1, 10) else delta(before, after)


def _difference(before: Score, after: Score) -> Fraction | None:
    """Points of 100."""
    if not before.possible or not after.possible:
        return None
    return Fraction(100 * after.earned, after.possible) - Fraction(100 * before.earned, before.possible)


def count(number: int, noun: str, plural: str | None = None) -> str:
    """``1 finding``, ``2 findings``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def points(difference: Fraction) -> str:
    """``-3.40``, ``+0.04``: points of 100 with a sign, rounded; little is not nothing."""
    sign = "-" if difference < 0 else "+"
    hundredths = max(1, round(abs(difference) * 100)) if difference else 0
    return f"{sign}{hundredths // 100:,}.{hundredths % 100:02}"


def severities(results: Iterable[Result]) -> str:
    """``7 (1 critical, 2 high, 4 low)``."""
    counts = Counter(result.severity for result in results)
    words = ", ".join(f"{counts[severity]:,} {severity}" for severity in Severity if counts[severity])
    return f"{sum(counts.values()):,} ({words})" if counts else "0"
