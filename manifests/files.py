"""The only door to the files below a root: regular ones, within bounds, never through a link.

Names are bytes in disguise (``surrogateescape``); only ``reported`` makes them text for people.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

FILE_BYTES: Final = 5_000_000
TOTAL_BYTES: Final = 200_000_000
FILES: Final = 50_000
"""Bounds of what one run reads."""
SNIFFED: Final = 50_000_000
"""Bytes of a larger file that are looked at to see whether it is a manifest."""

LFS_POINTER: Final = b"version https://git-lfs.github.com/spec/"


class Kind(StrEnum):
    """What stands under a name, links not followed."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "symbolic link"
    SPECIAL = "device, FIFO or socket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A name in a folder."""

    name: str
    path: Path
    kind: Kind


class NotReadError(Exception):
    """A file or folder that cannot be read: why, and what to do."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


class TooLargeError(NotReadError):
    """A file over the limit; ``data`` is what it begins with, to see what it is."""

    def __init__(self, limit: int, data: bytes, *, may_be_more: bool) -> None:
        super().__init__(f"it is larger than {limit / 1e6:g} MB", "split it, or exclude it in the configuration")
        self.data = data
        self.may_be_more = may_be_more


def reported(path: str | Path) -> str:
    """A path for people: what is no UTF-8 becomes U+FFFD."""
    return os.fsencode(path).decode(errors="replace")


def kind_of(path: Path) -> Kind | None:
    """What stands at ``path``; None where nothing does."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _not_read(error) from error
    return _kind(mode)


def _kind(mode: int) -> Kind:
    kinds = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.FOLDER, stat.S_IFLNK: Kind.LINK}
    return kinds.get(stat.S_IFMT(mode), Kind.SPECIAL)


def link_between(root: Path, path: Path) -> Path | None:
    """The first symbolic link on the way from ``root`` down to ``path``. Raises NotReadError."""
    way = (part for part in (*reversed(path.parents), path) if root in part.parents)
    return next((part for part in way if kind_of(part) is Kind.LINK), None)


def is_inside(root: Path, path: Path) -> bool:
    """Whether ``path`` (without ``..``) is ``root`` or lies below it, with no link on the way."""
    try:
        return path.is_relative_to(root) and link_between(root, path) is None
    except NotReadError:
        return False


def entries(folder: Path) -> tuple[Entry, ...]:
    """The names in ``folder``, sorted by their bytes. Raises NotReadError."""
    try:
        with os.scandir(folder) as names:
            found = [
                Entry(name=each.name, path=folder / each.name, kind=_kind(each.stat(follow_symlinks=False).st_mode))
                for each in names
            ]
    except OSError as error:
        raise _not_read(error) from error
    return tuple(sorted(found, key=lambda entry: os.fsencode(entry.name)))


def read_file(path: Path, limit: int = FILE_BYTES) -> bytes:
    """The bytes of a regular file of at most ``limit`` bytes. Raises NotReadError, for a Git LFS pointer too."""
    with _opened(path) as file:
        data = file.read(limit + 1)
        if len(data) > limit:
            raise TooLargeError(limit, data + file.read(SNIFFED), may_be_more=len(file.read(1)) > 0)
    if data.startswith(LFS_POINTER):
        raise NotReadError("it is a Git LFS pointer, not the file", "check out with LFS (actions/checkout: lfs: true)")
    return data


def hash_file(path: Path) -> bytes:
    """The SHA-256 of a regular file of any size. Raises NotReadError."""
    with _opened(path) as file:
        total = hashlib.sha256()
        while part := file.read(1 << 20):
            total.update(part)
        return total.digest()


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A regular file, to read. Raises NotReadError, for what goes wrong while it is read, too."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            kind = _kind(os.fstat(descriptor).st_mode)
            if kind is not Kind.FILE:
                raise not_regular(kind)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                yield file
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise _not_read(error) from error


def not_regular(kind: Kind) -> NotReadError:
    """Why what stands here is not opened."""
    if kind is Kind.LINK:
        return NotReadError(
            "it is a symbolic link, and links are not followed", "commit a copy of the file it points to"
        )
    return NotReadError(
        f"it is no regular file ({kind})", "replace it by a regular file, or exclude it in the configuration"
    )


def _not_read(error: OSError | ValueError) -> NotReadError:
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return not_regular(Kind.LINK)
    if isinstance(error, FileNotFoundError):
        return NotReadError("it does not exist", "correct the path, or commit the file")
    reason = (error.strerror if isinstance(error, OSError) else None) or "its name is not usable"
    return NotReadError(
        f"it cannot be read: {reason.lower()}", "check its permissions and name, or exclude it in the configuration"
    )


class TooMuchError(NotReadError):
    """The bounds of the whole run are reached: nothing further is read."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "name fewer paths, or exclude folders in the configuration")


class Reader:
    """Reads manifests and counts what one run has read, so that a tree of any size ends."""

    def __init__(self, files: int = FILES, total: int = TOTAL_BYTES) -> None:
        self._max_files, self._max_total = files, total
        self.files = self.total = 0

    def read(self, path: Path) -> bytes:
        """The bytes of one manifest. Raises NotReadError, and TooMuchError when it is the run that ends here."""
        if self.files >= self._max_files:
            raise TooMuchError(f"more than {self._max_files:,} files were found; the rest was not read")
        if self.total >= self._max_total:
            raise TooMuchError(f"more than {self._max_total / 1e6:g} MB were read; the rest was not")
        self.files += 1
        data = read_file(path)
        self.total += len(data)
        return data
