"""What the configuration says about where manifests come from; without it everything is searched for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """One set of values files for a chart; it makes a source of its own."""

    name: str
    files: tuple[str, ...]
    """In order, relative to the chart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartEntry:
    """A chart of the configuration."""

    path: str
    """POSIX, relative to the root; so in all entries."""
    environments: tuple[Environment, ...] = ()
    """None: the chart with its own values."""
    kube_version: str | None = None
    """``major.minor``; None for that of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KustomizeEntry:
    """A kustomization of the configuration."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestsEntry:
    """A folder of raw manifests, or one file, of the configuration."""

    path: str


SourceEntry = ChartEntry | KustomizeEntry | ManifestsEntry
