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
    """``+6.3`` or ``-0.4``: the difference of the exact ratios, rounded towards zero; ``n/a`` without both."""
    if not before.possible or not after.possible:
        return NOT_AVAILABLE
    difference = Fraction(100 * after.earned, after.possible) - Fraction(100 * before.earned, before.possible)
    tenths = abs(difference.numerator) * 10 // difference.denominator
    sign = "-" if difference < 0 else "+"
    return f"{sign}{tenths // 10}.{tenths % 10}"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """``1 finding``, ``2 findings``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def points(difference: Fraction) -> str:
    """``-3.4``, ``+0.04``: points of 100 with a sign, rounded; little is not nothing."""
    sign = "-" if difference < 0 else "+"
    hundredths = max(1, round(abs(difference) * 100)) if difference else 0
    if hundredths < 100:
        return f"{sign}0.{hundredths:02}"
    tenths = round(abs(difference) * 10)
    return f"{sign}{tenths // 10:,}.{tenths % 10}"


def severities(results: Iterable[Result]) -> str:
    """``7 (1 critical, 2 high, 4 low)``."""
    counts = Counter(result.severity for result in results)
    words = ", ".join(f"{counts[severity]} {severity}" for severity in Severity if counts[severity])
    return f"{sum(counts.values()):,} ({words})" if counts else "0"
