"""Decides from event and checked-out commit what is compared with what and by whose policy, or that nothing may be.

Pure: it names candidates in the order in which they count; whoever has the repository finds out which of them is there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from model.errors import UsageError
from model.occasion import PULL_REQUEST, Occasion, PullRequest, Push

Side: TypeAlias = Literal["base", "head"]

REFUSED: Final = "pull_request_target"
SAFE: Final = "Run it on `pull_request`, which has no secrets to lose when the change comes from a fork"
SHORT: Final = 12
"""Digits of a commit id in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedOut:
    """The commit that HEAD of the checkout names."""

    commit: str
    parents: tuple[str, ...]
    """As the commit object says, in a shallow clone, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """This very commit."""

    id: str
    caution: str = ""
    """What people must know when it is this candidate that counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """The commit that a ref of the repository on the server names."""

    name: str
    """In full, ``refs/…``."""
    caution: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeBase:
    """The commit from which both have grown; a shallow clone may not know it."""

    one: str
    """A commit id."""
    other: str
    """A commit id, or a ref in full."""
    caution: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What a person named: a folder, a stored audit or a revision."""

    text: str
    caution: str = ""


Candidate: TypeAlias = Commit | Ref | MergeBase | Stated


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The base that is wished for: the first candidate that can be had."""

    candidates: tuple[Candidate, ...]
    required: bool
    """Whether a run without it is no run (exit code 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is compared, and by whose policy."""

    base: Wish | None
    policy: Side
    """Where the command line names none."""
    why: str
    """One sentence: why this base, or why none."""
    warnings: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    """Why what the event is about is not what is checked out: a verdict on that would stand under a foreign name."""


def plan(occasion: Occasion | None, explicit_base: str | None, head: CheckedOut | None) -> Plan:
    """The plan for a run of the action; ``head`` is None where nothing is checked out.

    Raises UsageError for an event under which this checkout must not be looked at.
    """
    if occasion is not None:
        admit(occasion)
        admit_checkout(occasion, head)
    found = _of_event(occasion, head)
    if explicit_base is None:
        return found
    wish = Wish(candidates=(Stated(text=explicit_base),), required=True)
    return replace(found, base=wish, why="the base is the one that was named")


# ---------------------------------------------------------------- what may be looked at


def admit(occasion: Occasion) -> None:
    """Raise UsageError for the event that runs strangers' changes beside secrets, whatever is checked out."""
    if occasion.event == REFUSED:
        raise UsageError(
            f"the event {REFUSED} is refused: it starts on the change of any stranger, with a token that may write, "
            "and what it checks out by itself is not the change",
            f"{SAFE}; see docs/security.md.",
        )


def admit_checkout(occasion: Occasion, head: CheckedOut | None) -> None:
    """Raise UsageError where strangers can cause the event and something else than its own commit is checked out."""
    if not occasion.trusted_only or _is_own(occasion, head):
        return
    found = "nothing is checked out that git knows" if head is None else f"{_short(head.commit)} is checked out"
    raise UsageError(
        f"the event {occasion.event} is refused here: strangers can cause it while secrets are there, so only its own "
        f"commit {_short(occasion.sha)} may be looked at, but {found}",
        f"{SAFE}, or check out without `ref:`; see docs/security.md.",
    )


def _is_own(occasion: Occasion, head: CheckedOut | None) -> bool:
    """Whether HEAD is the trusted commit: the event's, or what a push to this very repository has brought."""
    if head is None:
        return False
    trigger = occasion.trigger
    is_push = (
        trigger is not None
        and trigger.event == "push"
        and (trigger.head_repository or "").lower() == occasion.repository.lower()
        and trigger.head_sha == head.commit
    )
    return is_push or head.commit == occasion.sha


# ---------------------------------------------------------------- what it is compared with


def _of_event(occasion: Occasion | None, head: CheckedOut | None) -> Plan:
    if occasion is None:
        return Plan(base=None, policy="head", why="no event names a base")
    if occasion.event in PULL_REQUEST and occasion.pull_request is not None:
        return _pull_request(occasion, occasion.pull_request, head)
    if occasion.merge_group_base is not None:
        return _merge_group(occasion, occasion.merge_group_base, head)
    if occasion.push is not None:
        return _push(occasion, occasion.push, head)
    if occasion.event == "workflow_dispatch":
        return _by_hand(occasion, head)
    return Plan(base=None, policy="head", why=f"the event {occasion.event} is about no change")


