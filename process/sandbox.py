"""A private folder and the processes that work in it: the only place that starts any."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from model.errors import EnvironmentBrokenError
from process.confinement import (
    NOBODY,
    PLACES,
    Limits,
    become_guardian,
    find_wrappers,
    opened,
    require_capabilities,
    told,
    wrapping,
)
from process.family import FAMILY, await_death, children, kill_group
from process.watching import LAST_WORDS, Child, End, Finished, Watch, finished
from removal import remove_tree

RESERVE = 256 << 20
"""Bytes that must stay free where the private folder lies."""
USUAL = frozenset(map(Path, ("/tmp", "/var/tmp", "/usr/tmp")))  # noqa: S108 where temporary folders belong
TICK = 0.25
"""Seconds between two looks at the free space."""

Observer = Callable[[Sequence[str], str, Finished], None]
"""Told of every child that has ended, by the thread that started it: program and arguments, what it was about, how it
ended."""


def unobserved(words: Sequence[str], about: str, finished: Finished) -> None:
    """Nobody wants to know."""


def free_bytes(folder: Path) -> int:
    """What an ordinary user may still write where ``folder`` lies."""
    space = os.statvfs(folder)
    return space.f_bavail * space.f_frsize


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """What is to be started, and how."""

    command: tuple[str | Path, ...]
    cwd: Path
    limits: Limits
    environment: Mapping[str, str | None]
    about: str = ""
    trusted: bool = False
    """Runs as ourselves."""
    stdin: bytes = b""


class Sandbox:
    """A private folder and the processes that work in it. A context manager: leaving removes the folder.

    As root, children are user 65534 and cannot read what is root's; else they are ourselves (``unprivileged`` says
    which), and only our memory and environment are closed to them.
    Raises EnvironmentBrokenError where children cannot be confined at all.
    """

    def __init__(
        self,
        *,
        temporary: Path | None = None,
        free: Callable[[Path], int] = free_bytes,
        observer: Observer = unobserved,
    ) -> None:
        self.unprivileged = os.geteuid() == 0
        if self.unprivileged:
            require_capabilities()
        self._tools = find_wrappers()
        become_guardian(unreadable=not self.unprivileged)
        self._free = free
        self._observer = observer
        self.stopped = False
        self._removing = threading.RLock()
        self.root = Path(tempfile.mkdtemp(prefix="hardening-gate-", dir=temporary or _temporary())).resolve()
        with ExitStack() as undo:
            undo.callback(remove_tree, self.root)
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
        start = _Start(command=tuple(command), cwd=cwd, limits=limits, environment=environment or {}, about=about)
        with self._fresh("home", PLACES["TMPDIR"]) as home:
            return self._run(start, home)

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
            start = _Start(
                command=tuple(command),
                cwd=cwd,
                limits=limits,
                environment=environment or {},
                trusted=True,
                stdin=stdin,
            )
            return self._run(start, home)
        finally:
            self._remove(home)

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

    def _run(self, wanted: _Start, home: Path) -> Finished:
        """One child from its start to the burial of all that it left."""
        program, *arguments = wanted.command
        if not wanted.cwd.resolve().is_relative_to(self.root):
            raise ValueError(f"children work in folders of the sandbox only, not in {wanted.cwd}")
        limits = wanted.limits
        wrapped = wrapping(self._tools, limits, nobody=self.unprivileged and not wanted.trusted)
        with opened(Path(program)) as descriptor, _holding(wanted.stdin, self.root) as stdin:
            words = (*wrapped, f"/proc/self/fd/{descriptor}", *map(str, arguments))
            start = time.monotonic()
            environment = {**told(home), **wanted.environment}
            known = {name: value for name, value in environment.items() if value is not None}
            child = self._start(words, wanted.cwd, known, descriptor, stdin)
            with Watch(child, limits.output) as watch:
                try:
                    end = self._attend(watch, start + limits.seconds)
                finally:
                    self._finish(child)
                watch.drain()
        done = finished(program, child.returncode, end, watch, time.monotonic() - start)
        self._observer((str(program), *map(str, arguments)), wanted.about, done)
        return done

    def kill_all(self) -> None:
        """End all children at once and start no more. A signal's handler may call it: it waits for no other thread."""
        self.stopped = True
        with FAMILY.lock:
            leaders = [pid for pid, owner in FAMILY.leaders.items() if owner is self]
            for pid in leaders:
                kill_group(pid)
            for pid in leaders:
                with suppress(ChildProcessError):
                    await_death(pid)
            self._end_strays()

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

    def _refuse_when_stopped(self) -> None:
        if self.stopped:
            raise EnvironmentBrokenError("The run was told to stop; no process is started any more.", "Run it again.")

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

    def _start(
        self, words: Sequence[str], cwd: Path, environment: Mapping[str, str], descriptor: int, stdin: int
    ) -> Child:
        """Start and register at once: nobody may see the child before it is known as ours."""
        with FAMILY.lock:
            self._refuse_when_stopped()
            try:
                child = subprocess.Popen(
                    words,
                    cwd=cwd,
                    env=environment,
                    stdin=stdin,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    bufsize=0,
                    pass_fds=(descriptor,),
                    start_new_session=True,
                )
            except OSError as error:
                raise EnvironmentBrokenError(
                    f"No process can be started: {error}.", "Look at the limits and the memory of this machine."
                ) from error
            FAMILY.leaders[child.pid] = self
            if self.stopped:  # kill_all came, in a signal's handler, between the start and the registration.
                kill_group(child.pid)
        return child

    def _attend(self, watch: Watch, deadline: float) -> End:
        """Read what the child prints until it ends or must end."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return End.TIMED_OUT
            if watch.wait(min(left, TICK)):
                return End.EXITED
            if watch.stdout.overflowed:
                return End.TOO_MUCH_OUTPUT
            if self._free(self.root) < RESERVE // 2:
                return End.DISK_FULL

    def _finish(self, child: Child) -> None:
        """Kill the child's group and all that has left the group, and bury them."""
        kill_group(child.pid)
        await_death(child.pid)
        with FAMILY.lock:
            del FAMILY.leaders[child.pid]
            child.wait()
            self._end_strays()

    def _end_strays(self) -> None:
        """Kill those that left their group and lost their parent: they have become our own children."""
        deadline = time.monotonic() + LAST_WORDS
        while (strays := tuple(filter(self._is_stray, children()))) and time.monotonic() < deadline:
            for pid in strays:
                with suppress(ProcessLookupError, ChildProcessError):
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)

    def _is_stray(self, pid: int) -> bool:
        """Whether a child of this process came from a sandbox and belongs to no child that may still run."""
        try:
            if pid in FAMILY.leaders:
                return False
            owner = FAMILY.leaders.get(os.getsid(pid))
            if owner and not owner.stopped:
                return False
            if self.unprivileged and f"\nUid:\t{NOBODY}\t" in Path(f"/proc/{pid}/status").read_text(encoding="utf-8"):
                return True
            return f"HOME={self.root}/".encode() in Path(f"/proc/{pid}/environ").read_bytes()
        except (ProcessLookupError, FileNotFoundError, PermissionError):
            return False


def kill_all() -> None:
    """End everything that was started and remove every private folder; for the handler of a signal that ends us."""
    for sandbox in tuple(FAMILY.sandboxes):
        sandbox.close()


@contextmanager
def _holding(content: bytes, folder: Path) -> Iterator[int]:
    """A descriptor from which ``content`` is read: a file of ours that has no name."""
    if not content:
        yield subprocess.DEVNULL
        return
    with tempfile.TemporaryFile(dir=folder) as stream:
        stream.write(content)
        stream.seek(0)
        yield stream.fileno()


def _temporary() -> Path:
    """Where private folders go. Python's last resort is the current folder, which is the checkout: never that."""
    folder = Path(tempfile.gettempdir()).resolve()
    if folder == Path.cwd() and folder not in USUAL:
        raise EnvironmentBrokenError(
            "No temporary folder can be written to.",
            "Mount a tmpfs on /tmp (docker: --tmpfs /tmp), or set TMPDIR to a folder outside of the checkout.",
        )
    return folder
