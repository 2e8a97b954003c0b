"""The three adapters against scanners that crash, hang, flood and lie; none of it may raise, none of it may pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from model.finding import OBJECT, ScanStatus
from process import End, Finished, Sandbox
from scanners import kube_score, native, polaris, runs, trivy
from scanners.base import Scope
from scanners.copies import Copy, make_copies
from scanners.registry import SCANNERS
from scanners.runs import UnusableReport, look_without_offenders, read_report
from settings import SCANNERS as NAMES
from tests.resources import resources
from tests.scanners.fakes import CRASH, WAYS_TO_FAIL, context, fake_toolbox

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: app, image: a}]}"
SCOPES = (Scope(resources=resources(POD)),)
EXTERNAL = (polaris, kube_score, trivy)


@pytest.mark.parametrize("adapter", EXTERNAL, ids=lambda module: module.NAME)
@pytest.mark.parametrize("script", WAYS_TO_FAIL, ids=lambda script: script[:12])
@pytest.mark.threat("P2", "P3", "S8")
def test_a_scanner_that_fails_leaves_every_object_missing_with_reason_and_remedy(
    adapter: ModuleType, script: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    scan = adapter.scan(SCOPES, context(sandbox, fake_toolbox(tmp_path, adapter.NAME, script), timeout=2))
    assert scan.status is ScanStatus.FAILED
    assert scan.opinions == {}
    assert list(scan.missing) == list(SCOPES[0].resources)
    for missing in scan.missing.values():
        assert missing.reason
        assert missing.remedy.endswith(".")
    assert scan.unaccounted == 0


@pytest.mark.parametrize(
    ("adapter", "report"),
    [(polaris, '{"Results": []}'), (kube_score, "null"), (trivy, '{"SchemaVersion": 2}')],
    ids=lambda value: getattr(value, "NAME", ""),
)
@pytest.mark.threat("P3", "S8")
def test_a_report_that_does_not_show_an_object_leaves_it_missing(
    adapter: ModuleType, report: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    scan = adapter.scan(SCOPES, context(sandbox, fake_toolbox(tmp_path, adapter.NAME, f"echo '{report}'")))
    assert [missing.reason.endswith("printed nothing about this object") for missing in scan.missing.values()] == [True]


def test_nothing_to_look_at_starts_nothing_and_fails_nothing(tmp_path: Path, sandbox: Sandbox) -> None:
    for adapter in EXTERNAL:
        scan = adapter.scan((), context(sandbox, fake_toolbox(tmp_path, adapter.NAME, "exit 1")))
        assert (scan.status, scan.missing, scan.raw_findings) == (ScanStatus.OK, {}, 0)


def test_kube_score_is_asked_only_about_kinds_that_it_knows() -> None:
    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\nrules: []"
    assert kube_score.supports(resources(POD)[0])
    assert not kube_score.supports(resources(role)[0])


def test_the_registry_and_the_command_line_name_the_same_scanners() -> None:
    assert tuple(SCANNERS) == NAMES
    assert all(name == SCANNERS[name].NAME for name in NAMES)
    assert native.TOOL is None


@pytest.mark.parametrize("adapter", EXTERNAL, ids=lambda module: module.NAME)
@pytest.mark.threat("S8")
def test_the_search_for_objects_that_end_a_scanner_ends_itself(
    adapter: ModuleType, tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "STARTS", 6)
    many = resources("\n---\n".join(POD.replace("web", f"web-{number}") for number in range(40)))
    scan = adapter.scan((Scope(resources=many),), context(sandbox, fake_toolbox(tmp_path, adapter.NAME, CRASH)))
    assert set(scan.missing) == set(many)
    assert all("panic: nil map" in missing.reason for missing in scan.missing.values())
    assert any("too many objects" in missing.reason for missing in scan.missing.values())


@pytest.mark.threat("S8")
def test_objects_that_end_a_scanner_are_found_by_halving_and_the_others_are_judged() -> None:
    copies = make_copies(resources("\n---\n".join(POD.replace("web", f"web-{number}") for number in range(40))))
    bad = {copies[3], copies[29]}

    def look(some: Sequence[Copy]) -> dict[str, str]:
        if bad & set(some):
            raise UnusableReport("died", splittable=True)
        return {copy.file: "seen" for copy in some}

    seen, offenders = look_without_offenders(copies, look)
    assert set(offenders) == bad
    assert seen.keys() == {copy.file for copy in copies if copy not in bad}


def test_objects_that_end_a_scanner_only_together_are_all_missing() -> None:
    copies = make_copies(resources(POD + "\n---\n" + POD))

    def look(some: Sequence[Copy]) -> dict[str, str]:
        if len(some) > 1:
            raise UnusableReport("died", splittable=True)
        return {}

    assert look_without_offenders(copies, look) == ({}, dict.fromkeys(copies, "died"))


def test_the_reason_of_a_crash_is_what_died_and_not_the_end_of_its_trace() -> None:
    trace = "level=info msg=x\npanic: nil map\n\ngoroutine 1:\n\tmain.go:29 +0x25\n"
    finished = Finished(end=End.EXITED, exit_code=2, stdout=b"", stderr=trace, seconds=1)
    with pytest.raises(UnusableReport, match=r"panic: nil map$"):
        read_report("polaris", finished)


def test_the_reason_of_an_end_holds_no_time_and_nothing_that_the_tool_quotes() -> None:
    told = r'time="2026-01-02T03:04:05Z" level=error msg="invalid map key: map[x]interface {}{\"a\":nil} \"hunter2\""'
    finished = Finished(end=End.EXITED, exit_code=1, stdout=b"", stderr=told, seconds=1)
    with pytest.raises(UnusableReport) as caught:
        read_report("polaris", finished)
    assert (
        caught.value.reason
        == "polaris ended with exit code 1 and printed no report: invalid map key: map[x]interface …"
    )


STRANGERS = (
    (polaris, '{"Results": [{"Name": "y", "Namespace": "", "Kind": "Pod", "PodResult": null, "Results": %s}]}'),
    (kube_score, '[{"type_meta": {"kind": "Pod"}, "object_meta": {"name": "y"}, "checks": %s}]'),
    (trivy, '{"Results": [{"Target": "y.yaml", "Misconfigurations": %s}]}'),
)
FAILING = {
    "polaris": '{"r": {"Success": false, "Message": "m", "Severity": "danger"}}',
    "kube-score": '[{"check": {"id": "r"}, "grade": 1, "skipped": false, "comments": null}]',
    "trivy": '[{"ID": "r", "Status": "FAIL", "CauseMetadata": {}, "Message": "", "Title": "", "Severity": ""}]',
}


@pytest.mark.parametrize(("adapter", "report"), STRANGERS, ids=lambda value: getattr(value, "NAME", ""))
@pytest.mark.threat("P3")
def test_a_finding_about_an_object_that_is_not_ours_is_dropped_and_counted(
    adapter: ModuleType, report: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    toolbox = fake_toolbox(tmp_path, adapter.NAME, f"echo '{report % FAILING[adapter.NAME]}'")
    scan = adapter.scan(SCOPES, context(sandbox, toolbox))
    assert [(drop.rule, drop.count) for drop in scan.drops] == [("r", 1)]
    assert (scan.raw_findings, scan.unaccounted, len(scan.missing)) == (1, 0, 1)


def test_a_label_that_bears_the_name_of_a_container_is_no_container() -> None:
    (copy,) = make_copies(resources(POD))
    opinion = kube_score._opinion(copy, [("label-values", 1, (("app", "Invalid label value"),))])
    assert [finding.container for finding in opinion.findings] == [OBJECT]


def test_an_object_that_bears_the_name_of_its_container_is_no_container() -> None:
    (copy,) = make_copies(resources(POD.replace("name: app", "name: web")))
    message = "container web in default namespace is using the default security context"
    verdict = trivy.Verdict(rule="KSV-0118", passed=False, line=0, message=message, title="", severity="HIGH")
    assert [finding.container for finding in trivy._opinion(copy, [verdict]).findings] == [OBJECT]


def test_what_trivy_joins_across_containers_is_told_once_for_each_that_it_is_about() -> None:
    pod = POD.replace("{name: app, image: a}", "{name: app, image: a}, {name: side, image: b}")
    (copy,) = make_copies(resources(pod))
    places = {key: line for line, key in copy.lines.items()}

    def verdict(rule: str, place: str, message: str) -> trivy.Verdict:
        return trivy.Verdict(rule=rule, passed=False, line=places[place], message=message, title="t", severity="HIGH")

    port = "Container 'app' of Pod 'web' should not set host ports, 'ports[*].hostPort'"
    module = 'container {"name":"%s"} of pod web should not include SYS_MODULE'
    opinion = trivy._opinion(
        copy,
        [verdict("KSV-0024", place, port) for place in places]
        + [verdict("KSV-0120", place, module % name) for place in places for name in places],
    )
    assert [(finding.rule, finding.container) for finding in opinion.findings] == [
        ("KSV-0024", "app"),
        ("KSV-0120", "app"),
        ("KSV-0120", "side"),
    ]
    assert sum(drop.count for drop in opinion.drops) == 3


@pytest.mark.threat("O9")
def test_a_message_that_may_hold_values_is_replaced_by_the_title_of_the_check() -> None:
    secret = 'container {"env":[{"name":"TOKEN","value":"canary"}]}'
    for rule in ("KSV-0120", "KSV-0109", "KSV-01010", "KSV-0001"):
        verdict = trivy.Verdict(rule=rule, passed=False, line=0, message=secret, title="A title", severity="HIGH")
        assert trivy._message(verdict) == "A title"
