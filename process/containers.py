"""Children that are containers: each in one of its own, without network, rights or any folder but its own two.

Speaks of Docker's Engine API and never to it: that is ``process/engine.py``, through the protocol ``Engine``.
"""

from __future__ import annotations

import math
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from model.errors import EnvironmentBrokenError
from model.values import Json
from process.attachment import Attachment
from process.children import STOPPED
from process.confinement import NOBODY, OPEN_FILES, PROCESSES, Limits
from process.runner import TICK, Start
from process.watching import End, Finished
from process.whereabouts import Mounted, outside

LABEL: Final = "io.hardening-gate.until"
"""On every container of ours: the second (Unix time) after which nobody waits for it any more."""
NAME: Final = "hardening-gate-"
HOST_NAME: Final = "scanner"
GRACE: Final = 120
"""Seconds between the end of a child's time and the moment from which its container is taken for a stray."""
FIRST_LOOK: Final = 0.005
"""Seconds until the first look whether a container that prints no more has ended; each next one waits twice as long."""
REMOVING: Final = 0.5
"""Seconds for which a signal's handler asks for a container that may just be about to exist."""
DEATH: Final = 10
"""Seconds that a container gets to end once it was killed."""
SIGNALS: Final = range(129, 129 + 64)
"""Exit codes that say which signal ended a container."""
TOOLS: Final = Path("/opt/hardening-gate/tools")
"""Where the tools of this machine are mounted into an image that holds none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How a container is."""

    is_running: bool
    exit_code: int


class Engine(Protocol):
    """The Docker daemon, as far as a child needs it.

    Whatever goes wrong is an EnvironmentBrokenError; a container that is not there is none.
    """

    def again(self) -> Engine:
        """The same, through a connection of its own."""

    def close(self) -> None:
        """Close the connection."""

    def create(self, name: str, body: Mapping[str, Json]) -> None:
        """Create a container from the body that the Engine API takes; pulls nothing."""

    def attached(self, name: str) -> AbstractContextManager[int]:
        """A descriptor that gives what it prints (``process/attachment.py``) until it ends."""

    def start(self, name: str) -> None:
        """Start it."""

    def state(self, name: str) -> State | None:
        """How it is; None when there is none of this name."""

    def kill(self, name: str) -> None:
        """Send SIGKILL, unless it has ended."""

    def remove(self, name: str) -> bool:
        """End and remove it; whether there was one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What all containers of a run have in common."""

    image: str
    """Its id: a tag could be moved while we run."""
    image_variables: tuple[str, ...] = ()
    """Names of what the image sets; no child sees any."""
    user: str
    """``uid:gid``."""
    nano_cpus: int
    """Billionths of processors for one container."""
    memory: int = 0
    """Bytes that one container may have at most, whatever its limits say; 0: what they say."""
    mounts: tuple[Mounted, ...] | None = None
    """Of the container in which we run; None where we run on the daemon's host."""
    tools: Path
    """Where a child finds the tools."""
    tools_outside: Path | None = None
    """The folder of the daemon's host that is mounted there; None where the image holds them."""
    users_namespace: str = ""
    """``host`` where the daemon gives users other numbers: folders are handed over by number."""


def own_user() -> str:
    """Nobody where we are root, else ourselves: only root can hand folders over to another user."""
    return f"{NOBODY}:{NOBODY}" if os.geteuid() == 0 else f"{os.geteuid()}:{os.getegid()}"


def body(start: Start, terms: Terms, now: float) -> dict[str, Json]:
    """What the Engine API is told of one container ("ContainerCreate"). ``now``: Unix time."""
    program, *arguments = start.command
    unset: list[str] = [*terms.image_variables, "HOSTNAME"]
    return {
        "Image": terms.image,
        "Entrypoint": [program],
        "Cmd": [*arguments],
        "User": terms.user,
        "WorkingDir": str(start.cwd),
        "Hostname": HOST_NAME,
        "Env": [  # a name alone takes away what the image or the daemon would set
            *(f"{name}={value}" for name, value in start.environment.items()),
            *(name for name in unset if name not in start.environment),
        ],
        "Labels": {LABEL: str(math.ceil(now + start.limits.seconds + GRACE))},
        "AttachStdin": False,
        "AttachStdout": True,
        "AttachStderr": True,
        "OpenStdin": False,
        "Tty": False,
        "NetworkDisabled": True,
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": _host(start, terms),
    }


def _host(start: Start, terms: Terms) -> dict[str, Json]:
    memory = min(start.limits.memory, terms.memory or start.limits.memory)
    return {
        "NetworkMode": "none",
        "IpcMode": "none",
        "UsernsMode": terms.users_namespace,
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "Memory": memory,
        "MemorySwap": memory,
        "NanoCpus": terms.nano_cpus,
        "PidsLimit": PROCESSES,
        "Ulimits": [
            {"Name": name, "Soft": value, "Hard": value} for name, value in _ulimits(start.limits, terms.nano_cpus)
        ],
        "LogConfig": {"Type": "none", "Config": {}},  # else all that it prints is kept on the daemon's disk
        "RestartPolicy": {"Name": "no"},
        "Mounts": [*_mounts(start, terms)],
    }


def _ulimits(limits: Limits, nano_cpus: int) -> Iterator[tuple[str, int]]:
    """As for processes; the address space has none here, and memory and processes are counted by container."""
    yield "core", 0
    yield "cpu", math.ceil((math.ceil(limits.seconds) + 1) * nano_cpus / 10**9)
    yield "fsize", limits.file_size
    yield "nofile", OPEN_FILES


