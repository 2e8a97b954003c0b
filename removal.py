"""Removes private folders, whatever a child has left in them; it never follows a link and never leaves the folder."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


def remove_tree(top: Path) -> None:
    """Remove a tree whose author tried to make that impossible: locked folders, links, deeper than a path may be long.

    Every folder is renamed into ``top`` before it is entered, and entered as a folder only, never through a link.
    """
    names = (f"{token}{number}" for token in (secrets.token_hex(8),) for number in itertools.count())
    try:
        _unlock(top)
        refuge = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    try:
        folders = _clear(refuge, refuge, names)
        while folders:
            name = folders.pop()
            descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=refuge)
            try:
                folders += _clear(descriptor, refuge, names)
            finally:
                os.close(descriptor)
            os.rmdir(name, dir_fd=refuge)
    finally:
        os.close(refuge)
    top.rmdir()


def _clear(folder: int, refuge: int, names: Iterator[str]) -> list[str]:
    """Unlink all that is no folder; the folders' new names in the refuge."""
    moved = []
    with os.scandir(folder) as entries:
        listed = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_folder in listed:
        if not is_folder:
            os.unlink(name, dir_fd=folder)
            continue
        _unlock(name, folder)
        moved.append(next(names))
        os.rename(name, moved[-1], src_dir_fd=folder, dst_dir_fd=refuge)
    return moved


def _unlock(name: str | Path, folder: int | None = None) -> None:
    """Open a folder that a child of our own user has closed; root needs no key, and must not follow a link here."""
    if os.geteuid() != 0:
        os.chmod(name, 0o700, dir_fd=folder)
