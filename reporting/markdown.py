"""The report that people read in a pull request or a job summary: verdict first, what is new next, the rest folded.

The same input gives the same text, without times or images; links lead to the server that started the run, and nowhere
else. What does not fit is cut by whole items, with a word about how much is missing and where it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

from model.audit import Audit, Result, ResultStatus
from model.comparison import Comparison
from model.control import RANKS, Control
from model.resource import Failure
from model.verdict import Emergency, Reason, Verdict, VerdictWord
from reporting.links import Address, Place, run_page
from reporting.markdown_coverage import SENTENCE, CoverageReport
from reporting.markdown_findings import EVERYTHING, Detail, Findings
from reporting.markdown_policy import policy_part
from reporting.markdown_scores import ScoreReport
from reporting.markdown_waiving import how_to_waive
from reporting.numbers import count, severities
from reporting.rows import groups_of, rows_of
from reporting.text_markdown import Markdown, code, joined, link, markdown, prose
from reporting.verdict_line import QUOTING, because, verdict_line

LIMIT = 65_000
"""Characters of a comment: GitHub takes 65,536, and 262,144 bytes, which no text of this length reaches."""
WHOLE = Detail(opened=10, controls=1_000, places=20, rows=1_000)
"""Where there is more room than in a comment: in the summary of a job, to which the comment points."""
DETAILS = (
    Detail(opened=10, controls=30, places=3, rows=20),
    Detail(opened=8, controls=12, places=3, rows=10),
    Detail(opened=5, controls=5, places=2, rows=5),
    Detail(opened=2, controls=2, places=1, rows=2),
)
"""From all that people read to the least that says something."""
FOLD = "<details>"

SIGNS: Mapping[VerdictWord, str] = {
    VerdictWord.PASSED: "✅",
    VerdictWord.BLOCKED: "❌",
    VerdictWord.INCOMPLETE: "❌",
    VerdictWord.ERROR: "❌",
}
"""For the eye; the words beside it say the same."""
OTHER_SIGN = "⚠️"
"""Neither good nor bad: not compared, nothing to scan, and what passed only by a label for emergencies."""


def render(  # noqa: PLR0913 what a report may point at is known by different people
    head: Audit,
    comparison: Comparison | None,
    verdict: Verdict,
    controls: Mapping[str, Control],
    limit: int = LIMIT,
    *,
    place: Place | None = None,
    run_url: str = "",
    job: str = "",
) -> str:
    """The text, of at most ``limit`` characters; the verdict line is kept whatever the limit is.

    ``place``: where the files of head are shown, so that places of findings are links; ``run_url``: the page of the
    workflow run, where the whole report is; ``job``: which of several jobs of a pull request this is. None and empty
    texts: nobody knows.
    """
    page = run_page(run_url)
    elsewhere = link(Markdown("the full report"), page) if page else EVERYTHING
    blocks: list[str] = []
    for detail in (WHOLE, *DETAILS) if limit > LIMIT else DETAILS:
        report = _Report(
            head=head,
            comparison=comparison,
            verdict=verdict,
            controls=controls,
            detail=replace(detail, elsewhere=elsewhere),
            place=place,
            run=page,
            job=job,
        )
        blocks = ["\n".join(block) for block in report.blocks() if block]
        text = "\n\n".join(blocks) + "\n"
        if len(text) <= limit:
            return text
    return _whole_blocks(blocks, Markdown(f"The rest does not fit here: see {elsewhere}."), limit)


def _whole_blocks(blocks: Sequence[str], cut: Markdown, limit: int) -> str:
    """The blocks that fit, and a word about the rest: what is folded goes first, then what stands last."""
    kept = list(blocks)
    room = limit - len(cut) - 3
    for is_dear in (False, True):
        for number in range(len(kept) - 1, 0, -1):
            if len("\n\n".join(kept)) <= room:
                break
            if is_dear or kept[number].startswith(FOLD):
                del kept[number]
    return "\n\n".join((*kept, cut)) + "\n"


@dataclass(frozen=True, kw_only=True)
class _Report:
    """One rendering; a block is lines that stay together."""

    head: Audit
    comparison: Comparison | None
    verdict: Verdict
    controls: Mapping[str, Control]
    detail: Detail
    place: Place | None
    run: Address | None
    job: str

    @cached_property
    def _shares(self) -> Mapping[tuple[str, str], Fraction]:
        """Points of 100 by resource and fingerprint; empty without a base."""
        rows = self.comparison.shares if self.comparison else ()
        return {(row.resource, row.result.fingerprint): row.points for row in rows if row.result}

    def blocks(self) -> Iterator[Sequence[Markdown]]:
        """In the order in which they are read; empty ones are left out."""
        coverage = CoverageReport(head=self.head, controls=self.controls, detail=self.detail, place=self.place)
        scores = ScoreReport(
            head=self.head,
            comparison=self.comparison,
            controls=self.controls,
            detail=self.detail,
            place=self.place,
        )
        yield (self._verdict(),)
        yield tuple(self._reasons())
        yield tuple(policy_part(self.comparison, self.detail)) if self.comparison else ()
        yield tuple(coverage.not_scanned())
        yield (Markdown(" ".join(scores.numbers())),) if self.comparison else ()
        yield from self._difference(self.comparison) if self.comparison else self._all_findings()
        yield self._way_out()
        yield tuple(coverage.not_judged())
        yield tuple(coverage.waivers_to_mend())
        yield tuple(coverage.left_out())
        yield tuple(coverage.not_published())
        yield _folded(*coverage.waived())
        yield _folded(*scores.objects())
        yield _folded(*scores.explained())
        yield _folded(*coverage.notes())
        yield (self._about(coverage),)

    def _verdict(self) -> Markdown:
        sign = OTHER_SIGN if self.verdict.emergency else SIGNS.get(self.verdict.word, OTHER_SIGN)
        return Markdown(f"### {sign} {verdict_line(self.head, self.comparison, self.verdict)}")

    def _reasons(self) -> Iterator[Markdown]:
        """What stands in the way, and what would satisfy it."""
        reasons, emergency = self.verdict.reasons, self.verdict.emergency
        if not reasons:
            return
        yield _passes_anyway(emergency) if emergency else Markdown("What stands in the way, and what to do:")
        yield Markdown("")
        for reason in reasons[: self.detail.rows]:
            yield _reason(reason, self.head.failures)
        left = len(reasons) - self.detail.rows
        if left > 0:
            yield Markdown(f"- … and {count(left, 'more reason')}: see `comparison.json`.")

    def _difference(self, comparison: Comparison) -> Iterator[Sequence[Markdown]]:
        yield from self._open("Introduced", comparison.introduced, "")
        yield from self._open("No longer waived", comparison.unwaived, UNWAIVED)
        yield from self._open("Newly visible", comparison.newly_visible, NEWLY_VISIBLE)
        lost = self._findings(comparison.uncompared, comparison.base)
        if lost.results:
            title = markdown("#### Lost from sight: {}", lost.counted)
            yield (title, Markdown(""), LOST, Markdown(""), *lost.plain_list())
        resolved = self._findings(comparison.resolved, comparison.base)
        if resolved.results:
            yield _folded(markdown("Resolved: {}", resolved.counted), tuple(resolved.plain_list()))
        if comparison.persisting:
            moved = f", {len(comparison.moved):,} of them in another file than before" if comparison.moved else ""
            yield (Markdown(f"Unchanged findings: {severities(comparison.persisting)}{moved}."),)

    def _all_findings(self) -> Iterator[Sequence[Markdown]]:
        if self.verdict.word is VerdictWord.NOT_COMPARED:
            yield (Markdown("There is nothing to compare with: these findings block nothing, and may be old."),)
        failed = tuple(result for result in self.head.results if result.status is ResultStatus.FAILED)
        yield from self._open("Findings", failed, "")

    def _open(self, title: str, results: Sequence[Result], meaning: str) -> Iterator[Sequence[Markdown]]:
        """A list that everybody sees, and why it matters for those who ask."""
        if not results:
            return
        findings = self._findings(results, self.head)
        explained = (Markdown(meaning), Markdown("")) if meaning else ()
        heading = markdown(f"#### {title}: {{}}", findings.counted)
        yield (heading, Markdown(""), *explained, *findings.open_list())
        yield _folded(*findings.folded_list())
        yield _folded(Markdown("Why these matter, and which scanner found them"), tuple(findings.reasons()))

    def _way_out(self) -> Sequence[Markdown]:
        """How to accept the worst of what blocks."""
        if not self.verdict.blocking:
            return ()
        worst = min(self.verdict.blocking, key=lambda result: RANKS[result.severity])
        policy_of = self.comparison.policy_of if self.comparison else "head"
        steps = how_to_waive(self.controls[worst.control], self.head.names.get(worst.resource, ""), policy_of)
        return _folded(Markdown("How to accept a finding in place of fixing it"), tuple(steps))

    def _findings(self, results: Sequence[Result], audit: Audit) -> Findings:
        place = self.place
        return Findings(
            results=results,
            audit=audit,
            place=place.at_base if place and audit is not self.head else place,
            groups=groups_of(rows_of(results, audit)),
            controls=self.controls,
            detail=self.detail,
            blocking=frozenset(result.fingerprint for result in self.verdict.blocking),
            shares=self._shares,
        )

    def _about(self, coverage: CoverageReport) -> Markdown:
        """What was looked at, with what, and where all of it stands."""
        remarks = (prose(f"{each}.") for each in self.verdict.remarks)
        job = (markdown("Job {}.", self.job),) if self.job else ()
        run = (markdown("Full report: {}.", link(Markdown("workflow run"), self.run)),) if self.run else ()
        return Markdown(" ".join((*coverage.looked_at(), *remarks, *job, *run)))


UNWAIVED = "A waiver accepted these before. After this change none does."
NEWLY_VISIBLE = "Nobody could look there before, so nobody can say whether this change has brought them."
LOST = Markdown("These were there before. Now nobody could look there: they may be there still.")


def _passes_anyway(emergency: Emergency) -> Markdown:
    """Which label lets it pass, and who answers for it."""
    team = markdown(" of the team {}", emergency.team) if emergency.team else Markdown("")
    said = "The label {}, set by {}{}, lets it pass. Without it, this would stand in the way:"
    return markdown(said, emergency.label, emergency.set_by, team)


def _reason(reason: Reason, failures: Sequence[Failure]) -> Markdown:
    """Number, limit and what would satisfy the rule; what a failure or a configuration says is not ours."""
    is_quoting = reason.rule in QUOTING
    why = because(reason)
    what = prose(f"{why[0].upper()}{why[1:]}")
    told = joined(map(code, _quoted(reason)), ", ") if is_quoting else Markdown("")
    is_quoting = is_quoting or any(reason.remedy == failure.remedy for failure in failures)
    remedy = code(reason.remedy, SENTENCE) if is_quoting else prose(reason.remedy)
    told = markdown(": {}", told) if told else told
    return markdown("- **{}**{} ({}). {}", what, told, reason.rule, remedy)


def _quoted(reason: Reason) -> tuple[str, ...]:
    """What there is to know; that a configuration has to be valid goes without saying."""
    return (reason.number, reason.limit) if reason.rule == "break_glass" else (reason.number,)


def _folded(summary: Markdown, lines: Sequence[Markdown]) -> Sequence[Markdown]:
    """Lines behind a summary, which is ours; nothing where there are no lines."""
    if not lines:
        return ()
    return (Markdown(f"{FOLD}<summary>{summary}</summary>"), Markdown(""), *lines, Markdown(""), Markdown("</details>"))
