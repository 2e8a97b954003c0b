"""An audit as JUnit XML: a suite for each source, a test case for each result; what was not scanned is an error.

Elements and attributes are those that Jenkins, GitLab and junitparser read; no time is among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from model.audit import Audit, AuditedResource, Result, ResultStatus
from model.control import Control
from model.resource import Failure, Source
from reporting.text import Words, words

NAME = "hardening-gate"
ELSEWHERE = "not scanned"
"""The suite of failures that belong to no source."""


def render(head: Audit, controls: Mapping[str, Control]) -> str:
    """The XML text; of passed results only those that the audit keeps."""
    root = Element("testsuites", name=NAME)
    resources = {resource.id: resource for resource in head.resources}
    results: dict[str, list[Result]] = {source.id: [] for source in head.sources}
    for result in head.results:
        results[resources[result.resource].source].append(result)
    failures: dict[str, list[Failure]] = {}
    for failure in head.unscanned:
        known = failure.source if failure.source in results else ELSEWHERE
        failures.setdefault(known or ELSEWHERE, []).append(failure)
    for source in head.sources:
        suite = SubElement(root, "testsuite", name=_source(source))
        _fill(suite, results[source.id], failures.pop(source.id, []), resources, controls)
    for told in failures.values():
        _fill(SubElement(root, "testsuite", name=ELSEWHERE), [], told, resources, controls)
    _count(root, root.iter("testcase"))
    indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _fill(
    suite: Element,
    results: Iterable[Result],
    failures: Iterable[Failure],
    resources: Mapping[str, AuditedResource],
    controls: Mapping[str, Control],
) -> None:
    for failure in failures:
        _add_failure(suite, failure)
    for result in results:
        _add_result(suite, result, resources[result.resource], controls[result.control])
    _count(suite, suite.iter("testcase"))


def _add_result(suite: Element, result: Result, resource: AuditedResource, control: Control) -> None:
    container = words(" container {}", result.container) if result.container else Words("")
    case = SubElement(
        suite,
        "testcase",
        classname=words("{}", result.control),
        name=words("{}{}: {}", str(resource.ref), container, control.title),
        file=words("{}", result.location.path),
        line=str(result.location.line),
    )
    message = words("{}", result.message)
    match result.status:
        case ResultStatus.FAILED:
            said = SubElement(case, "failure", message=message, type=result.severity)
            said.text = _lines(
                words("{}:{}", result.location.path, result.location.line),
                words("Severity: {}", result.severity),
                words("Why: {}", control.why),
                words("Fix: {}", control.remedy),
            )
        case ResultStatus.WAIVED:
            waiver = result.waiver
            reason = words("waived: {} ({})", waiver.reason, waiver.owner) if waiver else words("waived")
            SubElement(case, "skipped", message=reason)
        case ResultStatus.PASSED:
            pass


def _add_failure(suite: Element, failure: Failure) -> None:
    who = words(" by {}", failure.scanner) if failure.scanner else Words("")
    case = SubElement(
        suite,
        "testcase",
        classname=words("{}", failure.stage),
        name=words("{} not scanned{}", failure.path, who),
        file=words("{}", failure.path),
    )
    if failure.line:
        case.set("line", str(failure.line))
    error = SubElement(case, "error", message=words("{}", failure.reason), type="not-scanned")
    error.text = _lines(words("Next: {}", failure.remedy))


def _lines(*lines: Words) -> str:
    return "\n".join(lines)


def _count(parent: Element, cases: Iterable[Element]) -> None:
    """The sums that readers show before they look inside."""
    cases = list(cases)
    parent.set("tests", str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        parent.set(attribute, str(sum(case.find(tag) is not None for case in cases)))


def _source(source: Source) -> Words:
    if source.environment:
        return words("{} {} in {}", source.kind, source.path, source.environment)
    return words("{} {}", source.kind, source.path)
