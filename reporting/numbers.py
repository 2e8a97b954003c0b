"""Scores and counts as reports show them."""

from __future__ import annotations

from fractions import Fraction

from model.audit import Score

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
