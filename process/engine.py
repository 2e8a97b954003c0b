"""The Docker daemon: the only module that speaks to one, through a socket of this machine.

It never pulls an image, and refuses a daemon that cannot keep the limits.
"""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Final

from docker import APIClient
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from model.errors import EnvironmentBrokenError
from model.values import Json
from process.containers import LABEL, TOOLS, Containers, State, Terms, own_user
from process.whereabouts import MOUNTINFO, Mounted, Ours, outside, own_id

IMAGE: Final = "hardening-gate"
"""What `make image` calls it."""
HOME_VARIABLE: Final = "HARDENING_GATE_HOME"
"""An image that sets it holds the tools below it."""
UNIX: Final = "unix://"
SECONDS: Final = 60
"""For one answer of the daemon."""
CONNECTIONS: Final = 64
"""That are kept, by address and together: more than children run at a time, or the SDK closes what is in use."""
BILLION: Final = 10**9
ENDED: Final = (404, 409)
"""What the daemon answers where there is nothing to end, or somebody else is about to."""
INSTEAD: Final = "or use `--runner process`."
DAEMON: Final = f"See that the daemon runs and that this user may use its socket (`docker version`), {INSTEAD}"
PROGRAM: Final = f"Name an image of this very release with --runner-image, {INSTEAD}"


class Docker:
    """``Engine`` over Docker's own SDK."""

    def __init__(self, host: str, version: str | None = None) -> None:
        if not host.startswith(UNIX):
            raise EnvironmentBrokenError(
                f"DOCKER_HOST is {host}: only a daemon of this machine can see the private folders of the scanners.",
                f"Set DOCKER_HOST to {UNIX}/PATH/OF/THE/SOCKET, {INSTEAD}",
            )
        self.host = host
        _require_listener(host)
        with _asking(f"The Docker daemon at {host} does not answer"):
            self._client = APIClient(
                base_url=host,
                version=version or "auto",
                timeout=SECONDS,
                num_pools=CONNECTIONS,
                max_pool_size=CONNECTIONS,
            )
        self._client.trust_env = False

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def again(self) -> Docker:
        """The same, through a connection of its own."""
        return Docker(self.host, self._client.api_version)

    def create(self, name: str, body: Mapping[str, Json]) -> None:
        """Create a container; pulls nothing."""
        with _asking("No container can be created", PROGRAM):
            self._client.create_container_from_config(dict(body), name)  # type: ignore[no-untyped-call]

    @contextmanager
    def attached(self, name: str) -> Iterator[int]:
        """A descriptor that gives what it prints, until it ends."""
        wanted = {"stdout": 1, "stderr": 1, "stream": 1}
        with _asking("What a container prints cannot be read"):
            stream: Any = self._client.attach_socket(name, wanted)
        try:
            yield stream.fileno()
        finally:
            stream._response.close()  # noqa: SLF001 the SDK keeps the connection there and offers no other way

    def start(self, name: str) -> None:
        """Start it."""
        with _asking("A container does not start", PROGRAM):
            self._client.start(name)

    def state(self, name: str) -> State | None:
        """How it is; None when there is none of this name."""
        with _asking("The Docker daemon does not say how a container is"):
            try:
                state = self._client.inspect_container(name)["State"]
            except NotFound:
                return None
        return State(is_running=bool(state["Running"]), exit_code=int(state["ExitCode"]))

    def kill(self, name: str) -> None:
        """Send SIGKILL, unless it has ended."""
        with _asking(f"The container {name} cannot be killed (`docker rm --force {name}`)"), _unless_ended():
            self._client.kill(name)

    def remove(self, name: str) -> bool:
        """End and remove it, with what it has written; whether there was one."""
        with _asking(f"The container {name} cannot be removed (`docker rm --force {name}`)"), _unless_ended():
            try:
                self._client.remove_container(name, v=True, force=True)
            except NotFound:
                return False
        return True

    def remove_overdue(self, now: float) -> int:
        """Remove what runs have left that were killed themselves; how many. ``now``: Unix time."""
        with _asking("The Docker daemon does not list containers"):
            rows = self._client.containers(all=True, filters={"label": LABEL})
        until = {str(row["Id"]): str(row["Labels"][LABEL]) for row in rows}
        overdue = [container for container, second in until.items() if second.isdecimal() and int(second) < now]
        return sum(self.remove(container) for container in overdue)

    def image(self, name: str) -> Mapping[str, Any]:
        """What the daemon knows of an image."""
        with _asking(f"The image {name} cannot be had"):
            try:
                known: Mapping[str, Any] = self._client.inspect_image(name)  # type: ignore[no-untyped-call]
            except ImageNotFound as error:
                raise EnvironmentBrokenError(
                    f"There is no image {name} for the containers of the scanners; none is ever pulled unasked.",
                    f"Build it (`make image`) or fetch it (`docker pull`), name it with --runner-image, {INSTEAD}",
                ) from error
        return known

    def ours(self, container: str) -> Ours | None:
        """The container in which we run, if it is one of this daemon's."""
        with _asking("The Docker daemon does not say where this container's folders lie"):
            try:
                known = self._client.inspect_container(container)
            except NotFound:
                return None
        return read_ours(known)

    def facts(self) -> Mapping[str, Any]:
        """What the daemon says of itself."""
        with _asking("The Docker daemon does not answer"):
            known: Mapping[str, Any] = self._client.info()
        return known


