"""Findings as annotations of a workflow run: commands that GitHub's runner reads from the log, and nothing else.

The runner shows the first ten of each level in a step (actions/runner, ``ExecutionContext.cs``): what was not scanned
and what is new come first, and a last notice says how many are left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from model.audit import Audit, Result, ResultStatus
from model.comparison import Comparison
from model.control import Control, Severity
from model.resource import Failure, Precision
from model.verdict import Verdict
from reporting.numbers import count
from reporting.rows import Row, rows_of
from reporting.text import Annotation, Terminal, annotation, terminal
from reporting.verdict_line import verdict_line

MOST = 10
"""Annotations of one level that the runner shows of a step."""
MOST_FAILURES = 4
"""So that findings keep their places."""
TITLE = "hardening-gate"
LEVELS: Mapping[Severity, str] = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "notice",
    Severity.INFO: "notice",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """An annotation that waits for its place."""

    level: str
    text: Annotation
    findings: int


def render(head: Audit, comparison: Comparison | None, verdict: Verdict, controls: Mapping[str, Control]) -> str:
    """One command a line; the first one is the verdict."""
    level = "error" if verdict.exit_code else "notice"
    lines = [annotation(level, {"title": TITLE}, _verdict(head, comparison, verdict))]
    shown = Counter([level])
    for failure in head.failures[:MOST_FAILURES]:
        lines.append(_failure(failure))
        shown["error"] += 1
    left = 0
    for told in _findings(head, comparison, controls):
        room = MOST - 1 if told.level == "notice" else MOST
        if shown[told.level] < room:
            shown[told.level] += 1
            lines.append(told.text)
        else:
            left += told.findings
    lines += _rest(left, max(0, len(head.failures) - MOST_FAILURES))
    return "".join(f"{line}\n" for line in lines)


def _verdict(head: Audit, comparison: Comparison | None, verdict: Verdict) -> Terminal:
    reasons = (
        terminal("{}: {} (limit: {}). {}", reason.rule, reason.number, reason.limit, reason.remedy)
        for reason in verdict.reasons
    )
    return Terminal("\n".join((terminal("{}", verdict_line(head, comparison, verdict)), *reasons)))


def _failure(failure: Failure) -> Annotation:
    who = terminal("{}: ", failure.scanner) if failure.scanner else Terminal("")
    place: dict[str, object] = {"file": failure.path}
    if failure.line:
        place["line"] = failure.line
    return annotation(
        "error", {**place, "title": "Not scanned"}, terminal("{}{}\nNext: {}", who, failure.reason, failure.remedy)
    )


def _findings(head: Audit, comparison: Comparison | None, controls: Mapping[str, Control]) -> Iterator[_Told]:
    """New ones first, then all others; each list worst first."""
    if comparison is None:
        failed = [result for result in head.results if result.status is ResultStatus.FAILED]
        lists = [(failed, "")]
    else:
        new: tuple[Result, ...] = (*comparison.introduced, *comparison.newly_visible)
        lists = [(list(new), "New: "), (list(comparison.persisting), "Unchanged: ")]
    for results, prefix in lists:
        for row in rows_of(results, head):
            control = controls[row.shown.control]
            yield _Told(
                level=LEVELS[row.shown.severity], text=_finding(row, control, prefix), findings=len(row.results)
            )


def _finding(row: Row, control: Control, prefix: str) -> Annotation:
    result = row.shown
    place: dict[str, object] = {"file": result.location.path}
    if result.location.precision is not Precision.FILE:
        place |= {"line": result.location.line, "col": result.location.column}
    container = terminal(" container {}", result.container) if result.container else Terminal("")
    where = terminal(" in {}", ", ".join(row.environments)) if row.environments else Terminal("")
    message = terminal("{}{}{}: {}\nFix: {}", row.name, container, where, result.message, control.remedy)
    title = f"{prefix}{control.title} ({result.severity}, {control.id})"
    return annotation(LEVELS[result.severity], {**place, "title": title}, message)


def _rest(findings: int, failures: int) -> Iterator[Annotation]:
    if not findings and not failures:
        return
    words = " and ".join(
        (
            *([count(findings, "more finding")] if findings else []),
            *([f"{count(failures, 'more item')} not scanned"] if failures else []),
        )
    )
    yield annotation("notice", {"title": TITLE}, terminal("{}: see audit.json or report.md of this run", words))
