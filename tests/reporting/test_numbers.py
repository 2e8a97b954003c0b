from __future__ import annotations

from fractions import Fraction

import pytest

from model.audit import Score
from model.control import Severity
from reporting.numbers import count, delta, percent, points, severities
from tests.audits import result


@pytest.mark.parametrize(
    ("earned", "possible", "shown"),
    [(0, 0, "n/a"), (0, 7, "0.0"), (7, 7, "100.0"), (9999, 10000, "99.9"), (1, 3, "33.3"), (2, 3, "66.6")],
)
def test_a_score_is_rounded_down_so_that_100_means_100(earned: int, possible: int, shown: str) -> None:
    assert percent(Score(earned=earned, possible=possible)) == shown


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [((1, 2), (3, 4), "+25.0"), ((3, 4), (1, 2), "-25.0"), ((1, 3), (2, 6), "+0.0"), ((1, 2), (0, 0), "n/a")],
)
def test_a_delta_is_the_difference_of_the_exact_ratios(
    before: tuple[int, int], after: tuple[int, int], shown: str
) -> None:
    assert delta(*(Score(earned=earned, possible=possible) for earned, possible in (before, after))) == shown


def test_a_count_agrees_with_its_noun() -> None:
    assert [count(1, "finding"), count(2, "finding"), count(1200, "entry", "entries")] == [
        "1 finding",
        "2 findings",
        "1,200 entries",
    ]


def test_points_are_rounded_and_never_hide_that_there_are_some() -> None:
    shares = [points(Fraction(*each)) for each in ((-4, 5), (100, 3), (1, 25), (-1, 10**7), (0, 1), (-2000, 1))]
    assert shares == ["-0.80", "+33.33", "+0.04", "-0.01", "+0.00", "-2,000.00"]


def test_results_are_counted_by_severity_worst_first() -> None:
    rows = [result(severity=severity) for severity in (Severity.LOW, Severity.CRITICAL, Severity.LOW)]
    assert severities(rows) == "3 (1 critical, 2 low)"
    assert severities([]) == "0"
