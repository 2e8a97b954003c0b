"""Remembers what was judged and rendered, by a digest of all that it depends on; refuses all bytes but its own.

An entry is one file, named by the 64 hexadecimal digits of its key, with the key and a checksum of the content in its
first line. What is damaged, of another key, no regular file, or not ours is not used, and replaced where that is
possible. The folder may be thrown away at any time: a run without it says the same, later.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from model.values import Json

FORMAT: Final = "hardening-gate-cache-1"
LIMIT: Final = 512 << 20
"""Bytes of all entries; what was used longest ago goes first."""
ENTRIES: Final = 100_000
ENTRY: Final = 32 << 20
"""Bytes of one entry; more is not remembered."""
HELD: Final = 256 << 20
"""Bytes that one run holds in memory for its other side."""
FULL: Final = 0.9
"""Of the limits: so much stays when there is too much."""
STALE: Final = 3600.0
"""Seconds after which a file that was begun is nobody's, and the time of use is written anew."""
UNTRUSTED: Final = 65534
"""The user of the sandbox's children, where we are root."""
OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
BEGUN: Final = ".begun-"
_ENTRY_NAME: Final = re.compile(r"[0-9a-f]{64}")
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
REMEDY: Final = "Name a folder that only you may write to with --cache, or use --no-cache"


