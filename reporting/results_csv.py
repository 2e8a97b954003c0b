"""An audit as CSV (RFC 4180) for spreadsheets: a row for each result, and one for each thing that was not scanned."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping

from model.audit import Audit, AuditedResource, Result, ResultStatus, Witness
from model.comparison import Comparison
from model.control import Control
from model.resource import Failure, Source
from reporting.text import csv_cell

COLUMNS = (
    "status",
    "change",
    "severity",
    "control",
    "title",
    "kind",
    "namespace",
    "name",
    "container",
    "field",
    "message",
    "path",
    "line",
    "column",
    "precision",
    "source",
    "environment",
    "scanners",
    "disagreeing",
    "waiver_reason",
    "waiver_owner",
    "waiver_expires",
    "remedy",
    "fingerprint",
)
UNSCANNED = "unscanned"


def render(head: Audit, comparison: Comparison | None, controls: Mapping[str, Control]) -> str:
    """The text; ``change`` is empty without a base and for what is not failed."""
    resources = {resource.id: resource for resource in head.resources}
    sources = {source.id: source for source in head.sources}
    changes = {} if comparison is None else _changes(comparison)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    for failure in head.unscanned:
        writer.writerow({name: csv_cell(value) for name, value in _failure(failure, sources).items()})
    for result in head.results:
        resource = resources[result.resource]
        cells = {
            "change": changes.get(result.fingerprint, "") if result.status is ResultStatus.FAILED else "",
            **_result(result, resource, sources[resource.source], controls[result.control]),
        }
        writer.writerow({name: csv_cell(value) for name, value in cells.items()})
    return text.getvalue()


def _changes(comparison: Comparison) -> dict[str, str]:
    lists = (
        ("introduced", comparison.introduced),
        ("newly_visible", comparison.newly_visible),
        ("persisting", comparison.persisting),
    )
    return {result.fingerprint: word for word, results in lists for result in results}


def _result(result: Result, resource: AuditedResource, source: Source, control: Control) -> dict[str, object]:
    waiver = result.waiver
    return {
        "status": result.status,
        "severity": result.severity,
        "control": result.control,
        "title": control.title,
        "kind": resource.ref.kind,
        "namespace": resource.ref.namespace,
        "name": resource.ref.name,
        "container": result.container or "",
        "field": result.field or "",
        "message": result.message,
        "path": result.location.path,
        "line": result.location.line,
        "column": result.location.column,
        "precision": result.location.precision,
        "source": source.path,
        "environment": source.environment,
        "scanners": " ".join(sorted(set(_said(result.witnesses, ResultStatus.FAILED)))),
        "disagreeing": " ".join(sorted(set(_said(result.witnesses, ResultStatus.PASSED)))),
        "waiver_reason": waiver.reason if waiver else "",
        "waiver_owner": waiver.owner if waiver else "",
        "waiver_expires": waiver.expires if waiver and waiver.expires else "",
        "remedy": control.remedy,
        "fingerprint": result.fingerprint,
    }


def _said(witnesses: tuple[Witness, ...], verdict: ResultStatus) -> Iterator[str]:
    return (witness.scanner for witness in witnesses if witness.verdict is verdict)


def _failure(failure: Failure, sources: Mapping[str, Source]) -> dict[str, object]:
    source = sources.get(failure.source or "")
    return {
        "status": UNSCANNED,
        "message": failure.reason,
        "path": failure.path,
        "line": failure.line or "",
        "source": source.path if source else "",
        "environment": source.environment if source else "",
        "scanners": failure.scanner or "",
        "remedy": failure.remedy,
    }
