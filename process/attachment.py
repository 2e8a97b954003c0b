"""What a container prints, as the Docker daemon hands it over: two streams in one, told apart, each within limits."""

from __future__ import annotations

import os
import selectors
import struct
import time
from types import TracebackType
from typing import Final, Self

from model.errors import EnvironmentBrokenError
from process.watching import CHUNK, KEPT_OF_STDERR, Ends, Whole

HEADER: Final = struct.Struct(">BxxxL")
"""Before each piece: the number of its stream and how many bytes it has (Docker Engine API, "ContainerAttach")."""
STDOUT: Final = 1
STDERR: Final = 2


class Attachment:
    """Both outputs of a container, read from one descriptor. A context manager."""

    def __init__(self, descriptor: int, limit: int) -> None:
        self.stdout = Whole(limit)
        self.stderr = Ends(KEPT_OF_STDERR)
        self.is_open = True
        self._descriptor = descriptor
        self._waiting = selectors.DefaultSelector()
        self._header = b""
        self._left = 0
        """Bytes of the piece that is being read."""
        self._into: Whole | Ends = self.stdout

    def __enter__(self) -> Self:
        """Read from now on."""
        self._waiting.register(self._descriptor, selectors.EVENT_READ)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """The descriptor is somebody else's to close."""
        self._waiting.close()

    def wait(self, seconds: float) -> None:
        """Read what comes first within ``seconds``. Raises EnvironmentBrokenError where the connection breaks."""
        if not self.is_open:
            time.sleep(seconds)
            return
        for _ in self._waiting.select(seconds):
            try:
                data = os.read(self._descriptor, CHUNK)
            except BlockingIOError:
                return
            except OSError as error:
                raise _broken(error.strerror or str(error)) from error
            self._take(data)
            if not data:
                self.is_open = False

    def _take(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            if self._left == 0:
                wanted = HEADER.size - len(self._header)
                self._header += data[at : at + wanted]
                at += wanted
                if len(self._header) == HEADER.size:
                    self._open_piece()
                continue
            piece = data[at : at + self._left]
            self._into.add(piece)
            self._left -= len(piece)
            at += len(piece)

    def _open_piece(self) -> None:
        stream, self._left = HEADER.unpack(self._header)
        self._header = b""
        if stream not in (STDOUT, STDERR):
            raise _broken(f"it sent something of a stream {stream}")
        self._into = self.stdout if stream == STDOUT else self.stderr


def _broken(why: str) -> EnvironmentBrokenError:
    return EnvironmentBrokenError(
        f"The connection to the Docker daemon broke while a container printed: {why}.",
        "See that the daemon runs (`docker version`), then run it again; or use `--runner process`.",
    )
