"""The entrance to this room: paths in, a Tree out. All that was expected and is not there is in it as a Failure."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from manifests import entries
from manifests.discovery import Found, ManifestFile, Top, discover, tops, work_tree
from manifests.environments import outside, plan, values_files
from manifests.files import NotReadError, Reader
from manifests.helm.charts import below, local_folders
from manifests.helm.render import Rendered, chart_failure, is_test, render_all
from manifests.helm.running import Release, Rendering
from manifests.kustomize.build import Building, Built, Pace, build_all, not_built
from manifests.kustomize.kustomizations import within_reach
from manifests.kustomize.origins import Origins
from manifests.raw import RawReader, read_manifests
from manifests.request import ChartValues, LoadRequest
from manifests.resources import Origin, Registry
from model.progress import Progress
from model.resource import Failure, Note, Resource, Source, SourceKind, Tree
from process import Sandbox
from toolbox import Toolbox

__all__ = ["ChartValues", "LoadRequest", "load"]

RENDERED: Final = ("templates", "crds", "charts")
"""Folders of a chart from which Helm makes objects."""
WORK: Final = "reading files"
"""What people are told while it lasts."""


def load(request: LoadRequest, sandbox: Sandbox, toolbox: Toolbox) -> Tree:
    """All sources and resources under the paths of one side.

    Raises UsageError for a path or chart that is named and not there, and EnvironmentBrokenError where no process can
    be started. Without Helm each chart is a Failure, without kustomize each kustomization.
    """
    cwd = request.cwd.resolve()
    root = request.root.resolve() if request.root else work_tree(cwd)
    paths = tops(request.paths, root, cwd, required=request.required)
    found = discover(
        paths,
        request.exclude,
        values=values_files(request, root, cwd),
        listed=entries.folders(request.entries, root) | {root / folder for folder in request.kept},
        apart=frozenset(root / folder for folder in request.apart),
    )
    if request.entries_only:
        entries.keep_listed(found, request.entries)
    if request.required:
        entries.require_listed(found, request.entries, paths, root)
    registry = Registry()
    planned = plan(request, found.charts, cwd, registry)
    reader = RawReader(registry, Reader())
    ordered = sorted(paths, key=lambda top: os.fsencode(top.path))
    parts = [_raw(top, found, request, registry, reader) for top in ordered]
    parts += [_chart(rendered, registry) for rendered in _render(planned, request, sandbox, toolbox)]
    origins = cache(Origins)  # a file that several kustomizations build on is read once
    parts += [_kustomization(built, registry, origins) for built in _build(found, request, registry, sandbox, toolbox)]
    return _tree(parts, found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What one source holds."""

    source: Source
    resources: Sequence[Resource]
    failures: Sequence[Failure]
    notes: Sequence[Note] = ()
    documents: int


# ---------------------------------------------------------------- raw manifests


def _raw(top: Top, found: Found, request: LoadRequest, registry: Registry, reader: RawReader) -> _Part:
    """All raw manifests of one PATH are one source."""
    source = Source(
        id=registry.unique(f"manifests:{top.reported}"),
        kind=SourceKind.MANIFESTS,
        path=top.reported,
        name="manifests",
        kube_version=request.kube_version,
    )
    raw = read_manifests(_told(found.manifests[top], request.progress), source.id, top, reader)
    return _Part(
        source=source, resources=raw.resources, failures=raw.failures, notes=raw.notes, documents=raw.documents
    )


def _told(files: Sequence[ManifestFile], progress: Progress) -> Iterator[ManifestFile]:
    """The files; all of them are done where the reader has had enough before the end."""
    left = len(files)
    progress(WORK, more=left)
    try:
        for file in files:
            yield file
            left -= 1
            progress(WORK, done=1)
    finally:
        progress(WORK, done=left)


# ---------------------------------------------------------------- charts


def _render(
    planned: Sequence[Rendering], request: LoadRequest, sandbox: Sandbox, toolbox: Toolbox
) -> Iterator[Rendered]:
    refused = {rendering.source.id: each for rendering in planned if (each := outside(rendering, request))}
    allowed = [rendering for rendering in planned if rendering.source.id not in refused]
    release, told = _release(request), request.progress
    rendered = iter(
        render_all(allowed, release, sandbox, toolbox, request.jobs, cache=request.cache, progress=told),
    )
    for rendering in planned:
        yield refused.get(rendering.source.id) or next(rendered)


