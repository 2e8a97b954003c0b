"""What the run of a fork has left behind, read as a claim: bounded, checked against the schema, its sums added up.

Nothing of it is repeated in an error: the fork has written every byte.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from controls.catalogue import Catalogue
from model.audit import Audit, ResultStatus
from model.errors import UsageError
from reporting import audit_json

FILE: Final = "audit.json"
"""The only one that is looked at."""
LARGEST: Final = 50_000_000
"""Bytes."""
DEEPEST: Final = 50
"""Brackets that are open at the same time; an audit has 8."""
REMEDY: Final = "Let the first stage upload the audit.json that `output:` names; see docs/forks.md."


def read_claim(folder: Path, catalogue: Catalogue) -> Audit:
    """The audit that the run says it has made. Raises UsageError for what is none."""
    text = _text(folder / FILE)
    _require_flat(text)
    try:
        audit = audit_json.load(text, FILE)
    except UsageError as error:
        raise UsageError(f"the {FILE} of the run is no audit of this version", REMEDY) from error
    known = catalogue.with_unmapped(result.control for result in audit.results)
    if any(result.control not in known for result in audit.results):
        raise UsageError(f"the {FILE} of the run names a control that does not exist", REMEDY)
    return audit


def failed(audit: Audit) -> int:
    """How many findings it holds."""
    return sum(result.status is ResultStatus.FAILED for result in audit.results)


def _text(file: Path) -> str:
    """Of a regular file of bounded size: no link, and nothing that never ends."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"the {FILE} of the run cannot be opened: {error.strerror}", REMEDY) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UsageError(f"the {FILE} of the run is no regular file", REMEDY)
        with os.fdopen(descriptor, "rb", closefd=False) as opened:
            data = opened.read(LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(data) > LARGEST:
        raise UsageError(f"the {FILE} of the run is larger than {LARGEST // 1_000_000} MB", REMEDY)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"the {FILE} of the run is no text", REMEDY) from error


def _require_flat(text: str) -> None:
    """Refuse what is nested so deep that readers of JSON run out of stack. Raises UsageError."""
    depth = 0
    in_string = is_escaped = False
    for character in text if text.count("[") + text.count("{") > DEEPEST else "":
        if in_string:
            in_string = is_escaped or character != '"'
            is_escaped = character == "\\" and not is_escaped
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            if depth > DEEPEST:
                raise UsageError(f"the {FILE} of the run is nested too deep", REMEDY)
        elif character in "]}":
            depth -= 1
