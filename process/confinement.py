"""What a child may do and know: its user, its limits, its environment; refuses where children cannot be confined.

Linux only; needs util-linux (``setpriv``, ``prlimit``).
"""

from __future__ import annotations

import ctypes
import math
import os
import resource
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model.errors import EnvironmentBrokenError

NOBODY = 65534
"""User and group of the children where we are root: owns nothing in a Debian or Alpine image."""
CAPABILITIES: Mapping[str, int] = {"CHOWN": 0, "DAC_OVERRIDE": 1, "KILL": 5, "SETGID": 6, "SETUID": 7}
"""What root needs to give children another user, to end them and to remove what they wrote (linux/capability.h)."""
DEAD_PROXY = "http://127.0.0.1:9"
"""The discard port: nothing listens there, so a tool that honours proxies reaches no network."""
PROCESSES = 1024
"""Threads and processes of all children together."""
OPEN_FILES = 4096
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


def told(home: Path) -> dict[str, str]:
    """All that a child is told about the world."""
    return {**FIXED, **dict.fromkeys(PROXIES, DEAD_PROXY), **{name: str(home / at) for name, at in PLACES.items()}}


def wrapping(tools: tuple[str, str], limits: Limits, *, nobody: bool) -> tuple[str, ...]:
    """The two programs that become the child, nobody or ourselves: one gives up rights, one sets limits."""
    setpriv, prlimit = tools
    user = (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all") if nobody else ()
    wanted = {
        "as": (resource.RLIMIT_AS, limits.memory),
        "core": (resource.RLIMIT_CORE, 0),
        # All cores for all of the time: it ends only what has escaped the wall clock.
        "cpu": (resource.RLIMIT_CPU, (math.ceil(limits.seconds) + 1) * (os.cpu_count() or 1)),
        "fsize": (resource.RLIMIT_FSIZE, limits.file_size),
        "nofile": (resource.RLIMIT_NOFILE, OPEN_FILES),
    }
    if nobody:  # Counted by user: where that is ourselves, a desktop alone may hold more than this.
        wanted["nproc"] = (resource.RLIMIT_NPROC, PROCESSES)
    options = (f"--{name}={_capped(*limit)}" for name, limit in wanted.items())
    return (setpriv, *user, "--no-new-privs", "--", prlimit, *options, "--")


def _capped(kind: int, wanted: int) -> int:
    """As much as wanted, but no more than this process itself may have: limits can only be lowered."""
    _, hard = resource.getrlimit(kind)
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


@contextmanager
def opened(program: Path) -> Iterator[int]:
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


def find_wrappers() -> tuple[str, str]:
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


def require_capabilities() -> None:
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


def become_guardian(*, unreadable: bool) -> None:
    """Orphans of our children come to us, and children of our own user cannot read our memory and environment."""
    libc = ctypes.CDLL(None, use_errno=True)
    calls = [(PR_SET_CHILD_SUBREAPER, 1), *([(PR_SET_DUMPABLE, 0)] if unreadable else [])]
    for option, value in calls:
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise EnvironmentBrokenError(
                f"prctl({option}) fails: {os.strerror(ctypes.get_errno())}; children could outlive this run.",
                "Allow prctl in the container's seccomp profile; Docker's default profile does.",
            )
