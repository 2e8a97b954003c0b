"""Names the copy that something is rendered from by its content: what an equal copy came to need not be made again."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from manifests.helm.steady import regular_files


def folder_digest(folder: Path) -> str:
    """SHA-256 of the paths and the bytes of all files below a folder of our own, wherever that lies."""
    digest = hashlib.sha256()
    for path in sorted(regular_files(folder), key=os.fsencode):
        name, data = os.fsencode(path.relative_to(folder)), path.read_bytes()
        digest.update(b"%d %d\n" % (len(name), len(data)) + name + data)
    return digest.hexdigest()
