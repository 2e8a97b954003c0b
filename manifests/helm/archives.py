"""Packed charts of our own copy, rewritten member by member. What one may hold is checked before, by ``chart_copy``."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Callable
from typing import Final

from manifests.files import NotReadError

Change = Callable[[str, bytes], bytes]
"""What becomes of a file of a chart: its path below the chart's folder, and its content."""
FASTEST: Final = 1


def rewrite(data: bytes, change: Change) -> bytes:
    """The packed chart with ``change`` made to each of its files; the very bytes where none changed.

    Raises NotReadError.
    """
    packed, changed = io.BytesIO(), False
    try:
        unpacked = gzip.decompress(data)
        with (
            tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as old,
            tarfile.open(fileobj=packed, mode="w:", format=tarfile.PAX_FORMAT) as new,
        ):
            for member in old:
                file = old.extractfile(member) if member.isreg() else None
                content = file.read() if file else b""
                made = change(_inside(member.name), content) if file else content
                changed |= made != content
                member.size = len(made)
                new.addfile(member, io.BytesIO(made) if file else None)
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError) as error:
        raise NotReadError(f"a packed chart cannot be read: {error}", "pack it again with 'helm package'") from error
    return gzip.compress(packed.getvalue(), FASTEST, mtime=0) if changed else data


def _inside(name: str) -> str:
    """The path below the chart's folder, which is the first part of every name."""
    return name.partition("/")[2]
