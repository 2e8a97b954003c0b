"""From Helm's ``# Source:`` lines to files of the chart. What a template printed there itself cannot lead elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

from manifests import files
from manifests.files import Kind, NotReadError
from manifests.helm.chart_copy import vendored
from manifests.helm.charts import CHART, Chart, below, read_chart

HEADER = re.compile(r"(?:---[^\n]*\n)?# Source: ([^\r\n]+)\r?\n")


def header(text: str) -> str | None:
    """What the first line of a rendered document says about its template."""
    match = HEADER.match(text)
    return match[1] if match else None


class Templates:
    """The files of one chart, as Helm names them."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._known: dict[str | None, str] = {}

    def locate(self, name: str | None) -> str:
        """The reported path of the template, of the packed chart it lies in, or else of ``Chart.yaml``."""
        if name not in self._known:
            try:
                found = self._find(name.split("/")) if name else None
            except NotReadError:
                found = None
            self._known[name] = below(self._chart.root, found or self._chart.folder / CHART)
        return self._known[name]

    def original(self, copy: Path, name: str) -> str:
        """The reported path of the file that lies at ``name`` in our ``copy`` of the chart."""
        try:
            found = self._original(copy, name.split("/"))
        except NotReadError:
            found = None
        return below(self._chart.root, found or self._chart.folder / CHART)

    def _original(self, copy: Path, rest: list[str]) -> Path | None:
        chart = self._chart
        while len(rest) > 2 and rest[0] == "charts":
            copy = copy.joinpath(*rest[:2])
            folder = chart.folder.joinpath(*rest[:2])
            if files.kind_of(folder) is not Kind.FOLDER:  # then it is a local dependency, vendored by us
                name = read_chart(copy, copy).name
                known = next((each for each in chart.dependencies if name == each.name and each.folder), None)
                if known is None or known.folder is None or not files.is_inside(self._chart.root, known.folder):
                    return None
                folder = known.folder
            chart, rest = read_chart(self._chart.root, folder), rest[2:]
        path = chart.folder.joinpath(*rest)
        return path if files.kind_of(path) is Kind.FILE else None

    def _find(self, parts: list[str]) -> Path | None:
        if parts[0] != self._chart.name or not {"", ".", ".."}.isdisjoint(parts):
            return None
        chart, rest = self._chart, parts[1:]
        while len(rest) > 2 and rest[0] == "charts":
            part = self._part(chart, rest[1])
            if part is None or files.kind_of(part) is Kind.FILE:
                return part
            chart, rest = read_chart(self._chart.root, part), rest[2:]
        path = chart.folder.joinpath(*rest)
        return path if files.kind_of(path) is Kind.FILE else None

    def _part(self, chart: Chart, alias: str) -> Path | None:
        """Where the dependency lies that ``chart`` knows as ``alias``."""
        known = next((each for each in chart.dependencies if each.alias == alias), None)
        name = known.name if known else alias
        path = vendored(chart.folder, name) or (known.folder if known else None)
        return path if path and files.is_inside(self._chart.root, path) else None
