"""What lies under the paths of one run: charts, kustomizations and raw manifests, each file once.

It reads names, ``Chart.yaml`` and kustomization files only; what it passes over is a Failure, a Note or Excluded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pathspec import GitIgnoreSpec

from manifests import files
from manifests.failures import failure
from manifests.files import Entry, Kind, NotReadError, reported
from manifests.helm.charts import CHART, REQUIREMENTS, Chart, below, read_chart, unreached
from manifests.kustomize.kustomizations import NAMES as KUSTOMIZATIONS
from manifests.kustomize.kustomizations import Kustomization, read_kustomization, within_reach
from model.errors import UsageError
from model.resource import Excluded, Failure, Note, Stage

SUFFIXES: Final = (".yaml", ".yml", ".json")
CHART_FOLDERS: Final = frozenset({"templates", "charts", "crds"})
"""What Helm renders: never manifests on their own."""
CHART_FILES: Final = frozenset({REQUIREMENTS, "Chart.lock", "requirements.lock", "values.schema.json"})
VALUES: Final = re.compile(r"(?:[^.]*[-_.])?values(?:[-_.].*)?\.(?:ya?ml|json)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """A PATH of the command line."""

    root: Path
    """Reported paths are relative to it."""
    path: Path

    @property
    def reported(self) -> str:
        """As reports show it."""
        return below(self.root, self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFile:
    """A file that may hold manifests."""

    path: Path
    reported: str
    is_data: bool
    """It lies beside the templates of a chart: what does not parse there is for Helm alone."""
    is_named: bool
    """It is the PATH itself."""
    is_doubtful: bool = False
    """It is there for something else, such as values: a manifest only with ``apiVersion`` and ``kind``."""


@dataclass(slots=True, kw_only=True)
class Found:
    """All that lies under the paths."""

    manifests: dict[Top, list[ManifestFile]] = field(default_factory=dict)
    charts: list[Chart] = field(default_factory=list)
    kustomizations: list[Kustomization] = field(default_factory=list)
    """Those that no other reaches."""
    known: dict[Path, Kustomization] = field(default_factory=dict)
    """All, by folder."""
    failures: list[Failure] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    excluded: list[Excluded] = field(default_factory=list)


def work_tree(folder: Path) -> Path:
    """The git work tree around ``folder``, else ``folder`` itself; git is not asked."""
    here = folder.resolve()
    return next((up for up in (here, *here.parents) if (up / ".git").exists()), here)


def tops(paths: Sequence[str], root: Path, cwd: Path, *, required: bool) -> tuple[Top, ...]:
    """The PATHs that are there, each once. Raises UsageError for one that is not, where they are ``required``."""
    found: dict[Path, Top] = {}
    for named in paths:
        path = Path(os.path.normpath(cwd / named))
        if not _is_there(path):
            if required:
                raise UsageError(f"the path {reported(named)!r} does not exist", "name a chart, a manifest or a folder")
            continue
        if path.name in {CHART, *KUSTOMIZATIONS}:
            path = path.parent
        if not path.is_relative_to(root):
            path = path.resolve()
        inside = path.is_relative_to(root)
        found[path] = Top(root=root if inside else path if path.is_dir() else path.parent, path=path)
    return tuple(found.values())


def _is_there(path: Path) -> bool:
    try:
        return files.kind_of(path) is not None
    except NotReadError:
        return False


def discover(
    paths: Sequence[Top],
    exclude: Sequence[str],
    *,
    values: frozenset[Path] = frozenset(),
    listed: frozenset[Path] = frozenset(),
    apart: frozenset[Path] = frozenset(),
) -> Found:
    """Search all PATHs; a file that two of them reach belongs to the deeper one.

    ``values`` are files of charts; ``listed`` are folders of charts and kustomizations that stand for themselves, even
    where another one builds on them; ``apart`` are folders to name and to pass over.
    """
    walk = _Walk(exclude, values, listed, apart)
    for top in sorted(paths, key=lambda top: (-len(top.path.parts), os.fsencode(top.path))):
        walk.top(top)
    return walk.finish()


class _Walk:
    """One search through all PATHs."""

    def __init__(
        self, exclude: Sequence[str], values: frozenset[Path], listed: frozenset[Path], apart: frozenset[Path]
    ) -> None:
        self._patterns = tuple(exclude)
        self._exclude = GitIgnoreSpec.from_lines(exclude, backend="re2")
        self._values = values
        self._apart = apart
        self._seen: set[Path] = set()
        self._links: list[tuple[Top, Path]] = []
        """To folders."""
        self._named: set[Path] = set()
        self._listed = listed
        self._kustomizations: dict[Path, tuple[Top, Path]] = {}
        """PATH and file by folder."""
        self._found = Found()

    def top(self, top: Top) -> None:
        """Search below one PATH."""
        self._named.add(top.path)
        manifests = self._found.manifests[top] = []
        link = files.link_between(top.root, top.path)
        if link is not None:
            self._fail(top.root, link, files.not_regular(Kind.LINK))
            return
        kind = files.kind_of(top.path)
        if kind is not Kind.FOLDER:
            entry = Entry(name=top.path.name, path=top.path, kind=kind or Kind.SPECIAL)
            manifests.extend(self._file(top, entry, is_data=False))
            return
        todo = [(top.path, False)]
        while todo:
            folder, is_data = todo.pop()
            manifests.extend(self._folder(top, folder, todo, is_data=is_data))
        manifests.sort(key=lambda file: os.fsencode(file.path))

    def _folder(
        self, top: Top, folder: Path, todo: list[tuple[Path, bool]], *, is_data: bool
    ) -> Iterator[ManifestFile]:
        try:
            entries = files.entries(folder)
        except NotReadError as error:
            self._fail(top.root, folder, error)
            return
        is_chart = any(entry.name == CHART for entry in entries)
        kept = [entry for entry in entries if not self._passes_over(top, entry, is_chart=is_chart)]
        self._special(top, folder, {entry.name for entry in kept})
        for entry in kept:
            if entry.kind is Kind.FOLDER:
                if entry.path not in self._named:
                    todo.append((entry.path, is_data or is_chart))
            elif entry.name != CHART:
                is_doubtful = (is_data or is_chart) and _is_for_charts(entry)
                yield from self._file(top, entry, is_data=is_data or is_chart, is_doubtful=is_doubtful)

    def _passes_over(self, top: Top, entry: Entry, *, is_chart: bool) -> bool:
        if entry.name == ".git" or (is_chart and _is_charts_own(entry)):
            return True
        if entry.path in self._apart:
            reason = "another repository (a submodule): nothing of it is scanned or compared"
            self._found.notes.append(Note(path=below(top.root, entry.path), reason=reason))
            return True
        return self._is_excluded(top, entry)

    def _special(self, top: Top, folder: Path, names: set[str]) -> None:
        """Note the chart and the kustomization that ``folder`` is."""
        if folder in self._seen:
            return
        self._seen.add(folder)
        if CHART in names:
            self._chart(top, folder)
        for name in KUSTOMIZATIONS:
            if name in names:
                self._kustomizations.setdefault(folder, (top, folder / name))

    def _file(self, top: Top, entry: Entry, *, is_data: bool, is_doubtful: bool = False) -> Iterator[ManifestFile]:
        is_named = entry.path == top.path
        where = below(top.root, entry.path)
        if entry.path in self._seen or entry.name in KUSTOMIZATIONS:
            return
        self._seen.add(entry.path)
        if not (is_named or entry.name.endswith(SUFFIXES)):
            if entry.kind is Kind.LINK and entry.path.is_dir():
                self._links.append((top, entry.path))
        elif entry.kind is not Kind.FILE:
            self._fail(top.root, entry.path, files.not_regular(entry.kind))
        else:
            yield ManifestFile(
                path=entry.path,
                reported=where,
                is_data=is_data,
                is_named=is_named,
                is_doubtful=not is_named and (is_doubtful or entry.path in self._values),
            )

    def _note_links(self) -> None:
        """A folder behind a link is scanned where it lies; one that lies elsewhere, or is left out, is not at all."""
        left_out = [each.path for each in self._found.excluded]
        for top, link in self._links:
            target = link.resolve()
            if not target.is_relative_to(top.path.resolve()) or any(
                target.is_relative_to(top.root.resolve() / path) for path in left_out
            ):
                self._fail(top.root, link, files.not_regular(Kind.LINK))
                continue
            reason = "a link to a folder, which is scanned where it lies"
            self._found.notes.append(Note(path=below(top.root, link), reason=reason))

    def _chart(self, top: Top, folder: Path) -> None:
        try:
            self._found.charts.append(read_chart(top.root, folder))
        except NotReadError as error:
            self._fail(top.root, folder, error, Stage.RENDER)

    def _is_excluded(self, top: Top, entry: Entry) -> bool:
        if not (entry.kind is Kind.FOLDER or entry.name.endswith(SUFFIXES) or entry.name in KUSTOMIZATIONS):
            return False
        where = below(top.root, entry.path)
        result = self._exclude.check_file(where + "/" if entry.kind is Kind.FOLDER else where)
        if not result.include or result.index is None:
            return False
        self._found.excluded.append(Excluded(path=where, pattern=self._patterns[result.index]))
        return True

    def _fail(
        self, root: Path, path: Path, error: NotReadError, stage: Stage = Stage.PARSE, also: Iterable[Path] = ()
    ) -> None:
        self._found.failures.append(failure(stage, below(root, path), error, (path, *also)))

    def finish(self) -> Found:
        """What was found, without what is only a part of something else."""
        self._note_links()
        self._keep_own_charts()
        self._keep_own_kustomizations()
        self._found.charts.sort(key=lambda chart: os.fsencode(chart.folder))
        return self._found

    def _keep_own_charts(self) -> None:
        charts = {chart.folder: chart for chart in self._found.charts}
        edges = {folder: _local_folders(chart) for folder, chart in charts.items()}
        own = unreached(edges) | self._named | self._listed
        for folder, chart in charts.items():
            if chart.is_library:
                self._found.notes.append(Note(path=chart.path, reason="a library chart renders nothing on its own"))
            elif folder not in own:
                reason = "a file:// dependency of another chart, rendered as part of that"
                self._found.notes.append(Note(path=chart.path, reason=reason))
        self._found.charts = [chart for folder, chart in charts.items() if folder in own and not chart.is_library]

    def _keep_own_kustomizations(self) -> None:
        """Those that no other reaches; what any of them reads is no raw manifest.

        Nothing builds a component that no kustomization uses: the objects that it adds are manifests like others.
        """
        known = self._found.known
        for folder, (top, file) in sorted(self._kustomizations.items(), key=lambda row: row[0]):
            try:
                read = read_kustomization(top.root, file)
            except NotReadError as error:
                self._fail(top.root, file, error, Stage.RENDER)
                continue
            if read is None:
                raw = ManifestFile(path=file, reported=below(top.root, file), is_data=False, is_named=False)
                self._found.manifests[top].append(raw)
            else:
                known[folder] = read
        own = unreached({folder: each.folders for folder, each in known.items()}) | self._named | self._listed
        for folder, each in known.items():
            if folder not in own:
                continue
            if each.is_component and folder not in self._named:
                reason = (
                    "a component that no kustomization uses: what it adds is scanned as manifests, its patches are not"
                )
                self._found.notes.append(Note(path=each.path, reason=reason))
            else:
                self._found.kustomizations.append(each)
        self._keep_raw(known)

    def _keep_raw(self, known: Mapping[Path, Kustomization]) -> None:
        """Files that no kustomization reads as a part of it."""
        built = {part.folder for each in self._found.kustomizations for part in within_reach(each, known)}
        reads = [(folder, each, file) for folder, each in known.items() for file in each.files]
        parts = {file for folder, each, file in reads if folder in built or file not in each.resources}
        claimed = {file for _, each, file in reads if file not in each.contents}
        contents = {file for _, _, file in reads if file not in claimed}
        for top, manifests in self._found.manifests.items():
            raws = (
                replace(file, is_doubtful=not file.is_named) if file.path in contents else file
                for file in manifests
                if file.is_named or file.path not in parts or file.path in contents
            )
            self._found.manifests[top] = sorted(raws, key=lambda file: os.fsencode(file.path))


def _is_charts_own(entry: Entry) -> bool:
    return entry.name in (CHART_FOLDERS if entry.kind is Kind.FOLDER else CHART_FILES)


def _is_for_charts(entry: Entry) -> bool:
    """Values of a chart, by its name."""
    return VALUES.fullmatch(entry.name) is not None


def _local_folders(chart: Chart) -> list[Path]:
    return [dependency.folder for dependency in chart.dependencies if dependency.folder]
