"""What one side of a comparison could not see: what is missing there says nothing about the other side."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from model.audit import ALL_OF_PODS, Audit, AuditedResource, Result, ResultStatus
from model.control import Subject
from model.finding import ScanStatus
from model.resource import Failure, Source, SourceKind, Stage

KUSTOMIZATIONS = frozenset({"kustomization.yaml", "kustomization.yml", "Kustomization"})
K = TypeVar("K")
V = TypeVar("V")
PODS = frozenset({Subject.POD, Subject.CONTAINER})
Unread = tuple[Stage, str, str | None]
"""What could not be read: stage, path, and digest of what stands there; the same on both sides hides the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The blind spots of one audit."""

    sources: frozenset[str]
    """Not rendered, or only in part."""
    unread: Mapping[str | None, frozenset[Unread]]
    """What is missing, by the source that misses it; None for what belongs to no source."""
    places: Mapping[str, frozenset[str | None]]
    """Paths that were not read, with the sources that miss them; None for what belongs to no source."""
    scanners: frozenset[str]
    """Those that looked at nothing, or whose report was not understood to the end."""
    unseen: Mapping[str, frozenset[str]]
    """Scanners that did not show a resource, by its id."""
    not_judged: frozenset[tuple[str, str | None, str]]
    """Id of a resource, container and control."""

    @classmethod
    def of(cls, audit: Audit) -> Sight:
        """The blind spots that its failures tell of."""
        whole = [each for each in audit.unscanned if each.scanner is None and each.resource is None]
        unsure = {each.scanner for each in audit.unscanned if each.scanner is not None and each.resource is None}
        broken = {scanner.name for scanner in audit.scanners if scanner.status is ScanStatus.FAILED}
        unseen = [(each.resource, each.scanner) for each in audit.unscanned if each.resource and each.scanner]
        return cls(
            sources=frozenset(each.source for each in whole if each.source and each.stage is Stage.RENDER),
            unread=_grouped((each.source, (each.stage, each.path, each.digest)) for each in whole),
            places=_grouped((place, each.source) for each in whole for place in _places(each)),
            scanners=frozenset(unsure | broken),
            unseen=_grouped(unseen),
            not_judged=frozenset((each.resource, each.container, each.control) for each in audit.coverage.not_judged),
        )

    def hides_object(self, there: AuditedResource, source: Source, counterpart: str | None) -> bool:
        """Whether an object that the other side has may be here, too, where nobody could look.

        ``source`` is its source there, ``counterpart`` the id of that source here.
        """
        path = there.location.path
        return (
            counterpart in self.sources
            or path in self.places
            or any(self.places[place] & {None, counterpart} for place in self._around(path))
            or any(
                None in self.places[place]
                for place in (*self._around(source.path), source.path)
                if place in self.places
            )
        )

    def missing(self, source: Source, known_as: str | None) -> frozenset[Unread]:
        """What could not be read of a source of either side; ``known_as``: its id here, if it is here."""
        of_nobody = self.unread.get(None, frozenset())
        own = self.unread.get(known_as, frozenset()) if known_as else frozenset()
        return own | {each for each in of_nobody if _covers(source, each)}

    def hides_verdict(self, result: Result, here: AuditedResource, container: str | None) -> bool:
        """Whether nobody could say of an object here what ``result`` says of it there; ``container``: its key here."""
        if (here.id, container, result.control) in self.not_judged:
            return True
        if result.subject in PODS and (here.id, None, ALL_OF_PODS) in self.not_judged:
            return True
        return self.lacks_scanners(result, self.unseen.get(here.id, frozenset()))

    def lacks_scanners(self, result: Result, unseen: frozenset[str] = frozenset()) -> bool:
        """Whether all who failed it looked at nothing here, or are among those who have not seen the object."""
        accusers = {witness.scanner for witness in result.witnesses if witness.verdict is ResultStatus.FAILED}
        return bool(accusers) and accusers <= self.scanners | unseen

    def _around(self, path: str) -> Iterator[str]:
        """Folders above ``path`` that are blind spots."""
        return (place for place in _above(path) if place in self.places)


@lru_cache(maxsize=65536)
def _above(path: str) -> tuple[str, ...]:
    """All folders that ``path`` lies in, ``.`` the last one."""
    folders: list[str] = []
    while (path := posixpath.dirname(path)).strip("/"):
        folders.append(path)
    return (*folders, ".")


def _places(failure: Failure) -> Iterator[str]:
    """Its path; a kustomization that cannot be read hides its whole folder."""
    yield failure.path
    folder, name = posixpath.split(failure.path)
    if failure.stage is Stage.RENDER and failure.source is None and name in KUSTOMIZATIONS:
        yield folder or "."


def _covers(source: Source, unread: Unread) -> bool:
    """Whether objects of ``source`` may stand in what no source claims; raw manifests are all files below a PATH."""
    stage, path, _ = unread
    if path == source.path or path in _above(source.path):
        return True
    return source.kind is SourceKind.MANIFESTS and stage is Stage.PARSE and source.path in _above(path)


def _grouped(rows: Iterable[tuple[K, V]]) -> Mapping[K, frozenset[V]]:
    found: dict[K, set[V]] = {}
    for key, value in rows:
        found.setdefault(key, set()).add(value)
    return {key: frozenset(values) for key, values in found.items()}
