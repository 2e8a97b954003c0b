"""Where fetched charts lie, and what ``scan`` remembers: never inside of what a pull request brings along."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from model.chart import CACHE
from model.errors import UsageError
from settings import ScanSettings

AUDITS = "audits"
"""The folder for what ``scan`` remembers, below the cache."""


def require_cache(named: Path | None, home: Path, roots: Iterable[Path]) -> Path:
    """The folder of fetched charts. Raises UsageError for one inside of the scanned trees."""
    cache = (home if named is None else named).resolve()
    for root in roots:
        if cache.is_relative_to(root.resolve()):
            raise UsageError(
                f"the cache {cache} lies inside of the scanned tree {root}, which could bring its own",
                "Name a folder outside of it with --cache (or HARDENING_GATE_HOME).",
            )
    return cache / CACHE


def audit_cache(wanted: ScanSettings, roots: Iterable[Path]) -> Path | None:
    """Where verdicts and renderings are remembered: a folder that was named; None for this run's memory alone.

    Raises UsageError for one inside of the scanned trees.
    """
    if wanted.cache is None or not wanted.use_cache:
        return None
    return require_cache(wanted.cache, wanted.home, roots).parent / AUDITS


def usable_cache(named: Path | None, home: Path, roots: Iterable[Path]) -> Path | None:
    """The same for ``scan``; None for a home inside of the tree: nothing is taken from there unless it is named.

    Raises UsageError for a named one inside of the tree.
    """
    try:
        return require_cache(named, home, roots)
    except UsageError:
        if named is not None:
            raise
        return None
