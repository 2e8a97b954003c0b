"""What was heard of a resource on one side counts on the other, where both hold it alike, seen by the same eyes.

It remembers nothing of a resource whose judgement looked at its neighbours: they may differ. What kustomize builds is
never from the same bytes, so that no generated name of another object is in what it remembers either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from controls.catalogue import Catalogue
from model.audit import AuditedResource, NotJudged, Result
from model.finding import Drop, Opinion, Scan
from model.record import record
from model.resource import Resource, Source

Opinions = list[tuple[str, Opinion]]
"""By scanner, in the order of the scans."""


@record(frozen=True, slots=True, kw_only=True, eq=False)
class Heard:
    """What judging one resource yields."""

    audited: AuditedResource
    results: Sequence[Result]
    not_judged: Sequence[NotJudged]
    drops: Sequence[Drop]


@dataclass(slots=True, eq=False)
class Memory:
    """Of one run. By id of the resource: what it was, and what was heard."""

    _under: tuple[object, ...] = ()
    _heard: dict[str, tuple[Source, Resource, Opinions, Heard]] = field(default_factory=dict)

    def under(self, scans: Sequence[Scan], catalogue: Catalogue) -> Memory:
        """This memory, which holds for these very scans and this catalogue."""
        under = (catalogue, *scans)
        if list(map(id, under)) != list(map(id, self._under)):
            self._under = under
            self._heard.clear()
        return self

    def recall(self, source: Source, resource: Resource, opinions: Opinions) -> Heard | None:
        """What was heard of the same object, from the same bytes, at the same place, with the same opinions."""
        known = self._heard.get(resource.id)
        if known is None:
            return None
        its_source, twin, its_opinions, heard = known
        is_same = (
            twin.value is resource.value
            and twin.marks is resource.marks
            and twin.marks is not None
            and twin.location == resource.location
            and twin.stem == resource.stem
            and twin.scored == resource.scored
            and its_source == source
            and its_opinions == opinions
        )
        return heard if is_same else None

    def keep(self, source: Source, resource: Resource, opinions: Opinions, heard: Heard) -> None:
        """Remember it."""
        self._heard[resource.id] = (source, resource, opinions, heard)