def _pull_request(occasion: Occasion, pull: PullRequest, head: CheckedOut | None) -> Plan:
    if head is not None and _is_test_merge(occasion, pull, head):
        first, second = head.parents
        return Plan(
            base=Wish(candidates=(Commit(id=first),), required=True),
            policy="base",
            why="what is checked out is the merge of the pull request, and base its first parent",
            unseen=() if second == pull.head_sha else (_lag(second, pull),),
        )
    stale = Commit(
        id=pull.base_sha,
        caution="the base is the tip of the base branch, not where the change began, so what that branch has gained "
        "since looks as if the change took it away; check out the merge commit (no `ref:`), or with fetch-depth: 0",
    )
    if head is None:
        return Plan(
            base=Wish(candidates=(stale,), required=True), policy="base", why="the pull request names its base branch"
        )
    strange = head.commit not in {occasion.sha, pull.head_sha}
    return Plan(
        base=Wish(candidates=(MergeBase(one=head.commit, other=pull.base_sha), stale), required=True),
        policy="base",
        why="what is checked out is no merge of the pull request, and base is where it left the base branch",
        unseen=(_foreign(head, f"neither the head {_short(pull.head_sha)} nor its merge"),) if strange else (),
    )


def _is_test_merge(occasion: Occasion, pull: PullRequest, head: CheckedOut) -> bool:
    """Whether GitHub has made this merge, so that its first parent is the base.

    A merge that a person has made proves nothing: its first parent may hold what the pull request would introduce, and
    who checks out a branch by name may get one that was pushed after the event.
    """
    if len(head.parents) != 2 or head.commit == pull.head_sha:
        return False
    is_event = head.commit == occasion.sha and occasion.ref in {None, f"refs/pull/{pull.number}/merge"}
    return is_event or head.parents == (pull.base_sha, pull.head_sha)


def _lag(merged: str, pull: PullRequest) -> str:
    return (
        f"the merge that is checked out is of the older head {_short(merged)}, not of {_short(pull.head_sha)}, "
        "under which the verdict would stand"
    )


def _merge_group(occasion: Occasion, below: str, head: CheckedOut | None) -> Plan:
    return Plan(
        base=Wish(candidates=(Commit(id=below),), required=True),
        policy="base",
        why="base is what the merge group stands on",
        unseen=_elsewhere(occasion, head),
    )


def _push(occasion: Occasion, push: Push, head: CheckedOut | None) -> Plan:
    if push.created or push.deleted or push.before is None:
        what = "deleted" if push.deleted else "new"
        return Plan(base=None, policy="head", why=f"the ref that was pushed is {what}: there is no commit before")
    return Plan(
        base=Wish(candidates=(Commit(id=push.before),), required=not push.forced),
        policy="head",
        why="base is the commit before the forced push, if it is still there"
        if push.forced
        else "base is the commit before the push",
        warnings=_elsewhere(occasion, head),
    )


def _by_hand(occasion: Occasion, head: CheckedOut | None) -> Plan:
    branch = occasion.default_branch
    if branch is None or occasion.ref == f"refs/heads/{branch}":
        return Plan(base=None, policy="head", why="the default branch itself runs, and no base was named")
    ref = f"refs/heads/{branch}"
    tip = Ref(
        name=ref,
        caution="the base is the tip of the default branch, not where this one began, so what it has gained since "
        "looks as if it was taken away; check out with fetch-depth: 0",
    )
    merge_base = () if head is None else (MergeBase(one=head.commit, other=ref),)
    return Plan(
        base=Wish(candidates=(*merge_base, tip), required=True),
        policy="head",
        why="base is where this branch left the default branch",
        warnings=_elsewhere(occasion, head),
    )


def _elsewhere(occasion: Occasion, head: CheckedOut | None) -> tuple[str, ...]:
    if head is None or head.commit == occasion.sha:
        return ()
    return (_foreign(head, f"not {_short(occasion.sha)}, which the event is about"),)


def _foreign(head: CheckedOut, instead: str) -> str:
    return f"{_short(head.commit)} is checked out and was judged, {instead}"


def _short(commit: str) -> str:
    return commit[:SHORT]
