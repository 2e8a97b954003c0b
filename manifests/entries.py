"""Keeps of what was found the sources that the configuration lists; what it does not list is named as excluded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from manifests.discovery import Found, Top
from manifests.failures import failure
from manifests.files import NotReadError
from model.resource import Excluded, Stage
from model.sources import ChartEntry, KustomizeEntry, ManifestsEntry, SourceEntry

NOT_LISTED: Final = "(not among sources)"
"""In place of the pattern that excludes a path."""


def folders(entries: Iterable[SourceEntry], root: Path) -> frozenset[Path]:
    """Charts and kustomizations that stand for themselves, since they are listed."""
    return frozenset(root / each.path for each in entries if isinstance(each, ChartEntry | KustomizeEntry))


def keep_listed(found: Found, entries: Sequence[SourceEntry]) -> None:
    """Leave out of ``found`` what no entry is about."""
    charts = {each.path for each in entries if isinstance(each, ChartEntry)}
    kustomizations = {each.path for each in entries if isinstance(each, KustomizeEntry)}
    manifests = [each.path for each in entries if isinstance(each, ManifestsEntry)]
    left_out = [each.path for each in found.charts if each.path not in charts]
    left_out += [each.path for each in found.kustomizations if each.path not in kustomizations]
    found.charts = [each for each in found.charts if each.path in charts]
    found.kustomizations = [each for each in found.kustomizations if each.path in kustomizations]
    for top, files in found.manifests.items():
        listed = [file for file in files if file.is_named or _is_under(file.reported, manifests)]
        left_out += [file.reported for file in files if file not in listed and not file.is_data]
        found.manifests[top] = listed
    found.excluded += [Excluded(path=path, pattern=NOT_LISTED) for path in left_out]


def _is_under(path: str, folders: Iterable[str]) -> bool:
    return any(folder in {".", path} or path.startswith(f"{folder}/") for folder in folders)


def require_listed(found: Found, entries: Sequence[SourceEntry], tops: Sequence[Top], root: Path) -> None:
    """A Failure for each entry below the paths of this run where nothing of its kind is there."""
    there = {*(each.folder for each in found.charts), *(each.folder for each in found.kustomizations)}
    failed = {each.path for each in found.failures}
    for entry in entries:
        path = root / entry.path
        is_there = path.exists() if isinstance(entry, ManifestsEntry) else path in there
        if is_there or entry.path in failed or not any(path.is_relative_to(top.path) for top in tops):
            continue
        reason = "the configuration lists it under sources, and there is no such thing"
        error = NotReadError(reason, "correct the configuration, or commit what is missing")
        found.failures.append(failure(Stage.RENDER, entry.path, error, (path,)))
