"""A private folder and the children that work in it: the only door to starting any, by whichever runner."""

from __future__ import annotations

import os
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from model.errors import EnvironmentBrokenError
from process.children import STOPPED, Children
from process.confinement import NOBODY, PLACES, Limits, told
from process.family import FAMILY
from process.runner import Runner, Start
from process.watching import Finished
from removal import remove_tree

RESERVE = 256 << 20
"""Bytes that must stay free where the private folder lies."""
USUAL = frozenset(map(Path, ("/tmp", "/var/tmp", "/usr/tmp")))  # noqa: S108 where temporary folders belong

Observer = Callable[[Sequence[str], str, Finished], None]
"""Told of every child that has ended, by the thread that started it: program and arguments, what it was about, how it
ended."""


def unobserved(words: Sequence[str], about: str, finished: Finished) -> None:
    """Nobody wants to know."""


def free_bytes(folder: Path) -> int:
    """What an ordinary user may still write where ``folder`` lies."""
    space = os.statvfs(folder)
    return space.f_bavail * space.f_frsize


class Sandbox:
    """A private folder and the children that work in it. A context manager: leaving removes the folder.

    Children are processes of this machine (``Children``), unless ``runner`` starts them in another way; what is trusted
    always is one. Where we are root, children are user 65534, else they are ourselves: ``unprivileged`` says which.
    Raises EnvironmentBrokenError where children cannot be confined at all.
    """

    def __init__(
        self,
        *,
        temporary: Path | None = None,
        free: Callable[[Path], int] = free_bytes,
        observer: Observer = unobserved,
        runner: Runner | None = None,
    ) -> None:
        self._free = free
        self._observer = observer
        self.stopped = False
        self._removing = threading.RLock()
        self.root = Path(tempfile.mkdtemp(prefix="hardening-gate-", dir=temporary or _temporary())).resolve()
        with ExitStack() as undo:
            undo.callback(remove_tree, self.root)
            self._children = Children(self.root)
            self._runner = runner or self._children
            self.unprivileged = self._children.unprivileged
            self.root.chmod(0o711)
            self._require_reachable()
            self.require_space()
            undo.pop_all()
        FAMILY.sandboxes.add(self)

    def __enter__(self) -> Self:
        """The sandbox itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close it, whatever happened."""
        self.close()
        self._runner.close()

    @property
    def runner(self) -> Runner:
        """What starts the children."""
        return self._runner

    @contextmanager
    def folder(self, name: str) -> Iterator[Path]:
        """A fresh folder below the private one, which children may read and write; removed on leaving."""
        with self._fresh(name) as path:
            yield path

    def private(self, name: str) -> Path:
        """A fresh folder that is ours alone (0700); it goes with the sandbox."""
        return self._made(name)

    def run(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path,
        limits: Limits,
        environment: Mapping[str, str] | None = None,
        about: str = "",
    ) -> Finished:
        """Start ``command`` (an absolute path and its arguments) in ``cwd`` and wait for its end.

        ``cwd`` lies in a folder of this sandbox; ``about`` is for the observer alone. Whatever the child leaves
        running is ended with it. Several threads may run children at once. Raises EnvironmentBrokenError when it
        cannot be started at all.
        """
        with self._fresh("home", PLACES["TMPDIR"]) as home:
            start = self._start(command, cwd, home, limits, environment or {})
            done = self._runner.run(start)
        self._observer(start.command, about, done)
        return done

    def run_trusted(
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path,
        limits: Limits,
        environment: Mapping[str, str | None] | None = None,
        stdin: bytes = b"",
    ) -> Finished:
        """As ``run``, for a program of this machine that must read what is ours alone: it runs as ourselves.

        A variable that is None takes away ours of that name, such as the proxy that does not answer. ``stdin`` is a
        file without a name.
        """
        home = self._made("home", PLACES["TMPDIR"])
        try:
            start = self._start(command, cwd, home, limits, environment or {})
            done = self._children.run_as_ourselves(start, stdin)
        finally:
            self._remove(home)
        self._observer(start.command, "", done)
        return done

    def _start(
        self,
        command: Sequence[str | Path],
        cwd: Path,
        home: Path,
        limits: Limits,
        environment: Mapping[str, str | None],
    ) -> Start:
        place = cwd.resolve()
        if not place.is_relative_to(self.root) or place == self.root:
            raise ValueError(f"children work in folders of the sandbox only, not in {cwd}")
        return Start(
            command=tuple(map(str, command)),
            cwd=place,
            folder=self.root / place.relative_to(self.root).parts[0],
            home=home,
            limits=limits,
            environment={name: value for name, value in {**told(home), **environment}.items() if value is not None},
            is_full=self._is_full,
        )

    @contextmanager
    def _fresh(self, name: str, *within: str) -> Iterator[Path]:
        """A folder of the children's with others in it, all made before a child could put a link in their place."""
        path = self._made(name, *within)
        try:
            for inner in within:
                self._hand_over(path / inner)
            self._hand_over(path)
            yield path
        finally:
            self._remove(path)

    def _made(self, name: str, *within: str) -> Path:
        """A folder that is ours, with others in it."""
        if not name or "/" in name:
            raise ValueError(f"not the name of one folder: {name!r}")
        self._refuse_when_stopped()
        self.require_space()
        path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.root))
        for inner in within:
            (path / inner).mkdir(mode=0o700)
        return path

    def _remove(self, path: Path) -> None:
        with self._removing:
            remove_tree(path)

    def kill_all(self) -> None:
        """End all children at once and start no more. A signal's handler may call it: it waits for no other thread."""
        self.stopped = True
        self._children.end_all()
        if self._runner is not self._children:
            self._runner.end_all()

    def close(self) -> None:
        """End all children and remove the private folder."""
        self.kill_all()
        with self._removing:
            remove_tree(self.root)
        FAMILY.sandboxes.discard(self)

    def require_space(self) -> None:
        """Raise EnvironmentBrokenError where too little is free for private copies."""
        free = self._free(self.root)
        if free < RESERVE:
            raise EnvironmentBrokenError(
                f"Only {free >> 20} MiB are free in {self.root.parent}, where copies for the scanners are written.",
                f"Free at least {RESERVE >> 20} MiB there, or set TMPDIR to a folder that has them.",
            )

    def _is_full(self) -> bool:
        """Whether children have filled the disk; once the folder is gone, they are told so by their end."""
        try:
            return self._free(self.root) < RESERVE // 2
        except FileNotFoundError:
            return False

    def _refuse_when_stopped(self) -> None:
        if self.stopped:
            raise EnvironmentBrokenError(*STOPPED)

    def _require_reachable(self) -> None:
        """Children that are nobody must be able to enter every folder above theirs."""
        for parent in self.root.parents:
            if self.unprivileged and not parent.stat().st_mode & stat.S_IXOTH:
                raise EnvironmentBrokenError(
                    f"The unprivileged user of the scanners cannot enter {parent}, above the temporary folder.",
                    f"Set TMPDIR to a folder that everybody may enter, such as /tmp, or run `chmod o+x {parent}`.",
                )

    def _hand_over(self, folder: Path) -> None:
        """Make it the children's own."""
        if self.unprivileged:
            os.chown(folder, NOBODY, NOBODY, follow_symlinks=False)


def kill_all() -> None:
    """End everything that was started and remove every private folder; for the handler of a signal that ends us."""
    for sandbox in tuple(FAMILY.sandboxes):
        sandbox.close()


def _temporary() -> Path:
    """Where private folders go. Python's last resort is the current folder, which is the checkout: never that."""
    folder = Path(tempfile.gettempdir()).resolve()
    if folder == Path.cwd() and folder not in USUAL:
        raise EnvironmentBrokenError(
            "No temporary folder can be written to.",
            "Mount a tmpfs on /tmp (docker: --tmpfs /tmp), or set TMPDIR to a folder outside of the checkout.",
        )
    return folder
