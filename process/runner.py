"""The port through which a sandbox starts its children, whatever they are: processes of this machine, or containers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from process.confinement import Limits
from process.watching import Finished

TICK = 0.25
"""Seconds between two looks at the free space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What is to be started, and with what."""

    command: tuple[str, ...]
    """A program by its absolute path, and its arguments."""
    cwd: Path
    """Absolute and without links; in a folder of the sandbox."""
    folder: Path
    """The folder of the sandbox that ``cwd`` lies in."""
    home: Path
    """The folder to which the places of its environment lead."""
    limits: Limits
    environment: Mapping[str, str]
    """All of it."""
    is_full: Callable[[], bool]
    """Whether there is too little free space for it to go on."""


class Runner(Protocol):
    """Starts children, several at once, watches them, and ends them with all that they have started."""

    @property
    def name(self) -> str:
        """For people: what its children are."""

    @property
    def is_container(self) -> bool:
        """Whether each child is a container of its own."""

    @property
    def tools(self) -> Path | None:
        """The folder in which a child finds the tools; None where it is the same as for us."""

    def run(self, start: Start) -> Finished:
        """Wait for the end of one child. Raises EnvironmentBrokenError when it cannot be started at all."""

    def close(self) -> None:
        """Give back what it holds, once nothing runs any more."""

    def end_all(self) -> None:
        """End all children at once and start no more. A signal's handler may call it: it waits for no other thread."""
