"""The commit status beside the exit code: one line under the commit, for rules that ask for it by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from publishing.answer import Purpose
from publishing.client import Client
from publishing.failure import NotPublishedError, as_value, one_line
from publishing.place import JobId, Repository
from publishing.shape import unexpected

LONGEST: Final = 140
"""Characters of a description."""
PURPOSE: Final = Purpose(what="the commit status", needs="statuses: write")
_LINK: Final = re.compile(r"https?://[!-~]{1,2000}")


class State(StrEnum):
    """As GitHub has them."""

    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"
    PENDING = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the commit is said to be."""

    repository: Repository
    sha: str
    """The head of the pull request; of a merge commit nobody sees the status."""
    job: JobId
    state: State
    description: str
    """Cut to ``LONGEST`` characters on one line."""
    target_url: str = ""
    """Where the whole report lies; what is no web address is left out."""


@as_value
def publish(client: Client, status: Status) -> None:
    """Set it; returns a PublishError where that is refused. Setting it twice is harmless: the last one counts."""
    body = {
        "state": status.state.value,
        "context": status.job.mark("/"),
        "description": one_line(status.description, LONGEST),
    }
    if _LINK.fullmatch(status.target_url):
        body["target_url"] = status.target_url
    made = client.write("POST", PURPOSE, *status.repository.path, "statuses", status.sha, body=body)
    if made.text("state") != status.state:  # somebody between us and the server may say yes to everything
        raise NotPublishedError(unexpected(PURPOSE))
