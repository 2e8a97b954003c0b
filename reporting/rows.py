"""Results as people read them: one row where the audit keeps one for each environment of a chart; nothing is dropped.

Results are one row only when they differ in nothing but the source: two of the same source never share one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from model.audit import Audit, AuditedResource, Result
from model.control import RANKS, Severity
from model.resource import Source, SourceKind

OWN_VALUES = "its own values"
"""What a chart is rendered with that also has environments."""
_POSITION = re.compile(r"\[\d+\]")
"""Lists of an environment may be longer than those of the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One weakness at one place."""

    results: tuple[Result, ...]
    """At least one; the first speaks for all."""
    name: str
    """``Kind/namespace/name``."""
    environments: tuple[str, ...]
    """Where it holds, sorted; empty where there is but one way to read the place."""

    @property
    def shown(self) -> Result:
        """The result whose place and message stand in the row."""
        return self.results[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All rows of one control."""

    control: str
    severity: Severity
    rows: tuple[Row, ...]

    @property
    def results(self) -> int:
        """How many the audit keeps for these rows."""
        return sum(len(row.results) for row in self.rows)


def rows_of(results: Iterable[Result], audit: Audit) -> tuple[Row, ...]:
    """Rows, worst first, then in the order of ``results``, which are of ``audit``."""
    resources = {resource.id: resource for resource in audit.resources}
    sources = {source.id: source for source in audit.sources}
    gathered: dict[tuple[object, ...], list[Result]] = {}
    seen: Counter[tuple[object, ...]] = Counter()
    for result in results:
        resource = resources[result.resource]
        key = _key(result, resource, sources[resource.source])
        ordinal = (*key, resource.source)
        seen[ordinal] += 1
        gathered.setdefault((*key, seen[ordinal]), []).append(result)
    charts = Counter(_scope(source) for source in audit.sources)
    rows = [
        Row(
            results=tuple(members),
            name=str(resources[members[0].resource].ref),
            environments=_environments([sources[resources[each.resource].source] for each in members], charts),
        )
        for members in gathered.values()
    ]
    return tuple(sorted(rows, key=lambda row: RANKS[row.shown.severity]))


def groups_of(rows: Sequence[Row]) -> tuple[Group, ...]:
    """Rows by control: worst first, larger before smaller."""
    members: dict[str, list[Row]] = {}
    for row in rows:
        members.setdefault(row.shown.control, []).append(row)
    groups = (
        Group(control=control, severity=rows[0].shown.severity, rows=tuple(rows)) for control, rows in members.items()
    )
    return tuple(sorted(groups, key=lambda group: (RANKS[group.severity], -group.results, group.control)))


def _key(result: Result, resource: AuditedResource, source: Source) -> tuple[object, ...]:
    """What environments of a chart share, or different readers of one place."""
    place = result.location
    return (
        result.control,
        _scope(source) if source.kind is SourceKind.HELM else (place.path, place.line, place.column),
        resource.ref,
        result.container,
        _POSITION.sub("", result.field or ""),
        result.message,
    )


def _scope(source: Source) -> tuple[str, str]:
    return (source.kind, source.path)


def _environments(sources: Sequence[Source], charts: Counter[tuple[str, str]]) -> tuple[str, ...]:
    """Named where the place can be read in several ways."""
    if len(sources) == 1 and not sources[0].environment and charts[_scope(sources[0])] == 1:
        return ()
    return tuple(sorted({_environment(source) for source in sources}))


def _environment(source: Source) -> str:
    return source.environment or (OWN_VALUES if source.kind is SourceKind.HELM else source.path)
