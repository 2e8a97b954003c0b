"""Addresses that a report may link to: files of a commit and the run of a workflow, on the server that started it.

Server, repository, commit and run are the runner's; a path is the pull request's, and cannot lead anywhere else.
Whatever does not fit is no address: the report then shows the same words without a link.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Self
from urllib.parse import quote

LONGEST: Final = 500
"""Characters of an encoded path: a longer one is shown without a link, so that links do not fill a comment."""
_SERVER: Final = r"https?://[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5})?"
_REPOSITORY: Final = r"[A-Za-z0-9][A-Za-z0-9_-]*/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+"
_WHOLE: Final = re.compile(rf"{_SERVER}/{_REPOSITORY}")
_RUN: Final = re.compile(rf"{_SERVER}/{_REPOSITORY}/actions/runs/\d+")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class Address(str):
    """A URL of the server that started the run, of characters that mean nothing in Markdown."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where people can look at the files that were audited."""

    server: str
    """``https://github.com``, as ``GITHUB_SERVER_URL`` has it."""
    repository: str
    """``owner/name``."""
    sha: str
    """The commit that head was read from: the lines of findings are those of this one."""
    base_sha: str = ""
    """The same for base; empty where it is no commit."""

    @property
    def at_base(self) -> Self:
        """The same for what is of base."""
        return replace(self, sha=self.base_sha)

    def file(self, path: str, line: int | None) -> Address | None:
        """The page of ``path`` (POSIX, relative to the top of the repository), at ``line``.

        None for what is no path below that top, such as ``..``, and where server, repository or commit are not known.
        """
        top = f"{self.server.rstrip('/')}/{self.repository}"
        if not (_WHOLE.fullmatch(top) and _COMMIT.fullmatch(self.sha)) or {"", ".", ".."} & set(path.split("/")):
            return None
        try:
            encoded = quote(path, safe="/")
        except UnicodeEncodeError:
            return None
        if len(encoded) > LONGEST:
            return None
        return Address(f"{top}/blob/{self.sha}/{encoded}" + (f"#L{line}" if line else ""))


def run_page(url: str) -> Address | None:
    """The page of a workflow run; None for everything else, such as the empty text outside of one."""
    return Address(url) if _RUN.fullmatch(url) else None
