"""What findings cost: points lost by control and by source, the same sums that the score is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from model.audit import Audit, Result, ResultStatus, Score
from model.comparison import Comparison
from model.resource import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlTally:
    """A control on both sides; ``before`` is 0 without a base."""

    control: str
    before: int
    after: int
    """Weights lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTally:
    """A source on both sides; None where that side has no such source."""

    source: Source
    before: Score | None
    after: Score | None


def lost(results: Iterable[Result], audit: Audit) -> dict[str, int]:
    """The weights that failed ``results`` of ``audit`` take from its score, by control.

    A control counts once on a subject, however many of its list items are at fault; what is not scored costs nothing.
    """
    scored = {resource.id for resource in audit.resources if resource.score.possible}
    weights = {
        (result.control, result.resource, result.container): result.severity.weight
        for result in results
        if result.status is ResultStatus.FAILED and result.resource in scored and not _is_unscored(result.control)
    }
    sums: dict[str, int] = {}
    for (control, _, _), weight in weights.items():
        sums[control] = sums.get(control, 0) + weight
    return sums


def _is_unscored(control: str) -> bool:
    """Controls that the catalogue does not know are gated by severity, and cost no points (model.control)."""
    return control.startswith("unmapped/")


def by_control(head: Audit, comparison: Comparison | None) -> tuple[ControlTally, ...]:
    """Controls that cost something on either side: what changed most first, then the dearest."""
    after = lost(head.results, head)
    before: Mapping[str, int] = lost(comparison.base.results, comparison.base) if comparison else {}
    tallies = (
        ControlTally(control=control, before=before.get(control, 0), after=after.get(control, 0))
        for control in before.keys() | after.keys()
    )
    return tuple(
        sorted(
            (tally for tally in tallies if tally.before or tally.after),
            key=lambda tally: (-abs(tally.after - tally.before), -tally.after, tally.control),
        )
    )


def by_source(head: Audit, comparison: Comparison | None) -> tuple[SourceTally, ...]:
    """Sources of either side, in the order of their paths and environments."""
    after = _scores(head)
    before = _scores(comparison.base) if comparison else {}
    tallies = (
        SourceTally(
            source=(after.get(key) or before[key])[0],
            before=before[key][1] if key in before else None,
            after=after[key][1] if key in after else None,
        )
        for key in before.keys() | after.keys()
    )
    return tuple(sorted(tallies, key=lambda tally: (tally.source.path, tally.source.environment, tally.source.id)))


def _scores(audit: Audit) -> dict[tuple[str, str, str], tuple[Source, Score]]:
    """By what a source is called on both sides."""
    sums: dict[str, Score] = {}
    for resource in audit.resources:
        sums[resource.source] = sums.get(resource.source, Score()) + resource.score
    found: dict[tuple[str, str, str], tuple[Source, Score]] = {}
    for source in audit.sources:
        key = (source.kind, source.name, source.environment)
        _, already = found.get(key, (source, Score()))
        found[key] = (source, already + sums.get(source.id, Score()))
    return found
