"""What the findings of one audit cost: points lost by control and by source, the sums that its score is made of."""

from __future__ import annotations

from collections.abc import Iterable

from model.audit import Audit, Result, ResultStatus, Score
from model.resource import Source


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


def by_control(audit: Audit) -> tuple[tuple[str, int], ...]:
    """Ids of controls that cost something, with the weights lost, the dearest first."""
    found = lost(audit.results, audit).items()
    return tuple(sorted((each for each in found if each[1]), key=lambda each: (-each[1], each[0])))


def by_source(audit: Audit) -> tuple[tuple[Source, Score], ...]:
    """Sources in the order of their paths and environments."""
    sums: dict[str, Score] = {}
    for resource in audit.resources:
        sums[resource.source] = sums.get(resource.source, Score()) + resource.score
    ordered = sorted(audit.sources, key=lambda source: (source.path, source.environment, source.id))
    return tuple((source, sums.get(source.id, Score())) for source in ordered)
