"""What a kustomization says it is made of: folders, files, and what reaches out of the tree, which is refused.

It builds nothing. What kustomize would fetch, start or read elsewhere is named here, before kustomize runs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from manifests import files
from manifests.files import Kind, NotReadError
from manifests.helm.charts import below
from manifests.text.parse import parse
from model.values import Json, Mark, dig, mapping, sequence, text

NAMES: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
PARTS: Final = ("resources", "bases", "components")
"""Fields that name files or other kustomizations."""
PLUGINS: Final = ("generators", "transformers", "validators")
"""Fields that name, or hold, configuration of plugins."""
GENERATORS: Final = ("configMapGenerator", "secretGenerator")
GROUP: Final = "kustomize.config.k8s.io"
FILES: Final = ("crds", "configurations")
HELM: Final = ("helmCharts", "helmChartInflationGenerator")
REMOTE: Final = re.compile(
    r"[a-z][a-z0-9+.-]*:(?:/|:)|https?:|[^/@]*@[^:/]*[:/]|github\.com[/:]|[^?]*\?ref=", re.IGNORECASE
)
"""What kustomize takes for a URL or a git repository before it looks for a folder (its ``git/repospec.go``)."""
FUNCTION: Final = "config.kubernetes.io/function"
SHOWN: Final = 100
"""Characters of a name that errors repeat."""
MOST: Final = 1000
"""Kustomizations that one may be made of."""
VENDOR: Final = "commit what it names, and name that: nothing is fetched or started while scanning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A name that a kustomization states, and where."""

    name: str
    line: int
    may_be_folder: bool = False
    is_plugin: bool = False
    is_resource: bool = False
    is_content: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kustomization:
    """A kustomization below a root."""

    root: Path
    file: Path
    is_component: bool
    folders: tuple[Path, ...]
    """Other kustomizations that it builds on."""
    files: tuple[Path, ...]
    """Files that it reads."""
    resources: frozenset[Path]
    """Those of its files that hold whole objects; the others are patches, configuration and the like."""
    contents: frozenset[Path]
    """Those of its files that become the contents of ConfigMaps and Secrets."""
    refusal: NotReadError | None
    """What makes kustomize reach out of the tree, or name what is not there: then it is not built."""

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.file.parent

    @property
    def path(self) -> str:
        """As reports show it."""
        return below(self.root, self.folder)


def file_in(folder: Path) -> Path | None:
    """The kustomization file of a folder; kustomize refuses more than one."""
    found = (folder / name for name in NAMES)
    return next((file for file in found if _kind(file) is Kind.FILE), None)


def read_kustomization(root: Path, file: Path) -> Kustomization | None:
    """What ``file`` says; None where it is an object of a cluster (Flux has a kind of that name).

    Raises NotReadError where it cannot be read.
    """
    value, marks = _read(file)
    if text(value.get("apiVersion", GROUP)).partition("/")[0] != GROUP:
        return None
    reading = _Reading(root, file.parent)
    if any(sequence(value.get(key)) for key in HELM):
        reading.refuse(_no_helm())
    for reference in _references(value, marks):
        reading.take(reference)
    return Kustomization(
        root=root,
        file=file,
        is_component=value.get("kind") == "Component",
        folders=tuple(reading.folders),
        files=tuple(reading.files),
        resources=frozenset(reading.resources),
        contents=frozenset(reading.contents),
        refusal=reading.refusal,
    )


def closure(top: Kustomization, known: Mapping[Path, Kustomization]) -> tuple[Kustomization, ...]:
    """``top`` and all that it builds on. Raises NotReadError for one that cannot be read, or is refused."""
    found: dict[Path, Kustomization] = {}
    todo = [top.folder]
    while todo:
        folder = todo.pop()
        if folder in found:
            continue
        if len(found) >= MOST:
            raise NotReadError(f"it is made of more than {MOST:,} kustomizations", "build on fewer of them")
        part = found[folder] = known.get(folder) or _part(top.root, folder)
        if part.refusal is not None:
            where = "" if part is top else f"{part.path}: "
            raise NotReadError(f"{where}{part.refusal.reason}", part.refusal.remedy)
        todo += reversed(part.folders)
    return tuple(found.values())


