"""The end that ``scan`` and ``compare`` share: thresholds, reports, exit code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Self

from controls.configuration import threshold
from model.audit import Audit
from model.comparison import Comparison
from model.control import Control
from model.errors import ExitCode
from model.policy import BreakGlass, Gate
from model.resource import Failure
from model.verdict import Verdict
from reporting.audit_json import TOOL
from reporting.links import Place
from settings import GateOverrides, Report
from verbs.console import append, write_report

COMMENT: Final = 65_000
"""Characters of a comment on GitHub, with room for its marker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """What reports say besides what came out: which job it is, and where people can look."""

    job: str = ""
    """Which of several of one pull request; empty for the only one."""
    run_url: str = ""
    """The page of the run; empty where nobody knows."""
    place: Place | None = None
    """Where the files of both sides are shown; None where nobody knows."""
    changed_lines: Mapping[str, Sequence[tuple[int, int]]] | None = None
    """By path of head; None where nobody knows."""

    @property
    def category(self) -> str:
        """Keeps the results apart from those of other jobs in code scanning."""
        return f"{TOOL}/{self.job}" if self.job else TOOL


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that reports show."""

    head: Audit
    comparison: Comparison | None
    verdict: Verdict
    controls: Mapping[str, Control]
    way_out: BreakGlass | None = None
    """What the policy says about emergencies."""
    presentation: Presentation = field(default_factory=Presentation)

    def with_failures(self, failures: Sequence[Failure]) -> Self:
        """The same, and what became of it afterwards."""
        head = replace(self.head, failures=(*self.head.failures, *failures))
        comparison = replace(self.comparison, head=head) if self.comparison else None
        return replace(self, head=head, comparison=comparison)

    def write(self, reports: Sequence[Report], output: Path | None, *, colour: bool) -> None:
        """Write the reports that were asked for: a table unless something else goes to standard output."""
        wanted = (*reports, *(_bundle(output) if output else ()))
        if all(report.file is not None for report in reports):
            wanted = (Report(format="table", file=None), *wanted)
        for report in wanted:
            write_report(report.file, self.render(report.format, colour=colour and report.file is None))

    def rewrite(self, reports: Sequence[Report], output: Path | None) -> None:
        """Write those again that went to files: something has become known since."""
        for report in (*reports, *(_bundle(output) if output else ())):
            if report.file is not None:
                write_report(report.file, self.render(report.format))

    def hand_over(self, file: Path, output: Path | None) -> None:
        """Append the outputs of the action to the runner's file."""
        from reporting import outputs

        named = outputs.values(self.head, self.comparison, self.verdict, output)
        append(file, outputs.render(named))

    def markdown(self, limit: int = COMMENT, *, run_url: str | None = None) -> str:
        """The report for people, of at most ``limit`` characters; ``run_url``: in place of the page of this run."""
        from reporting import markdown

        return markdown.render(
            self.head,
            self.comparison,
            self.verdict,
            self.controls,
            limit,
            place=self.presentation.place,
            run_url=self.presentation.run_url if run_url is None else run_url,
            job=self.presentation.job,
        )

    def render(self, form: str, *, colour: bool = False) -> Iterable[str]:
        """For people; all else is for programs."""
        match form:
            case "table":
                from reporting.table import Table

                table = Table(controls=self.controls, colour=colour)
                return table.render(self.head, self.comparison, self.verdict)
            case "markdown":
                return self.markdown()
            case "github":
                from reporting import github

                changed = self.presentation.changed_lines
                return github.render(self.head, self.comparison, self.verdict, self.controls, changed)
            case _:
                return self._for_programs(form)

    def _for_programs(self, form: str) -> Iterable[str]:
        match form:
            case "json":
                from reporting import audit_json

                return audit_json.pieces(self.head)
            case "comparison":
                from reporting import comparison_json

                return comparison_json.pieces(self.head, self.comparison, self.verdict)
            case "sarif":
                from reporting import sarif

                return sarif.render(self.head, self.controls, self.presentation.category)
            case "junit":
                from reporting import junit

                return junit.render(self.head, self.controls)
            case "gitlab":
                from reporting import gitlab

                return gitlab.render(self.head, self.controls)
            case "csv":
                from reporting import results_csv

                return results_csv.render(self.head, self.comparison, self.controls)
            case _:
                raise AssertionError(f"no report is called {form}")


def _bundle(output: Path) -> tuple[Report, ...]:
    return (
        Report(format="json", file=output / "audit.json"),
        Report(format="comparison", file=output / "comparison.json"),
        Report(format="markdown", file=output / "report.md"),
        Report(format="sarif", file=output / "results.sarif"),
        Report(format="junit", file=output / "junit.xml"),
    )


def under(gate: Gate, said: GateOverrides) -> Gate:
    """The gate; what the command line says wins."""
    return replace(
        gate,
        fail_under=gate.fail_under if said.fail_under is None else said.fail_under,
        fail_under_patch=gate.fail_under_patch if said.fail_under_patch is None else said.fail_under_patch,
        max_drop=gate.max_drop if said.max_drop is None else said.max_drop,
        fail_on=gate.fail_on if said.fail_on is None else threshold(said.fail_on),
        fail_on_new=gate.fail_on_new if said.fail_on_new is None else threshold(said.fail_on_new),
        allow_incomplete=said.allow_incomplete or gate.allow_incomplete,
    )


def exit_code(verdict: Verdict, *, warn_only: bool) -> int:
    """``--warn-only`` lets a blocked or incomplete verdict pass."""
    return ExitCode.PASSED if warn_only else verdict.exit_code
