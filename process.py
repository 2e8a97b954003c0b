"""The only starter of processes: private folder, unprivileged user, fresh environment, limits on time and output.

What a pull request feeds to a child cannot reach our environment, our token or the machine (SECURITY.md, P and H).
Linux only; needs util-linux (``setpriv``, ``prlimit``) and refuses to start anything without them.
"""

from __future__ import annotations

import ctypes
import math
import os
import resource
import selectors
import signal
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from model.errors import EnvironmentBrokenError
from removal import remove_tree

NOBODY = 65534
"""User and group of the children where we are root: owns nothing in a Debian or Alpine image."""
CAPABILITIES: Mapping[str, int] = {"CHOWN": 0, "DAC_OVERRIDE": 1, "KILL": 5, "SETGID": 6, "SETUID": 7}
"""What root needs to give children another user, to end them and to remove what they wrote (linux/capability.h)."""
DEAD_PROXY = "http://127.0.0.1:9"
"""The discard port: nothing listens there, so a tool that honours proxies reaches no network."""
PROCESSES = 1024
"""Threads and processes of all children together."""
OPEN_FILES = 4096
RESERVE = 256 << 20
"""Bytes that must stay free where the private folder lies."""
KEPT_OF_STDERR = 64 << 10
CHUNK = 1 << 18
TICK = 0.25
"""Seconds between two looks at the free space."""
LAST_WORDS = 1.0
"""Seconds for reading what an ended child left in its pipes, and for finding what it left running."""
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
"""Both from linux/prctl.h."""

PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "http_proxy", "https_proxy")
FIXED: Mapping[str, str] = {
    "LANG": "C.UTF-8",
    "NO_COLOR": "1",
    "NO_PROXY": "",
    "PATH": "/nonexistent",
    "TERM": "dumb",
    "no_proxy": "",
}
PLACES: Mapping[str, str] = {
    "HELM_CACHE_HOME": "helm/cache",
    "HELM_CONFIG_HOME": "helm/config",
    "HELM_DATA_HOME": "helm/data",
    "HELM_PLUGINS": "helm/plugins",
    "HELM_REGISTRY_CONFIG": "helm/registry.json",
    "HELM_REPOSITORY_CACHE": "helm/repository",
    "HELM_REPOSITORY_CONFIG": "helm/repositories.yaml",
    "HOME": "",
    "TMPDIR": "tmp",
    "XDG_CACHE_HOME": "cache",
    "XDG_CONFIG_HOME": "config",
    "XDG_DATA_HOME": "data",
    "XDG_RUNTIME_DIR": "run",
    "XDG_STATE_HOME": "state",
}
"""Variables that name a place, and the place below the home that each start of a child has for itself."""


