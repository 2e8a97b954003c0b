"""An audit as ``audit.json`` (schema ``hardening-gate/audit/1``), and back.

The same audit gives the same bytes: no time, no duration, no fact about the machine.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from model.audit import (
    Audit,
    AuditedContainer,
    AuditedResource,
    Coverage,
    NotJudged,
    Result,
    ResultStatus,
    ScannerState,
    Score,
    Witness,
)
from model.control import Severity, Subject
from model.errors import UsageError
from model.finding import Drop, ScanStatus
from model.policy import Waiver
from model.resource import Excluded, Failure, Location, Note, Precision, ResourceRef, Source, SourceKind, Stage
from reporting.text import json_text

if TYPE_CHECKING:
    from jsonschema import ValidationError

SCHEMA = "hardening-gate/audit/1"
SCHEMA_FILE = Path(__file__).with_name("audit.schema.json")
TOOL = "hardening-gate"
REMEDY = "Write one with `hardening-gate scan --format json=FILE`."

PIECE = 100
"""Rows of a list that are made into text at a time."""

Row = dict[str, Any]


def dump(audit: Audit) -> str:
    """The JSON text of an audit."""
    return "".join(pieces(audit))


def pieces(audit: Audit) -> Iterator[str]:
    """The JSON text of an audit, bit by bit: that of a large one need not be held in memory."""
    return to_pieces(
        {
            "schema": SCHEMA,
            "tool": {"name": TOOL, "version": audit.tool_version, "catalogue": audit.catalogue},
            "policy": audit.policy,
            "kube_version": audit.kube_version,
            "scanners": [_scanner(scanner) for scanner in audit.scanners],
            "score": score(audit.score),
            "coverage": _coverage(audit),
            "sources": [_source(source, audit.resources) for source in audit.sources],
            "resources": map(_resource, audit.resources),
            "results": map(result, audit.results),
            "failures": [_failure(failure) for failure in audit.failures],
            "unused_waivers": [_waiver(waiver) for waiver in audit.unused_waivers],
            "expired_waivers": [_waiver(waiver) for waiver in audit.expired_waivers],
        }
    )


def to_pieces(value: Mapping[str, Any]) -> Iterator[str]:
    """JSON as all our files have it: a line for each row of a list, stable, a final newline."""
    yield from map(json_text, _lines(value))
    yield "\n"


def _lines(value: Any) -> Iterator[str]:  # noqa: ANN401 any JSON, an iterator in place of a list
    if isinstance(value, list | Iterator):
        yield from _rows("[", iter(value), "]")
    elif isinstance(value, Mapping) and any(isinstance(item, list | Iterator) for item in value.values()):
        opening = "{\n"
        for key, item in value.items():
            yield f"{opening}{_compact(key)}: "
            yield from _lines(item)
            opening = ",\n"
        yield "\n}"
    else:
        yield _compact(value)


def _rows(opening: str, rows: Iterator[Any], closing: str) -> Iterator[str]:
    """Rows on lines of their own, many to a piece."""
    yield opening
    comma = "\n"
    while some := list(islice(rows, PIECE)):
        yield comma + _joined(some)
        comma = ",\n"
    yield f"\n{closing}" if comma != "\n" else closing


def _joined(rows: Sequence[Any]) -> str:
    """Each on one line."""
    try:
        return b",\n".join(map(orjson.dumps, rows)).decode()
    except orjson.JSONEncodeError:
        return ",\n".join(map(_compact, rows))


def _compact(value: Any) -> str:  # noqa: ANN401 any JSON
    """One line. A lone surrogate, which is no text, is escaped as JSON allows."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))


def score(value: Score) -> Row:
    """A score as its two integers."""
    return {"earned": value.earned, "possible": value.possible}


def result(row: Result) -> Row:
    """A result, with its location and its witnesses."""
    return {
        "control": row.control,
        "severity": row.severity,
        "status": row.status,
        "resource": row.resource,
        "subject": row.subject,
        "container": row.container,
        "field": row.field,
        "message": row.message,
        "fingerprint": row.fingerprint,
        "location": _location(row.location),
        "values": None,
        "witnesses": [
            {"scanner": w.scanner, "rule": w.rule, "verdict": w.verdict, "message": w.message} for w in row.witnesses
        ],
        "waiver": None if row.waiver is None else _waiver(row.waiver),
        "remedy": None,
    }


