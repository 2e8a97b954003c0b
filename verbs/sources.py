"""Which sources count on either side: head's, and those of base that head no longer lists though their files are there.

A change may add a chart or rename its values file; it cannot take out of sight what base has scanned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from model.sources import ChartEntry, SourceEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What the configurations list."""

    head: tuple[SourceEntry, ...] = ()
    base: tuple[SourceEntry, ...] = ()
    only: bool = False
    """Whether nothing else is a source; else everything that is found counts as well."""


def settle_sources(
    head: Sequence[SourceEntry], base: Sequence[SourceEntry], head_root: Path, *, may_narrow: bool
) -> Sources:
    """The sources of both sides. ``may_narrow``: head's list counts where base has none."""
    before = {_key(each): each for each in base}
    after = {_key(each): each for each in head}
    kept = [each for key, each in before.items() if key not in after and (head_root / each.path).exists()]
    listed = (*(_with_dropped(each, before.get(_key(each)), head_root) for each in head), *kept)
    return Sources(
        head=listed,
        base=tuple(_as_base_has_it(each, before.get(_key(each))) for each in listed),
        only=bool(head) and (bool(base) or may_narrow),
    )


def _key(entry: SourceEntry) -> tuple[str, str]:
    return type(entry).__name__, entry.path


def _with_dropped(entry: SourceEntry, old: SourceEntry | None, root: Path) -> SourceEntry:
    """The chart with those environments of base that head no longer names, though all their files are there."""
    if not (isinstance(entry, ChartEntry) and isinstance(old, ChartEntry)):
        return entry
    names = {each.name for each in entry.environments}
    dropped = (
        each
        for each in old.environments
        if each.name not in names and all((root / entry.path / file).exists() for file in each.files)
    )
    return replace(entry, environments=(*entry.environments, *dropped))


def _as_base_has_it(entry: SourceEntry, old: SourceEntry | None) -> SourceEntry:
    """The chart with base's own files for environments of the same name."""
    if not (isinstance(entry, ChartEntry) and isinstance(old, ChartEntry)):
        return entry
    files = {each.name: each for each in old.environments}
    return replace(entry, environments=tuple(files.get(each.name, each) for each in entry.environments))
