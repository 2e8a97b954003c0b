"""Commits of a checkout, read through a bare repository of ours that borrows the checkout's objects.

What the checkout's repository is configured to run, or its trees to filter, never runs: git works in ours.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Self

from model.errors import EnvironmentBrokenError
from process import Finished, Sandbox
from revisions.changes import Lines, changed_lines
from revisions.checkout import Checkout, bare, find, require_name
from revisions.export import SUBMODULE, Export, Gap
from revisions.git import FETCHING, Git, last_line
from revisions.objects import Entry, Objects, is_id, require_id, unique
from revisions.origin import Credentials, read_origin

_REF = re.compile(r"(?!/)(?:(?!\.\.|//|@\{)[^\0-\x20\x7f~^:?*\[\\])+(?<![/.])")
"""About what git check-ref-format allows: no pattern and no way to go from one commit to another."""
_GONE = "couldn't find remote ref"
_HOW_TO_HAVE = (
    "Check out with `fetch-depth: 0` (actions/checkout), give the job `contents: read`, "
    "and see that the name or the full id is right."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """The history around a folder."""

    _checkout: Checkout
    _objects: Objects
    _credentials: Credentials | None = field(repr=False)
    _network: Mapping[str, str] = field(repr=False)
    _exports: dict[Path, tuple[str, Export]] = field(default_factory=dict, repr=False)
    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)

    @classmethod
    def around(
        cls,
        folder: Path,
        sandbox: Sandbox,
        *,
        credentials: Credentials | None = None,
        network: Mapping[str, str] = MappingProxyType({}),
        known: Checkout | None = None,
    ) -> Self | None:
        """The repository whose checkout ``folder`` lies in, or None; ``known``: this very one.

        ``credentials`` and ``network``, the variables of proxies and certificates (``https_proxy``,
        ``GIT_SSL_CAINFO``), are for fetching only. Raises EnvironmentBrokenError where the repository or git cannot be
        used.
        """
        checkout = known or find(folder)
        if checkout is None:
            return None
        ours = sandbox.private("revisions")
        git = Git.find(sandbox, ours)
        _borrow(git, checkout, ours)
        objects = Objects(git=git, at=ours)
        return cls(_checkout=checkout, _objects=objects, _credentials=credentials, _network=network)

    @classmethod
    def afar(
        cls,
        url: str,
        sandbox: Sandbox,
        *,
        form: str,
        credentials: Credentials | None = None,
        network: Mapping[str, str] = MappingProxyType({}),
    ) -> Self:
        """A repository on a server, of which nothing is here: what is asked for is fetched, and nothing checked out.

        ``form`` is that of its ids, ``sha1`` or ``sha256``. Raises EnvironmentBrokenError where git cannot be used.
        """
        place = sandbox.private("afar").resolve()
        git = Git.find(sandbox, place)
        git.ask("init", "--quiet", "--bare", "--template=", f"--object-format={form}", "--", str(place), at=place)
        git.ask("config", "remote.origin.url", url, at=place)
        found = cls.around(place, sandbox, credentials=credentials, network=network, known=bare(place))
        assert found is not None, "it is known"
        return found

    @property
    def work_tree(self) -> Path:
        """The top folder of the checkout."""
        return self._checkout.work_tree

    def commit(self, revision: str) -> str:
        """The full id of the commit that a name means here. Raises EnvironmentBrokenError where there is none."""
        found = self._here(revision)
        if found is None:
            raise EnvironmentBrokenError(f"{revision!r} is no commit of {self.work_tree}.", _HOW_TO_HAVE)
        return found

    def parents(self, commit: str) -> tuple[str, ...]:
        """As the commit itself says, whether they are here or not."""
        return self._objects.parents(commit)

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor that the history which is here shows, or None."""
        return self._objects.merge_base(one, other)

    def changed_lines(self, base: str, head: str, paths: Iterable[str]) -> Mapping[str, tuple[Lines, ...]]:
        """The lines that ``head`` adds or alters, by path; for those of ``paths`` of which that can be told."""
        return changed_lines(self._objects, base, head, paths)

    def obtain(self, wanted: str) -> str:
        """The full id of a commit that is here, or is fetched from ``origin``, by its id or the name of a ref.

        Raises EnvironmentBrokenError when it cannot be had.
        """
        found = self._here(wanted)
        if found is not None:
            return found
        reason = "no branch or tag can have that name"
        for source in _sources(wanted):
            target = f"refs/obtained/{next(self._numbers)}"
            ended = self._fetch(f"+{source}:{target}", wanted)
            if ended.exit_code == 0 and (found := self._objects.find_commit(target)):
                return found
            reason = "it is no commit" if ended.exit_code == 0 else last_line(ended)
            if _GONE not in ended.stderr:
                break
        raise _unobtainable(wanted, reason)

    def export(self, commit: str, folder: Path, *, like: tuple[str, Path] | None = None) -> tuple[Gap, ...]:
        """Write the files of a commit into ``folder``, which is empty and ours; what it lacks is returned, by path.

        Files that are equal in ``like``, a commit and the folder to which this repository has exported it, are linked
        from there. Raises EnvironmentBrokenError for what is too large or cannot be had.
        """
        if any(folder.iterdir()):
            raise ValueError(f"not empty: {folder}")
        entries, sizes = self._whole_tree(require_id(commit))
        known = self._exports.get(like[1].resolve()) if like else None
        export = Export(folder=folder, require_space=self._objects.git.sandbox.require_space)
        export.write(entries, self._objects, sizes, known[1] if known and like and known[0] == like[0] else None)
        self._exports[folder.resolve()] = (commit, export)
        return tuple(sorted(export.gaps, key=lambda gap: (gap.path, gap.reason)))

    def _here(self, name: str) -> str | None:
        """The commit that a name means in the checkout, or an id in all that we have."""
        require_name(name)
        if is_id(name):
            return self._objects.find_commit(name)
        return self._checkout.resolve(self._objects.git, name)

    def _whole_tree(self, commit: str) -> tuple[tuple[Entry, ...], dict[str, int]]:
        """All entries of a tree, and the size of each blob; what a partial clone lacks is fetched, all at once."""
        found = self._tree(commit)
        if found is None:
            self._complete(commit)
            found = self._tree(commit)
        if found is None:
            raise EnvironmentBrokenError(
                f"Files of commit {commit} are missing, and fetching does not bring them.",
                "See whether the repository is whole (`git fsck`); check it out again, without a filter.",
            )
        return found

    def _tree(self, commit: str) -> tuple[tuple[Entry, ...], dict[str, int]] | None:
        """The same, as far as it is here; None where something is missing."""
        entries = self._objects.entries(commit)
        if entries is None:
            return None
        wanted = unique(tuple(entry for entry in entries if entry.mode != SUBMODULE))
        sizes = self._objects.sizes(wanted)
        return (entries, sizes) if len(sizes) == len(wanted) else None

    def _complete(self, commit: str) -> None:
        """Fetch all files of a commit that is here without them, and forget that its history was left out in that."""
        shallow = self._objects.at / "shallow"
        before = shallow.read_bytes() if shallow.exists() else None
        ended = self._fetch(f"+{commit}:refs/obtained/{next(self._numbers)}", commit, whole=True)
        if ended.exit_code != 0:
            raise _unobtainable(commit, last_line(ended))
        shallow.unlink(missing_ok=True)
        if before is not None:
            shallow.write_bytes(before)

    def _fetch(self, refspec: str, wanted: str, *, whole: bool = False) -> Finished:
        """One fetch of one commit; ``whole``: nothing that the checkout holds is thought to be there."""
        git = self._objects.git
        settings = self._checkout.settings(git)
        try:
            origin = read_origin(settings, self.work_tree, self._credentials)
        except EnvironmentBrokenError as error:
            raise EnvironmentBrokenError(f"The commit {wanted!r} is not here. {error.message}", error.remedy) from error
        partial = whole or any(not key.startswith(("remote.origin.url", "http.")) for key, _ in settings)
        if not partial:
            self._show("HEAD")
        return git.start(
            "fetch",
            "--quiet",
            "--depth=1",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
            "--end-of-options",
            "origin",
            refspec,
            at=self._objects.at,
            limits=FETCHING,
            settings=origin.settings(negotiate=not partial),
            environment=origin.environment(self._network),
        )

    def _show(self, name: str) -> None:
        """Let a fetch say that we have a commit of the checkout, so that only what differs from it is sent."""
        commit = self._checkout.resolve(self._objects.git, name)
        if commit is not None:
            self._objects.git.ask("update-ref", f"refs/shown/{name}", commit, at=self._objects.at)