def _location(location: Location) -> Row:
    return {
        "path": location.path,
        "line": location.line,
        "column": location.column,
        "precision": location.precision,
    }


def _scanner(state: ScannerState) -> Row:
    return {
        "name": state.name,
        "version": state.version,
        "status": state.status,
        "reason": state.reason,
        "findings": state.raw_findings,
        "dropped": state.dropped,
    }


def _coverage(audit: Audit) -> Row:
    coverage = audit.coverage
    return {
        "files": coverage.files,
        "documents": coverage.documents,
        "resources": coverage.resources,
        "excluded": [{"path": row.path, "pattern": row.pattern} for row in coverage.excluded],
        "not_judged": [
            {"resource": row.resource, "container": row.container, "control": row.control, "reason": row.reason}
            for row in coverage.not_judged
        ],
        "unscanned": [
            {
                "path": failure.path,
                "line": failure.line,
                "scanner": failure.scanner,
                "reason": failure.reason,
                "remedy": failure.remedy,
            }
            for failure in audit.unscanned
        ],
        "notes": [{"path": note.path, "line": note.line, "reason": note.reason} for note in coverage.notes],
        "dropped": [
            {"scanner": drop.scanner, "rule": drop.rule, "reason": drop.reason, "count": drop.count}
            for drop in coverage.drops
        ],
    }


def _source(source: Source, resources: Sequence[AuditedResource]) -> Row:
    return {
        "id": source.id,
        "kind": source.kind,
        "path": source.path,
        "name": source.name,
        "environment": source.environment,
        "values": list(source.values),
        "kube_version": source.kube_version,
        "resources": sum(resource.source == source.id for resource in resources),
    }


def _resource(resource: AuditedResource) -> Row:
    ref = resource.ref
    return {
        "id": resource.id,
        "source": resource.source,
        "group": ref.group,
        "version": resource.version,
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
        "digest": resource.digest,
        "score": score(resource.score),
        "location": _location(resource.location),
        "stem": resource.stem,
        "contents": resource.contents,
        "containers": [{"key": each.key, "contents": each.contents} for each in resource.containers],
    }


def _failure(failure: Failure) -> Row:
    return {
        "stage": failure.stage,
        "path": failure.path,
        "line": failure.line,
        "scanner": failure.scanner,
        "source": failure.source,
        "resource": failure.resource,
        "digest": failure.digest,
        "reason": failure.reason,
        "remedy": failure.remedy,
    }


def _waiver(waiver: Waiver) -> Row:
    return {
        "control": waiver.control,
        "resource": waiver.resource,
        "container": waiver.container,
        "path": waiver.path,
        "reason": waiver.reason,
        "owner": waiver.owner,
        "expires": None if waiver.expires is None else waiver.expires.isoformat(),
    }


def load(text: str, name: str) -> Audit:
    """The audit that ``dump`` wrote. Raises UsageError, with ``name`` of the file, for anything else."""
    from jsonschema import Draft202012Validator, ValidationError

    try:
        data = json.loads(text)
        if data["schema"] != SCHEMA:
            raise UsageError(
                f"{name} has the schema {data['schema']!r}, this version reads {SCHEMA!r}",
                "Audit both sides with the same version of hardening-gate.",
            )
        Draft202012Validator(json.loads(SCHEMA_FILE.read_bytes())).validate(data)
        return _checked(_audit(data))
    except ValidationError as error:
        raise UsageError(f"{name} is no audit of hardening-gate: {_place_of(error)}", REMEDY) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(
            f"{name} is no audit of hardening-gate ({type(error).__name__}: {error})",
            REMEDY,
        ) from error


def _place_of(error: ValidationError) -> str:
    """Where a stored audit leaves its schema, without what stands there."""
    where = "/".join(str(step) for step in error.absolute_path) or "the whole"
    return f"{where} does not satisfy {error.validator!r}"


def _checked(audit: Audit) -> Audit:
    """The audit, once everything that it refers to is in it. Raises ValueError."""
    sources = {source.id for source in audit.sources}
    resources = {resource.id for resource in audit.resources}
    if len(resources) != len(audit.resources):
        raise ValueError("two resources share an id")
    for resource in audit.resources:
        if resource.source not in sources:
            raise ValueError(f"there is no source {resource.source!r}")
    for each in audit.results:
        if each.resource not in resources:
            raise ValueError(f"there is no resource {each.resource!r}")
    _check_scores(audit)
    return audit


