"""Reads packed charts out of the cache that ``deps`` fills. It fetches nothing, and takes nothing on trust."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

from manifests import files
from manifests.files import Kind, NotReadError, TooLargeError
from model.chart import PinnedChart, cached_name

ARCHIVE: Final = re.compile(r"sha256-[0-9a-f]{64}\.tgz")
DAMAGED: Final = "run 'hardening-gate deps' again: it fetches what is damaged"


def read_cached(cache: Path, chart: PinnedChart, limit: int) -> bytes | None:
    """The archive of ``chart``, of at most ``limit`` bytes; None where the cache has none.

    Raises NotReadError for one whose bytes are not those that its name promises.
    """
    folder = cache / chart.entry
    if files.kind_of(folder) is not Kind.FOLDER:
        return None
    found = [entry for entry in files.entries(folder) if ARCHIVE.fullmatch(entry.name)]
    if not found:
        return None
    try:
        data = files.read_file(found[0].path, limit)
    except TooLargeError as error:
        reason = f"the archive of {chart.label} is larger than {limit >> 20} MiB, which Helm refuses in charts/"
        raise NotReadError(reason, "vendor it unpacked: 'helm pull --untar'") from error
    except NotReadError as error:
        raise NotReadError(f"the cached archive of {chart.label}: {error.reason}", DAMAGED) from error
    if cached_name(hashlib.sha256(data).hexdigest()) != found[0].name:
        raise NotReadError(f"the cached archive of {chart.label} is damaged: its digest is another one", DAMAGED)
    return data
