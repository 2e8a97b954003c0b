"""Reads commits, trees and blobs by plumbing, in bulk and within bounds; no attribute, filter or link is ever asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.errors import EnvironmentBrokenError
from process import Limits
from revisions.git import LOCAL, Git, failed

ENTRIES = 400_000
"""Of one tree; the largest public ones have as many."""
LISTING = 256 << 20
"""Bytes of one list of entries."""
HEADER = 256
"""Bytes that ``cat-file`` prints before and after a blob, at most."""
_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_ENTRY = re.compile(rb"(\d{6}) [a-z]+ ([0-9a-f]{40,64})\t([^\0]+)\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a tree says of one path."""

    path: bytes
    mode: bytes
    """``100644``, ``100755``, ``120000`` (a link) or ``160000`` (a commit of another repository)."""
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """The objects of a repository."""

    git: Git
    at: Path

    def find_commit(self, name: str) -> str | None:
        """The id of the commit that an id or a ref means, or None."""
        words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        done = self.git.start(*words, at=self.at)
        return done.stdout.decode().strip() if done.exit_code == 0 else None

    def parents(self, commit: str) -> tuple[str, ...]:
        """As the commit itself says, whether they are here or not."""
        text = self.git.ask("cat-file", "commit", require_id(commit), at=self.at)
        header = text.partition(b"\n\n")[0].decode("utf-8", "replace")
        return tuple(re.findall(r"(?m)^parent ([0-9a-f]+)$", header))

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor that the history which is here shows, or None."""
        done = self.git.start("merge-base", require_id(one), require_id(other), at=self.at)
        if done.exit_code not in {0, 1}:
            raise failed("merge-base", done)
        return done.stdout.decode().split()[0] if done.exit_code == 0 else None

    def entries(self, commit: str) -> tuple[Entry, ...] | None:
        """All that is no folder, sorted as git sorts; None where a tree is missing here."""
        words = ("ls-tree", "-r", "-z", "--full-tree", require_id(commit))
        done = self.git.start(*words, at=self.at, limits=Limits(seconds=LOCAL.seconds, output=LISTING))
        if done.exit_code != 0:
            return None
        count = done.stdout.count(b"\0")
        if count > ENTRIES:
            raise EnvironmentBrokenError(
                f"The tree of commit {commit} has {count} files; {ENTRIES} are the limit.",
                "Look whether these files belong into the repository; compare with another base.",
            )
        return tuple(Entry(mode=mode, id=id_.decode(), path=path) for mode, id_, path in _ENTRY.findall(done.stdout))

    def sizes(self, ids: Iterable[str]) -> dict[str, int]:
        """Bytes of each blob that is here."""
        wanted = "".join(f"{id_}\n" for id_ in ids).encode()
        if not wanted:
            return {}
        lines = self.git.ask("cat-file", "--batch-check", "--buffer", at=self.at, stdin=wanted).decode().splitlines()
        words = (line.split() for line in lines)
        return {one[0]: int(one[2]) for one in words if len(one) == 3}

    def blobs(self, sizes: Mapping[str, int]) -> Iterator[tuple[str, memoryview]]:
        """The content of each blob, by one start of git; its id and size are known."""
        printed = sum(sizes.values()) + HEADER * len(sizes)
        limits = Limits(seconds=LOCAL.seconds, output=printed)
        wanted = "".join(f"{id_}\n" for id_ in sizes).encode()
        text = memoryview(self.git.ask("cat-file", "--batch", "--buffer", at=self.at, stdin=wanted, limits=limits))
        at = 0
        for id_, size in sizes.items():
            header = f"{id_} blob {size}\n".encode()
            start = at + len(header)
            at = start + size + 1
            if text[start - len(header) : start].tobytes() != header or text[at - 1 : at].tobytes() != b"\n":
                raise EnvironmentBrokenError(
                    f"git does not print object {id_} as it should.",
                    "See whether the repository is whole (`git fsck`).",
                )
            yield id_, text[start : at - 1]


def require_id(commit: str) -> str:
    """The full id of an object as it is; raises ValueError for anything else."""
    if not is_id(commit):
        raise ValueError(f"not the full id of a commit: {commit!r}")
    return commit


def is_id(name: str) -> bool:
    """Whether it is the full id of an object, SHA-1 or SHA-256."""
    return _ID.fullmatch(name) is not None


def batches(sizes: Mapping[str, int], most: int) -> Iterator[dict[str, int]]:
    """Parts of ``sizes``, in its order, of at most ``most`` bytes each, but for one that is larger alone."""
    part: dict[str, int] = {}
    total = 0
    for id_, size in sizes.items():
        cost = size + HEADER
        if part and total + cost > most:
            yield part
            part, total = {}, 0
        part[id_] = size
        total += cost
    if part:
        yield part


def unique(entries: Sequence[Entry]) -> tuple[str, ...]:
    """The ids of the entries' blobs, once each, in their order."""
    return tuple(dict.fromkeys(entry.id for entry in entries))