def _check_scores(audit: Audit) -> None:
    """What each resource lost is what its failed results weigh, and the whole is the sum. Raises ValueError."""
    lost: dict[str, dict[tuple[str, str | None], int]] = {}
    for each in audit.results:
        if each.status is ResultStatus.FAILED and not each.control.startswith("unmapped/"):
            lost.setdefault(each.resource, {})[each.control, each.container] = each.severity.weight
    for resource in audit.resources:
        points = resource.score
        if points.possible and points.possible - points.earned != sum(lost.get(resource.id, {}).values()):
            raise ValueError(f"the score of {resource.id!r} does not fit its results")
    if audit.score != sum((resource.score for resource in audit.resources), Score()):
        raise ValueError("the score is not the sum of the scores of its resources")


def _audit(data: Row) -> Audit:
    coverage = data["coverage"]
    return Audit(
        tool_version=data["tool"]["version"],
        catalogue=data["tool"]["catalogue"],
        policy=data["policy"],
        kube_version=data["kube_version"],
        scanners=tuple(
            ScannerState(
                name=row["name"],
                version=row["version"],
                status=ScanStatus(row["status"]),
                reason=row["reason"],
                raw_findings=row["findings"],
                dropped=row["dropped"],
            )
            for row in data["scanners"]
        ),
        sources=tuple(_read_source(row) for row in data["sources"]),
        resources=tuple(_read_resource(row) for row in data["resources"]),
        results=tuple(_read_result(row) for row in data["results"]),
        failures=tuple(Failure(**{**row, "stage": Stage(row["stage"])}) for row in data["failures"]),
        coverage=Coverage(
            files=coverage["files"],
            documents=coverage["documents"],
            resources=coverage["resources"],
            excluded=tuple(Excluded(**row) for row in coverage["excluded"]),
            not_judged=tuple(NotJudged(**row) for row in coverage["not_judged"]),
            notes=tuple(Note(**row) for row in coverage["notes"]),
            drops=tuple(Drop(**row) for row in coverage["dropped"]),
        ),
        score=Score(**data["score"]),
        unused_waivers=tuple(_read_waiver(row) for row in data["unused_waivers"]),
        expired_waivers=tuple(_read_waiver(row) for row in data["expired_waivers"]),
    )


def _read_source(row: Row) -> Source:
    fields = {key: row[key] for key in ("id", "path", "name", "environment", "kube_version")}
    return Source(**fields, kind=SourceKind(row["kind"]), values=tuple(row["values"]))


def _read_location(row: Mapping[str, Any]) -> Location:
    return Location(path=row["path"], line=row["line"], column=row["column"], precision=Precision(row["precision"]))


def _read_resource(row: Row) -> AuditedResource:
    return AuditedResource(
        id=row["id"],
        source=row["source"],
        ref=ResourceRef(group=row["group"], kind=row["kind"], namespace=row["namespace"], name=row["name"]),
        version=row["version"],
        digest=row["digest"],
        location=_read_location(row["location"]),
        score=Score(**row["score"]),
        stem=row.get("stem"),
        contents=tuple(row.get("contents", ())),
        containers=tuple(
            AuditedContainer(key=each["key"], contents=tuple(each["contents"])) for each in row.get("containers", ())
        ),
    )


def _read_result(row: Row) -> Result:
    return Result(
        control=row["control"],
        severity=Severity(row["severity"]),
        status=ResultStatus(row["status"]),
        resource=row["resource"],
        subject=Subject(row["subject"]),
        container=row["container"],
        field=row["field"],
        message=row["message"],
        fingerprint=row["fingerprint"],
        location=_read_location(row["location"]),
        witnesses=tuple(
            Witness(**{**witness, "verdict": ResultStatus(witness["verdict"])}) for witness in row["witnesses"]
        ),
        waiver=None if row["waiver"] is None else _read_waiver(row["waiver"]),
    )


def _read_waiver(row: Row) -> Waiver:
    expires = row["expires"]
    return Waiver(**{**row, "expires": None if expires is None else dt.date.fromisoformat(expires)})
