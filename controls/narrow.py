"""An audit, and a comparison, of what lies under some paths only: what a gate of its own decides about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from controls.assemble import worst_first
from controls.compare import comparable
from controls.paths import resources_under
from model.audit import Audit, Result, Score
from model.comparison import Comparison, Couple


def narrow(audit: Audit, paths: tuple[str, ...]) -> Audit:
    """The audit without the resources, and their results, that lie elsewhere."""
    ids = resources_under(audit, paths)
    resources = tuple(resource for resource in audit.resources if resource.id in ids)
    return replace(
        audit,
        resources=resources,
        results=_of(audit.results, ids),
        score=sum((resource.score for resource in resources), Score()),
    )


def narrow_comparison(comparison: Comparison, paths: tuple[str, ...]) -> Comparison:
    """The comparison without what lies elsewhere.

    What moved here from there is new here, since other rules hold; what gets worse while it moves away is new, too.
    """
    base, head = narrow(comparison.base, paths), narrow(comparison.head, paths)
    before = frozenset(resource.id for resource in base.resources)
    after = frozenset(resource.id for resource in head.resources)
    changed = after.intersection(comparison.changed_resources)
    couples = tuple(_narrowed(comparison.couples, before, after))
    came = {each.head.id for each in couples if each.head and not each.base}
    left = {each.head.id for each in comparison.couples if each.head and each.base and each.base.id in before}
    entered = tuple(result for result in comparison.persisting if result.resource in came)
    base_comparable, head_comparable = comparable(couples)
    return replace(
        comparison,
        base=base,
        head=head,
        patch=sum((resource.score for resource in head.resources if resource.id in changed), Score()),
        base_comparable=base_comparable,
        head_comparable=head_comparable,
        introduced=tuple(sorted((*_of(comparison.introduced, after | left), *entered), key=worst_first)),
        resolved=_of(comparison.resolved, before),
        persisting=tuple(result for result in _of(comparison.persisting, after) if result.resource not in came),
        unwaived=tuple(result for result in _of(comparison.unwaived, after) if result.resource not in came),
        moved=tuple(pair for pair in comparison.moved if pair[1].resource in after),
        newly_visible=_of(comparison.newly_visible, after),
        uncompared=_of(comparison.uncompared, before),
        changed_resources=tuple(sorted(changed)),
        couples=couples,
    )


def _narrowed(couples: Iterable[Couple], before: frozenset[str], after: frozenset[str]) -> Iterator[Couple]:
    """Those that lie there on a side; of one that moves across the border only the side that lies there."""
    for couple in couples:
        old = couple.base if couple.base and couple.base.id in before else None
        new = couple.head if couple.head and couple.head.id in after else None
        if old or new:
            yield replace(couple, base=old, head=new, containers=couple.containers if old and new else ())


def _of(results: Iterable[Result], ids: frozenset[str]) -> tuple[Result, ...]:
    return tuple(result for result in results if result.resource in ids)
