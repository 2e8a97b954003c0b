"""The pull request that a finished run was about: found by head commit, branch and repository, never by what it says.

A run on the pull request of a fork does not tell its number, and what it leaves behind is the word of a stranger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from model.occasion import PullRequest, Trigger
from publishing.answer import Purpose
from publishing.client import Client
from publishing.failure import as_value
from publishing.place import Repository
from publishing.shape import Row

PURPOSE: Final = Purpose(what="the pull request of the run", needs="pull-requests: read")
SHORT: Final = 12
"""Digits of a commit id in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The run belongs to no pull request, or nobody can tell to which."""

    reason: str
    remedy: str


@as_value
def find(client: Client, repository: Repository, trigger: Trigger) -> PullRequest | Refused:
    """The one open pull request into ``repository`` whose head is the run's; returns a PublishError if nobody answers.

    Head commit and head repository must be those of the event, which no stranger can write.
    """
    if trigger.event != "pull_request":
        return Refused(
            reason=f"the run was started by {trigger.event}, not by pull_request",
            remedy="Let the workflow that it follows run on `pull_request`, and add `if:` for this event to the job.",
        )
    if trigger.head_repository is None or trigger.head_branch is None:
        return Refused(reason="the fork of the run is gone", remedy="Nothing is to be done: nobody can merge it.")
    owner = trigger.head_repository.partition("/")[0]
    query = {"state": "open", "head": f"{owner}:{trigger.head_branch}"}
    rows = list(client.rows(PURPOSE, *repository.path, "pulls", query=query))
    return _one(rows, repository, trigger)


def _one(rows: Sequence[Row], repository: Repository, trigger: Trigger) -> PullRequest | Refused:
    ours = [row for row in rows if _is_same(row, ("base", "repo"), "/".join(repository.path[1:]))]
    theirs = [row for row in ours if _is_same(row, ("head", "repo"), trigger.head_repository or "")]
    if not theirs:
        return Refused(
            reason="no open pull request has the branch of the run as its head",
            remedy="It was closed, or merged, or belongs to another repository: nothing is to be done.",
        )
    current = [row for row in theirs if row.text("head", "sha") == trigger.head_sha]
    if not current:
        head = theirs[0].text("head", "sha")[:SHORT]
        return Refused(
            reason=f"the pull request has moved on from {trigger.head_sha[:SHORT]} to {head}",
            remedy="The run for the newer commit publishes; nothing is to be done.",
        )
    if len(current) > 1:
        numbers = ", ".join(str(row.number("number")) for row in current)
        return Refused(
            reason=f"the run may belong to several pull requests: {numbers}",
            remedy="Close all but one of them: a commit has one status.",
        )
    return _pull_request(current[0], trigger)


def _is_same(row: Row, where: tuple[str, str], full_name: str) -> bool:
    """Whether it is that repository; one that is gone is none."""
    found = row.at(*where)
    return found is not None and found.text("full_name").casefold() == full_name.casefold()


def _pull_request(row: Row, trigger: Trigger) -> PullRequest:
    draft = row.at("draft")
    return PullRequest(
        number=row.number("number"),
        head_sha=trigger.head_sha,
        base_sha=row.text("base", "sha"),
        base_ref=row.text("base", "ref"),
        head_repository=trigger.head_repository,
        is_fork=not _is_same(row, ("base", "repo"), trigger.head_repository or ""),
        is_draft=draft is not None and draft.value is True,
    )
