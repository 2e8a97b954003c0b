from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controls.compare import compare
from controls.gate import decide
from model.audit import ALL_OF_PODS, Audit, Coverage, NotJudged, ResultStatus, ScannerState, Witness
from model.control import Control, Severity
from model.finding import ScanStatus
from model.policy import Gate, Policy, Waiver
from model.resource import Excluded, Note, Precision, ResourceRef, Source, SourceKind
from model.verdict import Reason
from reporting.markdown import LIMIT, render
from tests.audits import audit, failure, location, resource, result
from tests.reporting.rendered import ATTACKS, Rendered
from tests.reporting.test_sarif import CONTROL

CONTROLS: Mapping[str, Control] = {
    CONTROL.id: CONTROL,
    **{f"c{n}": replace(CONTROL, id=f"c{n}", title=f"Weakness {n}") for n in range(50)},
    "unmapped/x/1": replace(CONTROL, id="unmapped/x/1", unmapped=True, title="<img src=x>", why="*y*", remedy="# z"),
}
WEB = resource(earned=1, possible=9)
CLEAN = audit([resource(earned=9, possible=9)])
WAIVER = Waiver(control=CONTROL.id, resource="Deployment/-/web", reason="legacy", owner="@me")


def report(head: Audit, base: Audit | None = None, policy: Policy | None = None, limit: int = LIMIT) -> str:
    comparison = compare(base, head) if base else None
    verdict = decide(policy or Policy(), head, comparison, named_explicitly=False)
    return render(head, comparison, verdict, CONTROLS, limit)


def many(number: int) -> Audit:
    """An audit with so many findings of 50 controls."""
    bearers = [resource(f"web{n}", earned=0, possible=8) for n in range(number)]
    results = [
        result(f"c{n % 50}", of=bearer, severity=list(Severity)[n % 5], fingerprint=f"{n:064x}")
        for n, bearer in enumerate(bearers)
    ]
    return audit(bearers, results)


def covered(**fields: Any) -> Coverage:
    empty: dict[str, Any] = {"excluded": (), "not_judged": (), "notes": (), "drops": ()}
    return Coverage(files=3, documents=4, resources=2, **{**empty, **fields})


def test_the_verdict_stands_first_in_words_with_what_the_change_does() -> None:
    text = report(audit([WEB], [result(of=WEB)]), CLEAN)
    assert text.startswith("### Blocked: 100.0 → 11.1 (-88.9), 1 introduced, 0 resolved\n")
    assert "- **1 new of severity high or above** (`fail_on_new`, limit: none). Fix them, or waive each" in text


def test_what_is_new_is_a_row_with_severity_control_fix_place_and_cost() -> None:
    text = report(audit([WEB], [result(of=WEB, location=location(line=12))]), CLEAN)
    assert "#### New: 1 (1 high)\n\n| Severity | Finding and fix | Where | Score |\n" in text
    assert (
        "| **high**<br>blocks | **Container may start as root** `run-as-non-root`<br>"
        "Fix: Set securityContext.runAsNonRoot to true. |"
        " `web.yaml:12`<br>`Deployment/-/web` container `app`<br>`may run as root` | -88.89 |\n"
    ) in text
    assert (
        "- **Container may start as root** `run-as-non-root`: Root in a container is root on the node."
        " Said by `native`.\n"
    ) in text


def test_without_a_base_all_findings_are_listed_worst_first_and_nothing_claims_a_difference() -> None:
    low = result("c1", of=WEB, severity=Severity.LOW)
    text = report(audit([WEB], [low, result(of=WEB)]))
    assert text.startswith("### Not compared: score 11.1, 2 findings\n")
    assert "#### Findings: 2 (1 high, 1 low)" in text
    assert text.index("run-as-non-root") < text.index("Weakness 1")
    assert "→" not in text


def test_what_is_resolved_or_unchanged_is_counted_and_folded() -> None:
    base = audit([WEB], [result(of=WEB), result("c1", of=WEB, severity=Severity.LOW)])
    head = audit([resource(earned=8, possible=9)], [result("c1", severity=Severity.LOW)])
    text = report(head, base)
    assert text.startswith("### Passed: 11.1 → 88.8 (+77.8), 0 introduced, 1 resolved\n")
    assert "<details><summary>Resolved: 1 (1 high)</summary>\n\n| Severity | Finding | Where | Score |\n" in text
    assert "`may run as root` | +88.89 |\n" in text
    assert "Unchanged: 1 (1 low).\n" in text