class End(StrEnum):
    """How a process ended."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    TIMED_OUT = "timed out"
    TOO_MUCH_OUTPUT = "printed too much"
    DISK_FULL = "filled the disk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one child may use."""

    seconds: float
    """Wall clock, for the whole process group."""
    memory: int = 8 << 30
    """Bytes of address space."""
    output: int = 256 << 20
    """Bytes of standard output."""
    file_size: int = 1 << 30
    """Bytes of one file that it writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A child that ended."""

    end: End
    exit_code: int
    """128+n when a signal ended it."""
    stdout: bytes
    stderr: str
    """At most 64 KiB: head and tail."""
    seconds: float


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
            _require_capabilities()
        self._tools = _find_wrappers()
        _become_guardian(unreadable=not self.unprivileged)
        self._free = free
        self._observer = observer
        self.stopped = False
        self._removing = threading.RLock()
        self.root = Path(tempfile.mkdtemp(prefix="hardening-gate-", dir=temporary or tempfile.gettempdir())).resolve()
        with ExitStack() as undo:
            undo.callback(remove_tree, self.root)
            self.root.chmod(0o711)
            self._require_reachable()
            self.require_space()
            undo.pop_all()
        _FAMILY.sandboxes.add(self)

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

    @contextmanager
    def _fresh(self, name: str, *within: str) -> Iterator[Path]:
        """A folder with others in it, all made before a child could put a link in their place."""
        if not name or "/" in name:
            raise ValueError(f"not the name of one folder: {name!r}")
        self._refuse_when_stopped()
        self.require_space()
        path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.root))
        try:
            for inner in within:
                (path / inner).mkdir(mode=0o700)
                self._hand_over(path / inner)
            self._hand_over(path)
            yield path
        finally:
            with self._removing:
                remove_tree(path)

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
        program, *arguments = command
        if not cwd.resolve().is_relative_to(self.root):
            raise ValueError(f"children work in folders of the sandbox only, not in {cwd}")
        with self._fresh("home", PLACES["TMPDIR"]) as home, _opened(Path(program)) as descriptor:
            words = (*self._wrapping(limits), f"/proc/self/fd/{descriptor}", *map(str, arguments))
            start = time.monotonic()
            child = self._start(words, cwd, {**_environment(home), **(environment or {})}, descriptor)
            with _Watch(child, limits.output) as watch:
                try:
                    end = self._attend(watch, start + limits.seconds)
                finally:
                    self._finish(child)
                watch.drain()
        finished = _finished(program, child.returncode, end, watch, time.monotonic() - start)
        self._observer((str(program), *map(str, arguments)), about, finished)
        return finished

    def kill_all(self) -> None:
        """End all children at once and start no more. A signal's handler may call it: it waits for no other thread."""
        self.stopped = True
        with _FAMILY.lock:
            leaders = [pid for pid, owner in _FAMILY.leaders.items() if owner is self]
            for pid in leaders:
                _kill_group(pid)
            for pid in leaders:
                with suppress(ChildProcessError):
                    _await_death(pid)
            self._end_strays()

    def close(self) -> None:
        """End all children and remove the private folder."""
        self.kill_all()
        with self._removing:
            remove_tree(self.root)
        _FAMILY.sandboxes.discard(self)

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

    def _wrapping(self, limits: Limits) -> tuple[str, ...]:
        """The two programs that become the child: one gives up rights, one sets limits."""
        setpriv, prlimit = self._tools
        user = (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all")
        words = [setpriv, *(user if self.unprivileged else ()), "--no-new-privs", "--", prlimit]
        wanted = {
            "as": (resource.RLIMIT_AS, limits.memory),
            "core": (resource.RLIMIT_CORE, 0),
            # All cores for all of the time: it ends only what has escaped the wall clock.
            "cpu": (resource.RLIMIT_CPU, (math.ceil(limits.seconds) + 1) * (os.cpu_count() or 1)),
            "fsize": (resource.RLIMIT_FSIZE, limits.file_size),
            "nofile": (resource.RLIMIT_NOFILE, OPEN_FILES),
        }
        if self.unprivileged:  # Counted by user: where that is ourselves, a desktop alone may hold more than this.
            wanted["nproc"] = (resource.RLIMIT_NPROC, PROCESSES)
        return (*words, *(f"--{name}={_capped(*limit)}" for name, limit in wanted.items()), "--")

    def _start(self, words: Sequence[str], cwd: Path, environment: Mapping[str, str], descriptor: int) -> _Child:
        """Start and register at once: nobody may see the child before it is known as ours."""
        with _FAMILY.lock:
            self._refuse_when_stopped()
            try:
                child = subprocess.Popen(
                    words,
                    cwd=cwd,
                    env=environment,
                    stdin=subprocess.DEVNULL,
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
            _FAMILY.leaders[child.pid] = self
            if self.stopped:  # kill_all came, in a signal's handler, between the start and the registration.
                _kill_group(child.pid)
        return child

    def _attend(self, watch: _Watch, deadline: float) -> End:
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

    def _finish(self, child: _Child) -> None:
        """Kill the child's group and all that has left the group, and bury them."""
        _kill_group(child.pid)
        _await_death(child.pid)
        with _FAMILY.lock:
            del _FAMILY.leaders[child.pid]
            child.wait()
            self._end_strays()

    def _end_strays(self) -> None:
        """Kill those that left their group and lost their parent: they have become our own children."""
        deadline = time.monotonic() + LAST_WORDS
        while (strays := tuple(filter(self._is_stray, _children()))) and time.monotonic() < deadline:
            for pid in strays:
                with suppress(ProcessLookupError, ChildProcessError):
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)

    def _is_stray(self, pid: int) -> bool:
        """Whether a child of this process came from a sandbox and belongs to no child that may still run."""
        try:
            if pid in _FAMILY.leaders:
                return False
            owner = _FAMILY.leaders.get(os.getsid(pid))
            if owner and not owner.stopped:
                return False
            if self.unprivileged:
                return f"\nUid:\t{NOBODY}\t" in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            return f"HOME={self.root}/".encode() in Path(f"/proc/{pid}/environ").read_bytes()
        except (ProcessLookupError, FileNotFoundError, PermissionError):
            return False


def kill_all() -> None:
    """End everything that was started and remove every private folder; for the handler of a signal that ends us."""
    for sandbox in tuple(_FAMILY.sandboxes):
        sandbox.close()


_Child = subprocess.Popen[bytes]


class _Family:
    """The children of this process that lead a session of ours; one for all sandboxes, as the process table is."""

    def __init__(self) -> None:
        # Reentrant: a signal's handler may interrupt the very thread that holds it.
        self.lock = threading.RLock()
        self.leaders: dict[int, Sandbox] = {}
        self.sandboxes: set[Sandbox] = set()


_FAMILY = _Family()


class _Whole:
    """Everything that was printed, up to a limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self.chunks: list[bytes] = []

    @property
    def overflowed(self) -> bool:
        """Whether more was printed than the limit."""
        return self.size > self.limit

    def add(self, chunk: bytes) -> None:
        """Keep it as long as there is room."""
        self.chunks.append(chunk[: max(0, self.limit - self.size)])
        self.size += len(chunk)


class _Ends:
    """The beginning and the end of what was printed."""

    def __init__(self, limit: int) -> None:
        self.half = limit // 2 - 40
        self.size = 0
        self.head = bytearray()
        self.tail = bytearray()

    def add(self, chunk: bytes) -> None:
        """Keep it for now; what stands in the middle goes."""
        self.size += len(chunk)
        room = self.half - len(self.head)
        self.head += chunk[:room]
        self.tail += chunk[room:]
        del self.tail[: -self.half]

    def __str__(self) -> str:
        """As text; what is not UTF-8 is replaced."""
        left_out = self.size - len(self.head) - len(self.tail)
        gap = f"\n[{left_out} bytes left out]\n".encode() if left_out else b""
        return bytes(self.head + gap + self.tail).decode("utf-8", "replace")


class _Watch:
    """A running child: what it prints, and the moment of its end. A context manager: leaving closes its pipes."""

    def __init__(self, child: _Child, limit: int) -> None:
        self.child = child
        self.stdout = _Whole(limit)
        self.stderr = _Ends(KEPT_OF_STDERR)
        self.death = os.pidfd_open(child.pid)
        self.waiting = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        """Watch from now on."""
        assert self.child.stdout is not None
        assert self.child.stderr is not None
        self.waiting.register(self.death, selectors.EVENT_READ)
        self.waiting.register(self.child.stdout, selectors.EVENT_READ, self.stdout)
        self.waiting.register(self.child.stderr, selectors.EVENT_READ, self.stderr)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close what is open."""
        for pipe in (self.child.stdout, self.child.stderr):
            assert pipe is not None
            pipe.close()
        self.waiting.close()
        os.close(self.death)

    def wait(self, seconds: float) -> bool:
        """Read what comes first within ``seconds``; whether the child has ended."""
        ended = False
        for key, _ in self.waiting.select(seconds):
            if key.fd == self.death:
                ended = True
            elif chunk := os.read(key.fd, CHUNK):
                key.data.add(chunk)
            else:
                self.waiting.unregister(key.fileobj)
        return ended

    def drain(self) -> None:
        """Read what an ended child left in the pipes; bounded, should a process that we did not find hold them open."""
        self.waiting.unregister(self.death)
        deadline = time.monotonic() + LAST_WORDS
        while self.waiting.get_map() and time.monotonic() < deadline and not self.stdout.overflowed:
            self.wait(LAST_WORDS)


def _finished(program: str | Path, code: int, end: End, watch: _Watch, seconds: float) -> Finished:
    """What there is to say about an ended child."""
    stderr = str(watch.stderr)
    if code > 0 and stderr.startswith(("setpriv: ", "prlimit: ")):
        raise EnvironmentBrokenError(
            f"{program} cannot be started: {stderr.splitlines()[0]}",
            "See that the file is a program of this machine's kind, and that the container may change users.",
        )
    if end is End.EXITED:
        end = End.TOO_MUCH_OUTPUT if watch.stdout.overflowed else End.SIGNALLED if code < 0 else End.EXITED
    return Finished(
        end=end,
        exit_code=128 - code if code < 0 else code,
        stdout=b"".join(watch.stdout.chunks),
        stderr=stderr,
        seconds=seconds,
    )


def _environment(home: Path) -> dict[str, str]:
    """All that a child is told about the world."""
    return {**FIXED, **dict.fromkeys(PROXIES, DEAD_PROXY), **{name: str(home / at) for name, at in PLACES.items()}}


def _capped(kind: int, wanted: int) -> int:
    """As much as wanted, but no more than this process itself may have: limits can only be lowered."""
    _, hard = resource.getrlimit(kind)
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


@contextmanager
def _opened(program: Path) -> Iterator[int]:
    """The program as a descriptor that a child may execute: what we have looked at, wherever it lies.

    A name will not do: the tool cache of root lies below /root, which nobody may not enter.
    """
    if not program.is_absolute():
        raise ValueError(f"not an absolute path: {program}")
    try:
        descriptor = os.open(program, os.O_PATH)
    except OSError as error:
        raise EnvironmentBrokenError(
            f"{program} cannot be started: {error.strerror}.", "Run `make tools`; in a container, rebuild its image."
        ) from error
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode) or not mode & stat.S_IXUSR:
            raise EnvironmentBrokenError(
                f"{program} is no program: not a regular file that may be executed.",
                "Remove it and run `make tools`; in a container, rebuild its image.",
            )
        yield descriptor
    finally:
        os.close(descriptor)


