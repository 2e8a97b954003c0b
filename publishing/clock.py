"""Time as a port: what waits takes one, and a test's clock waits for nothing."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds."""

    def elapsed(self) -> float:
        """Since some moment; never goes back."""
        ...

    def epoch(self) -> float:
        """Since 1970, as servers count."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return so much later."""
        ...


class SystemClock:
    """The machine's."""

    def elapsed(self) -> float:
        """Seconds since the machine started."""
        return time.monotonic()

    def epoch(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(seconds)