def test_a_finding_of_several_environments_is_one_row_that_names_them() -> None:
    sources = tuple(
        Source(id=name, kind=SourceKind.HELM, path="chart", name="web", environment=name, kube_version="1.34")
        for name in ("staging", "prod")
    )
    bearers = [resource(id=f"{source.id}#web", source=source.id) for source in sources]
    text = report(audit(bearers, [result(of=bearer) for bearer in bearers], sources=sources))
    assert text.count("`web.yaml:1`") == 1
    assert "`Deployment/-/web` container `app` in `prod`, `staging`" in text
    assert "| chart `chart` in `prod` | 50.0 |" in text


def test_a_place_that_is_at_fault_several_times_is_shown_once() -> None:
    said = [result(of=WEB, fingerprint=str(n), message=f"adds {what}") for n, what in enumerate(("BPF", "SYS_ADMIN"))]
    assert "`web.yaml:1`<br>`Deployment/-/web` container `app`<br>`adds BPF`<br>`adds SYS_ADMIN` |" in report(
        audit([WEB], said)
    )
    alike = [result(of=WEB, fingerprint=str(n)) for n in range(3)]
    assert "`web.yaml:1`<br>`Deployment/-/web` container `app`, 3 times |" in report(audit([WEB], alike))


def test_a_line_is_named_only_where_it_is_known() -> None:
    rendered = replace(location("chart/templates/web.yaml"), precision=Precision.FILE)
    assert "`chart/templates/web.yaml`<br>" in report(audit([WEB], [result(of=WEB, location=rendered)]))


def test_what_was_not_scanned_is_never_folded_and_alike_is_told_once() -> None:
    failures = [
        failure(line=3),
        *(failure(f"{n}.yaml", scanner="trivy", reason="no output", remedy="Try.") for n in range(5)),
    ]
    text = report(audit([WEB], failures=failures))
    assert text.startswith("### Incomplete: score 11.1, 0 findings; 6 items not scanned\n")
    shown = text.partition("#### Not scanned: 6 items")[2].partition("####")[0].partition("<details>")[0]
    assert "| `broken.yaml:3` | `it does not parse` | `Mend it.` |\n" in shown
    assert "| `0.yaml`<br>`1.yaml`<br>`2.yaml`<br>… and 2 more by `trivy` | `no output` | `Try.` |" in shown


def test_what_the_policy_lets_pass_unscanned_stays_in_the_verdict_line() -> None:
    both = audit([WEB], failures=[failure()])
    assert report(both, both).startswith(
        "### Passed: 11.1 → 11.1 (+0.0), 0 introduced, 0 resolved; 1 item not scanned\n"
    )


def test_waivers_coverage_exclusions_and_notes_are_told() -> None:
    head = audit(
        [WEB],
        [result(of=WEB, status=ResultStatus.WAIVED, waiver=WAIVER)],
        coverage=covered(
            excluded=(Excluded(path="testdata", pattern="testdata/**"),),
            not_judged=(
                NotJudged(resource=WEB.id, container=None, control=ALL_OF_PODS, reason="no pod template"),
                NotJudged(resource="*", container=None, control="c1", reason="no rule"),
            ),
            notes=(Note(path="chart", reason="random values are replaced"),),
        ),
        expired_waivers=(replace(WAIVER, expires=dt.date(2026, 1, 31)),),
        unused_waivers=(replace(WAIVER, resource=""),),
        scanners=(
            ScannerState(name="native", version="3", status=ScanStatus.OK),
            ScannerState(name="trivy", version="0.74.0", status=ScanStatus.SKIPPED),
        ),
    )
    text = report(head)
    assert "<details><summary>Waived: 1 (1 high)</summary>" in text
    assert "| `web.yaml:1`<br>`Deployment/-/web` | `legacy` | `@\u200bme` | none |" in text
    assert "- `run-as-non-root` on `Deployment/-/web`, owner `@\u200bme`: expired on 2026-01-31\n" in text
    assert "- `run-as-non-root` on `*`, owner `@\u200bme`: covers nothing\n" in text
    assert "#### Not judged: the pods of 1 object\n\n- `Deployment/-/web`: `no pod template`\n" in text
    assert "Left out by the configuration: 1 path.\n\n- `testdata`, pattern `testdata/**`\n" in text
    assert "- `chart`: `random values are replaced`\n" in text
    assert (
        "Looked at 2 objects in 3 files from 1 source, for Kubernetes `1.34`, by hardening-gate `0.1.0` with"
        " `native 3`, `trivy 0.74.0` (skipped). Nobody could judge 1 control where they apply: see `audit.json`.\n"
    ) in text


def test_points_are_explained_by_control_and_by_source() -> None:
    text = report(audit([WEB], [result(of=WEB)]), CLEAN)
    assert "The score is 1 of 9 points:" in text
    assert "| Container may start as root `run-as-non-root` | 0 | 8 | +8 |\n" in text
    assert "| manifests in `.` | 100.0 | 11.1 |\n" in text