def open_containers(
    *, host: str, image: str, home: Path, spare: Sequence[Path], mountinfo: Path = MOUNTINFO
) -> Containers:
    """Containers of ``image``; of the image in which we run, or IMAGE, where it is empty.

    ``home``: where the tools of this machine lie; ``spare``: folders that may hold the private one where the usual
    temporary folder is none of the daemon's host. Raises EnvironmentBrokenError, with what to do, where the daemon, the
    image or such a folder is missing, before anything is scanned.
    """
    with ExitStack() as undo:
        engine = Docker(host)
        undo.callback(engine.close)
        containers = _opened(engine, image, home, spare, mountinfo.read_text(encoding="utf-8", errors="replace"))
        undo.pop_all()
    return containers


def _opened(engine: Docker, image: str, home: Path, spare: Sequence[Path], mountinfo: str) -> Containers:
    facts = engine.facts()
    _require_limits(facts)
    ours = _whereabouts(engine, own_id(mountinfo))
    chosen = image or (ours.image if ours else IMAGE)
    known = engine.image(chosen)
    temporary = _temporary(ours.mounts, spare) if ours else None
    engine.remove_overdue(time.time())
    terms = _terms(known, facts, ours, home)
    label = f"{image or next(iter(known.get('RepoTags') or ()), 'our own image')} ({known['Id'][:19]})"
    return Containers(
        engine,
        terms,
        temporary=temporary,
        name=f"containers of {label}, Docker {facts['ServerVersion']} at {engine.host}",
    )


def read_ours(known: Mapping[str, Any]) -> Ours:
    """From the description of our container ("ContainerInspect")."""
    host = known["HostConfig"]
    in_memory = [*(host.get("Tmpfs") or {}), *(row["Destination"] for row in known["Mounts"] if not row.get("Source"))]
    mounts = [
        Mounted(source=Path(row["Source"]), target=Path(row["Destination"]))
        for row in known["Mounts"]
        if row.get("Source")
    ]
    period = host.get("CpuPeriod") or 100_000  # microseconds, the kernel's own
    return Ours(
        image=known["Image"],
        mounts=(*mounts, *(Mounted(source=None, target=Path(place)) for place in in_memory)),
        memory=host.get("Memory") or 0,
        nano_cpus=host.get("NanoCpus") or max(0, host.get("CpuQuota") or 0) * BILLION // period,
    )


