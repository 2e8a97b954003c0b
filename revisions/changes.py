"""Which lines a change adds or alters, as its diff on the server shows them; files that were renamed included."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from process import End, Limits
from revisions.git import LOCAL
from revisions.objects import Objects, require_id

Lines: TypeAlias = tuple[int, int]
"""First and last line of a run, from 1 on."""
LISTING: Final = 64 << 20
"""Bytes of the list of changed files."""
PATCH: Final = 16 << 20
"""Bytes of the patch of one file."""
WHOLE: Final = ((1, 2**31 - 1),)
"""Of a file that base has not."""
_HUNK: Final = re.compile(rb"@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_RENAMED: Final = b"RC"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """A file on both sides."""

    old: str | None
    """The id of its blob; None where base has none."""
    new: str


def changed_lines(objects: Objects, base: str, head: str, paths: Iterable[str]) -> Mapping[str, tuple[Lines, ...]]:
    """By path of ``head``, for those of ``paths`` that differ from ``base`` or are new there.

    A path whose patch is too large to be read, or takes too long, is left out. Raises EnvironmentBrokenError when git
    fails.
    """
    pairs = dict(_pairs(objects, base, head))
    found = ((path, pairs.get(path)) for path in paths)
    return {path: lines for path, pair in found if pair and (lines := _lines(objects, pair)) is not None}


def _pairs(objects: Objects, base: str, head: str) -> Iterator[tuple[str, _Pair]]:
    words = ("diff-tree", "-r", "-z", "-M", "--raw", "--full-index", "--no-abbrev", require_id(base), require_id(head))
    listing = objects.git.ask(*words, at=objects.at, limits=Limits(seconds=LOCAL.seconds, output=LISTING))
    fields = iter(listing.split(b"\0"))
    for about in fields:
        if not about.startswith(b":"):
            continue
        _, _, old, new, kind = about.split(b" ")
        path = next(fields)
        if kind[:1] in _RENAMED:
            path = next(fields)
        if kind[:1] != b"D":
            is_new = kind[:1] == b"A"
            yield path.decode("utf-8", "replace"), _Pair(old=None if is_new else old.decode(), new=new.decode())


def _lines(objects: Objects, pair: _Pair) -> tuple[Lines, ...] | None:
    """None where nobody can tell."""
    if pair.old is None:
        return WHOLE
    done = objects.git.start(
        "diff",
        "--no-ext-diff",
        "--no-textconv",
        "--no-color",
        "--text",
        "--unified=0",
        require_id(pair.old),
        require_id(pair.new),
        at=objects.at,
        limits=Limits(seconds=LOCAL.seconds, output=PATCH),
    )
    if done.end is not End.EXITED or done.exit_code != 0:
        return None
    return tuple(_runs(done.stdout))


def _runs(patch: bytes) -> Iterator[Lines]:
    """The lines of head in each hunk; what the hunk itself holds, which may look like another one, is passed over."""
    rows = iter(patch.split(b"\n"))
    for row in rows:
        hunk = _HUNK.match(row)
        if hunk is None:
            continue
        removed, first, added = int(hunk[1] or b"1"), int(hunk[2]), int(hunk[3] or b"1")
        left = removed + added
        while left:
            left -= not next(rows).startswith(b"\\")
        if added:
            yield first, first + added - 1
