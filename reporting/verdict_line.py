"""The verdict in one line of our own words and numbers, the same in every report for people."""

from __future__ import annotations

from collections.abc import Mapping

from model.audit import Audit, ResultStatus
from model.comparison import Comparison
from model.verdict import Verdict, VerdictWord
from reporting.numbers import count, delta_for_people, percent

HEADLINES: Mapping[VerdictWord, str] = {
    VerdictWord.PASSED: "Passed",
    VerdictWord.BLOCKED: "Blocked",
    VerdictWord.INCOMPLETE: "Incomplete",
    VerdictWord.NOT_COMPARED: "Not compared",
    VerdictWord.NOTHING_TO_SCAN: "Nothing to scan",
    VerdictWord.ERROR: "Error",
}


def headline(verdict: Verdict) -> str:
    """The verdict in a word or two; what passed by a label for emergencies says so."""
    return "Passed in an emergency" if verdict.emergency else HEADLINES[verdict.word]


def verdict_line(head: Audit, comparison: Comparison | None, verdict: Verdict) -> str:
    """``Blocked: 82.1 → 80.4 (-1.7), 2 introduced, 5 resolved``; what was not scanned is part of it."""
    words = headline(verdict)
    if verdict.word is VerdictWord.NOTHING_TO_SCAN:
        return f"{words}: there is no Kubernetes manifest"
    never = f"; {count(len(head.unscanned), 'item')} not scanned" if head.unscanned else ""
    return f"{words}: {_scores(head, comparison)}{never}"


def _scores(head: Audit, comparison: Comparison | None) -> str:
    if comparison is None:
        failed = sum(result.status is ResultStatus.FAILED for result in head.results)
        return f"score {percent(head.score)}, {count(failed, 'finding')}"
    return f"{scores(comparison)}, {len(comparison.introduced):,} introduced, {len(comparison.resolved):,} resolved"


def scores(comparison: Comparison) -> str:
    """``82.1 → 80.4 (-1.7)``: of all where both sides could judge all, else of the part that both could."""
    before, after = comparison.base_comparable, comparison.head_comparable
    is_part = (comparison.base.score, comparison.head.score) != (before, after)
    part = " of what both sides could judge" if is_part else ""
    return f"{percent(before)} → {percent(after)} ({delta_for_people(before, after)}){part}"