def test_what_base_could_not_show_and_what_head_lost_stand_apart() -> None:
    seen, blind = audit([WEB], [result(of=WEB)]), audit([], failures=[failure("web.yaml")])
    assert "#### Newly visible: base could not be judged there: 1 (1 high)\n" in report(seen, blind)
    assert "#### Lost from sight, for head could not be judged there: 1 (1 high)\n" in report(blind, seen)


def test_a_witness_that_disagrees_is_named() -> None:
    witnesses = (
        Witness(scanner="native", rule="a", verdict=ResultStatus.FAILED),
        Witness(scanner="trivy", rule="b", verdict=ResultStatus.PASSED),
    )
    assert "Said by `native`. `trivy` passed it somewhere.\n" in report(
        audit([WEB], [result(of=WEB, witnesses=witnesses)])
    )


def test_with_nothing_to_scan_it_says_so() -> None:
    assert report(audit()).startswith("### Nothing to scan: there is no Kubernetes manifest\n")


def test_the_difference_of_a_part_says_that_it_is_one() -> None:
    base = audit([WEB], failures=[failure("api.yaml")])
    text = report(audit([WEB, resource("api")]), base)
    assert text.startswith("### Passed: 11.1 → 11.1 (+0.0) of what both sides could judge, 0 introduced, 0 resolved\n")
    assert "The whole of base scores 11.1, the whole of head 18.1." in text


@pytest.mark.parametrize("number", [3_000, 10_000])
@pytest.mark.threat("O5")
def test_a_long_report_is_cut_by_rows_and_says_how_much_is_missing(number: int) -> None:
    text = report(many(number), CLEAN)
    assert len(text) <= LIMIT
    page = Rendered(text)
    assert page.led_astray() == []
    assert f", {number:,} introduced," in text.splitlines()[0]
    assert "more places" in text
    assert "findings of 10 more controls: see `audit.json`." in text


@pytest.mark.parametrize("limit", [12_000, 6_000, 3_000, 1_500, 400, 100])
@pytest.mark.threat("O5")
def test_whatever_the_limit_is_the_verdict_line_is_kept_and_nothing_is_cut_in_its_middle(limit: int) -> None:
    text = report(many(500), CLEAN, limit=limit)
    assert len(text) <= max(limit, 200)
    assert text.startswith("### Blocked: 100.0 → 0.0 (-100.0), 500 introduced, 0 resolved\n")
    assert Rendered(text).led_astray() == []
    if limit < 3_000:
        assert text.endswith("The rest does not fit here: see `audit.json`.\n")


def test_the_same_audit_gives_the_same_text() -> None:
    assert report(many(100), CLEAN) == report(many(100), CLEAN)


hostile = st.one_of(st.sampled_from(ATTACKS), st.text(max_size=40))


@given(name=hostile, path=hostile, message=hostile, environment=hostile)
@pytest.mark.threat("O1", "O2", "O3")
def test_no_name_path_or_message_shows_anything_but_itself(
    name: str, path: str, message: str, environment: str
) -> None:
    page = Rendered(hostile_report(name, path, message, environment))
    assert page.led_astray() == []
    assert page.tags.count("details") == page.tags.count("summary") == 5
    assert page.columns <= {(2,), (3,), (4,), (5,)}


def hostile_report(name: str, path: str, message: str, environment: str) -> str:
    """A report in which everything that a pull request can say is said."""
    source = Source(
        id="s", kind=SourceKind.HELM, path=path, name=name, environment=environment, kube_version=environment
    )
    ref = ResourceRef(group=name, kind=name, namespace=name, name=name)
    bearer = resource(id="r", source="s", ref=ref, location=location(path), earned=1, possible=9)
    waiver = Waiver(control=name, resource=name, reason=message, owner=name, path=path)
    fields: dict[str, Any] = {"of": bearer, "container": name, "message": message, "location": location(path)}
    scanner = Witness(scanner=name, rule=name, verdict=ResultStatus.FAILED, message=message)
    head = audit(
        [bearer],
        [
            result(**fields),
            result("unmapped/x/1", **fields, witnesses=(scanner,)),
            result("c1", **fields, status=ResultStatus.WAIVED, waiver=waiver),
        ],
        [failure(path, reason=message, remedy=name, scanner=environment or None)],
        sources=(source,),
        coverage=covered(
            excluded=(Excluded(path=path, pattern=name),),
            not_judged=(NotJudged(resource="r", container=name, control=ALL_OF_PODS, reason=message),),
            notes=(Note(path=path, line=1, reason=message),),
        ),
        expired_waivers=(waiver,),
        unused_waivers=(waiver,),
    )
    objection = Reason(rule="configuration", number=message, limit="a valid configuration", remedy=name)
    policy = Policy(gate=Gate(fail_under=99))
    verdict = decide(policy, head, None, named_explicitly=True, objections=[objection])
    return render(head, None, verdict, CONTROLS)
