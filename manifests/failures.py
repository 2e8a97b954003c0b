"""Makes the Failures of this room, each with a digest of what it stands for: whether a change touched it can be told.

The digest reads regular files only, follows no link, and is the same wherever the tree lies.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from manifests import files
from manifests.files import Kind, NotReadError
from model.resource import Failure, Stage


def failure(  # noqa: PLR0913 - a Failure has as many facts
    stage: Stage,
    path: str,
    error: NotReadError,
    touched: Iterable[Path],
    *,
    line: int | None = None,
    source: str | None = None,
) -> Failure:
    """A Failure at the reported ``path``, standing for the files and folders ``touched``."""
    return Failure(
        stage=stage,
        path=path,
        line=line,
        source=source,
        digest=digest(touched),
        reason=error.reason,
        remedy=error.remedy,
    )


def digest(paths: Iterable[Path]) -> str:
    """Of the names, kinds and contents of all that stands under ``paths``, one after the other."""
    total = hashlib.sha256()
    for top in paths:
        for path in _walk(top):
            name, kind, content = os.fsencode(path.relative_to(top)), *_content(path)
            for part in (name, kind.encode(), content):
                total.update(len(part).to_bytes(8, "big") + part)
    return f"sha256:{total.hexdigest()}"


def _walk(top: Path) -> Iterator[Path]:
    todo = [top]
    while todo:
        path = todo.pop()
        yield path
        try:
            if files.kind_of(path) is Kind.FOLDER:
                todo += [entry.path for entry in reversed(files.entries(path)) if entry.name != ".git"]
        except NotReadError:
            continue  # its kind and name are in the digest; nobody can read more of it


def _content(path: Path) -> tuple[str, bytes]:
    try:
        kind = files.kind_of(path)
        if kind is Kind.FILE:
            return kind, files.hash_file(path)
        if kind is Kind.LINK:
            return kind, os.fsencode(path.readlink())
    except (NotReadError, OSError):
        return "unreadable", b""
    return kind or "absent", b""
