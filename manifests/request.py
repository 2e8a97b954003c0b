"""What one side of a run asks of this room: paths, and how charts and kustomizations are to be rendered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cache import Cache
from model.progress import Progress, unseen
from model.sources import SourceEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartValues:
    """Values files for a chart, in order: one environment. Several of them for one chart make a source each."""

    chart: str
    """The chart's path relative to the root or the current folder, or its name."""
    files: tuple[str, ...]
    """Relative to the current folder."""
    environment: str = ""
    """Empty: after the last file, ``values-prod.yaml`` is ``prod``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRequest:
    """What to load, and how charts are to be rendered."""

    paths: tuple[str, ...] = (".",)
    """Relative to ``cwd``."""
    root: Path | None = None
    """What reported paths are relative to; None for the git work tree around ``cwd``, else ``cwd``."""
    cwd: Path = field(default_factory=Path.cwd)
    required: bool = True
    """Whether a PATH, or a chart that has values, must be there: so in head, while base may not have it yet."""
    entries: tuple[SourceEntry, ...] = ()
    """Sources that the configuration lists, relative to the root."""
    entries_only: bool = False
    """Whether nothing but ``entries`` is a source; what else is found is listed as excluded."""
    kept: frozenset[str] = frozenset()
    """Folders of charts and kustomizations that stand for themselves, even where another one builds on them now: what
    base has scanned as a source stays one."""
    apart: frozenset[str] = frozenset()
    """Folders that hold another repository's files: they are named, and passed over."""
    values: tuple[ChartValues, ...] = ()
    """Of the command line; for its charts they count in place of the environments of ``entries``."""
    sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """``KEY=VALUE`` by chart, as ``--set`` of Helm has them."""
    exclude: tuple[str, ...] = ()
    """gitignore globs on reported paths."""
    kube_version: str
    """``major.minor``."""
    api_versions: tuple[str, ...] = ()
    release_name: str = "release-name"
    namespace: str = "default"
    chart_cache: Path | None = None
    """Where ``deps`` keeps the charts that it has fetched; None for nowhere."""
    jobs: int = 2
    """Charts rendered at the same time."""
    timeout: float = 60.0
    """Seconds for one chart or kustomization."""
    cache: Cache = field(default_factory=Cache)
    """What was rendered before is not rendered again; one for both sides."""
    progress: Progress = unseen
    """Told how many files and charts there are, and how many are done."""
