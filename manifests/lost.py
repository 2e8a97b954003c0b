"""What base scanned and head still holds, but no source of head is made of any more.

A manifest that a kustomization claims as a patch, a chart that calls itself a library, a kustomization that becomes a
component: the files are there, somebody may still apply them, and nobody looks at them. That is not scanned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from manifests import files
from manifests.failures import failure
from manifests.files import Kind, NotReadError
from manifests.helm.charts import CHART
from manifests.kustomize.kustomizations import file_in
from model.resource import Failure, Source, SourceKind, Stage, Tree

REMEDY: Final = "let it be scanned, delete it, or exclude it in the configuration of base"


def lost_from_sight(sources: Iterable[Source], manifests: Iterable[str], head: Tree, root: Path) -> Iterator[Failure]:
    """A Failure for each source and each raw manifest of base that lies below ``root`` and is no part of ``head``.

    ``manifests``: reported paths of files that base read as raw manifests.
    """
    excluded = {each.path for each in head.excluded}
    seen = head.reads | {each.path for each in head.failures} | excluded | {f"{path}/" for path in excluded}
    for source in sorted(sources, key=lambda source: source.id):
        if source.kind is not SourceKind.MANIFESTS and not _is_seen(source.path, seen) and _is_there(source, root):
            what = "a chart that renders" if source.kind is SourceKind.HELM else "a kustomization that is built"
            yield _lost(Stage.RENDER, source.path, f"base has it as {what}; head renders nothing of it", root)
    for path in sorted(set(manifests)):
        if not _is_seen(path, seen) and _kind(root / path) is Kind.FILE:
            yield _lost(Stage.PARSE, path, "base has it as a manifest; head makes something else of it", root)


def _is_seen(path: str, seen: frozenset[str] | set[str]) -> bool:
    """Whether the path, or a folder above it, is accounted for."""
    return path in seen or any(f"{up}/" in seen for up in map(str, Path(path).parents))


def _is_there(source: Source, root: Path) -> bool:
    folder = root / source.path
    return _kind(folder / CHART) is Kind.FILE if source.kind is SourceKind.HELM else file_in(folder) is not None


def _kind(path: Path) -> Kind | None:
    try:
        return files.kind_of(path)
    except NotReadError:
        return None


def _lost(stage: Stage, path: str, reason: str, root: Path) -> Failure:
    return failure(stage, path, NotReadError(reason, REMEDY), (root / path,))
