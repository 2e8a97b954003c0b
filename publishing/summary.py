"""The summary of the job: appended to the file that the runner names, whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from publishing.failure import NotPublishedError, PublishError, as_value

LARGEST: Final = 1 << 20
"""Bytes of one step's summary: of a larger file the runner shows nothing."""
WHAT: Final = "the job summary"
_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@as_value
def append(path: Path, text: str) -> None:
    """Write ``text`` at the end of the file; returns a PublishError where that cannot be.

    The file exists, is regular and no link: the runner made it.
    """
    try:
        file = os.open(path, _FLAGS)
    except OSError as error:
        raise _refused(f"its file cannot be opened ({error.strerror})") from error
    try:
        _append(file, text.encode(errors="replace"))
    except OSError as error:
        raise _refused(f"its file cannot be written ({error.strerror})", "Free some space on its disk.") from error
    finally:
        os.close(file)


def _append(file: int, text: bytes) -> None:
    """Raises OSError; then the file is what it was."""
    about = os.fstat(file)
    if not stat.S_ISREG(about.st_mode):
        raise _refused("its file is no regular file")
    data = (b"\n\n" if about.st_size else b"") + text
    if about.st_size + len(data) > LARGEST:
        size = about.st_size + len(data)
        raise _refused(f"with it the file has {size} bytes, more than {LARGEST}", "Shorten it, or use a step alone.")
    try:
        written = 0
        while written < len(data):
            written += os.write(file, data[written:])
    except OSError:
        os.ftruncate(file, about.st_size)
        raise


def _refused(reason: str, remedy: str = "Hand GITHUB_STEP_SUMMARY on as the runner sets it.") -> NotPublishedError:
    return NotPublishedError(PublishError(what=WHAT, reason=reason, remedy=remedy))
