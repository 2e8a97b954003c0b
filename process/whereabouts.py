"""Where we are ourselves, as the Docker daemon sees it: on its host, or in a container whose folders lie elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

IDENTITY: Final = re.compile(r"/containers/([0-9a-f]{64})/(?:hostname|hosts|resolv\.conf)$")
FILES: Final = frozenset(("/etc/hostname", "/etc/hosts", "/etc/resolv.conf"))
"""Docker mounts each from the folder of the container, whose name is the container's id."""
MOUNTINFO: Final = Path("/proc/self/mountinfo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """A folder that is mounted into our container."""

    source: Path | None
    """On the daemon's host; None for what lies in memory, where nobody else sees it."""
    target: Path
    """As we see it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """The container in which we run."""

    image: str
    """Its id."""
    mounts: tuple[Mounted, ...]
    memory: int = 0
    """Bytes; 0 for no limit, and so below."""
    nano_cpus: int = 0
    """Billionths of processors."""


def own_id(mountinfo: str) -> str | None:
    """The id of our container; None where Docker has mounted nothing over our files. ``mountinfo``: see proc(5)."""
    for row in mountinfo.splitlines():
        fields = row.split(" ")
        if len(fields) > 4 and fields[4] in FILES and (found := IDENTITY.search(fields[3])):
            return found[1]
    return None


def outside(path: Path, mounts: Sequence[Mounted]) -> Path | None:
    """Where the daemon's host has ``path``; None where it lies in what no mount covers."""
    over = [mount for mount in mounts if path.is_relative_to(mount.target)]
    if not over:
        return None
    nearest = max(over, key=lambda mount: len(mount.target.parts))
    return nearest.source and nearest.source / path.relative_to(nearest.target)
