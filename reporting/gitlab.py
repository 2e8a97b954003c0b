"""Failed results as GitLab's Code Quality report (docs.gitlab.com, "Code Quality report format").

The widget compares reports of two branches by fingerprint. What was not scanned is an entry of its own: it must not
look as if it had passed.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from model.audit import Audit, Result, ResultStatus
from model.control import Control, Severity
from model.resource import Failure
from reporting.text import Words, words

SEVERITIES: Mapping[Severity, str] = {
    Severity.CRITICAL: "blocker",
    Severity.HIGH: "critical",
    Severity.MEDIUM: "major",
    Severity.LOW: "minor",
    Severity.INFO: "info",
}
NOT_SCANNED = "not-scanned"


def render(head: Audit, controls: Mapping[str, Control]) -> str:
    """The JSON text: failures first, then results in the order of the audit."""
    names = head.names
    failed = (result for result in head.results if result.status is ResultStatus.FAILED)
    entries = [
        *_failures(head.unscanned),
        *(_result(result, controls[result.control], names[result.resource]) for result in failed),
    ]
    return json.dumps(entries, ensure_ascii=False, indent=1) + "\n"


def _result(result: Result, control: Control, name: str) -> dict[str, Any]:
    container = words(" container {}", result.container) if result.container else Words("")
    return {
        "description": words("{}. {}{}: {}. {}", control.title, name, container, result.message, control.remedy),
        "check_name": words("{}", result.control),
        "fingerprint": result.fingerprint,
        "severity": SEVERITIES[result.severity],
        "location": _location(result.location.path, result.location.line),
    }


def _failures(failures: Iterable[Failure]) -> Iterator[dict[str, Any]]:
    """Known again by what they are, without a line; those that look alike are numbered."""
    seen: Counter[str] = Counter()
    for failure in failures:
        who = words(" by {}", failure.scanner) if failure.scanner else Words("")
        identity = json.dumps([failure.stage, failure.path, failure.scanner, failure.source, failure.resource])
        seen[identity] += 1
        yield {
            "description": words("Not scanned{}: {}. {}", who, failure.reason, failure.remedy),
            "check_name": NOT_SCANNED,
            "fingerprint": hashlib.sha256(f"{identity}{seen[identity]}".encode()).hexdigest(),
            "severity": SEVERITIES[Severity.CRITICAL],
            "location": _location(failure.path, failure.line or 1),
        }


def _location(path: str, line: int) -> dict[str, Any]:
    return {"path": words("{}", path), "lines": {"begin": line}}