def within_reach(top: Kustomization, known: Mapping[Path, Kustomization]) -> tuple[Kustomization, ...]:
    """``top`` and all that can be read of what it builds on, however broken the whole is."""
    found = {top.folder: top}
    todo = [*top.folders]
    while todo and len(found) < MOST:
        folder = todo.pop()
        if folder not in found:
            with suppress(NotReadError):
                found[folder] = known.get(folder) or _part(top.root, folder)
                todo += found[folder].folders
    return tuple(found[folder] for folder in sorted(found))


def _part(root: Path, folder: Path) -> Kustomization:
    file = file_in(folder)
    if file is None:
        raise NotReadError(f"{below(root, folder)} holds no kustomization", "name a folder with a kustomization.yaml")
    try:
        part = read_kustomization(root, file)
    except NotReadError as error:
        raise NotReadError(f"{below(root, file)}: {error.reason}", error.remedy) from error
    if part is None:
        raise NotReadError(f"{below(root, file)} is no kustomization, but an object", "name it as a file")
    return part


def _kind(path: Path) -> Kind | None:
    try:
        return files.kind_of(path)
    except NotReadError:
        return None


def _read(file: Path) -> tuple[Mapping[str, Json], Mark]:
    parsed = parse(files.read_file(file))
    if parsed.broken:
        remark = parsed.broken[0]
        raise NotReadError(f"line {remark.line}: {remark.reason}", "correct the kustomization")
    if not parsed.documents:
        raise NotReadError("the kustomization is empty", "correct the kustomization, or delete it")
    value = parsed.documents[0].value
    if not isinstance(value, dict):
        raise NotReadError("the kustomization is no mapping", "correct the kustomization")
    return value, parsed.documents[0].marks


# ---------------------------------------------------------------- what it names


def _references(value: Mapping[str, Json], marks: Mark) -> Iterator[Reference]:
    for key in PARTS:
        yield from _names(value, marks, key, may_be_folder=True, is_resource=True)
    for key in PLUGINS:
        yield from _names(value, marks, key, may_be_folder=True, is_plugin=True)
    for key in (*FILES, "patchesStrategicMerge", "patches"):
        yield from _names(value, marks, key)
    for key in ("patches", "patchesJson6902", "replacements", *GENERATORS):
        for position, row in enumerate(sequence(value.get(key))):
            for reference in _files(mapping(row), marks.at((key, position))[0].value_line):
                yield replace(reference, is_content=key in GENERATORS)
    yield from _files(mapping(value.get("openapi")), marks.at(("openapi",))[0].line)


def _names(  # noqa: PLR0913 what a name may stand for
    value: Mapping[str, Json],
    marks: Mark,
    key: str,
    *,
    may_be_folder: bool = False,
    is_plugin: bool = False,
    is_resource: bool = False,
) -> Iterator[Reference]:
    for position, name in enumerate(sequence(value.get(key))):
        if text(name):
            yield Reference(
                name=text(name),
                line=marks.at((key, position))[0].value_line,
                may_be_folder=may_be_folder,
                is_plugin=is_plugin,
                is_resource=is_resource,
            )


def _files(row: Mapping[str, Json], line: int) -> Iterator[Reference]:
    """What one generator, patch or replacement reads, in the kustomization or as the configuration of a plugin."""
    names = [text(row.get("path")), text(row.get("env"))]
    names += [text(name) for key in ("paths", "envs") for name in sequence(row.get(key))]
    names += [text(name).partition("=")[2] or text(name) for name in sequence(row.get("files"))]
    yield from (Reference(name=name, line=line) for name in names if name)
    for part in sequence(row.get("replacements")):
        yield from _files(mapping(part), line)


