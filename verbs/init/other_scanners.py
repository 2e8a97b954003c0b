"""What a repository tells other scanners: their configurations, and what they are to ignore.

It counts and names them, and takes nothing over: here only waivers and the configuration silence anything.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from manifests import files
from manifests.files import Entry, Kind, NotReadError, Reader
from manifests.helm.charts import below

OURS: Final = (
    "not honoured: what it switches off or leaves out is scanned; decide again under controls, exclude, waivers"
)
ACCEPTED: Final = "not honoured: what it silences is found again; what you still accept belongs under waivers"
FOREIGN: Final = "not read: this scanner does not run here"
SETTINGS: Final = (
    (re.compile(r"\.?polaris\.ya?ml"), "Polaris", OURS),
    (re.compile(r"\.kube-score.*"), "kube-score", OURS),
    (re.compile(r"trivy\.ya?ml"), "Trivy", OURS),
    (re.compile(r"\.trivyignore(?:\..+)?"), "Trivy", ACCEPTED),
    (re.compile(r"\.kube-linter\.ya?ml"), "KubeLinter", FOREIGN),
    (re.compile(r"\.checkov\.ya?ml|\.checkov\.baseline"), "Checkov", FOREIGN),
)
"""By the name of the file, wherever it lies."""
REMARKS: Final = (
    (re.compile(rb"polaris\.fairwinds\.com/(?:[\w-]+-)?exempt"), "Polaris exempt annotations", ACCEPTED),
    (re.compile(rb"kube-score/ignore"), "kube-score ignore annotations", ACCEPTED),
    (
        re.compile(rb"kube-score/enable"),
        "kube-score enable annotations",
        "not honoured: optional checks stay as they are",
    ),
    (re.compile(rb"trivy:ignore"), "Trivy ignore comments", ACCEPTED),
    (re.compile(rb"ignore-check\.kube-linter\.io/"), "KubeLinter ignore annotations", FOREIGN),
    (re.compile(rb"checkov\.io/skip\d"), "Checkov skip annotations", FOREIGN),
)
"""By what stands in manifests, templates and values."""
TEXTS: Final = (".yaml", ".yml", ".json", ".tpl")
MOST: Final = 200_000
"""Entries that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One file, or what stands in several, for another scanner."""

    what: str
    where: str
    """A path, or the first of several."""
    count: int
    """How often it stands there; 1 for a file of settings."""
    files: int
    is_settings: bool
    """A file of its own, not something in manifests."""
    becomes: str
    """What this program does with it."""


def traces(root: Path) -> tuple[Trace, ...]:
    """All of them below the root, files first. Links are not followed, ``.git`` is left alone."""
    settings: list[Trace] = []
    counts: Counter[int] = Counter()
    places: dict[int, list[str]] = {}
    reader = Reader()
    for entry in _entries(root):
        where = below(root, entry.path)
        settings += _settings(entry, where)
        for position, count in _remarks(entry, reader):
            counts[position] += count
            places.setdefault(position, []).append(where)
    remarks = [
        Trace(
            what=what,
            where=places[at][0],
            count=counts[at],
            files=len(places[at]),
            is_settings=False,
            becomes=becomes,
        )
        for at, (_, what, becomes) in enumerate(REMARKS)
        if counts[at]
    ]
    return (*sorted(settings, key=lambda trace: (trace.where, trace.what)), *remarks)


def _settings(entry: Entry, where: str) -> Iterator[Trace]:
    for pattern, scanner, becomes in SETTINGS:
        if entry.kind in {Kind.FILE, Kind.LINK} and pattern.fullmatch(entry.name):
            yield Trace(what=scanner, where=where, count=1, files=1, is_settings=True, becomes=becomes)


def _remarks(entry: Entry, reader: Reader) -> Iterator[tuple[int, int]]:
    """Which remarks stand in a file, and how often; what cannot be read says nothing."""
    if entry.kind is not Kind.FILE or not entry.name.endswith(TEXTS):
        return
    try:
        data = reader.read(entry.path)
    except NotReadError:
        return
    for position, (pattern, _, _) in enumerate(REMARKS):
        if count := len(pattern.findall(data)):
            yield position, count


def _entries(root: Path) -> Iterator[Entry]:
    """All files below the root in the order of their paths, as far as the bound."""
    todo, seen = [root], 0
    while todo and seen < MOST:
        try:
            entries = files.entries(todo.pop())
        except NotReadError:
            continue
        seen += len(entries)
        folders = [entry.path for entry in entries if entry.kind is Kind.FOLDER and entry.name != ".git"]
        todo += reversed(folders)
        yield from (entry for entry in entries if entry.kind is not Kind.FOLDER)
