"""The children of this process: who leads a session of ours, and what has left it; one for all sandboxes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol


class Owner(Protocol):
    """Whose children they are."""

    stopped: bool


class Closing(Protocol):
    """A sandbox."""

    def close(self) -> None:
        """End all children and remove the private folder."""


class Family:
    """The children that lead a session of ours; one for all sandboxes, as the process table is."""

    def __init__(self) -> None:
        # Reentrant: a signal's handler may interrupt the very thread that holds it.
        self.lock = threading.RLock()
        self.leaders: dict[int, Owner] = {}
        self.sandboxes: set[Closing] = set()


FAMILY = Family()


def kill_all() -> None:
    """End everything that was started and remove every private folder; for the handler of a signal that ends us."""
    for sandbox in tuple(FAMILY.sandboxes):
        sandbox.close()


def finds_strays() -> bool:
    """Whether this kernel lists our children (CONFIG_PROC_CHILDREN): else one that hides outlives its parent."""
    return Path(f"/proc/self/task/{threading.get_native_id()}/children").exists()


def children() -> Iterator[int]:
    """All children of all threads of this process."""
    for thread in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            yield from map(int, (thread / "children").read_text(encoding="ascii").split())


def kill_group(pid: int) -> None:
    """End the process group that ``pid`` leads, if it is still there."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def await_death(pid: int) -> None:
    """The number stays the child's own until it is buried."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
