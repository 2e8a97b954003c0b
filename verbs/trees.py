"""Loads both sides of a run, so that what base has scanned cannot be lost from sight in head."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from cache import Cache
from manifests.discovery import SUFFIXES
from manifests.load import ChartValues, LoadRequest, load
from manifests.lost import lost_from_sight
from manifests.relocate import relocate
from model.audit import Audit
from model.errors import UsageError
from model.policy import Policy
from model.progress import Progress
from model.resource import Failure, Note, SourceKind, Stage, Tree
from model.sources import SourceEntry
from process import Sandbox
from revisions.export import Absence, Gap
from settings import ScanSettings
from toolbox import Toolbox
from verbs.sides import Side, Sides
from verbs.sources import Sources

CHART_SECONDS = 60.0
"""Longest time for rendering one chart: real ones take less than one second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """What both sides share."""

    wanted: ScanSettings
    policy: Policy
    sources: Sources
    sandbox: Sandbox
    toolbox: Toolbox
    chart_cache: Path | None
    cache: Cache
    progress: Progress

    def base(self, sides: Sides) -> Tree | None:
        """The tree of base under the paths of head; None where it is none, or a stored audit."""
        if sides.base is None:
            return None
        tree = load(self._request(sides.base, self.sources.base, required=False), self.sandbox, self.toolbox)
        return relocate(_with_gaps(tree, sides.base), sides.base.prefix)

    def head(self, sides: Sides, base: Tree | Audit | None) -> Tree:
        """The tree of head; what base has as a source stays one, and what it had and nobody looks at any more fails."""
        side = sides.head
        if base is None:
            return _with_gaps(self._load(side, self.sources.head), side)
        kept = frozenset(source.path for source in base.sources if source.kind is not SourceKind.MANIFESTS)
        apart = _submodules(sides.base) if sides.base else frozenset()
        there = replace(side, paths=tuple(path for path in side.paths if _is_wanted(path, side, base)))
        tree = _with_gaps(self._load(there, self.sources.head, kept, apart), side)
        tree = replace(tree, failures=(*tree.failures, *_gone_into_submodules(side, base)))
        lost = lost_from_sight(base.sources, _raw_manifests(base), tree, side.root)
        inside = _reported(side)
        return replace(tree, failures=(*tree.failures, *(each for each in lost if _is_under(each.path, inside))))

    def _load(
        self,
        side: Side,
        entries: tuple[SourceEntry, ...],
        kept: frozenset[str] = frozenset(),
        apart: frozenset[str] = frozenset(),
    ) -> Tree:
        request = replace(self._request(side, entries, required=True), kept=kept, apart=apart)
        return load(request, self.sandbox, self.toolbox)

    def _request(self, side: Side, entries: tuple[SourceEntry, ...], *, required: bool) -> LoadRequest:
        wanted = self.wanted
        return LoadRequest(
            paths=side.paths,
            root=side.root,
            cwd=side.cwd,
            required=required,
            entries=entries,
            entries_only=self.sources.only,
            values=tuple(
                ChartValues(chart=chart, files=files) for chart, rows in wanted.values.items() for files in rows
            ),
            sets=wanted.sets,
            exclude=self.policy.exclude,
            kube_version=wanted.kube_version,
            api_versions=wanted.api_versions,
            release_name=wanted.release_name,
            namespace=wanted.namespace,
            chart_cache=self.chart_cache,
            cache=self.cache,
            jobs=wanted.jobs,
            timeout=min(wanted.timeout, CHART_SECONDS),
            progress=self.progress,
        )


def _is_wanted(path: str, side: Side, base: Tree | Audit) -> bool:
    """Whether a PATH must be there: one that is gone, and of which base had something, was deleted by the change."""
    place = Path(os.path.normpath(side.cwd / path))
    if place.exists() or place.is_symlink() or not place.is_relative_to(side.root):
        return True
    name = place.relative_to(side.root).as_posix()
    if not any(_is_under(each, (name,)) for each in _paths(base)):
        raise UsageError(f"the path {name} exists on neither side", "Name a chart, a manifest or a folder.")
    return False


def _paths(base: Tree | Audit) -> Iterator[str]:
    yield from (source.path for source in base.sources if source.kind is not SourceKind.MANIFESTS)
    yield from (resource.location.path for resource in base.resources)


def _reported(side: Side) -> tuple[str, ...]:
    """The PATHs as reports show them; those outside of the root show nothing of base."""
    places = (side.cwd / path for path in side.paths)
    return tuple(place.relative_to(side.root).as_posix() for place in places if place.is_relative_to(side.root))


def _is_under(path: str, tops: Iterable[str]) -> bool:
    return any(top in {".", path} or path.startswith(f"{top}/") for top in tops)


def _raw_manifests(side: Tree | Audit) -> Iterator[str]:
    """Reported paths of the files that hold objects on their own."""
    raw = {source.id for source in side.sources if source.kind is SourceKind.MANIFESTS}
    return (resource.location.path for resource in side.resources if resource.source in raw)


# ---------------------------------------------------------------- what git does not hold


def _submodules(side: Side) -> frozenset[str]:
    return frozenset(gap.path for gap in side.gaps if gap.reason is Absence.SUBMODULE)


def _with_gaps(tree: Tree, side: Side) -> Tree:
    """What the commit names and does not hold: submodules and LFS files as notes, lost manifests as Failures."""
    notes = [
        Note(path=gap.path, reason=f"{gap.reason}: nothing of it is scanned or compared")
        for gap in side.gaps
        if gap.reason is Absence.SUBMODULE
    ]
    large = [gap for gap in side.gaps if gap.reason is Absence.LFS and not gap.path.endswith(SUFFIXES)]
    if large:
        notes.append(Note(path=large[0].path, reason=f"one of {len(large)} Git LFS pointers: their files are not read"))
    told = {Absence.SUBMODULE, Absence.LFS}
    failures = [_failure(gap) for gap in side.gaps if gap.reason not in told and gap.path.endswith(SUFFIXES)]
    return replace(tree, notes=(*tree.notes, *notes), failures=(*tree.failures, *failures))


def _gone_into_submodules(side: Side, base: Tree | Audit) -> Iterator[Failure]:
    """What base has scanned and what another repository holds now."""
    paths = frozenset(_paths(base))
    for gap in side.gaps:
        if gap.reason is Absence.SUBMODULE and any(_is_under(path, (gap.path,)) for path in paths):
            yield Failure(
                stage=Stage.PARSE,
                path=gap.path,
                digest=f"git:{gap.id}",
                reason="base has manifests here; head has a submodule, and nothing of it is scanned",
                remedy="scan the other repository by itself, and let base lose them first, or keep them here",
            )


def _failure(gap: Gap) -> Failure:
    return Failure(
        stage=Stage.PARSE,
        path=gap.path,
        digest=f"git:{gap.id}",
        reason=f"the commit has a file that cannot be written out: {gap.reason}",
        remedy="rename it in the repository",
    )
