"""The verdict in one line of our own words and numbers, the same in every report for people.

Nothing that a pull request says gets into it: not a name, not a path, not a label.
"""

from __future__ import annotations

from collections.abc import Mapping

from model.audit import Audit, ResultStatus
from model.comparison import Comparison
from model.verdict import Reason, Verdict, VerdictWord
from reporting.numbers import count, delta_for_people, percent

HEADLINES: Mapping[VerdictWord, str] = {
    VerdictWord.PASSED: "Passed",
    VerdictWord.BLOCKED: "Blocked",
    VerdictWord.INCOMPLETE: "Incomplete",
    VerdictWord.NOT_COMPARED: "Not compared",
    VerdictWord.NOTHING_TO_SCAN: "Nothing to scan",
    VerdictWord.ERROR: "Error",
}
CLAUSES: Mapping[str, str] = {
    "fail_under": "the score is {number} and has to be {limit}",
    "fail_under_patch": "what it adds or alters scores {number} and has to score {limit}",
    "max_drop": "the score drops by {number} points, and may by {limit}",
    "fail_on": "it has {number}",
    "fail_on_new": "it brings {number}",
    "allow_incomplete": "it leaves {number}",
    "unused_waivers": "waivers have to be mended: {number}",
    "configuration": "its configuration is not valid",
    "break_glass": "the label for emergencies does not count",
}
"""Why a verdict is what it is, by the rule of the gate; number and limit are the gate's own words."""
QUOTING = frozenset({"configuration", "break_glass"})
"""Rules whose number, limit or remedy quote a configuration, a label or a login: these never stand in the line."""


def headline(verdict: Verdict) -> str:
    """The verdict in a word or two; what passed by a label for emergencies says so."""
    return "Passed in an emergency" if verdict.emergency else HEADLINES[verdict.word]


def verdict_line(head: Audit, comparison: Comparison | None, verdict: Verdict) -> str:
    """``82.1 → 80.4 (-1.7): 2 introduced, 5 resolved, blocked because …``; what was not scanned is part of it."""
    if verdict.word is VerdictWord.NOTHING_TO_SCAN:
        where = " under a path that was named" if verdict.reasons else ""
        return f"Nothing to scan: there is no Kubernetes manifest{where}"
    never = f"; {count(len(head.unscanned), 'item')} not scanned" if _is_worth_a_word(head, verdict) else ""
    return f"{_scores(head, comparison)}, {headline(verdict).lower()}{_although(verdict)}{never}"


def because(reason: Reason) -> str:
    """A reason in words that follow on "because"."""
    rule, _, paths = reason.rule.partition(" of ")
    clause = CLAUSES.get(rule, "a rule of the gate is not met")
    if rule not in QUOTING:
        clause = clause.format(number=reason.number, limit=reason.limit)
    return f"{clause}, in a part of the tree" if paths else clause


def _although(verdict: Verdict) -> str:
    """The first reason, and how many there are besides."""
    if not verdict.reasons:
        return ""
    first, *others = verdict.reasons
    word = "although" if verdict.emergency else "because"
    return f" {word} {because(first)}" + (f", and {count(len(others), 'more reason')}" if others else "")


def _is_worth_a_word(head: Audit, verdict: Verdict) -> bool:
    """What the policy lets pass unscanned stays in the line; where it is the reason, it stands there already."""
    is_said = bool(verdict.reasons) and verdict.reasons[0].rule == "allow_incomplete"
    return bool(head.unscanned) and not is_said


def _scores(head: Audit, comparison: Comparison | None) -> str:
    if comparison is None:
        failed = sum(result.status is ResultStatus.FAILED for result in head.results)
        return f"Score {percent(head.score)}: {count(failed, 'finding')}"
    return f"{scores(comparison)}: {len(comparison.introduced):,} introduced, {len(comparison.resolved):,} resolved"


def scores(comparison: Comparison) -> str:
    """``82.1 → 80.4 (-1.7)``: of all where both sides could judge all, else of the part that both could."""
    before, after = comparison.base_comparable, comparison.head_comparable
    is_part = (comparison.base.score, comparison.head.score) != (before, after)
    part = " of what both sides could judge" if is_part else ""
    return f"{percent(before)} → {percent(after)} ({delta_for_people(before, after)}){part}"