def _release(request: LoadRequest) -> Release:
    return Release(
        kube_version=request.kube_version,
        api_versions=request.api_versions,
        name=request.release_name,
        namespace=request.namespace,
        timeout=request.timeout,
        chart_cache=request.chart_cache,
    )


def _chart(rendered: Rendered, registry: Registry) -> _Part:
    source = rendered.rendering.source
    resources: list[Resource] = []
    failures = list(rendered.failures)
    documents = sum(document.value is not None for document, _ in rendered.documents)
    for document, path in rendered.documents:
        origin = Origin(source=source.id, path=path, rendered=True, provenance=rendered.provenance)
        for each in registry.resources(document, origin):
            if isinstance(each, Resource):
                resources.append(replace(each, scored=not is_test(each.value)))
            else:
                reason = f"a rendered document is no Kubernetes object: {each.reason}"
                error = NotReadError(reason, "correct the template")
                failures.append(chart_failure(rendered.rendering, path, error))
    return _Part(source=source, resources=resources, failures=failures, notes=rendered.notes, documents=documents)


# ---------------------------------------------------------------- kustomizations


def _build(
    found: Found, request: LoadRequest, registry: Registry, sandbox: Sandbox, toolbox: Toolbox
) -> Sequence[Built]:
    buildings = [
        Building(
            kustomization=each,
            source=Source(
                id=registry.unique(f"kustomize:{each.path}"),
                kind=SourceKind.KUSTOMIZE,
                path=each.path,
                name=each.path,
                kube_version=request.kube_version,
            ),
        )
        for each in found.kustomizations
    ]
    pace = Pace(jobs=request.jobs, timeout=request.timeout, progress=request.progress, cache=request.cache)
    return build_all(buildings, found.known, sandbox, toolbox, pace)


def _kustomization(built: Built, registry: Registry, origins_of: Callable[[Path], Origins]) -> _Part:
    source, top = built.building.source, built.building.kustomization
    origins = origins_of(top.root)
    resources: list[Resource] = []
    failures = list(built.failures)
    for each in built.documents:
        origin = Origin(source=source.id, path=below(top.root, top.file), rendered=True)
        for resource in registry.resources(each.document, origin):
            if isinstance(resource, Resource):
                resources.append(origins.place(resource, each.file, generated=each.generated))
            else:
                error = NotReadError(f"what it builds is no Kubernetes object: {resource.reason}", "correct it")
                failures.append(not_built(built.building, error, {}))
    return _Part(source=source, resources=resources, failures=failures, documents=len(built.documents))


# ---------------------------------------------------------------- the whole


def _tree(parts: Sequence[_Part], found: Found) -> Tree:
    resources = tuple(resource for part in parts for resource in part.resources)
    failures = {*found.failures, *(failure for part in parts for failure in part.failures)}
    notes = {*found.notes, *(note for part in parts for note in part.notes)}
    held = [part for part in parts if part.source.kind is not SourceKind.MANIFESTS or part.resources or part.failures]
    return Tree(
        sources=tuple(part.source for part in held),
        resources=resources,
        failures=tuple(sorted(failures, key=lambda each: (each.path, each.line or 0, each.source or "", each.reason))),
        notes=tuple(sorted(notes, key=lambda each: (each.path, each.line or 0, each.reason))),
        excluded=tuple(sorted(found.excluded, key=lambda each: each.path)),
        files=len({resource.location.path for resource in resources}),
        documents=sum(part.documents for part in parts),
        reads=frozenset(_reads(found)),
    )


def _reads(found: Found) -> Iterator[str]:
    """What is looked at. Of a kustomization the objects: patches are looked at by what they change, if anything."""
    for manifests in found.manifests.values():
        yield from (file.reported for file in manifests)
    for chart in found.charts:
        for folder in (chart.folder, *local_folders(chart)):
            path = below(chart.root, folder)
            yield path
            yield from (os.path.normpath(f"{path}/{part}") + "/" for part in RENDERED)
    for top in found.kustomizations:
        for part in within_reach(top, found.known):
            yield part.path
            yield from (below(part.root, file) for file in part.resources)
