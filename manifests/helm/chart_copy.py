"""A chart as Helm may see it: a copy made of regular files only, within bounds, its packed parts looked into first.

Helm follows links out of a chart and into our memory (``.Files.Get`` of ``/proc``); what we copy holds none.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

from manifests import files
from manifests.files import Entry, Kind, NotReadError
from manifests.helm.cached import read_cached
from manifests.helm.charts import Chart, Dependency, below, read_chart
from manifests.helm.locks import VENDOR, Pins
from manifests.helm.packed import NESTED, Look, members

FILE_BYTES: Final = 5 << 20
"""Helm itself refuses larger files in a chart."""
TOTAL_BYTES: Final = 64 << 20
ENTRIES: Final = 10_000
PACKED: Final = re.compile(r"-(?=v?[0-9])")
"""Where a version may begin in the name of an archive."""
SHRINK = "take out what is no part of the chart, or list it in the configuration under exclude"


class Copier:
    """Copies one chart and counts what it copies. ``cache`` holds packed charts, where ``deps`` has fetched any."""

    def __init__(self, cache: Path | None = None) -> None:
        self._cache = cache
        self._bytes = self._entries = 0
        self._roots: set[Path] = set()

    def copy(self, chart: Chart, target: Path) -> None:
        """Make ``target`` a copy of ``chart``, its local and its fetched dependencies vendored. Raises NotReadError."""
        self._roots.add(chart.root)
        self._copy_folder(chart, target, 0)

    def copy_file(self, source: Path, target: Path) -> None:
        """Copy one regular file; below the root of the chart, no link may lead to it either. Raises NotReadError."""
        if any(source.is_relative_to(root) and files.link_between(root, source) for root in self._roots):
            raise files.not_regular(Kind.LINK)
        self._write(target, files.read_file(source, FILE_BYTES))

    def _copy_folder(self, chart: Chart, target: Path, nesting: int) -> None:
        _make_folder(target)
        todo = [(chart.folder, target)]
        while todo:
            folder, copy = todo.pop()
            for entry in files.entries(folder):
                if entry.name == ".git":
                    continue
                if entry.kind is Kind.FOLDER:
                    self._count(0)
                    _make_folder(copy / entry.name)
                    todo.append((entry.path, copy / entry.name))
                else:
                    self._copy_entry(chart, entry, copy / entry.name)
        self._vendor(chart, target, nesting)

    def _copy_entry(self, chart: Chart, entry: Entry, target: Path) -> None:
        where = below(chart.folder, entry.path)
        try:
            if entry.kind is not Kind.FILE:
                raise files.not_regular(entry.kind)
            data = files.read_file(entry.path, FILE_BYTES)
            if entry.name.endswith((".tgz", ".tar.gz")) and entry.path.parent.name == "charts":
                self._check_archive(data, 0)
        except NotReadError as error:
            raise NotReadError(f"the chart's file {where}: {error.reason}", error.remedy) from error
        self._write(target, data)

    def _write(self, target: Path, data: bytes) -> None:
        self._count(len(data))
        target.write_bytes(data)
        target.chmod(0o644)

    def _count(self, size: int) -> None:
        self._entries += 1
        self._bytes += size
        if self._entries > ENTRIES:
            raise NotReadError(f"the chart holds more than {ENTRIES:,} files", SHRINK)
        if self._bytes > TOTAL_BYTES:
            raise NotReadError(f"the chart is larger than {TOTAL_BYTES >> 20} MiB, unpacked", SHRINK)

    def _vendor(self, chart: Chart, target: Path, nesting: int) -> None:
        """Put dependencies where ``helm dependency build`` would, unless something is there."""
        missing = unvendored(chart)
        pins = Pins(chart) if any(each.folder is None for each in missing) else None
        for dependency in missing:
            folder = dependency.folder
            if folder is None:
                assert pins is not None
                self._vendor_fetched(chart, dependency, pins, target, nesting)
                continue
            if nesting >= NESTED or not files.is_inside(chart.root, folder):
                reason = (
                    f"the dependency {dependency.name!r} lies outside of the scanned tree, behind a link, or too deep"
                )
                raise NotReadError(reason, "vendor it: run 'helm dependency build' and commit charts/")
            if files.kind_of(folder) is Kind.FOLDER:  # else Helm says that it is missing
                copy = _charts_folder(target) / f"vendored-{self._entries}"
                self._copy_folder(read_chart(chart.root, folder), copy, nesting + 1)

    def _vendor_fetched(self, chart: Chart, dependency: Dependency, pins: Pins, target: Path, nesting: int) -> None:
        """From the cache. What is missing of the chart itself Helm will name; of a local dependency it never would."""
        try:
            data, name = self._fetched(dependency, pins)
        except NotFetchedError as error:
            if nesting:
                reason = f"{chart.path} needs {dependency.name!r}, which is missing in its charts/ directory"
                raise NotReadError(f"{reason}: {error.reason}", error.remedy) from error
            return
        self._check_archive(data, 0)
        place = _charts_folder(target) / name
        if place.is_dir():
            raise NotReadError(f"the chart's folder charts/{name} has the name of an archive", "rename that folder")
        self._write(place, data)

    def _fetched(self, dependency: Dependency, pins: Pins) -> tuple[bytes, str]:
        """The archive, and what to call it. Raises NotFetchedError where there is none."""
        try:
            pinned = pins.of(dependency)
        except NotReadError as error:
            raise NotFetchedError(error.reason, error.remedy) from error
        data = read_cached(self._cache, pinned, FILE_BYTES) if self._cache else None
        if data is None:
            raise NotFetchedError("nobody has fetched it", f"run 'hardening-gate deps', or {VENDOR}")
        return data, pinned.archive

    def _check_archive(self, data: bytes, nesting: int) -> None:
        """Refuse a packed chart that reaches out of itself, holds links, or unpacks to too much."""
        for member, content in members(data, TOTAL_BYTES - self._bytes):
            path = PurePosixPath(member.name)
            if path.is_absolute() or ".." in path.parts or "\\" in member.name:
                raise NotReadError("the archive holds a path that leads out of it", "pack the chart again")
            if not (member.isfile() or member.isdir()) or member.issparse():
                raise NotReadError(
                    "the archive holds a link, a device or a sparse file", "pack the chart again, without links"
                )
            self._count(member.size)
            if member.isfile() and path.suffix == ".tgz" and path.parent.name == "charts":
                if nesting >= NESTED:
                    raise NotReadError("the archive holds archives nested too deep", "vendor its dependencies unpacked")
                self._check_archive(content, nesting + 1)


class NotFetchedError(NotReadError):
    """A dependency that is neither in the checkout nor in the cache."""


def unvendored(chart: Chart) -> tuple[Dependency, ...]:
    """The dependencies that ``charts/`` does not hold, those of ``file://`` included."""
    brought = _brought(chart.folder / "charts") if chart.dependencies else frozenset()
    return tuple(each for each in chart.dependencies if each.name and each.name not in brought)