@dataclass(frozen=True, slots=True)
class Key:
    """Names an entry by all that it depends on."""

    digest: str

    @classmethod
    def of(cls, *parts: Json) -> Self:
        """The key of these parts, in their order. They are not kept."""
        text = json.dumps([FORMAT, *parts], sort_keys=True, separators=(",", ":"), allow_nan=False)
        return cls(hashlib.sha256(text.encode()).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How well it went, for people."""

    asked: int
    remembered: int
    unusable: int
    """Entries that were there and could not be used."""


@cache
def source_digest(*files: str) -> str:
    """SHA-256 of source files of ours: what they made is no longer remembered once they change."""
    digest = hashlib.sha256()
    for file in files:
        data = Path(file).read_bytes()
        digest.update(b"%d\n" % len(data) + data)
    return digest.hexdigest()


def untold(remark: str) -> None:
    """Nobody wants to know."""


class Cache:
    """Bytes by their key: in this run's memory, and in a folder where there is one. Threads may share it.

    A context manager: leaving it bounds what the folder holds. It raises nothing: a folder that cannot be used is
    told of once, with what to do, and the run goes on without it.
    """

    def __init__(
        self, folder: Path | None = None, *, tell: Callable[[str], None] = untold, limit: int = LIMIT, held: int = HELD
    ) -> None:
        self._lock = threading.Lock()
        self._memory: dict[Key, bytes] = {}
        self._held = held
        self._asked = self._remembered = self._unusable = 0
        self._folder = _Folder(folder, tell, limit) if folder is not None else None

    def __enter__(self) -> Self:
        """The cache itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close it, whatever happened."""
        self.close()

    @property
    def tally(self) -> Tally:
        """So far."""
        with self._lock:
            return Tally(asked=self._asked, remembered=self._remembered, unusable=self._unusable)

    def get(self, key: Key) -> bytes | None:
        """What was put there, byte for byte; None where that is not known."""
        with self._lock:
            self._asked += 1
            data = self._memory.get(key)
        unusable = False
        if data is None and self._folder is not None:
            try:
                data = self._folder.read(key)
            except _UnusableEntryError:
                unusable = True
        with self._lock:
            self._remembered += data is not None
            self._unusable += unusable
        return data

    def put(self, key: Key, data: bytes, *, lasting: bool = True) -> None:
        """Remember it; what is not ``lasting`` for this run only."""
        if len(data) > ENTRY:
            return
        with self._lock:
            if key not in self._memory and len(data) <= self._held:
                self._memory[key] = data
                self._held -= len(data)
        if lasting and self._folder is not None:
            self._folder.write(key, data)

    def close(self) -> None:
        """Remove what is too much in the folder, the longest unused first. It answers from memory afterwards."""
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.close()


class _UnusableEntryError(Exception):
    """There is something under the key that is no sound entry of it."""


class _Folder:
    """The entries on the disk, reached through one open folder, whatever becomes of its name."""

    def __init__(self, path: Path, tell: Callable[[str], None], limit: int) -> None:
        self._path, self._tell, self._limit = path, tell, limit
        self._lock = threading.Lock()
        self._told = False
        self._written = 0
        self._owner = os.geteuid()
        self._descriptor: int | None = None
        self._writable = True
        try:
            self._descriptor = self._open()
        except OSError as error:
            self._say(f"cannot be used: {error.strerror}", "nothing is remembered")

    def read(self, key: Key) -> bytes | None:
        """None where there is none. Raises _UnusableEntryError."""
        if self._descriptor is None:
            return None
        try:
            descriptor = os.open(key.digest, _READ, dir_fd=self._descriptor)
        except FileNotFoundError:
            return None
        except OSError as error:  # a link, among others
            raise _UnusableEntryError from error
        try:
            return _content(descriptor, key)
        except OSError as error:
            raise _UnusableEntryError from error
        finally:
            os.close(descriptor)

    def write(self, key: Key, data: bytes) -> None:
        """Beside its place first, then moved there: whole or not at all, whoever else writes."""
        if self._descriptor is None or not self._writable:
            return
        with self._lock:
            self._written += len(data)
            if self._written > self._limit:
                return
        try:
            self._replace(key, _header(key, data) + data)
        except OSError as error:
            self._writable = False
            self._say(f"cannot be written to: {error.strerror}", "what is there is used, nothing is added")

    def close(self) -> None:
        """Bound it, where this run has added to it."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        try:
            if self._written and self._writable:
                with suppress(OSError):  # another run has tidied up at the same time
                    _tidy(descriptor, self._limit)
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        """The folder, made where there is none. Raises OSError for one that somebody else may have filled."""
        if not self._path.exists():
            parent = next(folder for folder in self._path.absolute().parents if folder.exists())
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = parent.stat()
            if os.geteuid() == 0 and owner.st_uid != 0:  # a step of a workflow, not root, shall be able to save it
                os.chown(self._path, owner.st_uid, owner.st_gid, follow_symlinks=False)
        descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        about = os.fstat(descriptor)
        if not _is_ours(about):
            os.close(descriptor)
            raise PermissionError(1, "others may have written there")
        self._owner = about.st_uid
        return descriptor

    def _replace(self, key: Key, content: bytes) -> None:
        begun = f"{BEGUN}{secrets.token_hex(16)}"
        assert self._descriptor is not None
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(begun, flags, 0o600, dir_fd=self._descriptor)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if self._owner != os.geteuid():
                    os.fchown(file.fileno(), self._owner, -1)
                file.write(content)
            with suppress(IsADirectoryError):  # somebody's folder: it is never used, and not ours to remove
                os.rename(begun, key.digest, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
                return
            os.unlink(begun, dir_fd=self._descriptor)
        except OSError:
            with suppress(FileNotFoundError):
                os.unlink(begun, dir_fd=self._descriptor)
            raise

    def _say(self, what: str, so: str) -> None:
        with self._lock:
            told, self._told = self._told, True
        if not told:
            self._tell(f"The cache {self._path} {what}; {so}. {REMEDY}.")


def _is_ours(about: os.stat_result) -> bool:
    """Whether nobody but us, root, or who handed it to us as root could have written it."""
    us = os.geteuid()
    trusted = about.st_uid != UNTRUSTED if us == 0 else about.st_uid in {us, 0}
    return trusted and not about.st_mode & OTHERS


def _header(key: Key, data: bytes) -> bytes:
    return f"{FORMAT} {key.digest} {hashlib.sha256(data).hexdigest()}\n".encode()


def _content(descriptor: int, key: Key) -> bytes:
    """What an open entry holds. Raises _UnusableEntryError, OSError."""
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode) or about.st_size > ENTRY + 256 or not _is_ours(about):
        raise _UnusableEntryError
    with os.fdopen(os.dup(descriptor), "rb") as file:
        head, _, data = file.read(ENTRY + 257).partition(b"\n")
    if head + b"\n" != _header(key, data):
        raise _UnusableEntryError
    if time.time() - about.st_mtime > STALE:
        with suppress(OSError):  # of a folder that we may only read
            os.utime(descriptor)
    return data


def _tidy(folder: int, limit: int) -> None:
    """Keep to the limits; files that are not ours by their names stay."""
    entries = sorted(_entries(folder))
    size = sum(each for _, each, _ in entries)
    if size <= limit and len(entries) <= ENTRIES:
        return
    left = len(entries)
    for _, bytes_, name in entries:
        if size <= limit * FULL and left <= ENTRIES * FULL:
            return
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
        size, left = size - bytes_, left - 1


def _entries(folder: int) -> Iterator[tuple[float, int, str]]:
    """Time of use, size and name of each; what was begun and left is removed."""
    with os.scandir(folder) as listed:
        for entry in listed:
            is_entry, is_begun = _ENTRY_NAME.fullmatch(entry.name), entry.name.startswith(BEGUN)
            if not is_entry and not is_begun:
                continue
            with suppress(FileNotFoundError):
                about = entry.stat(follow_symlinks=False)
                if is_entry and not stat.S_ISDIR(about.st_mode):
                    yield about.st_mtime, about.st_size, entry.name
                elif is_begun and time.time() - about.st_mtime > STALE:
                    os.unlink(entry.name, dir_fd=folder)
