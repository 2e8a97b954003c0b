"""Where something is published: repository and pull request, and under which name several jobs keep theirs apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from model.errors import UsageError
from model.occasion import Occasion

PRODUCT: Final = "hardening-gate"
_ID: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository on the server."""

    owner: str
    name: str

    @property
    def path(self) -> tuple[str, str, str]:
        """Segments of its address."""
        return "repos", self.owner, self.name


def repository(full_name: str) -> Repository:
    """Of ``owner/name``, as ``Occasion.repository`` has it."""
    owner, _, name = full_name.partition("/")
    return Repository(owner=owner, name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobId:
    """The input ``id``: keeps comment and status of several jobs of one pull request apart. Empty for the only one."""

    text: str = ""

    def __post_init__(self) -> None:
        """Raise UsageError for what could break out of a marker or a context."""
        if self.text and (not _ID.fullmatch(self.text) or "--" in self.text):
            raise UsageError(
                "the id is not usable", "Take at most 64 letters, digits, dots, underscores and single hyphens."
            )

    def mark(self, between: str) -> str:
        """``hardening-gate``, or ``hardening-gate:ID`` with ``:`` between."""
        return f"{PRODUCT}{between}{self.text}" if self.text else PRODUCT


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a verdict is about, as people find it on the server."""

    repository: Repository
    commit: str
    """The tip of the branch that is proposed, else the commit of the event: nobody sees the status of a merge."""
    number: int | None
    """Of the pull request; None where there is none to comment on."""


def target(occasion: Occasion) -> Target:
    """Of the event that started this run."""
    pull = occasion.pull_request
    return Target(
        repository=repository(occasion.repository),
        commit=pull.head_sha if pull else occasion.sha,
        number=pull.number if pull else None,
    )
