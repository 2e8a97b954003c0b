from __future__ import annotations

import datetime as dt
import re
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
from model.resource import Excluded, Note, Precision, ResourceRef, Source, SourceKind, Stage
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
    assert text.startswith(
        "### ❌ 100.0 → 11.1 (-88.9): 1 introduced, 0 resolved,"
        " blocked because it brings 1 new finding of severity high or above\n"
    )
    assert "- **It brings 1 new finding of severity high or above** (`fail_on_new`). Fix them, or waive each" in text


def test_what_is_new_is_an_item_with_severity_control_cost_place_and_fix() -> None:
    text = report(audit([WEB], [result(of=WEB, location=location(line=12))]), CLEAN)
    assert (
        "#### Introduced: 1 (1 high)\n\n"
        "- **High: Container may start as root** `run-as-non-root` (-88.89 points, **blocks**)\n"
        "  - `web.yaml:12` `Deployment/-/web` container `app`: `may run as root`\n"
        "  - **Fix:** Set securityContext.runAsNonRoot to true.\n"
    ) in text
    assert (
        "- **Container may start as root** `run-as-non-root`: Root in a container is root on the node."
        " Found by `native`.\n"
    ) in text


def test_without_a_base_all_findings_are_listed_worst_first_and_nothing_claims_a_difference() -> None:
    low = result("c1", of=WEB, severity=Severity.LOW)
    text = report(audit([WEB], [low, result(of=WEB)]))
    assert text.startswith("### ⚠️ Score 11.1: 2 findings, not compared\n")
    assert "There is nothing to compare with: these findings block nothing, and may be old.\n" in text
    assert "#### Findings: 2 (1 high, 1 low)" in text
    assert text.index("run-as-non-root") < text.index("Weakness 1")
    assert "→" not in text


def test_what_is_resolved_or_unchanged_is_counted_and_folded() -> None:
    base = audit([WEB], [result(of=WEB), result("c1", of=WEB, severity=Severity.LOW)])
    head = audit([resource(earned=8, possible=9)], [result("c1", severity=Severity.LOW)])
    text = report(head, base)
    assert text.startswith("### ✅ 11.1 → 88.8 (+77.8): 0 introduced, 1 resolved, passed\n")
    assert (
        "<details><summary>Resolved: 1 (1 high)</summary>\n\n"
        "- **High: Container may start as root** `run-as-non-root` (+88.89 points)\n"
        "  - `web.yaml:1` `Deployment/-/web` container `app`\n\n</details>\n"
    ) in text
    assert "Unchanged findings: 1 (1 low).\n" in text


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
    assert "  - `web.yaml:1` `Deployment/-/web` container `app`: `adds BPF`, `adds SYS_ADMIN`\n" in report(
        audit([WEB], said)
    )
    alike = [result(of=WEB, fingerprint=str(n)) for n in range(3)]
    assert "  - `web.yaml:1` `Deployment/-/web` container `app`, 3 times\n" in report(audit([WEB], alike))


def test_a_line_is_named_only_where_it_is_known() -> None:
    rendered = replace(location("chart/templates/web.yaml"), precision=Precision.FILE)
    assert "  - `chart/templates/web.yaml` `Deployment/-/web`" in report(
        audit([WEB], [result(of=WEB, location=rendered)])
    )


def test_what_was_not_scanned_is_never_folded_and_alike_is_told_once() -> None:
    failures = [
        failure(line=3),
        *(failure(f"{n}.yaml", scanner="trivy", reason="no output", remedy="Try.") for n in range(5)),
    ]
    text = report(audit([WEB], failures=failures))
    assert text.startswith("### ❌ Score 11.1: 0 findings, incomplete because it leaves 6 items not scanned\n")
    shown = text.partition("#### Not scanned: 6 items")[2].partition("####")[0].partition("<details>")[0]
    assert "- `broken.yaml:3`: `it does not parse`\n  - **Next:** `Mend it.`\n" in shown
    assert "- `0.yaml`, `1.yaml`, `2.yaml`, and 2 more, by `trivy`: `no output`\n  - **Next:** `Try.`" in shown


