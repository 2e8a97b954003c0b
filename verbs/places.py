"""Where head and base lie, and which paths of base are the counterparts of those of head."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manifests.discovery import work_tree
from model.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folders of one run."""

    head_root: Path
    base_root: Path | None
    """None without a base, and for a stored one."""
    base_paths: tuple[str, ...] = ()
    """Relative to the root of base."""
    base_prefix: str = "."
    """Under which the paths of base are reported, POSIX."""

    @classmethod
    def of(cls, paths: Sequence[Path], root: Path | None, base: Path | None) -> Places:
        """The folders for these PATHs; ``base`` is a folder: the counterpart of one PATH, of several of the root.

        Raises UsageError for a root that is no folder.
        """
        if root is not None and not root.is_dir():
            raise UsageError(f"the root {root} is no folder", "Name the folder that reported paths start from.")
        top = root.resolve() if root else work_tree(Path.cwd())
        heads = [_inside(top, path) for path in paths]
        if root is None and not any(head.is_relative_to(top) for head in heads):
            top = heads[0] if heads[0].is_dir() else heads[0].parent
        if base is None:
            return cls(head_root=top, base_root=None)
        inside = tuple(str(head.relative_to(top)) for head in heads if head.is_relative_to(top))
        if len(heads) == 1 and inside:
            prefix = Path(inside[0]).as_posix()
            return cls(head_root=top, base_root=base.resolve(), base_paths=(".",), base_prefix=prefix)
        return cls(head_root=top, base_root=base.resolve(), base_paths=inside)


def _inside(root: Path, path: Path) -> Path:
    """The absolute path; links stay what they are below the root, so that nothing there is followed."""
    named = Path(os.path.normpath(Path.cwd() / path))
    return named if named.is_relative_to(root) else named.resolve()
