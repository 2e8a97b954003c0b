"""Writes the tree of a commit into a folder of ours, byte by byte as it was committed; what it cannot be, it names.

Attributes, filters and line ends of the tree have no say, and no link is followed: there is none before all is written.
"""

from __future__ import annotations

import errno
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from io import FileIO
from pathlib import Path

from model.errors import EnvironmentBrokenError
from revisions.objects import Entry, Objects, batches

LARGEST = 64 << 20
"""Bytes of a file that is written as it is; a larger one has its size and no content: readers refuse it by that."""
LARGEST_HOLE = 1 << 40
"""Bytes of the size of a file without content; some file systems know no more than 16 TiB."""
TOTAL = 8 << 30
"""Bytes of all files of one export together."""
BATCH = 64 << 20
"""Bytes that one start of git prints, about."""
LONGEST_PATH = 4095
"""Bytes of a path, and of what a link says (PATH_MAX of Linux, without the end)."""
POINTER = b"version https://git-lfs.github.com/spec/v1"
LONGEST_POINTER = 1023
"""Bytes of a pointer file (Git LFS, spec.md)."""
FILE = 0o644
FOLDER = 0o755
LINK = b"120000"
SUBMODULE = b"160000"


class Absence(StrEnum):
    """Why an export lacks what a commit names."""

    SUBMODULE = "a submodule: its files lie in another repository"
    LFS = "a Git LFS pointer: the file itself is not in the repository"
    NAME = "its name leads out of its folder, or into a repository"
    CLASH = "something else in the tree has its place"
    LONG = "its name, or what it links to, is no path of this machine"


