"""A chart that a lock file pins, and the name under which a cache keeps it: who fetches and who renders must agree."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
VERSION = re.compile(r"v?\d{1,9}(?:\.\d{1,9}){0,2}(?:-[0-9A-Za-z.-]{1,60})?(?:\+[0-9A-Za-z.-]{1,60})?")
"""One version, never a range (semver.org; Helm also takes a ``v`` and fewer numbers)."""
CACHE = "charts"
"""The folder of the cache that holds them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedChart:
    """A dependency in the one version that a lock file names."""

    name: str
    version: str
    repository: str
    """As written: ``https://…`` or ``oci://…``."""

    def __post_init__(self) -> None:
        """Raise ValueError for what is no plain name or no single version: both become names of files."""
        if not NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name of a chart")
        if not VERSION.fullmatch(self.version):
            raise ValueError(f"{self.version!r} is not one version")

    @property
    def label(self) -> str:
        """``redis 17.3.2``."""
        return f"{self.name} {self.version}"

    @property
    def entry(self) -> str:
        """The folder of the cache that holds its archive: readable, and another one for another repository."""
        key = hashlib.sha256(f"{self.repository}\0{self.name}\0{self.version}".encode("utf-8", "surrogatepass"))
        return f"{self.name}-{self.version}@{key.hexdigest()[:16]}"

    @property
    def archive(self) -> str:
        """As ``helm package`` calls it."""
        return f"{self.name}-{self.version}.tgz"


def cached_name(digest: str) -> str:
    """How the cache calls an archive: ``digest`` is its SHA-256 in hexadecimal."""
    return f"sha256-{digest}.tgz"
