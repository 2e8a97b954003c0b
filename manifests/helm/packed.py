"""What a packed chart holds, looked into without unpacking it to anywhere: bounded, and no header is trusted."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from manifests.files import NotReadError
from manifests.helm.charts import CHART, REQUIREMENTS
from manifests.text.parse import parse
from model.values import Json, mapping, sequence, text

UNPACKED: Final = 64 << 20
"""Bytes that archives may unpack to."""
METADATA: Final = 4 << 20
"""Bytes of ``Chart.yaml`` files in them."""
NESTED: Final = 5
"""Charts packed into packed charts, and local dependencies of local dependencies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A packed chart."""

    name: str
    version: str
    """Both as its ``Chart.yaml`` has them; empty where that says nothing."""
    absent: tuple[str, ...]
    """Dependencies that it asks for and does not bring along: Helm renders it without them."""


class Look:
    """Looks into archives, and into those inside of them; all together unpack to a bounded number of bytes."""

    def __init__(self, unpacked: int = UNPACKED, metadata: int = METADATA) -> None:
        self._unpacked, self._metadata = unpacked, metadata

    def describe(self, data: bytes) -> Packed:
        """What the archive says it is. Raises NotReadError for one that cannot be read or unpacks to too much."""
        own: dict[str, Mapping[str, Json]] = {}
        brought: set[str] = set()
        for parts, content in self._files(data):
            match parts:
                case (_, (("Chart.yaml" | "requirements.yaml") as file)):
                    own[file] = self._mapping(content)
                case (_, "charts", _, "Chart.yaml"):
                    brought.add(text(self._mapping(content).get("name")))
                case (_, "charts", file) if file.endswith(".tgz"):
                    brought.add(self._name(content))
                case _:
                    continue
        metadata = own.get(CHART, {})
        asked = sequence(own.get(REQUIREMENTS, metadata).get("dependencies"))
        names = dict.fromkeys(text(mapping(each).get("name")) for each in asked)
        return Packed(
            name=text(metadata.get("name")),
            version=text(metadata.get("version")),
            absent=tuple(name for name in names if name not in brought),
        )

    def _name(self, data: bytes) -> str:
        charts = (content for parts, content in self._files(data) if len(parts) == 2 and parts[1] == CHART)
        return text(self._mapping(next(charts, b"")).get("name"))

    def _files(self, data: bytes) -> Iterator[tuple[tuple[str, ...], bytes]]:
        left, self._unpacked = self._unpacked, 0  # of an archive that is refused, nothing is given back
        unpacked = _unpack(data, left)
        self._unpacked = left - len(unpacked)
        for member, content in _read(unpacked):
            yield PurePosixPath(member.name).parts, content

    def _mapping(self, data: bytes) -> Mapping[str, Json]:
        self._metadata -= len(data)
        if self._metadata < 0:
            raise NotReadError("the archive says too much about itself", "pack the chart with a smaller Chart.yaml")
        documents = parse(data).documents
        return mapping(documents[0].value if documents else None)


def members(data: bytes, limit: int) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """The members of a packed chart, which unpacks to at most ``limit`` bytes. Raises NotReadError."""
    return _read(_unpack(data, limit))


def _unpack(data: bytes, limit: int) -> bytes:
    """What it unpacks to is bounded before tarfile sees it, which trusts headers."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            unpacked = packed.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(error) from error
    if len(unpacked) > limit:
        raise NotReadError(
            f"the archive unpacks to more than {limit >> 20} MiB", "pack the chart without what it does not need"
        )
    return unpacked


def _read(unpacked: bytes) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    try:
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isreg() and not member.issparse() else None
                yield member, file.read() if file else b""
    except (OSError, EOFError, tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> NotReadError:
    return NotReadError(f"the archive cannot be read: {error}", "pack the chart again with 'helm package'")
