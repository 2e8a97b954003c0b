from __future__ import annotations

import pytest

from model.audit import Score
from model.control import Severity
from reporting.numbers import count, delta, percent, severities, share
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


def test_a_share_of_the_score_is_rounded_and_never_hides_that_there_is_one() -> None:
    shares = [share(0, 10), share(8, 1000), share(1, 3), share(4, 10_000), share(1, 10_000_000), share(0, 0)]
    assert shares == ["0", "0.8", "33.3", "0.04", "0.01", "0"]


def test_results_are_counted_by_severity_worst_first() -> None:
    rows = [result(severity=severity) for severity in (Severity.LOW, Severity.CRITICAL, Severity.LOW)]
    assert severities(rows) == "3 (1 critical, 2 low)"
    assert severities([]) == "0"