def test_what_could_not_be_published_is_not_what_was_not_scanned() -> None:
    refused = failure(".", stage=Stage.PUBLISH, reason="the commit status: GitHub says 403", remedy="Permit it.")
    text = report(audit([WEB], failures=[refused]), audit([WEB]))
    assert text.startswith("### ✅ 11.1 → 11.1 (+0.0): 0 introduced, 0 resolved, passed\n")
    assert "ot scanned" not in text
    assert "#### Not published: 1\n\n- `the commit status: GitHub says 403`\n  - **Next:** `Permit it.`\n" in text


def test_what_the_policy_lets_pass_unscanned_stays_in_the_verdict_line() -> None:
    both = audit([WEB], failures=[failure()])
    assert report(both, both).startswith(
        "### ✅ 11.1 → 11.1 (+0.0): 0 introduced, 0 resolved, passed; 1 item not scanned\n"
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
    assert (
        "<details><summary>Accepted by a waiver: 1 (1 high)</summary>\n\n"
        "- **High: Container may start as root** `run-as-non-root`\n"
        "  - `web.yaml:1` `Deployment/-/web`\n"
        "  - `legacy`, says `@\u200bme`, for ever\n"
    ) in text
    assert "- `run-as-non-root` on `Deployment/-/web`, owner `@\u200bme`: expired on 2026-01-31\n" in text
    assert "- `run-as-non-root` on `*`, owner `@\u200bme`: covers nothing\n" in text
    assert "#### Not judged: the pods of 1 object\n\n- `Deployment/-/web`: `no pod template`\n" in text
    assert "Not looked at, because the configuration leaves it out: 1 path.\n\n" in text
    assert "- `testdata`, by the pattern `testdata/**`\n" in text
    assert "- `chart`: `random values are replaced`\n" in text
    assert (
        "hardening-gate `0.1.0` looked at 2 objects in 3 files from 1 source, for Kubernetes `1.34`, with"
        " `native 3` (its own checks), `trivy 0.74.0` (skipped). 1 check that would apply could not be made, and count"
        " neither way: see `audit.json`.\n"
    ) in text


def test_points_are_explained_by_control_and_by_source() -> None:
    text = report(audit([WEB], [result(of=WEB)]), CLEAN)
    assert "<details><summary>The score: what changed it, by control and by source</summary>\n" in text
    assert "The score is 1 of 9, in percent:" in text
    assert "| 1 finding introduced | -88.89 |\n" in text
    assert "| Container may start as root `run-as-non-root` | 0 | 8 | +8 |\n" in text
    assert "| manifests in `.` | 100.0 | 11.1 |\n" in text


def test_what_base_could_not_show_and_what_head_lost_stand_apart() -> None:
    seen, blind = audit([WEB], [result(of=WEB)]), audit([], failures=[failure("web.yaml")])
    assert "#### Newly visible: 1 (1 high)\n\nNobody could look there before, so" in report(seen, blind)
    assert "#### Lost from sight: 1 (1 high)\n\nThese were there before." in report(blind, seen)


def test_a_witness_that_disagrees_is_named() -> None:
    witnesses = (
        Witness(scanner="native", rule="a", verdict=ResultStatus.FAILED),
        Witness(scanner="trivy", rule="b", verdict=ResultStatus.PASSED),
    )
    assert "Found by `native`. `trivy` looked at the same and found nothing.\n" in report(
        audit([WEB], [result(of=WEB, witnesses=witnesses)])
    )


def test_a_job_of_several_says_which_one_it_is() -> None:
    verdict = decide(Policy(), CLEAN, None, named_explicitly=False)
    assert " Job `prod`.\n" in render(CLEAN, None, verdict, CONTROLS, job="prod")


def test_what_blocks_comes_with_a_waiver_to_copy_and_when_it_counts() -> None:
    text = report(audit([WEB], [result(of=WEB)]), CLEAN)
    assert "The policy of the base branch judges this change, so the waiver counts once it is merged there.\n" in text
    assert "waivers:\n  - control: run-as-non-root\n    resource: Deployment/-/web\n" in text
    assert "How to accept" not in report(CLEAN, CLEAN)


@given(name=st.one_of(st.sampled_from(ATTACKS), st.text(max_size=40), st.text("`~\n:#/- aB.")))
@pytest.mark.threat("O1")
def test_a_waiver_to_copy_holds_no_name_but_a_plain_one(name: str) -> None:
    named = resource(ref=ResourceRef(group="", kind="Pod", namespace=name, name=name), earned=1, possible=9)
    text = report(audit([named], [result(of=named)]), CLEAN)
    assert Rendered(text).led_astray() == []
    (said,) = re.findall(r"^    resource: (.*)$", text, re.MULTILINE)
    assert re.fullmatch(r"KIND/NAMESPACE/NAME|Pod/[A-Za-z0-9.-]+/[A-Za-z0-9.-]+", said)


def test_with_nothing_to_scan_it_says_so() -> None:
    assert report(audit()).startswith("### ⚠️ Nothing to scan: there is no Kubernetes manifest\n")


def test_the_difference_of_a_part_says_that_it_is_one() -> None:
    base = audit([WEB], failures=[failure("api.yaml")])
    text = report(audit([WEB, resource("api")]), base)
    assert text.startswith(
        "### ✅ 11.1 → 11.1 (+0.0) of what both sides could judge: 0 introduced, 0 resolved, passed\n"
    )
    assert "Everything that could be judged scored 11.1 before, and scores 18.1 now." in text


@pytest.mark.parametrize("number", [3_000, 30_000])
@pytest.mark.threat("O5")
def test_a_long_report_is_cut_by_rows_and_says_how_much_is_missing(number: int) -> None:
    text = report(many(number), CLEAN)
    assert len(text) <= LIMIT
    page = Rendered(text)
    assert page.led_astray() == []
    assert f": {number:,} introduced," in text.splitlines()[0]
    assert "more places" in text
    assert "findings of 10 more controls: see `audit.json`." in text


def test_where_there_is_more_room_than_in_a_comment_more_is_listed() -> None:
    comment, summary = report(many(500), CLEAN), report(many(500), CLEAN, limit=250_000)
    assert "findings of 10 more controls: see `audit.json`." in comment
    assert "see `audit.json`." not in summary
    assert all(f"`web{n}.yaml:1`" in summary for n in range(500))


@pytest.mark.parametrize("limit", [12_000, 6_000, 3_000, 1_500, 400, 100])
@pytest.mark.threat("O5")
def test_whatever_the_limit_is_the_verdict_line_is_kept_and_nothing_is_cut_in_its_middle(limit: int) -> None:
    text = report(many(500), CLEAN, limit=limit)
    verdict = (
        "### ❌ 100.0 → 0.0 (-100.0): 500 introduced, 0 resolved,"
        " blocked because it brings 200 new findings of severity high or above\n"
    )
    assert len(text) <= max(limit, 200)
    assert text.startswith(verdict)
    assert Rendered(text).led_astray() == []
    if limit < 3_000:
        assert text.endswith("The rest does not fit here: see `audit.json`.\n")


@pytest.mark.threat("O5")
def test_what_is_folded_is_cut_before_what_everybody_must_see() -> None:
    head = many(500)
    shaken = replace(head, failures=(failure(),), coverage=covered(excluded=(Excluded(path="a", pattern="a"),)))
    text = report(shaken, CLEAN, limit=1_500)
    assert "<details>" not in text
    assert "#### Not scanned: 1 item\n" in text
    assert "Not looked at, because the configuration leaves it out: 1 path.\n" in text


@pytest.mark.threat("O5")
def test_names_of_four_bytes_a_character_stay_below_the_bytes_that_github_takes() -> None:
    wide = "\U0001f980" * 300
    bearers = [resource(f"{wide}{n}", location=location(f"{wide}/{n}.yaml"), earned=0, possible=8) for n in range(600)]
    found = [result(f"c{n % 50}", of=bearer, fingerprint=str(n), message=wide) for n, bearer in enumerate(bearers)]
    text = report(audit(bearers, found), CLEAN)
    assert len(text) <= LIMIT
    assert len(text.encode()) <= 262_144
    assert text.startswith("### ❌ 100.0 → 0.0 (-100.0): 600 introduced,")


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
    assert page.tags.count("details") == page.tags.count("summary") == 4
    assert page.columns <= {(2,), (4,)}


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
