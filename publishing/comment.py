"""One comment on the pull request that stays where it is: found by its author and its first line, never by one alone.

A comment of somebody else is never edited or removed, whatever it looks like; a run whose head is not the newest any
more writes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from publishing.answer import Purpose
from publishing.client import Client, DoubtfulError
from publishing.failure import NotPublishedError, PublishError, as_value
from publishing.place import JobId, Repository
from publishing.shape import Row

LONGEST: Final = 65_000
"""Characters of the text; with the marker it keeps below 65,536 characters and, at four bytes each, 262,144 bytes."""
REMOVED: Final = 10
"""Duplicates that one run removes."""
LOOK_AGAIN: Final = 2.0
"""Seconds until a comment shows that may have been made."""
BOT: Final = "Bot"

PURPOSE: Final = Purpose(
    what="the comment",
    needs="pull-requests: write",
    otherwise="The conversation may also be locked.",
)
_MARKER: Final = re.compile(
    r"<!-- (?P<mark>hardening-gate(?::[A-Za-z0-9._-]{1,64})?) head=(?:[0-9a-f]{40}|[0-9a-f]{64}) -->"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who writes comments: login and kind (``Bot``, ``User``). No person can have the login of a bot."""

    login: str
    kind: str


WORKFLOW: Final = Author(login="github-actions[bot]", kind=BOT)
"""Whom the token of a workflow writes as. It may not ask who it is: ``GET /user`` is refused."""


class CommentOutcome(StrEnum):
    """What became of the comment."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    STALE = "stale"
    """The pull request has a newer head, whose run writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to be said, about which head."""

    repository: Repository
    number: int
    """Of the pull request."""
    head_sha: str
    """The tip of the branch that was judged; never the merge commit."""
    job: JobId
    text: str
    """Markdown that is safe already, at most ``LONGEST`` characters."""

    @property
    def body(self) -> str:
        """As it is sent: the marker, then the text."""
        return f"<!-- {self.job.mark(':')} head={self.head_sha} -->\n{self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comment:
    id: int
    author: Author | None
    """None for an account that is gone."""
    body: str

    def is_ours(self, author: Author, job: JobId) -> bool:
        """Whether author and first line are those."""
        first = self.body.partition("\n")[0].rstrip("\r")
        found = _MARKER.fullmatch(first)
        return self.author == author and found is not None and found["mark"] == job.mark(":")


@as_value
def upsert(client: Client, draft: Draft, author: Author | None = None) -> CommentOutcome:
    """Create the comment, or update the one that is there; returns a PublishError where that is refused.

    ``author``: whom the token writes as, where that is known; else the server is asked. Duplicates of ours are removed.
    """
    _require_fitting(draft)
    author = author or _myself(client)
    found = [each for each in _comments(client, draft) if each.is_ours(author, draft.job)]
    if not _is_newest(client, draft):
        return CommentOutcome.STALE
    if found:
        return _replace(client, draft, found)
    return _create(client, draft, author)


def _require_fitting(draft: Draft) -> None:
    if len(draft.text) > LONGEST:
        reason = f"its text has {len(draft.text)} characters, more than {LONGEST}"
        raise NotPublishedError(PublishError(what=PURPOSE.what, reason=reason, remedy="Shorten it before publishing."))


def _myself(client: Client) -> Author:
    """Whom the token writes as: a person by asking, else the workflow (an app's token may not ask)."""
    try:
        row = client.get(PURPOSE, "user")
    except NotPublishedError as refused:
        if refused.error.status == 403:
            return WORKFLOW
        raise
    return Author(login=row.text("login"), kind=row.text("type"))


def _is_newest(client: Client, draft: Draft) -> bool:
    row = client.get(PURPOSE, *draft.repository.path, "pulls", draft.number)
    return row.text("head", "sha") == draft.head_sha


def _comments(client: Client, draft: Draft) -> Iterator[_Comment]:
    """All of the pull request, oldest first."""
    for row in client.rows(PURPOSE, *draft.repository.path, "issues", draft.number, "comments"):
        yield _comment(row)


def _comment(row: Row) -> _Comment:
    user = row.at("user")
    author = None if user is None else Author(login=user.text("login"), kind=user.text("type"))
    body = row.at("body")
    return _Comment(id=row.number("id"), author=author, body="" if body is None else body.text())


def _create(client: Client, draft: Draft, author: Author) -> CommentOutcome:
    """A new one. Where nobody knows whether it was made, look before making another."""
    try:
        made = _post(client, draft)
    except DoubtfulError as doubtful:
        if not client.wait(LOOK_AGAIN):
            raise
        found = [each for each in _comments(client, draft) if each.is_ours(author, draft.job)]
        if found:
            _replace(client, draft, found)
            return CommentOutcome.CREATED
        try:
            made = _post(client, draft)
        except DoubtfulError:
            raise doubtful from None
    return _settle(client, draft, made.author or author)


def _settle(client: Client, draft: Draft, author: Author) -> CommentOutcome:
    """Where another run made one, too, or one stands under a name that only an answer tells, the oldest stays."""
    found = [each for each in _comments(client, draft) if each.is_ours(author, draft.job)]
    if len(found) < 2 or not _is_newest(client, draft):
        return CommentOutcome.CREATED
    return _replace(client, draft, found)


def _post(client: Client, draft: Draft) -> _Comment:
    path = (*draft.repository.path, "issues", draft.number, "comments")
    return _comment(client.write("POST", PURPOSE, *path, body={"body": draft.body}, is_repeatable=False))


def _replace(client: Client, draft: Draft, found: Sequence[_Comment]) -> CommentOutcome:
    """Update the first one, remove the others."""
    comments = (*draft.repository.path, "issues", "comments")
    is_same = _normal(found[0].body) == _normal(draft.body)
    if not is_same:
        client.write("PATCH", PURPOSE, *comments, found[0].id, body={"body": draft.body})
    for each in found[1 : 1 + REMOVED]:
        client.write("DELETE", PURPOSE, *comments, each.id)
    return CommentOutcome.UNCHANGED if is_same else CommentOutcome.UPDATED


def _normal(body: str) -> str:
    """What is the same to a reader: the server may keep other line ends, and none at the end."""
    return body.replace("\r\n", "\n").rstrip()
