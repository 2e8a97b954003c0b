"""Children that are processes of this machine: from the start to the burial of all that they leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from model.errors import EnvironmentBrokenError
from process.confinement import (
    NOBODY,
    become_guardian,
    find_wrappers,
    opened,
    require_capabilities,
    wrapping,
)
from process.family import FAMILY, await_death, children, kill_group
from process.runner import TICK, Start
from process.watching import LAST_WORDS, Child, End, Finished, Watch, finished

STOPPED = ("The run was told to stop; no process is started any more.", "Run it again.")


class Children:
    """The processes of one sandbox, whose private folder is ``root``.

    As root, they are user 65534 and cannot read what is root's; else they are ourselves (``unprivileged`` says which),
    and only our memory and environment are closed to them.
    Raises EnvironmentBrokenError where children cannot be confined at all.
    """

    name: str = "processes of this machine"
    is_container: bool = False
    tools: Path | None = None

    def __init__(self, root: Path) -> None:
        self.unprivileged = os.geteuid() == 0
        if self.unprivileged:
            require_capabilities()
        self._wrappers = find_wrappers()
        become_guardian(unreadable=not self.unprivileged)
        self._root = root
        self.stopped = False

    def run(self, start: Start) -> Finished:
        """Wait for the end of one child that we do not trust."""
        return self._run(start, nobody=self.unprivileged, stdin=b"")

    def run_as_ourselves(self, start: Start, stdin: bytes) -> Finished:
        """The same for a program of this machine that must read what is ours alone."""
        return self._run(start, nobody=False, stdin=stdin)

    def close(self) -> None:
        """There is nothing to give back."""

    def end_all(self) -> None:
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

    def _run(self, wanted: Start, *, nobody: bool, stdin: bytes) -> Finished:
        program, *arguments = wanted.command
        wrapped = wrapping(self._wrappers, wanted.limits, nobody=nobody)
        with opened(Path(program)) as descriptor, _holding(stdin, self._root) as source:
            words = (*wrapped, f"/proc/self/fd/{descriptor}", *arguments)
            start = time.monotonic()
            child = self._start(words, wanted.cwd, wanted.environment, descriptor, source)
            with Watch(child, wanted.limits.output) as watch:
                try:
                    end = self._attend(watch, start + wanted.limits.seconds, wanted.is_full)
                finally:
                    self._finish(child)
                watch.drain()
        return finished(program, child.returncode, end, watch, time.monotonic() - start)

    def _start(
        self, words: Sequence[str], cwd: Path, environment: Mapping[str, str], descriptor: int, stdin: int
    ) -> Child:
        """Start and register at once: nobody may see the child before it is known as ours."""
        with FAMILY.lock:
            if self.stopped:
                raise EnvironmentBrokenError(*STOPPED)
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
            if self.stopped:  # end_all came, in a signal's handler, between the start and the registration.
                kill_group(child.pid)
        return child

    def _attend(self, watch: Watch, deadline: float, is_full: Callable[[], bool]) -> End:
        """Read what the child prints until it ends or must end."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return End.TIMED_OUT
            if watch.wait(min(left, TICK)):
                return End.EXITED
            if watch.stdout.overflowed:
                return End.TOO_MUCH_OUTPUT
            if is_full():
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
            return f"HOME={self._root}/".encode() in Path(f"/proc/{pid}/environ").read_bytes()
        except (ProcessLookupError, FileNotFoundError, PermissionError):
            return False


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
