"""SARIF for code scanning: packed, sent with the ref and commit that were judged, and asked what became of it."""

from __future__ import annotations

import base64
import gzip
import re
from dataclasses import dataclass
from typing import Final

from model.occasion import Occasion
from publishing.answer import Purpose
from publishing.client import Client
from publishing.failure import NotPublishedError, PublishError, as_value, one_line
from publishing.place import Repository
from publishing.shape import Row, unexpected

LARGEST: Final = 10_000_000
"""Bytes of the packed file; GitHub refuses more."""
LARGEST_UNPACKED: Final = 500_000_000
POLLS: Final = (2.0, 3.0, 5.0, 10.0, 20.0, 40.0, 80.0)
"""Seconds before each question: as GitHub's own upload action asks, but for the first, since a job waits."""
PURPOSE: Final = Purpose(
    what="code scanning",
    needs="security-events: write",
    otherwise="Code scanning must be switched on for the repository (a private one needs GitHub Code Security); else "
    "switch the upload off, or hand the file to github/codeql-action/upload-sarif.",
)
OTHER_COMMIT: Final = PublishError(
    what=PURPOSE.what,
    reason="the commit that was judged is not the one that the event is about",
    remedy="Check that one out.",
)
"""Nothing that is said of it may stand under the commit of the event."""
_REF: Final = re.compile(r"refs/(?:heads|tags|pull)/.+")
_ID: Final = re.compile(r"[A-Za-z0-9-]{1,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the results are about."""

    ref: str
    commit_sha: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """The server has the file."""

    is_processed: bool
    """False where it had not come to an end while there was time to ask."""


@as_value
def judged(occasion: Occasion, commit: str | None) -> Judged:
    """Ref and commit of an upload for the tree of ``commit``.

    A pull request's merge is ``refs/pull/N/merge``, its head ``refs/pull/N/head``. A commit that the event does not
    name is refused (PublishError): alerts would close and open elsewhere. So is None, no commit at all.
    """
    if commit is None:
        raise _refused("no commit of the repository was judged", "Check one out, or switch the upload off.")
    ref = occasion.ref
    if occasion.pull_request is not None and commit == occasion.pull_request.head_sha:
        ref = f"refs/pull/{occasion.pull_request.number}/head"
    elif commit != occasion.sha:
        raise NotPublishedError(OTHER_COMMIT)
    if ref is None or not _REF.fullmatch(ref):
        raise _refused("the event names no branch, tag or pull request", "Switch the upload off for this event.")
    return Judged(ref=ref, commit_sha=commit)


@as_value
def upload(client: Client, repository: Repository, about: Judged, sarif: bytes) -> Uploaded:
    """Send the file and wait for a while; returns a PublishError where it was refused, or could not be processed.

    Sending it twice is harmless: the later one of the same tool and category replaces the earlier.
    """
    body = {"commit_sha": about.commit_sha, "ref": about.ref, "sarif": _packed(sarif)}
    path = (*repository.path, "code-scanning", "sarifs")
    identity = client.write("POST", PURPOSE, *path, body=body).at("id")
    if identity is None:
        return Uploaded(is_processed=False)
    if not _ID.fullmatch(identity.text()):
        raise NotPublishedError(unexpected(PURPOSE))
    return Uploaded(is_processed=_is_processed(client, (*path, identity.text())))


def _packed(sarif: bytes) -> str:
    """The same bytes for the same file. Raises NotPublishedError where it is too large."""
    remedy = "Raise the severity that is reported, or give each part of the repository a job and `id` of its own."
    if len(sarif) > LARGEST_UNPACKED:
        raise _refused(f"the file has {len(sarif) / 1e6:.0f} MB", remedy)
    packed = gzip.compress(sarif, mtime=0)
    if len(packed) > LARGEST:
        raise _refused(f"the packed file has {len(packed) / 1e6:.1f} MB, more than {LARGEST / 1e6:g} MB", remedy)
    return base64.b64encode(packed).decode()


def _is_processed(client: Client, path: tuple[str, ...]) -> bool:
    """Whether the end was seen. Raises NotPublishedError where it is a bad one."""
    for seconds in POLLS:
        if not client.wait(seconds):
            return False
        state = _state(client, path)
        if state is None or state.text("processing_status") == "pending":
            continue
        if state.text("processing_status") == "failed":
            raise _refused(f"the file could not be processed: {_errors(state)}", PURPOSE.otherwise)
        return True
    return False


def _state(client: Client, path: tuple[str, ...]) -> Row | None:
    """What the server says; None where it does not know the upload yet, which is common in the first seconds."""
    try:
        return client.get(PURPOSE, *path)
    except NotPublishedError as refused:
        if refused.error.status == 404:
            return None
        raise


def _errors(state: Row) -> str:
    words = [one_line(row.text()) for row in state.rows("errors")[:3]]
    return one_line("; ".join(words)) or "the server does not say why"


def _refused(reason: str, remedy: str) -> NotPublishedError:
    return NotPublishedError(PublishError(what=PURPOSE.what, reason=reason, remedy=remedy))
