"""How one start of an external scanner is judged: by the report it printed, never by its exit code alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from model.finding import Missing, Opinion, Scan, ScanStatus
from model.resource import Resource
from process import End, Finished
from scanners.base import ScanContext

SHOWN_OF_STDERR = 300


class UnusableReport(Exception):  # noqa: N818 names what was found
    """A run whose report cannot be used; why, and whether trying with fewer objects may help."""

    def __init__(self, reason: str, *, splittable: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.splittable = splittable


def read_report(scanner: str, finished: Finished) -> Any:  # noqa: ANN401 JSON of somebody else
    """The JSON that a scanner printed. Raises UnusableReport for a crash, a time-out, and anything but JSON."""
    if finished.end is not End.EXITED:
        slow = finished.end is End.TIMED_OUT
        raise UnusableReport(f"{scanner} {finished.end}{_last_words(finished)}", splittable=not slow)
    try:
        return json.loads(finished.stdout)
    except (ValueError, RecursionError) as error:
        reason = f"{scanner} ended with exit code {finished.exit_code} and printed no report{_last_words(finished)}"
        raise UnusableReport(reason, splittable=True) from error


def answer(
    scanner: str,
    context: ScanContext,
    *,
    opinions: Mapping[Resource, Opinion],
    absent: Mapping[Resource, Missing],
    raw_findings: int,
) -> Scan:
    """The Scan of an external tool; it failed as a whole when nothing was shown though something was to be."""
    failed = bool(absent) and not opinions
    return Scan(
        scanner=scanner,
        version=context.toolbox.pin(scanner).version,
        status=ScanStatus.FAILED if failed else ScanStatus.OK,
        reason=next(iter(absent.values())).reason if failed else None,
        opinions=opinions,
        missing=absent,
        raw_findings=raw_findings,
    )


def missing(scanner: str, reason: str) -> Missing:
    """Why a resource was not shown, with the next step."""
    return Missing(
        reason=reason,
        remedy=f"Look at the object; leave {scanner} out with --scanners, or allow it with --allow-incomplete.",
    )


def _last_words(finished: Finished) -> str:
    words = finished.stderr.strip().splitlines()
    return f": {words[-1][:SHOWN_OF_STDERR]}" if words else ""
