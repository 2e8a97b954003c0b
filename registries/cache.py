"""The archives that were fetched, each under the digest it must have: written whole or not at all, damage is seen.

Layout: ``charts/NAME-VERSION@KEY/sha256-DIGEST.tgz`` (``model/chart.py``), KEY telling repositories apart.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from model.chart import PinnedChart, cached_name
from model.errors import EnvironmentBrokenError

FOLDER_MODE: Final = 0o755
FILE_MODE: Final = 0o644
REMEDY: Final = "Name a folder that you may write to with --cache, and see that there is space."


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartCache:
    """The folder ``charts/`` of a cache."""

    folder: Path

    def has(self, chart: PinnedChart) -> bool:
        """Whether a sound archive of the chart is there; damaged ones are removed. Raises EnvironmentBrokenError."""
        try:
            sound = [file for file in self._files(chart) if _is_sound(file)]
        except OSError as error:
            raise _broken(self.folder, error) from error
        return bool(sound)

    def keep(self, chart: PinnedChart, data: bytes) -> str:
        """Write the archive beside its place, then move it there; its SHA-256. Raises EnvironmentBrokenError."""
        digest = hashlib.sha256(data).hexdigest()
        folder = self.folder / chart.entry
        try:
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=".fetching-", dir=folder)
            beside = Path(name)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                beside.chmod(FILE_MODE)
                beside.replace(folder / cached_name(digest))
                for old in self._files(chart):
                    if old.name != cached_name(digest):
                        old.unlink(missing_ok=True)
            finally:
                beside.unlink(missing_ok=True)
        except OSError as error:
            raise _broken(self.folder, error) from error
        return digest

    def _files(self, chart: PinnedChart) -> list[Path]:
        folder = self.folder / chart.entry
        return sorted(folder.glob(cached_name("*"))) if folder.is_dir() else []


def _is_sound(file: Path) -> bool:
    """Whether it is a regular file of the digest that it is called by; else it is removed."""
    if stat.S_ISREG(file.lstat().st_mode) and file.name == cached_name(hashlib.sha256(file.read_bytes()).hexdigest()):
        return True
    file.unlink()
    return False


def _broken(folder: Path, error: OSError) -> EnvironmentBrokenError:
    return EnvironmentBrokenError(f"the cache {folder} cannot be used: {error.strerror}", REMEDY)
