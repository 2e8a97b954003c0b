"""The verdict for a person at a terminal: verdict first, worst first, short."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from model.audit import ALL_OF_PODS, Audit, Result, ResultStatus
from model.comparison import Comparison
from model.control import Control, Severity
from model.resource import Failure, Stage
from model.verdict import Verdict, VerdictWord
from reporting.difference import pieces_of
from reporting.numbers import count, percent, severities
from reporting.rows import Group, Row, groups_of, rows_of
from reporting.text import Terminal, line, terminal
from reporting.verdict_line import headline, scores

PLACES = 3
"""Places shown for one control before "and n more"."""
WIDTH = 100
"""Characters of running text before the line breaks."""
MOST_CONTROLS = 15
MOST_FAILURES = 20

GREEN, YELLOW, RED, MAGENTA, BOLD, DIM = "32", "33", "31", "35", "1", "2"
VERDICT_COLOURS: Mapping[VerdictWord, str] = {
    VerdictWord.PASSED: GREEN,
    VerdictWord.BLOCKED: RED,
    VerdictWord.INCOMPLETE: RED,
    VerdictWord.ERROR: RED,
}
SEVERITY_COLOURS: Mapping[Severity, str] = {
    Severity.CRITICAL: MAGENTA,
    Severity.HIGH: RED,
    Severity.MEDIUM: YELLOW,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A report for the terminal; ``colour`` only where a person looks."""

    controls: Mapping[str, Control]
    colour: bool

    def render(self, head: Audit, comparison: Comparison | None, verdict: Verdict) -> str:
        """The whole report, with a final newline."""
        lines = (
            *self._verdict(head, comparison, verdict),
            *(self._policy(comparison) if comparison else ()),
            *(self._difference(comparison) if comparison else self._findings(head)),
            *self._failures("Not scanned", head.unscanned),
            *self._not_judged(head),
            *self._waivers(head),
            *self._coverage(head),
            *self._failures("Not published", [each for each in head.failures if each.stage is Stage.PUBLISH]),
            *(terminal("{}.", remark) for remark in verdict.remarks),
        )
        return "".join(f"{line(row).rstrip()}\n" for row in lines)

    def _verdict(self, head: Audit, comparison: Comparison | None, verdict: Verdict) -> Iterator[Terminal]:
        colour = YELLOW if verdict.emergency else VERDICT_COLOURS.get(verdict.word, BOLD)
        word = self._paint(headline(verdict).upper(), colour)
        numbers = _scores(comparison) if comparison else _score(head)
        yield terminal("{}  {}{}", word, numbers, _never_scanned(head, verdict))
        if verdict.emergency:
            label, who, team = verdict.emergency.label, verdict.emergency.set_by, verdict.emergency.team
            of = terminal(" of the team {}", team) if team else Terminal("")
            yield terminal("  The label {}, set by {}{}, lets it pass. Without it:", label, who, of)
        for reason in verdict.reasons:
            yield terminal("  {}: {} (limit: {}). {}", reason.rule, reason.number, reason.limit, reason.remedy)

    def _policy(self, comparison: Comparison) -> Iterator[Terminal]:
        """What the change does to the gate itself."""
        changes = sorted(comparison.policy_changes, key=lambda change: not change.weakens)
        if not changes:
            return
        when = "counts after the merge" if comparison.policy_of == "base" else "counts already"
        yield Terminal("")
        yield terminal("{} {}", self._paint("Policy", BOLD), f"{count(len(changes), 'change')}; {when}")
        for change in changes[:MOST_FAILURES]:
            word = self._paint("weaker  ", RED) if change.weakens else Terminal("        ")
            yield terminal("  {}  {}: {} → {}", word, change.key, change.before or "none", change.after or "none")
        if len(changes) > MOST_FAILURES:
            yield terminal("  … and {} more: see --format comparison=FILE", len(changes) - MOST_FAILURES)

    def _difference(self, comparison: Comparison) -> Iterator[Terminal]:
        base, head = comparison.base, comparison.head
        pieces = ", ".join(f"{what} {difference}" for what, difference in pieces_of(comparison))
        if pieces:
            yield terminal("  made of: {}", pieces)
        yield from self._groups("New", comparison.introduced, head)
        yield from self._groups("Waived in base, and no longer", comparison.unwaived, head)
        yield from self._groups("Newly visible: base could not be judged there", comparison.newly_visible, head)
        yield from self._groups("Resolved", comparison.resolved, base, remedy=False)
        yield from self._groups(
            "Lost from sight: head could not be judged there", comparison.uncompared, base, remedy=False
        )
        if comparison.persisting:
            yield Terminal("")
            yield terminal("{} {}", self._paint("Unchanged", BOLD), severities(comparison.persisting))

    def _findings(self, head: Audit) -> Iterator[Terminal]:
        failed = [result for result in head.results if result.status is ResultStatus.FAILED]
        yield from self._groups("Findings", failed, head)

    def _groups(self, title: str, results: Sequence[Result], of: Audit, *, remedy: bool = True) -> Iterator[Terminal]:
        if not results:
            return
        yield Terminal("")
        yield terminal("{} {}", self._paint(title, BOLD), severities(results))
        groups = groups_of(rows_of(results, of))
        for group in groups[:MOST_CONTROLS]:
            yield from self._group(self.controls[group.control], group, remedy=remedy)
        if len(groups) > MOST_CONTROLS:
            left = groups[MOST_CONTROLS:]
            yield terminal(
                "  … and {} of {}: see --format json=FILE or --output DIR",
                count(sum(group.results for group in left), "finding"),
                count(len(left), "more control"),
            )

    def _group(self, control: Control, group: Group, *, remedy: bool) -> Iterator[Terminal]:
        word = self._paint(f"{group.severity:<8}", SEVERITY_COLOURS.get(group.severity, DIM))
        yield terminal("  {}  {}  {}", word, self._paint(control.id, BOLD), control.title)
        for row in group.rows[:PLACES]:
            yield terminal("            {}", _place(row))
        if len(group.rows) > PLACES:
            yield terminal("            … and {} more", len(group.rows) - PLACES)
        if remedy:
            first, *rest = textwrap.wrap(control.remedy, WIDTH)
            yield terminal("            {} {}", self._paint("fix:", GREEN), first)
            yield from (terminal("                 {}", words) for words in rest)

    def _failures(self, title: str, failures: Sequence[Failure]) -> Iterator[Terminal]:
        if not failures:
            return
        yield Terminal("")
        yield terminal("{} {}", self._paint(title, RED), len(failures))
        for failure in failures[:MOST_FAILURES]:
            yield terminal("  {}{}", _whereabouts(failure), failure.reason)
            yield terminal("            {}", failure.remedy)
        if len(failures) > MOST_FAILURES:
            yield terminal("  … and {} more: see --format json=FILE", len(failures) - MOST_FAILURES)

    def _waivers(self, head: Audit) -> Iterator[Terminal]:
        waived = [result for result in head.results if result.status is ResultStatus.WAIVED]
        if waived or head.unused_waivers or head.expired_waivers:
            yield Terminal("")
        if waived:
            yield terminal("{} {}", self._paint("Waived", BOLD), severities(waived))
        for waiver in head.expired_waivers:
            yield terminal("  expired {}: {} on {}", waiver.expires, waiver.control, waiver.resource or "*")
        for waiver in head.unused_waivers:
            yield terminal("  without use: {} on {}", waiver.control, waiver.resource or "*")

    def _not_judged(self, head: Audit) -> Iterator[Terminal]:
        """Objects whose containers nobody could look at; single controls stand in the audit."""
        rows = [row for row in head.coverage.not_judged if row.control == ALL_OF_PODS]
        if rows:
            yield Terminal("")
            yield terminal("{} {}", self._paint("Not judged", BOLD), len(rows))
        names = head.names
        for row in rows[:MOST_FAILURES]:
            yield terminal("  {}  {}", names.get(row.resource, row.resource), row.reason)

    def _coverage(self, head: Audit) -> Iterator[Terminal]:
        coverage = head.coverage
        yield Terminal("")
        yield terminal(
            "{} {} in {} from {}; {}",
            self._paint("Looked at", BOLD),
            count(coverage.resources, "object"),
            count(coverage.files, "file"),
            count(len(head.sources), "source"),
            ", ".join(f"{scanner.name} {scanner.version}" for scanner in head.scanners),
        )
        for row in coverage.excluded[:MOST_FAILURES]:
            yield terminal("  left out: {} (pattern {})", row.path, row.pattern)

    def _paint(self, words: str, colour: str) -> Terminal:
        clean = terminal("{}", words)
        return Terminal(f"\x1b[{colour}m{clean}\x1b[0m") if self.colour else clean


