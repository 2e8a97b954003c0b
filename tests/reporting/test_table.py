from __future__ import annotations

import pytest

from controls.compare import compare
from controls.gate import decide
from model.audit import Audit, ResultStatus, Witness
from model.control import Severity
from model.policy import Policy
from model.resource import ResourceRef, Source, SourceKind
from reporting.table import Table
from tests.audits import audit, failure, location, resource, result
from tests.reporting.test_sarif import CONTROL

CONTROLS = {CONTROL.id: CONTROL}


def table(base: Audit | None, head: Audit, *, colour: bool = False) -> str:
    comparison = compare(base, head) if base else None
    verdict = decide(Policy(), head, comparison, named_explicitly=True)
    return Table(controls=CONTROLS, colour=colour).render(head, comparison, verdict)


def test_the_verdict_comes_first_then_why_then_what_is_new_with_place_and_fix() -> None:
    web = resource(earned=1, possible=2)
    dissent = (
        Witness(scanner="native", rule="run-as-non-root", verdict=ResultStatus.FAILED),
        Witness(scanner="trivy", rule="KSV-0012", verdict=ResultStatus.PASSED),
    )
    text = table(
        audit([resource(earned=2, possible=2)]),
        audit([web], [result(of=web, location=location(line=12), witnesses=dissent)]),
    )
    assert text == (
        "BLOCKED  score 100.0 → 50.0 (-50.0): 1 introduced, 0 resolved\n"
        "  fail_on_new: 1 new finding of severity high or above (limit: none). Fix them, or waive each with a reason"
        " and an expiry date.\n"
        "  made of: 1 finding introduced -400.00, 1 object with fewer checks than before +350.00\n"
        "\n"
        "New 1 (1 high)\n"
        "  high      run-as-non-root  Container may start as root\n"
        "            web.yaml:12  Deployment/-/web · app: may run as root  [native; trivy disagrees]\n"
        "            fix: Set securityContext.runAsNonRoot to true.\n"
        "\n"
        "Looked at 1 object in 1 file from 1 source; native 0.1.0\n"
    )


def test_without_a_base_all_findings_are_listed_and_nothing_claims_a_difference() -> None:
    text = table(None, audit([resource()], [result()]))
    assert text.startswith("NOT COMPARED  score 50.0; findings: 1 (1 high)\n")
    assert "Findings 1 (1 high)" in text
    assert "→" not in text


def test_what_was_not_scanned_is_listed_with_reason_and_remedy() -> None:
    text = table(None, audit([resource()], failures=[failure(line=3, scanner="trivy")]))
    assert text.startswith("INCOMPLETE")
    assert "Not scanned 1\n  broken.yaml:3 (trivy)  it does not parse\n            Mend it.\n" in text


def test_what_the_policy_lets_pass_unscanned_stays_in_the_verdict_line() -> None:
    both = audit([resource()], failures=[failure()])
    assert table(both, both).startswith(
        "PASSED  score 50.0 → 50.0 (+0.0): 0 introduced, 0 resolved; 1 item never scanned\n"
    )


@pytest.mark.threat("O5")
def test_many_places_of_one_control_are_counted_not_listed() -> None:
    rows = [result(fingerprint=f"{n:064x}", location=location(line=n)) for n in range(1, 9)]
    text = table(None, audit([resource()], rows))
    assert text.count("web.yaml:") == 3
    assert "… and 5 more" in text


def test_colours_are_used_only_when_asked_for() -> None:
    rows = [result(severity=Severity.CRITICAL)]
    assert "\x1b[" not in table(None, audit([resource()], rows))
    assert "\x1b[35mcritical" in table(None, audit([resource()], rows), colour=True)


@pytest.mark.threat("O6", "O7")
def test_a_hostile_name_cannot_reach_the_terminal_or_the_runner() -> None:
    name = "x##[set-output name=verdict]passed\x1b[2J\n::error::"
    evil = resource(ref=ResourceRef(group="", kind="Pod", namespace="", name=name))
    text = table(None, audit([evil], [result(of=evil)]))
    assert "##[" not in text
    assert "\x1b" not in text
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())


def test_a_finding_of_several_environments_is_one_line_that_names_them() -> None:
    sources = tuple(
        Source(id=name, kind=SourceKind.HELM, path="chart", name="web", environment=name, kube_version="1.34")
        for name in ("staging", "prod")
    )
    bearers = [resource(id=f"{source.id}#web", source=source.id) for source in sources]
    text = table(None, audit(bearers, [result(of=bearer) for bearer in bearers], sources=sources))
    assert "Findings 2 (2 high)" in text
    assert text.count("web.yaml:1") == 1
    assert "Deployment/-/web · app in prod, staging: may run as root" in text