def _brought(charts: Path) -> frozenset[str]:
    """The names that ``vendored`` would find, and what archives call themselves: for Helm that counts."""
    if files.kind_of(charts) is not Kind.FOLDER:
        return frozenset()
    look, names = Look(), set()
    for entry in files.entries(charts):
        if entry.kind is Kind.FOLDER:
            names |= {entry.name, _name(entry.path)}
        elif entry.kind is Kind.FILE and entry.name.endswith(".tgz"):
            names |= {entry.name[: match.start()] for match in PACKED.finditer(entry.name)}
            with suppress(NotReadError):  # then the chart is not copied at all
                names.add(look.describe(files.read_file(entry.path, FILE_BYTES)).name)
    return frozenset(names)


def vendored(chart: Path, name: str) -> Path | None:
    """The folder or archive below ``charts/`` that holds the dependency ``name``; None where there is none."""
    charts = chart / "charts"
    if files.kind_of(charts) is not Kind.FOLDER:
        return None
    entries = files.entries(charts)
    for entry in entries:
        if entry.kind is Kind.FOLDER and name in {entry.name, _name(entry.path)}:
            return entry.path
    pack = re.compile(re.escape(name) + r"-v?[0-9].*\.tgz")
    return next((entry.path for entry in entries if entry.kind is Kind.FILE and pack.fullmatch(entry.name)), None)


def _name(folder: Path) -> str:
    try:
        return read_chart(folder, folder).name
    except NotReadError:
        return ""


def _charts_folder(target: Path) -> Path:
    charts = target / "charts"
    if charts.is_file():
        raise NotReadError(
            "the chart's charts is a file, and its dependencies belong into a folder", "remove that file"
        )
    _make_folder(charts)
    return charts


def _make_folder(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