REASONS: Mapping[int, Absence] = {
    errno.EEXIST: Absence.CLASH,
    errno.EISDIR: Absence.CLASH,
    errno.ENOTDIR: Absence.CLASH,
    errno.ENAMETOOLONG: Absence.LONG,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What a commit names and an export lacks."""

    path: str
    """POSIX, relative to the top of the tree; what is no UTF-8 as surrogates."""
    reason: Absence
    id: str
    """Of the blob, or of the commit of a submodule."""


Writer = Callable[[Entry, memoryview | int], None]


@dataclass(slots=True, kw_only=True)
class Export:
    """One tree on its way into ``folder``: what has been written of it, and what is missing."""

    folder: Path
    require_space: Callable[[], None]
    written: dict[bytes, str] = field(default_factory=dict)
    """The id of each regular file, by its path."""
    gaps: list[Gap] = field(default_factory=list)
    pointers: set[bytes] = field(default_factory=set)
    """Paths that hold a Git LFS pointer."""

    def write(self, entries: Iterable[Entry], objects: Objects, sizes: Mapping[str, int], like: Export | None) -> None:
        """Folders first, then files, links last: whatever the tree claims, nothing is written through a link."""
        wanted = self._with_folders(self._without_nonsense(entries))
        files = [entry for entry in wanted if entry.mode != LINK]
        links = [entry for entry in wanted if entry.mode == LINK]
        rest = files if like is None else [entry for entry in files if not self._linked(entry, like)]
        _require_little(sum(sizes[entry.id] for entry in rest if sizes[entry.id] <= LARGEST))
        self._contents(rest, objects, sizes, self._file)
        self._contents(links, objects, sizes, self._link)

    def lack(self, entry: Entry, reason: Absence) -> None:
        """Remember that it is not there as it should be."""
        self.gaps.append(Gap(path=os.fsdecode(entry.path), reason=reason, id=entry.id))

    def _without_nonsense(self, entries: Iterable[Entry]) -> list[Entry]:
        kept = []
        for entry in entries:
            if not _stays_inside(entry.path):
                self.lack(entry, Absence.NAME)
            elif len(entry.path) > LONGEST_PATH:
                self.lack(entry, Absence.LONG)
            elif entry.mode == SUBMODULE:
                self.lack(entry, Absence.SUBMODULE)
            else:
                kept.append(entry)
        return kept

    def _with_folders(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those whose folder could be made."""
        made = {b""}
        kept = []
        for entry in entries:
            with self._trying(entry):
                self._make(entry.path.rpartition(b"/")[0], made)
                kept.append(entry)
        return kept

    def _make(self, path: bytes, made: set[bytes]) -> None:
        """A folder and those above it."""
        if path in made:
            return
        steps = path.split(b"/")
        for depth in range(1, len(steps) + 1):
            above = b"/".join(steps[:depth])
            if above not in made:
                os.mkdir(self._place(above))  # noqa: PTH102 names are bytes
                os.chmod(self._place(above), FOLDER)  # noqa: PTH101 names are bytes
                made.add(above)

    def _linked(self, entry: Entry, like: Export) -> bool:
        """Whether the same file stands in another export, and so here now, without a second copy."""
        if like.written.get(entry.path) != entry.id:
            return False
        try:
            os.link(like._place(entry.path), self._place(entry.path), follow_symlinks=False)
        except OSError:  # another file system, or two entries of one name: it is written as any other
            return False
        self._note(entry, pointer=entry.path in like.pointers)
        return True

    def _contents(self, entries: Sequence[Entry], objects: Objects, sizes: Mapping[str, int], write: Writer) -> None:
        """Hand the content of each entry to ``write``, or its size where it is too large."""
        by_id: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            by_id[entry.id].append(entry)
        read = {id_: sizes[id_] for id_ in by_id if sizes[id_] <= LARGEST}
        for part in batches(read, BATCH):
            self.require_space()
            for id_, content in objects.blobs(part):
                for entry in by_id[id_]:
                    with self._trying(entry):
                        write(entry, content)
        for entry in entries:
            if entry.id not in read:
                with self._trying(entry):
                    write(entry, sizes[entry.id])

    def _file(self, entry: Entry, content: memoryview | int) -> None:
        """A regular file; one without content where only its size is given."""
        descriptor = os.open(self._place(entry.path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, FILE)
        with FileIO(descriptor, "w") as stream:
            os.fchmod(descriptor, FILE)
            if isinstance(content, int):
                stream.truncate(min(content, LARGEST_HOLE))
            else:
                _write_all(stream, content)
        pointer = (
            not isinstance(content, int) and len(content) <= LONGEST_POINTER and bytes(content).startswith(POINTER)
        )
        self._note(entry, pointer=pointer)

    def _link(self, entry: Entry, content: memoryview | int) -> None:
        """A link as it is, wherever it leads."""
        target = b"" if isinstance(content, int) else bytes(content)
        if not target or len(target) > LONGEST_PATH or b"\0" in target:
            self.lack(entry, Absence.LONG)
        else:
            os.symlink(target, self._place(entry.path))  # noqa: PTH211 names are bytes

    def _note(self, entry: Entry, *, pointer: bool) -> None:
        """Remember a regular file that stands."""
        self.written[entry.path] = entry.id
        if pointer:
            self.pointers.add(entry.path)
            self.lack(entry, Absence.LFS)

    @contextmanager
    def _trying(self, entry: Entry) -> Iterator[None]:
        """What cannot be written because of its name is a gap; raises EnvironmentBrokenError for any other reason."""
        try:
            yield
        except OSError as error:
            reason = REASONS.get(error.errno or 0)
            if reason is None:
                raise EnvironmentBrokenError(
                    f"A file of a commit cannot be written below {self.folder}: {error.strerror}.",
                    "Give the temporary folder (TMPDIR) room and the right to write.",
                ) from error
            self.lack(entry, reason)

    def _place(self, path: bytes) -> bytes:
        return os.fsencode(self.folder) + b"/" + path


def _write_all(stream: FileIO, content: memoryview) -> None:
    """A raw file may take less than it is given."""
    at = 0
    while at < len(content):
        at += stream.write(content[at:])


def _stays_inside(path: bytes) -> bool:
    """Whether every step of a path is a plain name; git itself writes no other ones."""
    return not any(step in {b"", b".", b".."} or step.lower() == b".git" for step in path.split(b"/"))


def _require_little(total: int) -> None:
    if total > TOTAL:
        raise EnvironmentBrokenError(
            f"The files of this commit have {total >> 20} MiB together; {TOTAL >> 20} are the limit.",
            "Look whether these files belong into the repository; compare with another base.",
        )