def _terms(image: Mapping[str, Any], facts: Mapping[str, Any], ours: Ours | None, home: Path) -> Terms:
    variables = dict(pair.partition("=")[::2] for pair in image["Config"].get("Env") or ())
    holds = variables.get(HOME_VARIABLE)
    usable = min(len(os.sched_getaffinity(0)), facts["NCPU"]) * BILLION
    return Terms(
        image=image["Id"],
        image_variables=tuple(sorted(variables)),
        user=own_user(),
        nano_cpus=min(usable, ours.nano_cpus) if ours and ours.nano_cpus else usable,
        memory=ours.memory if ours else 0,
        mounts=ours.mounts if ours else None,
        tools=Path(PurePosixPath(holds, "tools")) if holds else TOOLS,
        tools_outside=None if holds else _tools_outside(home / "tools", ours),
        users_namespace="host" if "name=userns" in facts.get("SecurityOptions", ()) else "",
    )


def _whereabouts(engine: Docker, container: str | None) -> Ours | None:
    """Our own container; None on the daemon's host."""
    if container is None:
        return None
    ours = engine.ours(container)
    if ours is None:
        raise EnvironmentBrokenError(
            f"This container ({container[:12]}) is none of the daemon at {engine.host}: it cannot mount our folders.",
            f"Mount the socket of the daemon that has started this container, {INSTEAD}",
        )
    return ours


def _temporary(mounts: Sequence[Mounted], spare: Sequence[Path]) -> Path:
    """The first folder that we may write to and the daemon's host knows."""
    usual = Path(tempfile.gettempdir())
    for folder in (usual, *spare):
        place = folder.resolve()
        if outside(place, mounts) is not None and os.access(place, os.W_OK | os.X_OK):
            return place
    raise EnvironmentBrokenError(
        f"{usual} exists in this container only: the Docker daemon cannot mount it into others.",
        f"Mount a folder of the host and name it (docker run --volume /var/tmp/gate:/var/tmp/gate "
        f"--env TMPDIR=/var/tmp/gate), {INSTEAD}",
    )


def _tools_outside(folder: Path, ours: Ours | None) -> Path:
    """Where the daemon's host has the tools of this machine."""
    place = folder.resolve()
    found = outside(place, ours.mounts) if ours else place
    if found is None:
        raise EnvironmentBrokenError(
            "The image of --runner-image holds no tools, and those of this container lie where no other can see them.",
            f"Name an image that sets {HOME_VARIABLE} and holds them, such as our own, {INSTEAD}",
        )
    return found


def _require_limits(facts: Mapping[str, Any]) -> None:
    """Raise EnvironmentBrokenError for a daemon that would start children with less than we promise."""
    missing = [
        word
        for word, name in (("memory", "MemoryLimit"), ("processes", "PidsLimit"), ("processors", "CpuCfsQuota"))
        if not facts.get(name)
    ]
    if missing:
        raise EnvironmentBrokenError(
            f"The Docker daemon cannot limit {', '.join(missing)} of a container.",
            f"Give its host the cgroup controllers memory, pids and cpu, {INSTEAD}",
        )
    if "name=rootless" in facts.get("SecurityOptions", ()):
        raise EnvironmentBrokenError(
            "The Docker daemon is rootless: its containers have other users than this machine, and cannot enter the "
            "private folders of the scanners.",
            f"Name the socket of another daemon with DOCKER_HOST, {INSTEAD}",
        )


def _require_listener(host: str) -> None:
    """The SDK would say the same in other words, and leave a socket open."""
    with _asking(f"The Docker daemon at {host} does not answer"), socket.socket(socket.AF_UNIX) as attempt:
        attempt.settimeout(SECONDS)
        attempt.connect(host.removeprefix(UNIX))


@contextmanager
def _unless_ended() -> Iterator[None]:
    """It is as good as done where somebody else has done it."""
    try:
        yield
    except APIError as error:
        if error.status_code not in ENDED:
            raise


@contextmanager
def _asking(what: str, remedy: str = DAEMON) -> Iterator[None]:
    """Whatever the daemon or the way to it has to say, in the words of this program."""
    try:
        yield
    except (DockerException, OSError) as error:
        said = getattr(error, "explanation", None) or str(error)
        raise EnvironmentBrokenError(f"{what}: {' '.join(str(said).split())}.", remedy) from error
