"""Findings as annotations of a workflow run: commands that GitHub's runner reads from the log, and nothing else.

The runner shows the first ten of each level in a step (actions/runner, ``ExecutionContext.cs``): what was not scanned
comes first, then what is new. With a base only what is new is annotated, and only on lines that the change touches:
a reviewer cannot act on the rest there. A last notice counts what is not shown and says where it stands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from model.audit import Audit, Result, ResultStatus
from model.comparison import Comparison
from model.control import Control, Severity
from model.resource import Failure, Precision
from model.verdict import Verdict
from reporting.numbers import count
from reporting.rows import Row, rows_of
from reporting.text import MESSAGE_LIMIT, Annotation, Terminal, annotation, terminal
from reporting.verdict_line import verdict_line

MOST: Mapping[str, int] = {"error": 10, "warning": 6, "notice": 9}
"""Annotations of a level: the runner shows ten of a step. The rest is for the last notice, and for warnings about what
could not be published, which follow in the same step."""
MOST_FAILURES = 4
"""So that findings keep their places."""
LONGEST_WORD = 30
"""Characters of the word about what does not fit in a message."""
TITLE = "hardening-gate"
LEVELS: Mapping[Severity, str] = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "notice",
    Severity.INFO: "notice",
}


Lines: TypeAlias = Mapping[str, Sequence[tuple[int, int]]]
"""First and last line of each run that a change adds or alters, from 1 on, by path of head."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sorted:
    """Failed results of head, by where people look for them."""

    shown: tuple[Result, ...]
    """Those that may become an annotation."""
    prefix: str
    """Of their titles."""
    elsewhere: int = 0
    """New ones on lines that the change does not touch."""
    unchanged: int = 0


def render(
    head: Audit,
    comparison: Comparison | None,
    verdict: Verdict,
    controls: Mapping[str, Control],
    changed: Lines | None = None,
) -> str:
    """One command a line; the first one is the verdict.

    ``changed``: the lines that the change touches; None where nobody knows, and then all that is new is annotated.
    """
    level = "error" if verdict.exit_code else "notice"
    lines = [annotation(level, {"title": TITLE}, _verdict(head, comparison, verdict))]
    shown = Counter([level])
    for failure in head.unscanned[:MOST_FAILURES]:
        lines.append(_failure(failure))
        shown["error"] += 1
    found = _sorted(head, comparison, changed)
    left = 0
    for rows in _by_line(rows_of(found.shown, head)):
        level = LEVELS[rows[0].shown.severity]
        if shown[level] < MOST[level]:
            shown[level] += 1
            lines.append(_findings(rows, controls, found.prefix))
        else:
            left += sum(len(row.results) for row in rows)
    lines += _rest(found, left, max(0, len(head.unscanned) - MOST_FAILURES))
    return "".join(f"{line}\n" for line in lines)


def _sorted(head: Audit, comparison: Comparison | None, changed: Lines | None) -> _Sorted:
    if comparison is None:
        return _Sorted(shown=tuple(each for each in head.results if each.status is ResultStatus.FAILED), prefix="")
    visible, unwaived = comparison.newly_visible, comparison.unwaived
    new = (*comparison.introduced, *unwaived, *_touched(comparison))
    shown = new if changed is None else tuple(each for each in new if _is_on(changed, each))
    return _Sorted(
        shown=shown,
        prefix="New: ",
        elsewhere=len(comparison.introduced) + len(unwaived) + len(visible) - len(shown),
        unchanged=len(comparison.persisting) - len(unwaived),
    )


def _touched(comparison: Comparison) -> Iterator[Result]:
    """What base could not show, where the change touched it: it counts as new (docs/usage.md, "The gate")."""
    altered = frozenset(comparison.changed_resources)
    rows = (each for each in comparison.newly_visible if each.resource in altered)
    return (each for each in rows if each.fingerprint not in comparison.untouched)


def _is_on(changed: Lines, result: Result) -> bool:
    """Whether a change touches the line; of what is absent, or known less exactly, the file."""
    place = result.location
    if place.precision is not Precision.EXACT:
        return place.path in changed
    return any(first <= place.line <= last for first, last in changed.get(place.path, ()))


def _by_line(rows: Iterable[Row]) -> Collection[Sequence[Row]]:
    """What has the same level and stands on the same line: a reader wants one box there, and there are few."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        place = row.shown.location
        line = None if place.precision is Precision.FILE else place.line
        groups.setdefault((LEVELS[row.shown.severity], place.path, line), []).append(row)
    return groups.values()


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


def _findings(rows: Sequence[Row], controls: Mapping[str, Control], prefix: str) -> Annotation:
    """One annotation, headed by the worst."""
    worst, *others = rows
    result = worst.shown
    place: dict[str, object] = {"file": result.location.path}
    if result.location.precision is not Precision.FILE:
        place |= {"line": result.location.line, "col": result.location.column}
    title = f"{prefix}{_title(worst, controls)}" + (f" and {len(others)} more" if others else "")
    parts = [_told(worst, controls)]
    parts += [terminal("{}\n{}", _title(each, controls), _told(each, controls)) for each in others]
    return annotation(LEVELS[result.severity], {**place, "title": title}, _fitting(parts))


def _title(row: Row, controls: Mapping[str, Control]) -> Terminal:
    control = controls[row.shown.control]
    return terminal("{} ({}, {})", control.title, row.shown.severity, control.id)


def _told(row: Row, controls: Mapping[str, Control]) -> Terminal:
    result = row.shown
    container = terminal(" container {}", result.container) if result.container else Terminal("")
    where = terminal(" in {}", ", ".join(row.environments)) if row.environments else Terminal("")
    remedy = controls[result.control].remedy
    return terminal("{}{}{}: {}\nFix: {}", row.name, container, where, result.message, remedy)


def _fitting(parts: Sequence[Terminal]) -> Terminal:
    """As many as fit, whole, and how many there are besides."""
    kept, left = parts[0], len(parts) - 1
    for part in parts[1:]:
        if len(kept) + len(part) + LONGEST_WORD > MESSAGE_LIMIT:
            break
        kept, left = Terminal(f"{kept}\n\n{part}"), left - 1
    return Terminal(f"{kept}\n\n… and {left} more") if left else kept


def _rest(found: _Sorted, findings: int, failures: int) -> Iterator[Annotation]:
    """How much is not shown here, and where it is."""
    words = (
        *([count(findings, "more finding")] if findings else []),
        *([f"{count(found.elsewhere, 'new finding')} away from the changed lines"] if found.elsewhere else []),
        *([f"{count(found.unchanged, 'unchanged finding')}"] if found.unchanged else []),
        *([f"{count(failures, 'more item')} not scanned"] if failures else []),
    )
    if words:
        yield annotation(
            "notice",
            {"title": TITLE},
            terminal("Not shown here: {}. See the summary of this run, or audit.json.", ", ".join(words)),
        )
