"""Watches a child: what it prints, within limits, and the moment and the way of its end."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from model.errors import EnvironmentBrokenError

KEPT_OF_STDERR = 64 << 10
CHUNK = 1 << 18
LAST_WORDS = 1.0
"""Seconds for reading what an ended child left in its pipes, and for finding what it left running."""

Child = subprocess.Popen[bytes]


class End(StrEnum):
    """How a process ended."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    TIMED_OUT = "timed out"
    TOO_MUCH_OUTPUT = "printed too much"
    DISK_FULL = "filled the disk"


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


class Whole:
    """Everything that was printed, up to a limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self.chunks: list[bytes] = []

    @property
    def overflowed(self) -> bool:
        """Whether more was printed than the limit."""
        return self.size > self.limit

    @property
    def kept(self) -> bytes:
        """As much of it as there was room for."""
        return b"".join(self.chunks)

    def add(self, chunk: bytes) -> None:
        """Keep it as long as there is room."""
        self.chunks.append(chunk[: max(0, self.limit - self.size)])
        self.size += len(chunk)


class Ends:
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


class Watch:
    """A running child: what it prints, and the moment of its end. A context manager: leaving closes its pipes."""

    def __init__(self, child: Child, limit: int) -> None:
        self.child = child
        self.stdout = Whole(limit)
        self.stderr = Ends(KEPT_OF_STDERR)
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


def finished(program: str | Path, code: int, end: End, watch: Watch, seconds: float) -> Finished:
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
        stdout=watch.stdout.kept,
        stderr=stderr,
        seconds=seconds,
    )