def _mounts(start: Start, terms: Terms) -> Iterator[dict[str, Json]]:
    """The two folders of this child, under the names that they have for us; where the image lacks tools, these too."""
    for folder in (start.folder, start.home):
        source = folder if terms.mounts is None else outside(folder, terms.mounts)
        if source is None:
            raise ValueError(f"the daemon's host does not know {folder}")
        yield _mount(source, folder, read_only=False)
    if terms.tools_outside is not None:
        yield _mount(terms.tools_outside, terms.tools, read_only=True)


def _mount(source: Path, target: Path, *, read_only: bool) -> dict[str, Json]:
    return {
        "Type": "bind",  # unlike a volume of the old kind it makes no folder where there is none
        "Source": str(source),
        "Target": str(target),
        "ReadOnly": read_only,
        "BindOptions": {"Propagation": "rprivate"},
    }


class Containers:
    """The containers of one run. ``temporary`` is where its private folder must lie for the daemon to find it."""

    is_container: bool = True

    def __init__(
        self,
        engine: Engine,
        terms: Terms,
        *,
        temporary: Path | None = None,
        name: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.temporary = temporary
        self.name = name
        self.tools: Path | None = terms.tools
        self.stopped = False
        self._engine = engine
        self._terms = terms
        self._clock = clock
        self._names: set[str] = set()

    def run(self, start: Start) -> Finished:
        """Wait for the end of one child, and remove its container."""
        _require_absolute(start.command)
        began = time.monotonic()
        with self._named() as name:
            self._engine.create(name, body(start, self._terms, self._clock()))
            with self._engine.attached(name) as stream, Attachment(stream, start.limits.output) as attachment:
                self._refuse_when_stopped()
                self._engine.start(name)
                end = self._attend(name, attachment, start)
            if end is not End.EXITED:  # by now nobody reads: the daemon would wait with killing until somebody does
                self._engine.kill(name)
            state = self._end_of(name)
        if end is End.EXITED and attachment.stdout.overflowed:
            end = End.TOO_MUCH_OUTPUT
        elif end is End.EXITED and state.exit_code in SIGNALS:
            end = End.SIGNALLED
        return Finished(
            end=end,
            exit_code=state.exit_code,
            stdout=attachment.stdout.kept,
            stderr=str(attachment.stderr),
            seconds=time.monotonic() - began,
        )

    def close(self) -> None:
        """Close the connection to the daemon, which nobody uses any more."""
        self._engine.close()

    def end_all(self) -> None:
        """End and remove all containers at once and start no more; through connections that no other thread holds."""
        self.stopped = True
        threads = [threading.Thread(target=self._remove_soon, args=(name,), daemon=True) for name in tuple(self._names)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + REMOVING
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    @contextmanager
    def _named(self) -> Iterator[str]:
        """A name, known before there is a container of this name, and removed with it whatever happens."""
        name = f"{NAME}{secrets.token_hex(8)}"
        self._names.add(name)
        try:
            self._refuse_when_stopped()
            yield name
        finally:
            self._engine.remove(name)
            self._names.discard(name)

    def _remove_soon(self, name: str) -> None:
        """Also one that the daemon is just creating; where that fails, a later run finds it by its label."""
        with suppress(EnvironmentBrokenError), closing(self._engine.again()) as engine:
            deadline = time.monotonic() + REMOVING
            while not engine.remove(name) and time.monotonic() < deadline:
                time.sleep(FIRST_LOOK)

    def _refuse_when_stopped(self) -> None:
        if self.stopped:
            raise EnvironmentBrokenError(*STOPPED)

    def _attend(self, name: str, attachment: Attachment, start: Start) -> End:
        """Read what the child prints until it ends or must end."""
        deadline = time.monotonic() + start.limits.seconds
        pause = FIRST_LOOK
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return End.TIMED_OUT
            attachment.wait(min(left, TICK if attachment.is_open else pause))
            if attachment.stdout.overflowed:
                return End.TOO_MUCH_OUTPUT
            if start.is_full():
                return End.DISK_FULL
            if not attachment.is_open:
                if not self._state(name).is_running:
                    return End.EXITED
                pause = min(TICK, 2 * pause)

    def _end_of(self, name: str) -> State:
        """How it has ended, which it does at once."""
        deadline = time.monotonic() + DEATH
        pause = FIRST_LOOK
        while (state := self._state(name)).is_running:
            if time.monotonic() > deadline:
                raise EnvironmentBrokenError(
                    f"The container {name} does not end though it was killed.",
                    f"Look at it (`docker inspect {name}`) and remove it (`docker rm --force {name}`).",
                )
            time.sleep(pause)
            pause = min(TICK, 2 * pause)
        return state

    def _state(self, name: str) -> State:
        """One that is no longer there was ended by us, or by somebody whom we do not know."""
        return self._engine.state(name) or State(is_running=False, exit_code=128 + signal.SIGKILL)


def _require_absolute(command: Sequence[str]) -> None:
    program = Path(command[0])
    if not program.is_absolute():
        raise ValueError(f"not an absolute path: {program}")
    for word in command:
        try:
            word.encode()
        except UnicodeEncodeError as error:
            raise EnvironmentBrokenError(
                f"{program.name} cannot be started in a container: an argument is no UTF-8.",
                "Write names and values in UTF-8, or use `--runner process`.",
            ) from error
