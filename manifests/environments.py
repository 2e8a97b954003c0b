"""Which chart is rendered with which values: from the command line and the configuration to a Rendering each."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from manifests import files
from manifests.files import NotReadError, reported
from manifests.helm.charts import Chart, below
from manifests.helm.render import Rendered, chart_failure
from manifests.helm.running import Rendering
from manifests.request import ChartValues, LoadRequest
from manifests.resources import Registry
from model.errors import UsageError
from model.resource import Source, SourceKind
from model.sources import ChartEntry

VALUES_WORD: Final = re.compile(r"^values[-_.]?|[-_.]?values$")


def plan(request: LoadRequest, charts: Sequence[Chart], cwd: Path, registry: Registry) -> tuple[Rendering, ...]:
    """A Rendering for each environment of each chart; one with the chart's own values where it has none.

    Raises UsageError for a chart that the command line names and that is not there, where that is required.
    """
    named = {name: _named(name, charts, cwd) for name in (*(each.chart for each in request.values), *request.sets)}
    if request.required and (unknown := sorted(name for name, chart in named.items() if chart is None)):
        known = ", ".join(chart.path for chart in charts[:20]) or "none"
        raise UsageError(
            f"{reported(unknown[0])!r} of --values or --set is no chart under the paths", f"name one of: {known}"
        )
    entries = {each.path: each for each in request.entries if isinstance(each, ChartEntry)}
    found = []
    for chart in charts:
        sets = tuple(each for name, chart_sets in request.sets.items() if named[name] is chart for each in chart_sets)
        stated = [each for each in request.values if named[each.chart] is chart]
        for source, values in _sources(chart, stated, entries.get(chart.path), request, cwd):
            if not request.required and not stated and not all(map(Path.exists, values)):
                continue  # an environment that base does not have yet
            unique = replace(source, id=registry.unique(source.id))
            found.append(Rendering(chart=chart, source=unique, values=values, sets=sets))
    return tuple(found)


def outside(rendering: Rendering, request: LoadRequest) -> Rendered | None:
    """What comes of a chart whose values files, as the repository's configuration names them, lie outside of it.

    The command line is the user's own and may name any file; the configuration may be a stranger's.
    """
    if any(
        _absolute(request.cwd.resolve(), file) in rendering.values for each in request.values for file in each.files
    ):
        return None
    for file in rendering.values:
        if not files.is_inside(rendering.chart.root, file):
            reason = f"the values file {reported(file.name)} lies outside of the tree, or behind a symbolic link"
            error = NotReadError(reason, "correct the environments of the configuration: name regular files inside")
            return Rendered(rendering=rendering, failures=[chart_failure(rendering, rendering.chart.path, error)])
    return None


def values_files(request: LoadRequest, root: Path, cwd: Path) -> frozenset[Path]:
    """All files that are values of some chart, and so no manifests."""
    stated = (_absolute(cwd, file) for each in request.values for file in each.files)
    charts = (each for each in request.entries if isinstance(each, ChartEntry))
    listed = (file for each in charts for _, row in _rows(each, root / each.path) for file in row)
    return frozenset((*stated, *listed))


def _rows(entry: ChartEntry, folder: Path) -> Iterator[tuple[str, tuple[Path, ...]]]:
    for environment in entry.environments:
        yield environment.name, tuple(_absolute(folder, file) for file in environment.files)


def _absolute(folder: Path, name: str) -> Path:
    return Path(os.path.normpath(folder / name))


def _named(name: str, charts: Sequence[Chart], cwd: Path) -> Chart | None:
    """The chart that a user means: by its reported path, by its path from here, or by its name if only one has it."""
    spelled = name.rstrip("/") or name
    for chart in charts:
        if spelled == chart.path or _absolute(cwd, name) == chart.folder:
            return chart
    same = [chart for chart in charts if chart.name == name]
    return same[0] if len(same) == 1 else None


def _sources(
    chart: Chart, stated: Sequence[ChartValues], entry: ChartEntry | None, request: LoadRequest, cwd: Path
) -> Iterator[tuple[Source, tuple[Path, ...]]]:
    """The chart with each set of values, or with none."""
    version = (entry.kube_version if entry else None) or request.kube_version
    plain = Source(id=chart.path, kind=SourceKind.HELM, path=chart.path, name=chart.name, kube_version=version)
    rows: Sequence[tuple[str, tuple[Path, ...]]]
    if stated:
        names = Registry()
        rows = [
            (
                names.unique(each.environment or _environment(each.files)),
                tuple(_absolute(cwd, file) for file in each.files),
            )
            for each in stated
        ]
    else:
        rows = tuple(_rows(entry, chart.folder)) if entry else ()
    if not rows:
        yield plain, ()
    for name, paths in rows:
        shown = tuple(below(chart.root, file) if file.is_relative_to(chart.root) else reported(file) for file in paths)
        yield replace(plain, id=f"{chart.path}?values={name}", environment=name, values=shown), paths


def _environment(names: Sequence[str]) -> str:
    """What the last of the files is for: ``prod`` of ``values-prod.yaml``."""
    stem = reported(Path(names[-1]).name.rpartition(".")[0])
    return VALUES_WORD.sub("", stem) or stem
