"""What the run of a fork has left behind, read as a claim: bounded, checked against the schema, its sums added up.

Nothing of it is repeated in an error: the fork has written every byte.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from controls.catalogue import Catalogue
from manifests.files import NotReadError, read_file
from model.audit import Audit, ResultStatus
from model.errors import UsageError
from reporting import audit_json
from reporting.numbers import severities

FILE: Final = "audit.json"
"""The only one that is looked at."""
LARGEST: Final = 50_000_000
"""Bytes."""
DEEPEST: Final = 50
"""Brackets that are open at the same time; an audit has 8."""
MOST_VALUES: Final = 6_000_000
"""Of what opens and what parts: three times what an audit of that size has."""
REMEDY: Final = "Let the first stage upload the audit.json that `output:` names; see docs/forks.md."
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{\]},]|\d{16,}|\d[.eE]|NaN|Infinity', re.DOTALL)
"""Strings, what opens, closes and parts, and the numbers that are refused: audits count in integers."""


def read_claim(folder: Path, catalogue: Catalogue) -> Audit:
    """The audit that the run says it has made. Raises UsageError for what is none."""
    text = _text(folder / FILE)
    _require_bounded(text)
    try:
        audit = audit_json.load(text, FILE)
    except UsageError as error:
        raise UsageError(f"the {FILE} of the run is no audit of this version", REMEDY) from error
    known = catalogue.with_unmapped(result.control for result in audit.results)
    if any(result.control not in known for result in audit.results):
        raise UsageError(f"the {FILE} of the run names a control that does not exist", REMEDY)
    return audit


def findings(audit: Audit) -> str:
    """How many it holds, by severity: ``3 (1 critical, 2 low)``."""
    return severities(result for result in audit.results if result.status is ResultStatus.FAILED)


def _text(file: Path) -> str:
    """Of a regular file of bounded size. Raises UsageError."""
    try:
        return read_file(file, LARGEST).decode("utf-8")
    except NotReadError as error:
        raise UsageError(f"the {FILE} of the run cannot be read: {error.reason}", REMEDY) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the {FILE} of the run is no text", REMEDY) from error


def _require_bounded(text: str) -> None:
    """Refuse what readers of JSON would choke on, before any of them sees it. Raises UsageError."""
    depth = values = 0
    for token in _TOKEN.finditer(text):
        first = token[0][0]
        if first == '"':
            continue
        if first not in "[{]},":
            raise UsageError(f"the {FILE} of the run has a number that no audit has", REMEDY)
        depth += (first in "[{") - (first in "]}")
        values += first in "[{,"
        if depth > DEEPEST:
            raise UsageError(f"the {FILE} of the run is nested too deep", REMEDY)
        if values > MOST_VALUES:
            raise UsageError(f"the {FILE} of the run holds too many values", REMEDY)