def _whereabouts(failure: Failure) -> Terminal:
    """The place, and who has not seen it; what could not be published lies nowhere."""
    if failure.stage is Stage.PUBLISH:
        return Terminal("")
    where = terminal("{}:{}", failure.path, failure.line) if failure.line else terminal("{}", failure.path)
    who = terminal(" ({})", failure.scanner) if failure.scanner else Terminal("")
    return terminal("{}{}  ", where, who)


def _never_scanned(head: Audit, verdict: Verdict) -> Terminal:
    """What the policy lets pass unscanned stays in the verdict line."""
    if not head.unscanned or verdict.word is VerdictWord.INCOMPLETE:
        return Terminal("")
    return terminal("; {} never scanned", count(len(head.unscanned), "item"))


def _score(head: Audit) -> Terminal:
    failed = [result for result in head.results if result.status is ResultStatus.FAILED]
    findings = severities(failed) if failed else "none"
    return terminal("score {}; findings: {}", percent(head.score), findings)


def _scores(comparison: Comparison) -> Terminal:
    counts = (len(comparison.introduced), len(comparison.resolved))
    return terminal("score {}: {} introduced, {} resolved", scores(comparison), *counts)


def _place(row: Row) -> Terminal:
    result = row.shown
    container = terminal(" · {}", result.container) if result.container else Terminal("")
    where = terminal(" in {}", ", ".join(row.environments)) if row.environments else Terminal("")
    verdicts: dict[str, set[str]] = {"failed": set(), "passed": set()}
    for witness in result.witnesses:
        verdicts[witness.verdict].add(witness.scanner)
    against = f"; {', '.join(sorted(verdicts['passed']))} disagrees" if verdicts["passed"] else ""
    return terminal(
        "{}:{}  {}{}{}: {}  [{}{}]",
        result.location.path,
        result.location.line,
        row.name,
        container,
        where,
        result.message,
        ", ".join(sorted(verdicts["failed"])),
        against,
    )
