"""Which lines a change adds or alters, as its diff on the server shows them; files that were renamed included."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from model.errors import EnvironmentBrokenError
from process import Limits
from revisions.git import LOCAL
from revisions.objects import Objects, require_id

Lines: TypeAlias = tuple[int, int]
"""First and last line of a run, from 1 on."""
LISTING: Final = 256 << 20
"""Bytes of the list of changed files."""
PATCH: Final = 16 << 20
"""Bytes of the patch of one file."""
SECONDS: Final = 20.0
"""For all patches together: they say where annotations go, and nothing else."""
MOST_FILES: Final = 500
"""Whose patches are read."""
WHOLE: Final = ((1, 2**31 - 1),)
"""Of a file that base has not, or of which nobody can tell within these bounds."""
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

    Where git fails, or a patch is too large or too late, the whole file counts: no verdict depends on it, so it raises
    nothing.
    """
    wanted, end = tuple(dict.fromkeys(paths)), time.monotonic() + SECONDS
    try:
        pairs = dict(_pairs(objects, base, head))
    except EnvironmentBrokenError:
        return dict.fromkeys(wanted, WHOLE)
    found = [(path, pairs[path]) for path in wanted if path in pairs]
    return {
        path: _lines(objects, pair, end - time.monotonic()) if number < MOST_FILES else WHOLE
        for number, (path, pair) in enumerate(found)
    }


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


def _lines(objects: Objects, pair: _Pair, seconds: float) -> tuple[Lines, ...]:
    if pair.old is None or seconds <= 0:
        return WHOLE
    options = ("--no-ext-diff", "--no-textconv", "--no-color", "--text", "--unified=0")
    limits = Limits(seconds=seconds, output=PATCH)
    try:
        patch = objects.git.ask(
            "diff", *options, require_id(pair.old), require_id(pair.new), at=objects.at, limits=limits
        )
    except EnvironmentBrokenError:
        return WHOLE
    return tuple(_runs(patch))


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
