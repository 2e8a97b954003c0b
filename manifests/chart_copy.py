"""A chart as Helm may see it: a copy made of regular files only, within bounds, its packed parts looked into first.

Helm follows links out of a chart and into our memory (``.Files.Get`` of ``/proc``); what we copy holds none.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from manifests import files
from manifests.charts import Chart, below, read_chart
from manifests.files import Entry, Kind, NotReadError

FILE_BYTES: Final = 5 << 20
"""Helm itself refuses larger files in a chart."""
TOTAL_BYTES: Final = 64 << 20
ENTRIES: Final = 10_000
NESTED: Final = 5
"""Charts packed into packed charts, and local dependencies of local dependencies."""
SHRINK = "take out what is no part of the chart, or list it in the configuration under exclude"


class Copier:
    """Copies one chart and counts what it copies."""

    def __init__(self) -> None:
        self._bytes = self._entries = 0

    def copy(self, chart: Chart, target: Path) -> None:
        """Make ``target`` a copy of ``chart``, its local dependencies vendored. Raises NotReadError."""
        self._copy_folder(chart, target, 0)

    def copy_file(self, source: Path, target: Path) -> None:
        """Copy one regular file. Raises NotReadError."""
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
        """Put ``file://`` dependencies where ``helm dependency build`` would, unless something is there."""
        for dependency in chart.dependencies:
            folder = dependency.folder
            if folder is None or not dependency.name or vendored(chart.folder, dependency.name) is not None:
                continue
            if nesting >= NESTED or not files.is_inside(chart.root, folder):
                reason = (
                    f"the dependency {dependency.name!r} lies outside of the scanned tree, behind a link, or too deep"
                )
                raise NotReadError(reason, "vendor it: run 'helm dependency build' and commit charts/")
            if files.kind_of(folder) is Kind.FOLDER:  # else Helm says that it is missing
                _make_folder(target / "charts")
                copy = target / "charts" / f"vendored-{self._entries}"
                self._copy_folder(read_chart(chart.root, folder), copy, nesting + 1)

    def _check_archive(self, data: bytes, nesting: int) -> None:
        """Refuse a packed chart that reaches out of itself, holds links, or unpacks to too much."""
        for member, content in _members(data, TOTAL_BYTES - self._bytes):
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


def _members(data: bytes, limit: int) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """The members of a packed chart. What it unpacks to is bounded before tarfile sees it, which trusts headers."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            unpacked = packed.read(limit + 1)
        if len(unpacked) > limit:
            raise NotReadError(
                f"the archive unpacks to more than {limit >> 20} MiB", "pack the chart without what it does not need"
            )
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isreg() and not member.issparse() else None
                yield member, file.read() if file else b""
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError) as error:
        raise NotReadError(
            f"the archive cannot be read: {error}", "pack the chart again with 'helm package'"
        ) from error


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


def _make_folder(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
