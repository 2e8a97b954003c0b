"""An audit, and a comparison, of what lies under some paths only: what a gate of its own decides about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from controls.compare import comparable
from controls.paths import resources_under
from model.audit import Audit, Comparison, Result, Score


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
    """The comparison without what lies elsewhere: what moved here from there is still no new finding."""
    base, head = narrow(comparison.base, paths), narrow(comparison.head, paths)
    before = frozenset(resource.id for resource in base.resources)
    after = frozenset(resource.id for resource in head.resources)
    changed = after.intersection(comparison.changed_resources)
    base_comparable, head_comparable = comparable(base, head)
    return replace(
        comparison,
        base=base,
        head=head,
        patch=sum((resource.score for resource in head.resources if resource.id in changed), Score()),
        base_comparable=base_comparable,
        head_comparable=head_comparable,
        introduced=_of(comparison.introduced, after),
        resolved=_of(comparison.resolved, before),
        persisting=_of(comparison.persisting, after),
        moved=tuple(pair for pair in comparison.moved if pair[1].resource in after),
        newly_visible=_of(comparison.newly_visible, after),
        uncompared=_of(comparison.uncompared, before),
        changed_resources=tuple(sorted(changed)),
    )


def _of(results: Iterable[Result], ids: frozenset[str]) -> tuple[Result, ...]:
    return tuple(result for result in results if result.resource in ids)
