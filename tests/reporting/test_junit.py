from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped, TestSuite

from model.audit import Audit, ResultStatus
from model.policy import Waiver
from model.resource import ResourceRef, Source, SourceKind
from reporting.junit import render
from tests.audits import MANIFESTS, audit, failure, location, resource, result
from tests.reporting.test_sarif import CONTROL

CONTROLS = {CONTROL.id: CONTROL}
CHART = Source(
    id="chart?values=prod", kind=SourceKind.HELM, path="chart", name="web", environment="prod", kube_version="1.34"
)


def suites(head: Audit) -> list[TestSuite]:
    """The report, as people's tools read it."""
    return list(JUnitXml.fromstring(render(head, CONTROLS).encode()))


def cases(head: Audit) -> list[Any]:
    return [case for suite in suites(head) for case in suite]


def test_each_source_is_a_suite_with_its_own_numbers() -> None:
    chart = resource("chart", id="c", source=CHART.id)
    head = audit([resource(), chart], [result(), result(of=chart)], sources=(MANIFESTS, CHART))
    assert [(suite.name, suite.tests, suite.failures, suite.errors) for suite in suites(head)] == [
        ("manifests .", 1, 1, 0),
        ("helm chart in prod", 1, 1, 0),
    ]
    whole = JUnitXml.fromstring(render(head, CONTROLS).encode())
    assert (whole.tests, whole.failures, whole.errors, whole.skipped) == (2, 2, 0, 0)


def test_a_failed_result_is_a_failure_with_place_reason_and_fix() -> None:
    (case,) = cases(audit([resource()], [result(location=location(line=12))]))
    assert case.classname == "run-as-non-root"
    assert case.name == "Deployment/-/web container app: Container may start as root"
    (said,) = case.result
    assert isinstance(said, Failure)
    assert (said.message, said.type) == ("may run as root", "high")
    assert said.text.splitlines() == [
        "web.yaml:12",
        "Severity: high",
        "Why: Root in a container is root on the node.",
        "Fix: Set securityContext.runAsNonRoot to true.",
    ]


def test_a_waived_result_is_skipped_with_its_reason_and_a_passed_one_passes() -> None:
    waiver = Waiver(control=CONTROL.id, resource="", reason="legacy", owner="@me")
    waived, passed = cases(
        audit([resource()], [result(status=ResultStatus.WAIVED, waiver=waiver), result(status=ResultStatus.PASSED)])
    )
    assert isinstance(waived.result[0], Skipped)
    assert waived.result[0].message == "waived: legacy (@me)"
    assert passed.is_passed


def test_what_was_not_scanned_is_an_error_in_its_source_or_in_a_suite_of_its_own() -> None:
    known, unknown = suites(audit([resource()], failures=[failure(line=3, scanner="trivy"), failure(source=None)]))
    assert (known.name, known.errors) == ("manifests .", 1)
    assert (unknown.name, unknown.errors) == ("not scanned", 1)
    (case,) = known
    (said,) = case.result
    assert isinstance(said, Error)
    assert (case.name, said.message, said.text) == (
        "broken.yaml not scanned by trivy",
        "it does not parse",
        "Next: Mend it.",
    )


def test_a_source_without_results_is_a_suite_all_the_same() -> None:
    assert [(suite.name, suite.tests) for suite in suites(audit())] == [("manifests .", 0)]


@given(text=st.one_of(st.text(), st.just("]]><testcase/>&<!--\x00\ufffe\ud800\r\n")))
def test_no_text_is_anything_but_text(text: str) -> None:
    bearer = resource(ref=ResourceRef(group=text, kind=text, namespace=text, name=text), location=location(text))
    found = result(of=bearer, container=text, message=text, location=location(text))
    source = Source(id=MANIFESTS.id, kind=SourceKind.HELM, path=text, name=text, environment=text, kube_version="1.34")
    head = audit([bearer], [found], [failure(text, reason=text, remedy=text)], sources=(source,))
    (suite,) = suites(head)
    assert (suite.tests, suite.failures, suite.errors) == (2, 1, 1)


def test_the_report_has_a_declaration_and_no_time(tmp_path: Path) -> None:
    text = render(audit([resource()], [result()]), CONTROLS)
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ')
    assert "time" not in text
    (tmp_path / "junit.xml").write_text(text, encoding="utf-8")
    assert JUnitXml.fromfile(str(tmp_path / "junit.xml")).tests == 1
