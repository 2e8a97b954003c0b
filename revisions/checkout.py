"""The checkout: where its repository lies, what its names mean, what its configuration says of the way to its origin.

Nothing of it ever runs: git resolves names and reads configuration here, and no more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from model.errors import EnvironmentBrokenError, UsageError
from revisions.git import Git, failed

LONGEST_POINTER = 64 << 10
"""Bytes of a ``.git`` file; it holds one path."""
LONGEST_NAME = 1024
_KEYS = r"^(remote\.origin\.url|http\..+\.extraheader|remote\..+\.promisor|extensions\.partialclone)$"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A work tree and its repository (gitrepository-layout)."""

    work_tree: Path
    git_dir: Path
    """Its own HEAD and index."""
    common_dir: Path
    """Objects, refs and configuration, which linked worktrees share."""

    @property
    def objects(self) -> Path:
        """The object store."""
        return self.common_dir / "objects"

    def format(self, git: Git) -> str:
        """``sha1`` or ``sha256``."""
        return git.ask("rev-parse", "--show-object-format", at=self.git_dir).decode().strip()

    def resolve(self, git: Git, name: str) -> str | None:
        """The id of the commit that ``name`` means, or None.

        Raises UsageError for what can be no name, and for one that names several commits: git would take the tag, which
        others may have pushed since, and only warn.
        """
        require_name(name)
        self._require_one(git, re.split(r"[~^@]", name, maxsplit=1)[0])
        words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        done = git.start(*words, at=self.git_dir)
        if done.exit_code == 0:
            return done.stdout.decode().strip()
        if done.exit_code == 1:
            return None
        raise failed("rev-parse", done)

    def _require_one(self, git: Git, name: str) -> None:
        """Raise UsageError where refs of several kinds are called so, and are not the same."""
        if not name or name.startswith("refs/"):
            return
        places = tuple(f"refs/{kind}/{name}" for kind in ("heads", "remotes", "tags"))
        words = ("for-each-ref", "--format=%(refname) %(objectname) %(*objectname)", "--", *places)
        found = (row.split(" ") for row in git.ask(*words, at=self.git_dir).decode("utf-8", "replace").splitlines())
        named = {ref: peeled or id_ for ref, id_, peeled in found if ref in places}
        if len(set(named.values())) > 1:
            raise UsageError(f"{name} names several commits: {', '.join(sorted(named))}", "Name one of them in full.")

    def settings(self, git: Git) -> tuple[tuple[str, str], ...]:
        """What its configuration says of its origin and of missing objects, in its order; included files, too."""
        words = ("config", "--includes", "--null", "--get-regexp", _KEYS)
        done = git.start(*words, at=self.git_dir)
        if done.exit_code not in {0, 1}:  # 1: there is none
            raise failed("config", done)
        pairs = (entry.partition("\n") for entry in done.stdout.decode("utf-8", "surrogateescape").split("\0") if entry)
        return tuple((key, value) for key, _, value in pairs)


def bare(place: Path) -> Checkout:
    """A repository of ours that stands for the checkout where there is none: its folder holds no file of a commit."""
    return Checkout(work_tree=place, git_dir=place, common_dir=place)


def find(folder: Path) -> Checkout | None:
    """The checkout around ``folder``; git is not asked.

    Raises EnvironmentBrokenError for a ``.git`` that cannot be read or leads nowhere.
    """
    start = folder.resolve()
    try:
        for place in (start, *start.parents):
            mark = place / ".git"
            if mark.is_file():
                return _checkout(place, _followed(mark))
            if _is_repository(mark):
                return _checkout(place, mark)
    except OSError as error:
        raise EnvironmentBrokenError(
            f"The repository around {start} cannot be read: {error.strerror}.",
            "Give this user the right to read the checkout, .git included.",
        ) from error
    return None


def require_name(name: str) -> None:
    """Raise UsageError for what is an option, a path in a commit, a search or no word at all."""
    bad = not name or name.startswith(("-", "^")) or len(name) > LONGEST_NAME or ":" in name or "{/" in name
    if bad or re.search(r"[\0-\x1f\x7f\ud800-\udc7f\udd00-\udfff]", name):  # surrogates that stand for no byte
        raise UsageError(
            f"{name[:100]!r} is no name of a commit.",
            "Name a branch, a tag or the id of a commit, such as origin/main.",
        )


def _is_repository(folder: Path) -> bool:
    """As git tells one from a folder that only has its name."""
    head = folder / "HEAD"
    return (head.is_file() or head.is_symlink()) and ((folder / "objects").is_dir() or (folder / "commondir").is_file())


def _checkout(work_tree: Path, git_dir: Path) -> Checkout:
    common = git_dir / "commondir"
    shared = (
        (git_dir / common.read_text(encoding="utf-8", errors="surrogateescape").strip())
        if common.is_file()
        else git_dir
    )
    checkout = Checkout(work_tree=work_tree, git_dir=git_dir.resolve(), common_dir=shared.resolve())
    if not checkout.objects.is_dir():
        raise EnvironmentBrokenError(
            f"{work_tree / '.git'} leads to {git_dir}, which holds no repository.",
            "Check the repository out again; in a container, mount the folder to which it leads, too.",
        )
    return checkout


def _followed(mark: Path) -> Path:
    """Where a ``.git`` file leads, as linked worktrees and submodules have it."""
    with mark.open("rb") as stream:
        text = stream.read(LONGEST_POINTER).decode("utf-8", "surrogateescape")
    found = re.fullmatch(r"gitdir: ?([^\0\n]+?)[\r\n]*", text)
    if found is None:
        raise EnvironmentBrokenError(f"{mark} names no repository.", "Check the repository out again.")
    return mark.parent / found[1]
