from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controls.compare import compare
from controls.gate import decide
from model.audit import Audit, Witness
from model.audit import ResultStatus as Status
from model.control import Severity
from model.policy import Policy
from model.resource import Location, Precision, ResourceRef
from reporting.github import render
from tests.audits import audit, failure, location, resource, result
from tests.reporting.runner import Command, commands
from tests.reporting.test_sarif import CONTROL

CONTROLS = {CONTROL.id: CONTROL}
WEB = resource(earned=1, possible=9)
CLEAN = audit([resource(earned=9, possible=9)])
ATTACKS = (
    "x\n::error::y",
    "x\r::set-output name=verdict::passed",
    "\u00a0::add-mask::fail",
    "x##[set-output name=verdict]passed",
    "##\x1b[0m[add-matcher]/etc/passwd",
    "a,line=1,title=b::c",
    "%0A::error::x",
    "::stop-commands::x",
    "\u2028::error::x",
)


def shown_of(head: Audit, base: Audit | None = None) -> list[Command]:
    comparison = compare(base, head) if base else None
    verdict = decide(Policy(), head, comparison, named_explicitly=False)
    text = render(head, comparison, verdict, CONTROLS)
    got = commands(text)
    assert len(got) == text.count("\n")
    return got


def test_the_verdict_is_the_first_annotation_with_the_reasons() -> None:
    first = shown_of(audit([WEB], [result(of=WEB)]), CLEAN)[0]
    assert (first.name, first.properties) == ("error", {"title": "hardening-gate"})
    verdict, reason = first.data.splitlines()
    assert verdict == "Blocked: 100.0 → 11.1 (-88.9), 1 introduced, 0 resolved"
    assert reason.startswith("fail_on_new: 1 new of severity high or above (limit: none). Fix them")


def test_a_finding_points_at_its_place_and_says_what_to_do() -> None:
    found = shown_of(audit([WEB], [result(of=WEB, location=location(line=12))]), CLEAN)[1]
    assert found == Command(
        name="error",
        properties={
            "file": "web.yaml",
            "line": "12",
            "col": "1",
            "title": "New: Container may start as root (high, run-as-non-root)",
        },
        data="Deployment/-/web container app: may run as root\nFix: Set securityContext.runAsNonRoot to true.",
    )


def test_a_place_of_which_only_the_file_is_known_names_no_line() -> None:
    place = Location(path="chart/web.yaml", line=1, column=1, precision=Precision.FILE)
    found = shown_of(audit([WEB], [result(of=WEB, location=place)]))[1]
    assert set(found.properties) == {"file", "title"}


@pytest.mark.parametrize(
    ("severity", "level"),
    [("critical", "error"), ("high", "error"), ("medium", "warning"), ("low", "notice"), ("info", "notice")],
)
def test_the_level_follows_the_severity(severity: str, level: str) -> None:
    assert shown_of(audit([WEB], [result(of=WEB, severity=Severity(severity))]))[1].name == level


@pytest.mark.threat("O5")
def test_no_level_has_more_than_ten_new_ones_come_first_and_the_rest_is_counted() -> None:
    bearers = [resource(f"web{n:02}") for n in range(60)]
    severities = [Severity.HIGH, Severity.MEDIUM, Severity.LOW]
    found = [result(of=bearer, severity=severities[n % 3]) for n, bearer in enumerate(bearers)]
    got = shown_of(audit(bearers, found), audit(bearers[:30], found[:30]))
    for level in ("error", "warning", "notice"):
        assert sum(each.name == level for each in got) == 10
    assert all(each.properties["title"].startswith("New: ") for each in got[1:-1])
    assert got[-1].data == "32 more findings: see audit.json or report.md of this run"


def test_what_was_not_scanned_comes_before_findings_and_leaves_them_room() -> None:
    failures = [failure(f"{n}.yaml", line=3, scanner="trivy") for n in range(9)]
    got = shown_of(audit([WEB], [result(of=WEB)], failures))
    assert [each.properties["title"] for each in got[1:5]] == ["Not scanned"] * 4
    assert got[1].properties == {"file": "0.yaml", "line": "3", "title": "Not scanned"}
    assert got[1].data == "trivy: it does not parse\nNext: Mend it."
    assert got[5].properties["file"] == "web.yaml"
    assert got[-1].data == "5 more items not scanned: see audit.json or report.md of this run"


def test_a_finding_of_several_places_of_one_file_is_one_annotation_each() -> None:
    found = [result(of=WEB, location=location(line=n), fingerprint=str(n)) for n in (1, 2)]
    assert [each.properties["line"] for each in shown_of(audit([WEB], found))[1:]] == ["1", "2"]


hostile = st.one_of(st.sampled_from(ATTACKS), st.text(max_size=40), st.text(":#[]%,=\r\n \u00a0\u2028ab"))


@given(name=hostile, path=hostile, message=hostile)
@pytest.mark.threat("O6")
def test_the_runner_sees_our_annotations_and_nothing_else(name: str, path: str, message: str) -> None:
    bearer = resource(ref=ResourceRef(group="", kind=name, namespace=name, name=name), location=location(path))
    witness = Witness(scanner=name, rule=name, verdict=Status.FAILED, message=message)
    found = result(of=bearer, container=name, message=message, location=location(path), witnesses=(witness,))
    got = shown_of(audit([bearer], [found], [failure(path, reason=message, remedy=name, scanner=name)]))
    assert [(each.name, each.legacy) for each in got] == [("error", False)] * 3
    assert [set(each.properties) for each in got] == [{"title"}, {"file", "title"}, {"file", "line", "col", "title"}]