def _find_wrappers() -> tuple[str, str]:
    """Where setpriv and prlimit lie; never asks PATH."""
    found = []
    for name in ("setpriv", "prlimit"):
        place = next((folder for folder in ("/usr/bin", "/bin") if os.access(f"{folder}/{name}", os.X_OK)), None)
        if place is None:
            raise EnvironmentBrokenError(
                f"{name} is neither in /usr/bin nor in /bin; scanners are not started without it.",
                "Install util-linux (Debian: `apt-get install util-linux`).",
            )
        found.append(f"{place}/{name}")
    return found[0], found[1]


def _require_capabilities() -> None:
    """Root without the rights of root could neither give children another user nor end them."""
    line = next(line for line in _status_lines() if line.startswith("CapEff:"))
    held = int(line.split()[1], 16)
    missing = [name for name, bit in CAPABILITIES.items() if not held >> bit & 1]
    if missing:
        raise EnvironmentBrokenError(
            f"This process is root without the capabilities {', '.join(missing)}: scanners would run as root.",
            "Leave the container its default capabilities (no --cap-drop), or run it as an ordinary user.",
        )


def _status_lines() -> list[str]:
    return Path("/proc/self/status").read_text(encoding="utf-8").splitlines()


def _become_guardian(*, unreadable: bool) -> None:
    """Orphans of our children come to us, and children of our own user cannot read our memory and environment."""
    libc = ctypes.CDLL(None, use_errno=True)
    calls = [(PR_SET_CHILD_SUBREAPER, 1), *([(PR_SET_DUMPABLE, 0)] if unreadable else [])]
    for option, value in calls:
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise EnvironmentBrokenError(
                f"prctl({option}) fails: {os.strerror(ctypes.get_errno())}; children could outlive this run.",
                "Allow prctl in the container's seccomp profile; Docker's default profile does.",
            )


def finds_strays() -> bool:
    """Whether this kernel lists our children (CONFIG_PROC_CHILDREN): else one that hides outlives its parent."""
    return Path(f"/proc/self/task/{threading.get_native_id()}/children").exists()


def _children() -> Iterator[int]:
    """All children of all threads of this process."""
    for thread in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            yield from map(int, (thread / "children").read_text(encoding="ascii").split())


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _await_death(pid: int) -> None:
    """The number stays the child's own until it is buried."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
