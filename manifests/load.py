"""The entrance to this room: paths in, a Tree out. All that was expected and is not there is in it as a Failure."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from manifests.charts import Chart, below
from manifests.discovery import Found, Top, discover, tops, work_tree
from manifests.files import NotReadError, Reader, reported
from manifests.helm import Release, Rendered, Rendering, chart_failure, is_test, render_all
from manifests.raw import RawReader, read_manifests
from manifests.resources import Origin, Registry
from model.errors import UsageError
from model.resource import Failure, Note, Resource, Source, SourceKind, Tree
from process import Sandbox
from toolbox import Toolbox

VALUES_WORD: Final = re.compile(r"^values[-_.]?|[-_.]?values$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartValues:
    """Values files for a chart, in order: one environment. Several of them for one chart make a source each."""

    chart: str
    """The chart's path relative to the root or the current folder, or its name."""
    files: tuple[str, ...]
    """Relative to the current folder."""
    environment: str = ""
    """Empty: after the last file, ``values-prod.yaml`` is ``prod``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequest:
    """What to load, and how charts are to be rendered."""

    paths: tuple[str, ...] = (".",)
    """Relative to ``cwd``."""
    root: Path | None = None
    """What reported paths are relative to; None for the git work tree around ``cwd``, else ``cwd``."""
    cwd: Path = field(default_factory=Path.cwd)
    required: bool = True
    """Whether a PATH, or a chart that has values, must be there: so in head, while base may not have it yet."""
    values: tuple[ChartValues, ...] = ()
    sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """``KEY=VALUE`` by chart, as ``--set`` of Helm has them."""
    exclude: tuple[str, ...] = ()
    """gitignore globs on reported paths."""
    kube_version: str
    """``major.minor``."""
    api_versions: tuple[str, ...] = ()
    release_name: str = "release-name"
    namespace: str = "default"
    jobs: int = 2
    """Charts rendered at the same time."""
    timeout: float = 60.0
    """Seconds for one chart."""


def load(request: LoadRequest, sandbox: Sandbox, toolbox: Toolbox) -> Tree:
    """All sources and resources under the paths of one side.

    Raises UsageError for a path or chart that is named and not there, and EnvironmentBrokenError where no process can
    be started. Without Helm each chart is a Failure.
    """
    cwd = request.cwd.resolve()
    root = request.root.resolve() if request.root else work_tree(cwd)
    paths = tops(request.paths, root, cwd, required=request.required)
    values = frozenset(_absolute(cwd, file) for each in request.values for file in each.files)
    found = discover(paths, request.exclude, values)
    registry = Registry()
    renderings = _renderings(request, found.charts, cwd, registry)
    reader = RawReader(registry, Reader())
    ordered = sorted(paths, key=lambda top: os.fsencode(top.path))
    parts = [_raw(top, found, request, registry, reader) for top in ordered]
    parts += [
        _chart(rendered, registry)
        for rendered in render_all(renderings, _release(request), sandbox, toolbox, request.jobs)
    ]
    return _tree(parts, found)


def _absolute(cwd: Path, name: str) -> Path:
    return Path(os.path.normpath(cwd / name))


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
    raw = read_manifests(found.manifests[top], source.id, top, reader)
    return _Part(
        source=source, resources=raw.resources, failures=raw.failures, notes=raw.notes, documents=raw.documents
    )


# ---------------------------------------------------------------- charts


def _renderings(request: LoadRequest, charts: Sequence[Chart], cwd: Path, registry: Registry) -> tuple[Rendering, ...]:
    named = {name: _named(name, charts, cwd) for name in (*(each.chart for each in request.values), *request.sets)}
    if request.required and (unknown := sorted(name for name, chart in named.items() if chart is None)):
        known = ", ".join(chart.path for chart in charts[:20]) or "none"
        raise UsageError(
            f"{reported(unknown[0])!r} of --values or --set is no chart under the paths", f"name one of: {known}"
        )
    renderings = []
    for chart in charts:
        sets = tuple(each for name, chart_sets in request.sets.items() if named[name] is chart for each in chart_sets)
        environments = [each for each in request.values if named[each.chart] is chart]
        for source, values in _sources(chart, environments, request, cwd):
            own = replace(source, id=registry.unique(source.id))
            renderings.append(Rendering(chart=chart, source=own, values=values, sets=sets))
    return tuple(renderings)


def _named(name: str, charts: Sequence[Chart], cwd: Path) -> Chart | None:
    """The chart that a user means: by its reported path, by its path from here, or by its name if only one has it."""
    spelled = name.rstrip("/") or name
    for chart in charts:
        if spelled == chart.path or _absolute(cwd, name) == chart.folder:
            return chart
    same = [chart for chart in charts if chart.name == name]
    return same[0] if len(same) == 1 else None


def _sources(
    chart: Chart, environments: Sequence[ChartValues], request: LoadRequest, cwd: Path
) -> Iterator[tuple[Source, tuple[Path, ...]]]:
    """The chart with each set of values, or with none."""
    plain = Source(
        id=chart.path, kind=SourceKind.HELM, path=chart.path, name=chart.name, kube_version=request.kube_version
    )
    if not environments:
        yield plain, ()
    names = Registry()
    for each in environments:
        name = names.unique(each.environment or _environment(each.files))
        files = tuple(_absolute(cwd, file) for file in each.files)
        shown = tuple(below(chart.root, file) if file.is_relative_to(chart.root) else reported(file) for file in files)
        yield replace(plain, id=f"{chart.path}?values={name}", environment=name, values=shown), files


def _environment(files: Sequence[str]) -> str:
    """What the last of the files is for: ``prod`` of ``values-prod.yaml``."""
    stem = reported(Path(files[-1]).name.rpartition(".")[0])
    return VALUES_WORD.sub("", stem) or stem


def _release(request: LoadRequest) -> Release:
    return Release(
        kube_version=request.kube_version,
        api_versions=request.api_versions,
        name=request.release_name,
        namespace=request.namespace,
        timeout=request.timeout,
    )


def _chart(rendered: Rendered, registry: Registry) -> _Part:
    source = rendered.rendering.source
    resources: list[Resource] = []
    failures = list(rendered.failures)
    documents = sum(document.value is not None for document, _ in rendered.documents)
    for document, path in rendered.documents:
        for each in registry.resources(document, Origin(source=source.id, path=path, rendered=True)):
            if isinstance(each, Resource):
                resources.append(replace(each, scored=not is_test(each.value)))
            else:
                reason = f"a rendered document is no Kubernetes object: {each.reason}"
                error = NotReadError(reason, "correct the template")
                failures.append(chart_failure(rendered.rendering, path, error))
    return _Part(source=source, resources=resources, failures=failures, documents=documents)


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
    )
