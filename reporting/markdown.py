"""The report that people read in a pull request or a job summary: verdict first, what is new next, the rest folded.

The same input gives the same text, without times, images or links. What does not fit is cut by whole rows, with a word
about how much is missing and where it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from model.audit import Audit, Result, ResultStatus
from model.comparison import Comparison
from model.control import Control
from model.resource import Failure
from model.verdict import Reason, Verdict
from reporting.markdown_coverage import SENTENCE, CoverageReport
from reporting.markdown_findings import EVERYTHING, Detail, Findings
from reporting.markdown_policy import policy_part
from reporting.markdown_scores import ScoreReport
from reporting.numbers import count, severities
from reporting.rows import groups_of, rows_of
from reporting.text_markdown import Markdown, code, markdown, prose
from reporting.verdict_line import headline, verdict_line

LIMIT = 65_536
"""Characters of a comment on GitHub. A job summary takes 1 MiB."""
DETAILS = (
    Detail(opened=10, controls=30, places=3, rows=20),
    Detail(opened=8, controls=12, places=3, rows=10),
    Detail(opened=5, controls=5, places=2, rows=5),
    Detail(opened=2, controls=2, places=1, rows=2),
)
"""From all that people read to the least that says something."""
CUT = Markdown(f"The rest does not fit here: see {EVERYTHING}.")

QUOTED = frozenset({"configuration", "break_glass"})
"""Rules whose words hold text of the configuration or of a label."""


def render(
    head: Audit,
    comparison: Comparison | None,
    verdict: Verdict,
    controls: Mapping[str, Control],
    limit: int = LIMIT,
) -> str:
    """The text, of at most ``limit`` characters; the verdict line is kept whatever the limit is."""
    blocks: list[str] = []
    for detail in DETAILS:
        report = _Report(head=head, comparison=comparison, verdict=verdict, controls=controls, detail=detail)
        blocks = ["\n".join(block) for block in report.blocks() if block]
        text = "\n\n".join(blocks) + "\n"
        if len(text) <= limit:
            return text
    return _whole_blocks(blocks, limit)


def _whole_blocks(blocks: Sequence[str], limit: int) -> str:
    """The first blocks that fit, and a word about the rest; nothing is cut in its middle."""
    first, *others = blocks
    text = first
    for block in others:
        if len(text) + len(block) + len(CUT) + 5 > limit:
            break
        text = f"{text}\n\n{block}"
    return f"{text}\n\n{CUT}\n"


@dataclass(frozen=True, kw_only=True)
class _Report:
    """One rendering; a block is lines that stay together."""

    head: Audit
    comparison: Comparison | None
    verdict: Verdict
    controls: Mapping[str, Control]
    detail: Detail

    @cached_property
    def _shares(self) -> Mapping[tuple[str, str], Fraction]:
        """Points of 100 by resource and fingerprint; empty without a base."""
        rows = self.comparison.shares if self.comparison else ()
        return {(row.resource, row.result.fingerprint): row.points for row in rows if row.result}

    def blocks(self) -> Iterator[Sequence[Markdown]]:
        """In the order in which they are read; empty ones are left out."""
        coverage = CoverageReport(head=self.head, controls=self.controls, detail=self.detail)
        scores = ScoreReport(head=self.head, comparison=self.comparison, controls=self.controls, detail=self.detail)
        yield (Markdown(f"### {verdict_line(self.head, self.comparison, self.verdict)}"),)
        yield tuple(self._reasons())
        yield tuple(policy_part(self.comparison, self.detail)) if self.comparison else ()
        yield tuple(coverage.not_scanned())
        yield (Markdown(" ".join(scores.numbers())),)
        yield from self._difference(self.comparison) if self.comparison else self._all_findings()
        yield tuple(coverage.not_judged())
        yield tuple(coverage.waivers_to_mend())
        yield _folded(*coverage.waived())
        yield _folded(*scores.objects())
        yield _folded(Markdown("Score by control"), tuple(scores.by_control()))
        yield _folded(Markdown("Score by source"), tuple(scores.by_source()))
        yield _folded(*coverage.notes())
        yield tuple(coverage.left_out())
        yield (Markdown(" ".join((*coverage.looked_at(), *(prose(f"{each}.") for each in self.verdict.remarks)))),)

    def _reasons(self) -> Iterator[Markdown]:
        if not self.verdict.reasons:
            return
        emergency = self.verdict.emergency
        if emergency is None:
            yield Markdown(f"{headline(self.verdict)} because:")
        else:
            who = code(emergency.set_by) if emergency.set_by else Markdown("somebody whom the event does not name")
            yield markdown(
                "The label {}, set by {}, lets it pass. Without it, it would not, because:", emergency.label, who
            )
        yield Markdown("")
        for reason in self.verdict.reasons[: self.detail.rows]:
            yield _reason(reason, self.head.failures)
        left = len(self.verdict.reasons) - self.detail.rows
        if left > 0:
            yield Markdown(f"- … and {count(left, 'more reason')}: see `comparison.json`.")

    def _difference(self, comparison: Comparison) -> Iterator[Sequence[Markdown]]:
        yield from self._open("New", comparison.introduced, comparison.head)
        yield from self._open("Waived in base, and no longer", comparison.unwaived, comparison.head)
        yield from self._open(
            "Newly visible: base could not be judged there", comparison.newly_visible, comparison.head
        )
        lost = self._findings(comparison.uncompared, comparison.base)
        if lost.results:
            title = markdown("#### Lost from sight, for head could not be judged there: {}", lost.counted)
            yield (title, Markdown(""), *lost.plain_table())
        resolved = self._findings(comparison.resolved, comparison.base)
        if resolved.results:
            yield _folded(markdown("Resolved: {}", resolved.counted), tuple(resolved.plain_table(scored=True)))
        if comparison.persisting:
            moved = f", {len(comparison.moved):,} of them in another file than before" if comparison.moved else ""
            yield (Markdown(f"Unchanged: {severities(comparison.persisting)}{moved}."),)

    def _all_findings(self) -> Iterator[Sequence[Markdown]]:
        yield from self._open("Findings", _failed(self.head), self.head)

    def _open(self, title: str, results: Sequence[Result], audit: Audit) -> Iterator[Sequence[Markdown]]:
        """A list that everybody sees, and why it matters for those who ask."""
        if not results:
            return
        findings = self._findings(results, audit)
        yield (markdown(f"#### {title}: {{}}", findings.counted), Markdown(""), *findings.open_table())
        yield _folded(*findings.folded_table())
        why = tuple(findings.reasons())
        yield _folded(Markdown("Why these count, and who says so"), why, is_open=findings.is_blocking)

    def _findings(self, results: Sequence[Result], audit: Audit) -> Findings:
        return Findings(
            results=results,
            audit=audit,
            groups=groups_of(rows_of(results, audit)),
            controls=self.controls,
            detail=self.detail,
            blocking=frozenset(result.fingerprint for result in self.verdict.blocking),
            shares=self._shares,
        )


def _failed(audit: Audit) -> tuple[Result, ...]:
    return tuple(result for result in audit.results if result.status is ResultStatus.FAILED)


def _reason(reason: Reason, failures: Sequence[Failure]) -> Markdown:
    """Number, limit and what would satisfy the rule; what a failure or a configuration says is not ours."""
    is_quoted = reason.rule in QUOTED
    number = code(reason.number, SENTENCE) if is_quoted else prose(reason.number)
    is_quoted = is_quoted or any(reason.remedy == failure.remedy for failure in failures)
    remedy = code(reason.remedy, SENTENCE) if is_quoted else prose(reason.remedy)
    return markdown("- **{}** ({}, limit: {}). {}", number, reason.rule, prose(reason.limit), remedy)


def _folded(summary: Markdown, lines: Sequence[Markdown], *, is_open: bool = False) -> Sequence[Markdown]:
    """Lines behind a summary, which is ours; nothing where there are no lines."""
    if not lines:
        return ()
    opening = Markdown(f"<details{' open' if is_open else ''}><summary>{summary}</summary>")
    return (opening, Markdown(""), *lines, Markdown(""), Markdown("</details>"))
