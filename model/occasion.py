"""What the event of a workflow says: what is judged, against what, and which labels a pull request bears.

Nothing that is no commit, ref, repository or login can be built: whoever reads a field may hand it to git.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from model.errors import UsageError

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REPOSITORY = re.compile(r"(?!\.{1,2}/)[A-Za-z0-9_.-]{1,100}/(?!\.{1,2}$)[A-Za-z0-9_.-]{1,100}")
_LOGIN = re.compile(r"[A-Za-z0-9_.-]{1,100}(?:\[bot\])?")
"""Underscores are for enterprise accounts, dots for other servers that speak this language."""
_SERVER = re.compile(r"https?://[A-Za-z0-9.-]{1,253}(?::\d{1,5})?")
_WORD = re.compile(r"[a-z][a-z0-9_]{0,99}")
_NO_REF = re.compile(
    r"^[-/]|[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|[/.]$|^@$|(?:^|/)\.|\.lock(?:/|$)|[\ud800-\udfff]",
)
"""What no name of a ref holds (git-check-ref-format), and no leading hyphen: it would be an option."""
_LONGEST_REF = 1000
_LONGEST_LABEL = 1000

REMEDY = "Let the runner write the event, and hand its GITHUB_* variables on as they are."

PULL_REQUEST = frozenset(("pull_request", "pull_request_review", "pull_request_review_comment"))
"""Events whose commit is the merge of a pull request, and whose token is harmless when that comes from a fork."""
_HARMLESS = frozenset(("pull_request", "merge_group", "push", "schedule", "workflow_dispatch", "release"))
"""Events that give nothing to a stranger, whatever is checked out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label of the pull request, as the event shows it."""

    name: str
    set_by: str | None = None
    """Login; None where the event is not the one that tells."""

    def __post_init__(self) -> None:
        """Raise UsageError for what is no label."""
        _require(0 < len(self.name) <= _LONGEST_LABEL, "pull_request.labels", "name of a label")
        if self.set_by is not None:
            _require(_LOGIN.fullmatch(self.set_by), "sender.login", "login")


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """The pull request that an event is about."""

    number: int
    head_sha: str
    """The tip of the branch when the event was made; the commit of the event is its merge into base."""
    base_sha: str
    """The tip of base as the pull request knows it: may be hours behind."""
    base_ref: str
    """The branch, without ``refs/heads/``."""
    head_repository: str | None
    """``owner/name``; None for a fork that was deleted."""
    is_fork: bool
    is_draft: bool

    def __post_init__(self) -> None:
        """Raise UsageError for a field that is not what it should be."""
        _require(self.number > 0, "pull_request.number", "number of a pull request")
        _require(_COMMIT.fullmatch(self.head_sha), "pull_request.head.sha", "commit id")
        _require(_COMMIT.fullmatch(self.base_sha), "pull_request.base.sha", "commit id")
        _require(_is_ref(self.base_ref), "pull_request.base.ref", "name of a branch")
        if self.head_repository is not None:
            _require(_REPOSITORY.fullmatch(self.head_repository), "pull_request.head.repo.full_name", "repository")


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """What a push did to its ref."""

    before: str | None
    """The commit that the ref named; None where it named none."""
    forced: bool = False
    created: bool = False
    deleted: bool = False

    def __post_init__(self) -> None:
        """Raise UsageError for what is no commit."""
        if self.before is not None:
            _require(_COMMIT.fullmatch(self.before), "before", "commit id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """The run that a ``workflow_run`` follows."""

    event: str
    head_sha: str
    head_repository: str | None
    """``owner/name``; None for a fork that was deleted."""
    head_branch: str | None = None
    """Without ``refs/heads/``; None where the event names none."""

    def __post_init__(self) -> None:
        """Raise UsageError for a field that is not what it should be."""
        branch = self.head_branch
        _require(branch is None or _is_ref(branch), "workflow_run.head_branch", "name of a branch")
        _require(_WORD.fullmatch(self.event), "workflow_run.event", "name of an event")
        _require(_COMMIT.fullmatch(self.head_sha), "workflow_run.head_sha", "commit id")
        if self.head_repository is not None:
            _require(
                _REPOSITORY.fullmatch(self.head_repository), "workflow_run.head_repository.full_name", "repository"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Why this run takes place. Of the payload nothing else is kept."""

    event: str
    """As ``on:`` of a workflow has it."""
    action: str | None = None
    """What happened, such as ``opened`` or ``labeled``."""
    repository: str
    """``owner/name``."""
    server: str
    """Where the repository lies: scheme and host."""
    sha: str
    """The commit that the event is about; for a pull request its merge into base."""
    ref: str | None = None
    """In full, ``refs/…``."""
    default_branch: str | None = None
    actor: str | None = None
    """Login of who started the run."""
    pull_request: PullRequest | None = None
    labels: tuple[Label, ...] = ()
    """Of the pull request, by name."""
    push: Push | None = None
    merge_group_base: str | None = None
    """The commit below a merge group."""
    trigger: Trigger | None = None

    def __post_init__(self) -> None:
        """Raise UsageError for a field that is not what it should be."""
        _require(_WORD.fullmatch(self.event), "GITHUB_EVENT_NAME", "name of an event")
        _require(self.action is None or _WORD.fullmatch(self.action), "action", "word")
        _require(_REPOSITORY.fullmatch(self.repository), "GITHUB_REPOSITORY", "repository, owner/name")
        _require(_SERVER.fullmatch(self.server), "GITHUB_SERVER_URL", "address of a server")
        _require(_COMMIT.fullmatch(self.sha), "GITHUB_SHA", "commit id")
        _require(self.ref is None or _is_ref(self.ref), "GITHUB_REF", "name of a ref")
        branch = self.default_branch
        _require(branch is None or _is_ref(branch), "repository.default_branch", "name of a branch")
        _require(self.actor is None or _LOGIN.fullmatch(self.actor), "GITHUB_ACTOR", "login")
        below = self.merge_group_base
        _require(below is None or _COMMIT.fullmatch(below), "merge_group.base_sha", "commit id")

    @property
    def trusted_only(self) -> bool:
        """Whether strangers can cause the event while the run holds secrets: then only ``sha`` may be looked at.

        True for every event that we do not know.
        """
        return self.event not in _HARMLESS


def _is_ref(name: str) -> bool:
    return 0 < len(name) <= _LONGEST_REF and _NO_REF.search(name) is None


def _require(holds: object, field: str, what: str) -> None:
    """The value is not repeated: it may be anything."""
    if not holds:
        raise UsageError(f"the event is not usable: {field} is no {what}", REMEDY)
