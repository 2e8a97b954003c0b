"""The port through which long work says how far it is; who listens decides whether anybody sees it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told from any thread; must be quick, since work waits for it, and raises nothing."""

    def __call__(self, what: str, /, *, more: int = 0, done: int = 0) -> None:
        """``more`` pieces of the work called ``what`` lie ahead, ``done`` of them are behind. Both add up."""
        ...


def unseen(what: str, /, *, more: int = 0, done: int = 0) -> None:
    """Nobody looks."""
