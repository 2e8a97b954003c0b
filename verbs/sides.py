"""Which two trees a run looks at: folders as they lie there, or commits taken out of git, and whose policy counts.

What an event names is tried in its order. A base that is wished for and cannot be had ends the run before scanning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final, TypeAlias

from github.plan import Candidate, CheckedOut, Commit, MergeBase, Plan, Ref, Stated, Wish, admit, admit_checkout, plan
from model.errors import EnvironmentBrokenError, HardeningGateError, UsageError
from model.occasion import Occasion
from process import Sandbox
from revisions.changes import Lines
from revisions.export import Gap
from revisions.origin import Credentials
from revisions.repository import Repository
from settings import CHECKED_OUT, WORKTREE, ScanSettings
from verbs.places import Places

SHORT: Final = 12
"""Digits of a commit id in a sentence."""
SINCE: Final = "..."
"""Behind a revision: where it and head have parted, as for ``git diff``."""
CHECK_OUT: Final = (
    "Run actions/checkout before this step, and name its folder with `paths` where it has one of its own."
)
Base: TypeAlias = str | Path
"""A commit id, or the path of a folder or a stored audit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One tree."""

    root: Path
    paths: tuple[str, ...]
    """The PATHs, absolute or relative to ``cwd``."""
    cwd: Path
    prefix: str = "."
    """Under which its paths are reported, POSIX."""
    gaps: tuple[Gap, ...] = ()
    """What the commit names and does not hold, by path below ``root``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commits:
    """Both sides, where they are commits of one repository."""

    repository: Repository
    base: str
    head: str
    root: str
    """What reported paths are relative to, below the top of the repository, POSIX."""

    def changed_lines(self, paths: Iterable[str]) -> Mapping[str, tuple[Lines, ...]]:
        """The lines that head adds or alters, by reported path; for those of ``paths`` of which that can be told."""
        places = {(PurePosixPath(self.root) / path).as_posix(): path for path in paths}
        found = self.repository.changed_lines(self.base, self.head, places)
        return {places[place]: lines for place, lines in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Head and base of one run."""

    head: Side
    base: Side | None = None
    """None without a base, and for a stored one."""
    stored: Path | None = None
    """A stored audit."""
    policy: str
    """``base`` or ``head``."""
    policy_root: Path | None = None
    """Where base's policy is read from; None where it has none."""
    remarks: tuple[str, ...] = ()
    """What was compared with what, and what people must know about it: sentences without a full stop."""
    unseen: tuple[str, ...] = ()
    """Why what the event is about is not what was looked at."""
    checkout: Path
    """What a change can write to."""
    commit: str | None = None
    """What head is, or was checked out from; None where there is no repository."""
    commits: Commits | None = None
    """None where one side is no commit."""


def settle_sides(wanted: ScanSettings, sandbox: Sandbox, repository: Repository | None = None) -> Sides:
    """The trees of this run; ``repository``: where none lies around the PATHs.

    Raises UsageError for paths and events that make no sense, EnvironmentBrokenError for a base that cannot be had.
    """
    return _Settling(wanted, sandbox, repository).sides()


class _Settling:
    """Finds out what is there."""

    def __init__(self, wanted: ScanSettings, sandbox: Sandbox, repository: Repository | None) -> None:
        self._afar = repository
        self._wanted = wanted
        self._sandbox = sandbox
        self._places = Places.of(wanted.paths, wanted.root)
        self._remarks: list[str] = []
        self._exported: tuple[str, Path] | None = None

    def sides(self) -> Sides:
        """Head and base, taken out of git where that is wanted."""
        planned = self._planned()
        commit, base = self._head_commit, self._base(planned)
        head = self._folder() if commit is None else self._of_commit(commit, "head")
        if isinstance(base, Path) and self._wanted.from_event and planned.policy == "base":
            self._require_independent(base, head)
        base_side = self._base_side(base)
        policy_root = self._policy_root(planned, base, base_side)
        is_stored = isinstance(base, Path) and base_side is None
        of_event = "head" if is_stored and policy_root is None else planned.policy
        return Sides(
            head=head,
            base=base_side,
            stored=base if isinstance(base, Path) and is_stored else None,
            policy=self._wanted.policy or of_event,
            policy_root=policy_root,
            remarks=(*self._remarks, *planned.warnings),
            unseen=planned.unseen,
            checkout=self._repository.work_tree
            if self._repository and (commit or isinstance(base, str))
            else self._places.root,
            commit=self._judged.commit if self._wanted.from_event and self._judged else None,
            commits=self._commits(commit, base),
        )

    def _commits(self, head: str | None, base: Base | None) -> Commits | None:
        if head is None or not isinstance(base, str) or self._repository is None:
            return None
        top, root = self._repository.work_tree, self._places.root
        below = root.relative_to(top).as_posix() if root.is_relative_to(top) else "."
        return Commits(repository=self._repository, base=base, head=head, root=below)

    # ------------------------------------------------------------ head

    @cached_property
    def _repository(self) -> Repository | None:
        """The repository around the first PATH, unless one is given."""
        return self._afar or self._around(self._places.heads[0])

    def _around(self, path: Path) -> Repository | None:
        wanted = self._wanted
        credentials = None
        if wanted.token and wanted.occasion is not None:
            credentials = Credentials(token=wanted.token, server=wanted.occasion.server)
        start = next(each for each in (path, *path.parents) if each.is_dir())
        return Repository.around(start, self._sandbox, credentials=credentials, network=wanted.network)

    @cached_property
    def _judged(self) -> CheckedOut | None:
        """The commit that is looked at, HEAD for the files as they lie there; None where there is no repository."""
        return _named(self._repository, CHECKED_OUT if self._wanted.head == WORKTREE else self._wanted.head)

    def _admit(self, occasion: Occasion) -> None:
        """Raise UsageError where the event allows only its own commit, and a PATH lies in a checkout of another one."""
        admit(occasion)
        if not occasion.trusted_only:
            return
        admit_checkout(occasion, self._judged)
        for path in self._places.heads[1:]:
            admit_checkout(occasion, _named(self._around(path), CHECKED_OUT))

    @cached_property
    def _head_commit(self) -> str | None:
        """The commit that is audited; None for the files as they lie there."""
        revision = self._wanted.head
        if revision == WORKTREE or (self._repository is None and self._wanted.from_event and revision == CHECKED_OUT):
            return None
        if self._repository is None:
            raise EnvironmentBrokenError(f"there is no git repository to take {revision} from", CHECK_OUT)
        return self._repository.commit(revision)

    def _folder(self) -> Side:
        return Side(root=self._places.root, paths=tuple(map(str, self._wanted.paths)), cwd=Path.cwd())

    # ------------------------------------------------------------ base

    def _planned(self) -> Plan:
        """What event and command line ask for. Raises UsageError for an event that is refused."""
        wanted, occasion = self._wanted, self._wanted.occasion
        if occasion is not None:
            self._admit(occasion)
        if wanted.from_event:
            return plan(occasion, wanted.base, self._judged)
        wish = None if wanted.base is None else Wish(candidates=(Stated(text=wanted.base),), required=True)
        return Plan(base=wish, policy="head", why="the base is the one that was named")

    def _base(self, planned: Plan) -> Base | None:
        """The first candidate that can be had."""
        if planned.base is None:
            if self._wanted.from_event:
                self._remarks.append(f"Not compared: {planned.why}")
            return None
        reason: EnvironmentBrokenError | None = None
        for candidate in planned.base.candidates:
            try:
                found = self._candidate(candidate)
            except EnvironmentBrokenError as error:
                reason = error
                continue
            if found is not None:
                if isinstance(found, str):
                    why = _stated_words(candidate) or candidate.caution or planned.why
                    self._remarks.append(f"Compared with commit {found[:SHORT]}: {why}")
                return found
        if planned.base.required:
            raise reason or EnvironmentBrokenError("the base cannot be had", CHECK_OUT)
        self._remarks.append(f"Not compared: {planned.why}, and it is gone")
        return None

    def _candidate(self, candidate: Candidate) -> Base | None:
        if isinstance(candidate, Stated):
            return self._stated(candidate.text)
        if self._repository is None:
            raise EnvironmentBrokenError("base is a commit, and there is no git repository here", CHECK_OUT)
        match candidate:
            case Commit(id=wanted) | Ref(name=wanted):
                return self._repository.obtain(wanted)
            case MergeBase(one=one, other=other):
                return self._repository.merge_base(one, self._repository.obtain(other))

    def _stated(self, text: str) -> Base:
        """What a person has named: a revision, a folder or a stored audit. What may be two of them is refused."""
        path = Path(text)
        try:
            commit = self._revision(text)
        except HardeningGateError:
            if not path.exists():
                raise
            commit = None  # no git here, or no name of a revision
        if commit is None and path.exists():
            return path
        if commit is None:
            among = "neither a folder nor a stored audit"
            raise EnvironmentBrokenError(
                f"the base {text} is not there: it is {among}"
                + ("" if self._repository is None else ", and no revision of this repository"),
                "Name a git revision that is fetched (actions/checkout: `fetch-depth: 0`), a folder, or an audit.json.",
            )
        if path.exists():
            raise UsageError(
                f"the base {text} is both a git revision and a path", f"Name ./{text}, or the revision in full."
            )
        return commit

    def _revision(self, text: str) -> str | None:
        """The commit that is named; None where no revision is called so."""
        if text.startswith((".", "/")) or self._repository is None:
            return None
        name = text.removesuffix(SINCE)
        try:
            commit = self._repository.commit(name)
        except EnvironmentBrokenError:
            if not self._wanted.from_event or Path(text).exists():
                return None
            commit = self._repository.obtain(name)
        head = self._head_commit or self._repository.commit(CHECKED_OUT)
        since = self._repository.merge_base(head, commit)
        if name == text:
            if since not in {commit, None}:
                self._remarks.append(
                    f"{name} has commits that head has not, which look as if the change took them away; {name}{SINCE}"
                    " compares with where they have parted"
                )
            return commit
        if since is None:
            raise EnvironmentBrokenError(
                f"where {name} and head have parted is not known here",
                "Fetch the history (actions/checkout: `fetch-depth: 0`; git fetch --unshallow).",
            )
        return since

    def _base_side(self, base: Base | None) -> Side | None:
        if isinstance(base, str):
            return replace(self._of_commit(base, "base"), prefix=self._prefix())
        if base is None or base.is_file():
            return None
        there = self._places.counterpart(base)
        return Side(root=there.root, paths=there.paths, cwd=there.root, prefix=there.prefix)

    def _prefix(self) -> str:
        """Where the work tree lies below the root, if head is reported from a folder above it."""
        assert self._repository is not None
        top, root = self._repository.work_tree, self._places.root
        is_above = self._head_commit is None and top.is_relative_to(root)
        return top.relative_to(root).as_posix() if is_above else "."

    def _require_independent(self, base: Path, head: Side) -> None:
        """Raise UsageError where the change that is judged brings its own base along."""
        top = self._repository.work_tree if self._repository else self._places.root
        place = base.resolve()
        if place.is_relative_to(top) and (head.root / place.relative_to(top)).exists():
            raise UsageError(
                f"the base {base} is a part of the pull request, which could write there what it likes",
                "Leave `base` out: the event names a base. Or name a folder outside of the checkout.",
            )

    def _policy_root(self, planned: Plan, base: Base | None, side: Side | None) -> Path | None:
        """The policy of a pull request is that of its base branch today, wherever the change began.

        So it is where base is a stored audit, which holds none.
        """
        pull = self._wanted.occasion.pull_request if self._wanted.occasion and self._wanted.from_event else None
        is_past = planned.base is not None and any(map(_is_past, planned.base.candidates))
        is_elsewhere = (isinstance(base, Path) and side is None) or (isinstance(base, str) and is_past)
        if pull is None or self._repository is None or not is_elsewhere:
            return side.root if side else None
        tip = self._repository.obtain(pull.base_sha)
        return side.root if side and tip == base else self._of_commit(tip, "policy").root

    # ------------------------------------------------------------ commits

    def _of_commit(self, commit: str, name: str) -> Side:
        """The PATHs in a private copy of a commit. Raises UsageError for one that lies outside of the work tree."""
        repository, places, here = self._repository, self._places, Path.cwd()
        assert repository is not None
        top = repository.work_tree
        root = places.root if places.root.is_relative_to(top) else top
        for path in places.heads:
            if not path.is_relative_to(top):
                raise UsageError(
                    f"the path {path} lies outside of the git work tree {top}, whose commits are compared",
                    "Name paths inside of it, and run once for each repository.",
                )
        folder = self._sandbox.private(name)
        gaps = repository.export(commit, folder, like=self._exported)
        self._exported = (commit, folder)
        return Side(
            root=folder / root.relative_to(top),
            paths=tuple(str(folder / path.relative_to(top)) for path in places.heads),
            cwd=folder / here.relative_to(top) if here.is_relative_to(top) else folder,
            gaps=_below(gaps, root.relative_to(top)),
        )


def _stated_words(candidate: Candidate) -> str:
    """What a person has named."""
    if not isinstance(candidate, Stated):
        return ""
    name = candidate.text.removesuffix(SINCE)
    return name if name == candidate.text else f"where {name} and head have parted"


def _is_past(candidate: Candidate) -> bool:
    """Whether it is where two branches have parted, which may be long ago."""
    return isinstance(candidate, MergeBase) or (isinstance(candidate, Stated) and candidate.text.endswith(SINCE))


def _named(repository: Repository | None, revision: str) -> CheckedOut | None:
    """The commit of that name, with its parents; None where there is no repository."""
    if repository is None:
        return None
    commit = repository.commit(revision)
    return CheckedOut(commit=commit, parents=repository.parents(commit))


def _below(gaps: tuple[Gap, ...], root: Path) -> tuple[Gap, ...]:
    """Those that lie below the root, with their paths there."""
    inside = (gap for gap in gaps if Path(gap.path).is_relative_to(root))
    return tuple(replace(gap, path=Path(gap.path).relative_to(root).as_posix()) for gap in inside)
