from __future__ import annotations

import csv
import datetime as dt
import io

from hypothesis import given
from hypothesis import strategies as st

from controls.compare import compare
from model.audit import Audit, ResultStatus, Witness
from model.control import Severity
from model.policy import Waiver
from model.resource import ResourceRef
from reporting.results_csv import COLUMNS, render
from tests.audits import audit, failure, location, resource, result
from tests.reporting.test_sarif import CONTROL

CONTROLS = {CONTROL.id: CONTROL}
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("https://evil.example")', '","=1')


def rows(head: Audit, base: Audit | None = None) -> list[dict[str, str]]:
    text = render(head, compare(base, head) if base else None, CONTROLS)
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_each_result_is_a_row_with_everything_that_a_spreadsheet_sorts_by() -> None:
    witnesses = (
        Witness(scanner="polaris", rule="a", verdict=ResultStatus.FAILED),
        Witness(scanner="native", rule="a", verdict=ResultStatus.FAILED),
        Witness(scanner="trivy", rule="b", verdict=ResultStatus.PASSED),
    )
    (row,) = rows(audit([resource()], [result(location=location(line=12), witnesses=witnesses)]))
    assert row == {
        "status": "failed",
        "change": "",
        "severity": "high",
        "control": "run-as-non-root",
        "title": "Container may start as root",
        "kind": "Deployment",
        "namespace": "",
        "name": "web",
        "container": "app",
        "field": "spec.template.spec.containers[0].securityContext.runAsNonRoot",
        "message": "may run as root",
        "path": "web.yaml",
        "line": "12",
        "column": "1",
        "precision": "exact",
        "source": ".",
        "environment": "",
        "scanners": "native polaris",
        "disagreeing": "trivy",
        "waiver_reason": "",
        "waiver_owner": "",
        "waiver_expires": "",
        "remedy": "Set securityContext.runAsNonRoot to true.",
        "fingerprint": "run-as-non-root:web",
    }


def test_with_a_base_a_row_says_what_the_change_did() -> None:
    both = result(of=resource("api"))
    head = audit([resource(), resource("api")], [result(), both])
    got = rows(head, audit([resource(), resource("api")], [both]))
    assert [(row["name"], row["change"]) for row in got] == [("web", "introduced"), ("api", "persisting")]


def test_a_waived_result_tells_why_who_and_until_when() -> None:
    waiver = Waiver(control=CONTROL.id, resource="", reason="legacy", owner="team", expires=dt.date(2030, 1, 31))
    (row,) = rows(audit([resource()], [result(status=ResultStatus.WAIVED, waiver=waiver)]))
    assert (row["status"], row["waiver_reason"], row["waiver_owner"], row["waiver_expires"]) == (
        "waived",
        "legacy",
        "team",
        "2030-01-31",
    )


def test_what_was_not_scanned_is_a_row_of_its_own() -> None:
    (row,) = rows(audit(failures=[failure(line=3, scanner="trivy")]))
    told = {name: value for name, value in row.items() if value}
    assert told == {
        "status": "unscanned",
        "message": "it does not parse",
        "path": "broken.yaml",
        "line": "3",
        "source": ".",
        "scanners": "trivy",
        "remedy": "Mend it.",
    }


def test_the_form_is_that_of_rfc_4180() -> None:
    text = render(audit([resource()], [result(message='a "b", c')]), None, CONTROLS)
    header, row, end = text.split("\r\n")
    assert (header, end) == (",".join(COLUMNS), "")
    assert ',"a ""b"", c",' in row


@given(text=st.one_of(st.sampled_from(FORMULAS), st.text()))
def test_no_cell_is_a_formula_and_no_text_makes_a_row(text: str) -> None:
    bearer = resource(ref=ResourceRef(group="", kind=text, namespace=text, name=text), location=location(text))
    waiver = Waiver(control=CONTROL.id, resource="", reason=text, owner=text)
    found = [
        result(of=bearer, container=text, field=text, message=text, location=location(text)),
        result(of=bearer, status=ResultStatus.WAIVED, severity=Severity.LOW, waiver=waiver),
    ]
    got = rows(audit([bearer], found, [failure(text, reason=text, remedy=text, scanner=text)]))
    assert len(got) == 3
    cells = [cell for row in got for cell in row.values()]
    assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@"))]
