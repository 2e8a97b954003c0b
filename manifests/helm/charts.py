"""What a chart says about itself: name, type, dependencies. It renders nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from manifests import files
from manifests.files import Kind, NotReadError, reported
from manifests.text.parse import parse
from model.values import Json, mapping, sequence, text

CHART: Final = "Chart.yaml"
REQUIREMENTS: Final = "requirements.yaml"
"""Where charts of API version v1 keep their dependencies."""
LOCAL: Final = "file://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """An entry of ``dependencies``."""

    name: str
    alias: str
    """The name under which the parent knows it."""
    version: str
    """What the chart asks for: a version or a range; empty for any."""
    repository: str
    """As written; empty where it can only be vendored."""
    folder: Path | None
    """Where a ``file://`` dependency lies, were it there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart below a root."""

    root: Path
    folder: Path
    name: str
    """As ``Chart.yaml`` has it; Helm refuses a chart without one."""
    is_library: bool
    dependencies: tuple[Dependency, ...]

    @property
    def path(self) -> str:
        """As reports show it."""
        return below(self.root, self.folder)


def below(root: Path, path: Path) -> str:
    """``path`` relative to ``root`` (``.`` for the root itself), as reports show it."""
    return reported(path.relative_to(root))


def read_chart(root: Path, folder: Path) -> Chart:
    """The chart in ``folder``. Raises NotReadError."""
    metadata = read_mapping(folder / CHART)
    dependencies = read_requirements(folder, metadata)
    return Chart(
        root=root,
        folder=folder,
        name=text(metadata.get("name")),
        is_library=metadata.get("type") == "library",
        dependencies=tuple(_dependency(folder, mapping(each)) for each in dependencies),
    )


def read_requirements(folder: Path, metadata: Mapping[str, Json]) -> tuple[Json, ...]:
    """The ``dependencies`` as written; those of ``requirements.yaml`` win, as for Helm. Raises NotReadError."""
    if files.kind_of(folder / REQUIREMENTS) is Kind.FILE:
        requirements = read_mapping(folder / REQUIREMENTS)
        if "dependencies" in requirements:
            return tuple(sequence(requirements["dependencies"]))
    return tuple(sequence(metadata.get("dependencies")))


def read_mapping(path: Path) -> Mapping[str, Json]:
    """The one mapping that a YAML file of a chart holds; an empty one where it holds nothing. Raises NotReadError."""
    parsed = parse(files.read_file(path))
    if parsed.broken:
        remark = parsed.broken[0]
        raise NotReadError(f"{path.name}, line {remark.line}: {remark.reason}", f"correct {path.name}")
    value = parsed.documents[0].value if parsed.documents else None
    if not isinstance(value, dict | None):
        raise NotReadError(f"{path.name} is no mapping", f"correct {path.name}")
    return value or {}


def _dependency(folder: Path, value: Mapping[str, Json]) -> Dependency:
    name, repository = text(value.get("name")), text(value.get("repository"))
    local = None
    if repository.startswith(LOCAL) and "\0" not in repository:
        local = Path(os.path.normpath(folder / repository.removeprefix(LOCAL)))
    return Dependency(
        name=name,
        alias=text(value.get("alias")) or name,
        version=text(value.get("version")),
        repository=repository,
        folder=local,
    )


def local_folders(chart: Chart) -> tuple[Path, ...]:
    """Where the ``file://`` dependencies of a chart lie, and theirs, inside of the root."""
    found: dict[Path, None] = {}
    todo = [chart]
    while todo:
        for dependency in todo.pop().dependencies:
            folder = dependency.folder
            if folder is None or folder in found or not files.is_inside(chart.root, folder):
                continue
            found[folder] = None
            with suppress(NotReadError):  # then Helm will say what is wrong there
                todo.append(read_chart(chart.root, folder))
    return tuple(found)


def unreached(edges: Mapping[Path, Iterable[Path]]) -> frozenset[Path]:
    """Those that no other reaches; of those that only reach each other, all: nothing may hide behind itself."""
    referenced = {target for source, targets in edges.items() for target in targets if target != source}
    roots = {source for source in edges if source not in referenced}
    reached, todo = set(roots), list(roots)
    while todo:
        for target in edges.get(todo.pop(), ()):
            if target not in reached:
                reached.add(target)
                todo.append(target)
    return frozenset(roots | (edges.keys() - reached))