def _borrow(git: Git, checkout: Checkout, ours: Path) -> None:
    """A bare repository in ``ours`` that reads the objects of the checkout and holds nothing itself."""
    form = checkout.format(git)
    git.ask(
        "init",
        "--quiet",
        "--bare",
        "--template=",
        "--initial-branch=none",
        f"--object-format={form}",
        "--",
        str(ours),
        at=ours,
    )
    alternates = ours / "objects" / "info" / "alternates"
    alternates.parent.mkdir(exist_ok=True)
    alternates.write_bytes(_quoted(os.fsencode(checkout.objects)) + b"\n")
    shallow = checkout.common_dir / "shallow"
    if shallow.is_file():
        (ours / "shallow").write_bytes(shallow.read_bytes())


def _quoted(path: bytes) -> bytes:
    """As C would write it, which git understands in a list of alternates (gitrepository-layout)."""
    plain = b"".join(bytes([byte]) if 32 <= byte < 127 and byte not in b'"\\' else b"\\%03o" % byte for byte in path)
    return b'"' + plain + b'"'


def _sources(wanted: str) -> tuple[str, ...]:
    """What ``origin`` may call it, in the order in which it is asked."""
    if is_id(wanted):
        return (wanted,)
    name = re.sub(r"^(?:refs/remotes/|remotes/)?origin/", "", wanted)
    if not _REF.fullmatch(name):
        return ()
    if name.startswith("refs/"):
        return (name,)
    return (f"refs/heads/{name}", f"refs/tags/{name}") if name == wanted else (f"refs/heads/{name}",)


def _unobtainable(wanted: str, reason: str) -> EnvironmentBrokenError:
    return EnvironmentBrokenError(f"The commit {wanted!r} cannot be had: {reason}", _HOW_TO_HAVE)
