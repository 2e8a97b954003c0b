"""An audit as SARIF 2.1.0 for code scanning: one run, rules with help, our own fingerprints.

Limits and field rules are GitHub's (docs.github.com, "SARIF support for code scanning"): 5,000 results are kept, the
worst first; what was not scanned stands among the tool's notifications.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import attr
import sarif_om as sarif

from model.audit import Audit, Result, ResultStatus
from model.control import Control, Severity
from model.resource import Failure
from reporting.audit_json import TOOL
from reporting.text import SarifText, json_text, sarif_text

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST_RESULTS = 5000
MOST_TAGS = 10

LEVELS: Mapping[Severity, str] = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
SECURITY_SEVERITIES: Mapping[Severity, str] = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
    Severity.INFO: "0.5",
}
"""Strings above 0.0, in the middle of the band that GitHub shows under the same word."""


def render(audit: Audit, controls: Mapping[str, Control], category: str = TOOL) -> str:
    """The SARIF text. ``category`` keeps several jobs apart; code scanning reads it up to the last slash."""
    shown = [result for result in audit.results if result.status is not ResultStatus.PASSED][:MOST_RESULTS]
    rules = sorted({result.control for result in shown})
    names = audit.names
    run = sarif.Run(
        tool=sarif.Tool(driver=_driver(audit, [controls[rule] for rule in rules])),
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
        rules=[_rule(control) for control in controls],
    )


def _rule(control: Control) -> sarif.ReportingDescriptor:
    references = [f"{framework}: {', '.join(ids)}" for framework, ids in sorted(control.compliance.items())]
    text = sarif_text("{}\n\nWhat to do: {}", control.why, control.remedy)
    if references:
        text = SarifText(f"{text}\n\n{sarif_text('References: {}', '; '.join(references))}")
    return sarif.ReportingDescriptor(
        id=control.id,
        name="".join(word.capitalize() for word in re.split(r"[^A-Za-z0-9]+", control.id)),
        short_description=sarif.MultiformatMessageString(text=sarif_text("{}", control.title)),
        full_description=sarif.MultiformatMessageString(text=sarif_text("{}", control.why)),
        help=sarif.MultiformatMessageString(text=text),
        default_configuration=sarif.ReportingConfiguration(level=LEVELS[control.severity]),
        properties={
            "security-severity": SECURITY_SEVERITIES[control.severity],
            "precision": "high",
            "tags": ["security", "kubernetes", control.category, *sorted(control.compliance)][:MOST_TAGS],
        },
    )


def _invocation(audit: Audit, shown: Sequence[Result]) -> sarif.Invocation:
    notifications = [_notification(failure) for failure in audit.failures]
    left_out = sum(result.status is not ResultStatus.PASSED for result in audit.results) - len(shown)
    if left_out:
        text = sarif_text("{} results of lower severity are left out: code scanning keeps {}.", left_out, MOST_RESULTS)
        notifications.append(sarif.Notification(message=sarif.Message(text=text), level="warning"))
    return sarif.Invocation(
        execution_successful=not audit.unscanned, tool_execution_notifications=notifications or None
    )


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
        suppressions=_suppressions(result),
        properties={
            "scanners": sorted({witness.scanner for witness in result.witnesses if witness.verdict == "failed"}),
            "resource": result.resource,
            "precision": location.precision,
        },
    )


def _message(result: Result, control: Control, name: str) -> SarifText:
    container = f", container {result.container}" if result.container else ""
    return sarif_text("{}{}: {}", name, container, result.message or control.title)


def _suppressions(result: Result) -> list[sarif.Suppression] | None:
    if result.waiver is None:
        return None
    text = sarif_text("{} ({})", result.waiver.reason, result.waiver.owner)
    return [sarif.Suppression(kind="external", justification=text)]


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
