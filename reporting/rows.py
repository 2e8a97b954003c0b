"""Results as people read them: one row where the audit keeps one for each environment of a chart; nothing is dropped.

Results are one row only when they differ in nothing but the source: two of the same source never share one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from model.audit import Audit, Result
from model.control import RANKS, Severity
from model.record import record
from model.resource import ResourceRef, Source, SourceKind

OWN_VALUES = "its own values"
"""What a chart is rendered with that also has environments."""
_POSITION = re.compile(r"\[\d+\]")
"""Lists of an environment may be longer than those of the next."""


@record(frozen=True, slots=True, kw_only=True)
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
    places = _places(audit)
    rows: list[list[Result]] = []
    gathered: dict[tuple[object, ...], list[list[Result]]] = {}  # of one source, a row holds one result at most
    told: dict[tuple[tuple[object, ...], str], int] = {}
    for result in results:
        place = places[result.resource]
        if place.is_alone:
            rows.append([result])
            continue
        key = _key(result, place)
        alike = gathered.get(key)
        if alike is None:
            rows.append([result])
            gathered[key] = [rows[-1]]
            continue
        source = place.source.id
        first = places[alike[0][0].resource].source.id
        ordinal = told.get((key, source), 1 if source == first else 0)
        told[key, source] = ordinal + 1
        if ordinal == len(alike):
            rows.append([])
            alike.append(rows[-1])
        alike[ordinal].append(result)
    rows.sort(key=lambda members: RANKS[members[0].severity])
    return tuple(_row(members, places) for members in rows)


class _Place(NamedTuple):
    """What all results of one resource share."""

    source: Source
    identity: int
    """The same for all resources with the same ``ref``: quicker to look up."""
    name: str
    is_read_once: bool
    """There is but one way to read it."""
    is_alone: bool
    """No other source can say the same of the same place."""


def _places(audit: Audit) -> dict[str, _Place]:
    """By id of the resource."""
    charts = Counter(_scope(source) for source in audit.sources)
    readers = sum(source.kind is not SourceKind.HELM for source in audit.sources)
    sources = {source.id: source for source in audit.sources}
    identities: dict[ResourceRef, int] = {}
    found = {}
    for resource in audit.resources:
        source = sources[resource.source]
        ways = charts[_scope(source)]
        found[resource.id] = _Place(
            source=source,
            identity=identities.setdefault(resource.ref, len(identities)),
            name=str(resource.ref),
            is_read_once=ways == 1 and not source.environment,
            is_alone=(ways if source.kind is SourceKind.HELM else readers) == 1,
        )
    return found


def _row(members: Sequence[Result], places: Mapping[str, _Place]) -> Row:
    first = places[members[0].resource]
    if len(members) == 1 and first.is_read_once:
        return Row(results=tuple(members), name=first.name, environments=())
    environments = {_environment(places[each.resource].source) for each in members}
    return Row(results=tuple(members), name=first.name, environments=tuple(sorted(environments)))


def groups_of(rows: Sequence[Row]) -> tuple[Group, ...]:
    """Rows by control: worst first, larger before smaller."""
    members: dict[str, list[Row]] = {}
    for row in rows:
        members.setdefault(row.results[0].control, []).append(row)
    groups = (
        Group(control=control, severity=rows[0].shown.severity, rows=tuple(rows)) for control, rows in members.items()
    )
    return tuple(sorted(groups, key=lambda group: (RANKS[group.severity], -group.results, group.control)))


def _key(result: Result, place: _Place) -> tuple[object, ...]:
    """What environments of a chart share, or different readers of one place."""
    line = result.location
    field = result.field or ""
    return (
        result.control,
        _scope(place.source) if place.source.kind is SourceKind.HELM else (line.path, line.line, line.column),
        place.identity,
        result.container,
        _POSITION.sub("", field) if "[" in field else field,
        result.message,
    )


def _scope(source: Source) -> tuple[str, str]:
    return (source.kind, source.path)


def _environment(source: Source) -> str:
    return source.environment or (OWN_VALUES if source.kind is SourceKind.HELM else source.path)
