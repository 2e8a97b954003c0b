"""Where head lies, and which paths of a folder are the counterparts of its own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manifests.discovery import work_tree
from model.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterpart:
    """What a folder of base has in the place of the PATHs of head."""

    root: Path
    paths: tuple[str, ...]
    """Relative to ``root``."""
    prefix: str
    """Under which its paths are reported, POSIX."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folders of one run."""

    root: Path
    """What reported paths are relative to."""
    heads: tuple[Path, ...]
    """The PATHs, absolute; links below the root stay what they are."""

    @classmethod
    def of(cls, paths: Sequence[Path], root: Path | None) -> Places:
        """The folders for these PATHs. Raises UsageError for a root that is no folder."""
        if root is not None and not root.is_dir():
            raise UsageError(f"the root {root} is no folder", "Name the folder that reported paths start from.")
        top = root.resolve() if root else work_tree(Path.cwd())
        heads = tuple(_inside(top, path) for path in paths)
        if root is None and not any(head.is_relative_to(top) for head in heads):
            top = heads[0] if heads[0].is_dir() else heads[0].parent
        return cls(root=top, heads=heads)

    @property
    def reported(self) -> tuple[str, ...]:
        """The PATHs below the root, relative to it, POSIX."""
        return tuple(head.relative_to(self.root).as_posix() for head in self.heads if head.is_relative_to(self.root))

    def counterpart(self, base: Path) -> Counterpart:
        """``base`` is the counterpart of the one PATH, of several of the root."""
        inside = self.reported
        if len(self.heads) == 1 and inside:
            return Counterpart(root=base.resolve(), paths=(".",), prefix=inside[0])
        return Counterpart(root=base.resolve(), paths=inside, prefix=".")


def _inside(root: Path, path: Path) -> Path:
    """The absolute path; links stay what they are below the root, so that nothing there is followed."""
    named = Path(os.path.normpath(Path.cwd() / path))
    return named if named.is_relative_to(root) else named.resolve()