class _Reading:
    """Follows what one kustomization names; the first thing that is refused is kept."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root = root
        self._folder = folder
        self.folders: dict[Path, None] = {}
        self.files: dict[Path, None] = {}
        self.resources: set[Path] = set()
        self.contents: set[Path] = set()
        self.refusal: NotReadError | None = None

    def refuse(self, error: NotReadError, line: int = 0) -> None:
        """Keep the first reason."""
        where = f"line {line}: " if line else ""
        self.refusal = self.refusal or NotReadError(f"{where}{error.reason}", error.remedy)

    def take(self, reference: Reference) -> None:
        """Follow one name, or the plugin that stands in its place."""
        try:
            if _is_inline(reference.name):
                if reference.is_plugin:
                    self._plugins(reference.name.encode(errors="replace"), reference.line)
                return  # else a patch, which names nothing
            path = _resolve(self._root, self._folder, reference)
            if files.kind_of(path) is Kind.FOLDER:
                self.folders[path] = None
                return
            self.files[path] = None
            if reference.is_resource:
                self.resources.add(path)
            if reference.is_content:
                self.contents.add(path)
            if reference.is_plugin:
                self._plugins(files.read_file(path), reference.line)
        except NotReadError as error:
            self.refuse(error, reference.line)

    def _plugins(self, data: bytes, line: int) -> None:
        """The files of built-in plugins; a plugin that kustomize would start is refused."""
        for document in parse(data).documents:
            value = mapping(document.value)
            kind = text(value.get("kind"))
            is_function = FUNCTION in mapping(dig(document.value, "metadata", "annotations"))
            if is_function or text(value.get("apiVersion")) != "builtin":
                reason = f"the plugin {kind[:60]!r} is a program or a container that kustomize would start"
                raise NotReadError(reason, VENDOR)
            if kind == "HelmChartInflationGenerator":
                raise _no_helm()
            for reference in _files(value, line):
                self.take(reference)


def _is_inline(name: str) -> bool:
    """Configuration or a patch in place of a path."""
    return "\n" in name or name.lstrip().startswith("{")


# ---------------------------------------------------------------- what it may name


def _no_helm() -> NotReadError:
    reason = "it inflates a Helm chart, which kustomize does only with --enable-helm and by fetching"
    return NotReadError(reason, "commit the chart and scan it on its own, or commit what it renders to as a resource")


def _resolve(root: Path, folder: Path, reference: Reference) -> Path:
    """The file or folder that is meant. Raises NotReadError for what lies elsewhere or is not there."""
    name = reference.name
    shown = repr(name[:SHOWN])
    if REMOTE.match(name):
        raise NotReadError(f"it builds on {_without_user(name)!r}, which is remote", VENDOR)
    if "\0" in name:
        raise NotReadError(f"it names {shown}, which is no path", "correct the kustomization")
    path = Path(os.path.normpath(folder / name))
    if not path.is_relative_to(root):
        raise NotReadError(f"it names {shown}, which lies outside of the tree", "name what lies inside")
    if not files.is_inside(root, path):
        raise NotReadError(f"it names {shown}, which lies behind a symbolic link", "name the file itself")
    kind = files.kind_of(path)
    if kind is None:
        raise NotReadError(f"it names {shown}, which does not exist", "correct the path, or commit the file")
    if kind is Kind.FOLDER and not reference.may_be_folder:
        raise NotReadError(f"it names {shown}, which is a folder", "name a file")
    if kind not in {Kind.FILE, Kind.FOLDER}:
        raise files.not_regular(kind)
    return path


def _without_user(name: str) -> str:
    """The beginning of an address, without the user and password that may stand before its host."""
    scheme, mark, rest = name.partition("://")
    address = rest if mark else scheme
    user, at, host = address.rpartition("@")
    kept = f"…@{host}" if at and ":" in user else address
    return (f"{scheme}://{kept}" if mark else kept)[:SHOWN]
