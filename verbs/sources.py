"""Which sources count on either side: head's, and those of base that head no longer lists though their files are there.

A change may add a chart or rename its values file; it cannot take out of sight what base has scanned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from model.sources import ChartEntry, SourceEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What the configurations list."""

    head: tuple[SourceEntry, ...] = ()
    base: tuple[SourceEntry, ...] = ()
    only: bool = False
    """Whether nothing else is a source; else everything that is found counts as well."""


AS_IN_BASE: Final = "as in base"
"""How an environment is called that head has under the same name with other files."""


def settle_sources(
    head: Sequence[SourceEntry],
    base: Sequence[SourceEntry],
    head_root: Path,
    base_root: Path | None = None,
    *,
    may_narrow: bool,
) -> Sources:
    """The sources of both sides. ``may_narrow``: head's list counts where base has none."""
    before = {_key(each): each for each in base}
    after = {_key(each): each for each in head}
    kept = [each for key, each in before.items() if key not in after and (head_root / each.path).exists()]
    listed = (*(_as_head_has_it(each, before.get(_key(each)), head_root) for each in head), *kept)
    return Sources(
        head=listed,
        base=(
            *(_as_base_has_it(each, before.get(_key(each)), base_root) for each in listed),
            *(each for key, each in before.items() if key not in after and each not in kept),
        ),
        only=bool(head) and (bool(base) or may_narrow),
    )


def _key(entry: SourceEntry) -> tuple[str, str]:
    return type(entry).__name__, entry.path


def _as_head_has_it(entry: SourceEntry, old: SourceEntry | None, root: Path) -> SourceEntry:
    """The chart with base's Kubernetes version, and with those environments of base that head no longer has.

    An environment is its files: where they are all there, another list under its name does not replace them.
    """
    if not (isinstance(entry, ChartEntry) and isinstance(old, ChartEntry)):
        return entry
    files = {each.name: each.files for each in entry.environments}
    kept = (
        replace(each, name=f"{each.name} {AS_IN_BASE}") if each.name in files else each
        for each in old.environments
        if files.get(each.name) != each.files and _are_there(root, entry, each.files)
    )
    return replace(entry, kube_version=old.kube_version, environments=(*entry.environments, *kept))


def _as_base_has_it(entry: SourceEntry, old: SourceEntry | None, root: Path | None) -> SourceEntry:
    """The chart with base's own files for environments of the same name, without those whose files it does not have."""
    if not isinstance(entry, ChartEntry):
        return entry
    files = {each.name: each for each in old.environments} if isinstance(old, ChartEntry) else {}
    environments = (files.get(each.name, each) for each in entry.environments)
    if root is None:
        return replace(entry, environments=tuple(environments))
    there = tuple(each for each in environments if each.name in files or _are_there(root, entry, each.files))
    return replace(entry, environments=there)


def _are_there(root: Path, entry: ChartEntry, files: Sequence[str]) -> bool:
    return all((root / entry.path / file).exists() for file in files)
