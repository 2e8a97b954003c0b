"""An audit as SARIF 2.1.0 for code scanning: one run, rules with help, our own fingerprints.

Limits and field rules are GitHub's (docs.github.com, "SARIF support for code scanning"): 5,000 results are kept, the
worst first; what was not scanned stands among the tool's notifications. Waived results are left out and counted: GitHub
does not read ``suppressions`` (github/codeql-action#1230), and would show what was accepted as open.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import attr
import sarif_om as sarif

from model.audit import Audit, Result, ResultStatus
from model.control import RANKS, Control
from model.resource import Failure, Precision
from reporting.audit_json import TOOL
from reporting.sarif_rules import LEVELS, rule
from reporting.text import SarifText, json_text, sarif_text

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST_RESULTS = 5000


def render(audit: Audit, controls: Mapping[str, Control], category: str = TOOL) -> str:
    """The SARIF text. ``category`` keeps several jobs apart; code scanning reads it up to the last slash."""
    failed = [result for result in audit.results if result.status is ResultStatus.FAILED]
    shown = sorted(failed, key=lambda result: RANKS[result.severity])[:MOST_RESULTS]
    rules = sorted({result.control for result in shown})
    names = audit.names
    run = sarif.Run(
        tool=sarif.Tool(driver=_driver(audit, [controls[each] for each in rules])),
        automation_details=sarif.RunAutomationDetails(id=f"{category}/"),
        column_kind="unicodeCodePoints",
        invocations=[_invocation(audit, shown)],
        results=[
            _result(result, rules.index(result.control), controls[result.control], names.get(result.resource, ""))
            for result in shown
        ],
    )
    log = _plain(sarif.SarifLog(version="2.1.0", schema_uri=SCHEMA, runs=[run]))
    return json_text(json.dumps(log, ensure_ascii=False, allow_nan=False, indent=1)) + "\n"


def _driver(audit: Audit, controls: Iterable[Control]) -> sarif.ToolComponent:
    return sarif.ToolComponent(
        name=TOOL,
        version=audit.tool_version,
        semantic_version=audit.tool_version,
        rules=[rule(control) for control in controls],
    )


def _invocation(audit: Audit, shown: Sequence[Result]) -> sarif.Invocation:
    notifications = [*map(_notification, audit.unscanned), *_remarks(audit, shown)]
    return sarif.Invocation(
        execution_successful=not audit.unscanned, tool_execution_notifications=notifications or None
    )


def _remarks(audit: Audit, shown: Sequence[Result]) -> Iterator[sarif.Notification]:
    """What of the results does not stand in this file, and why."""
    counts = Counter(result.status for result in audit.results)
    cut, waived = counts[ResultStatus.FAILED] - len(shown), counts[ResultStatus.WAIVED]
    if cut:
        text = sarif_text("{} results of lower severity are left out: code scanning keeps {}.", cut, MOST_RESULTS)
        yield sarif.Notification(message=sarif.Message(text=text), level="warning")
    if waived:
        text = sarif_text("Findings that waivers accept are left out: {}. They stand in audit.json.", waived)
        yield sarif.Notification(message=sarif.Message(text=text), level="note")


def _notification(failure: Failure) -> sarif.Notification:
    who = f"{failure.scanner}: " if failure.scanner else ""
    return sarif.Notification(
        level="error",
        message=sarif.Message(text=sarif_text("Not scanned. {}{} {}", who, failure.reason, failure.remedy)),
        locations=[_place(failure.path, failure.line or 1, 1, 1)],
    )


def _result(result: Result, rule_index: int, control: Control, name: str) -> sarif.Result:
    location = result.location
    leaf = result.field.rpartition(".")[2] if result.field and location.precision == "exact" else "x"
    return sarif.Result(
        rule_id=result.control,
        rule_index=rule_index,
        level=LEVELS[result.severity],
        message=sarif.Message(text=_message(result, control, name)),
        locations=[_place(location.path, location.line, location.column, len(leaf))],
        partial_fingerprints={"primaryLocationLineHash": f"{result.fingerprint}:1"},
        properties={
            "scanners": sorted({witness.scanner for witness in result.witnesses if witness.verdict == "failed"}),
            "resource": result.resource,
            "precision": location.precision,
        },
    )


def _message(result: Result, control: Control, name: str) -> SarifText:
    """What is wrong where, which is all that GitHub shows where it has little room; then what to do."""
    container = f", container {result.container}" if result.container else ""
    line = " (the line is not known)" if result.location.precision is Precision.FILE else ""
    what = result.message or control.title or control.id
    return sarif_text("{}{}: {}{}.\nFix: {}", name, container, what.removesuffix("."), line, control.remedy)


def _place(path: str, line: int, column: int, width: int) -> sarif.Location:
    return sarif.Location(
        physical_location=sarif.PhysicalLocation(
            artifact_location=sarif.ArtifactLocation(uri=quote(path), uri_base_id="%SRCROOT%"),
            region=sarif.Region(start_line=line, start_column=column, end_line=line, end_column=column + max(1, width)),
        )
    )


def _plain(value: Any) -> Any:  # noqa: ANN401 the object model of SARIF carries no types
    """The object model as JSON values, without what equals the schema's default."""
    if attr.has(type(value)):
        return {
            field.metadata["schema_property_name"]: _plain(getattr(value, field.name))
            for field in attr.fields(type(value))
            if getattr(value, field.name) not in (None, field.default)
        }
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
